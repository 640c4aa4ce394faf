"""What people may say about a listener."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from mailadmin.listeners.models import Listener, Role

_ADDRESS = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none", "class": "mono"}


class ListenerForm(forms.Form):
    """Where a listener listens, and to how many."""

    enabled = forms.BooleanField(label=_("Listening"), required=False)
    port = forms.IntegerField(
        label=_("Port"),
        help_text=_("Ports below 1024 need a daemon that was started with the right to bind them."),
    )
    address = forms.CharField(
        label=_("IPv4 address"),
        required=False,
        max_length=64,
        help_text=_("0.0.0.0 is every address of this machine; 127.0.0.1 this machine alone; empty: no IPv4."),
        widget=forms.TextInput(attrs=_ADDRESS),
    )
    address6 = forms.CharField(
        label=_("IPv6 address"),
        required=False,
        max_length=64,
        help_text=_(":: is every address of this machine; ::1 this machine alone; empty: no IPv6."),
        widget=forms.TextInput(attrs=_ADDRESS),
    )
    max_connections = forms.IntegerField(label=_("Connections at once, in all"))
    max_connections_per_address = forms.IntegerField(label=_("Connections at once, from one address"))

    @classmethod
    def of(cls, listener: Listener) -> ListenerForm:
        """Return the form as `listener` is now."""
        return cls(initial={name: getattr(listener, name) for name in cls.base_fields})


class NewListenerForm(ListenerForm):
    """A listener that is not there yet."""

    name = forms.CharField(
        label=_("Name"),
        max_length=40,
        help_text=_("Lower-case letters, digits and hyphens."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
    )
    role = forms.ChoiceField(label=_("What it is for"), choices=Role.choices)
    field_order = ["name", "role", "port", "address", "address6", "enabled"]
