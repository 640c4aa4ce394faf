"""What people may say about domains and the ways out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from mailadmin.panel.form_errors import take
from mailadmin.routing import targets
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.routing.services import SmarthostInput

_NAME: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class DeliveryForm(forms.Form):
    """Who keeps the mailboxes of a domain."""

    delivery = forms.ChoiceField(
        label=_("Mailboxes"), choices=Domain.Delivery.choices, initial="maildir", widget=forms.RadioSelect
    )
    lmtp_target = forms.CharField(
        label=_("LMTP server"),
        required=False,
        max_length=255,
        help_text=_("For LMTP: HOST:PORT, or the path of a unix socket such as /run/dovecot/lmtp."),
        widget=forms.TextInput(attrs=_NAME),
    )
    node = forms.CharField(
        label=_("Machine that holds the mailboxes"),
        required=False,
        max_length=255,
        help_text=_("Only where several machines share one database; empty otherwise."),
        widget=forms.TextInput(attrs=_NAME),
    )

    @classmethod
    def of(cls, domain: Domain) -> DeliveryForm:
        """Return the form as `domain` is now."""
        return cls(initial={field: getattr(domain, field) for field in cls.base_fields})


class NewDomainForm(DeliveryForm):
    """A domain whose mailboxes shall be here."""

    name = forms.CharField(
        label=_("Domain"),
        max_length=253,
        help_text=_("The part behind the @ of the addresses that get mail here, such as example.org."),
        widget=forms.TextInput(attrs=_NAME),
    )
    field_order = ["name", "delivery", "lmtp_target", "node"]


class RouteForm(forms.Form):
    """The way out, without its smarthosts."""

    via = forms.ChoiceField(label=_("How mail leaves"), choices=Route.Via.choices, widget=forms.RadioSelect)


class NewRouteForm(RouteForm):
    """A way out for a pattern that has none of its own yet."""

    pattern = forms.CharField(
        label=_("For mail to"),
        max_length=253,
        help_text=_("A domain such as example.org, or *.example.org for everything below it."),
        widget=forms.TextInput(attrs=_NAME),
    )
    field_order = ["pattern", "via"]


class MxTestForm(forms.Form):
    """A domain to try direct delivery with."""

    domain = forms.CharField(max_length=253, widget=forms.TextInput(attrs=_NAME))


class SmarthostForm(forms.Form):
    """One smarthost. An empty password keeps the one that is saved for the same server, port and user name."""

    host = forms.CharField(label=_("Server"), max_length=255, widget=forms.TextInput(attrs=_NAME))
    port = forms.IntegerField(label=_("Port"), initial=587)
    tls = forms.ChoiceField(
        label=_("Protection"), choices=Smarthost.Tls.choices, initial=Smarthost.Tls.STARTTLS, widget=forms.Select
    )
    username = forms.CharField(
        label=_("User name"), required=False, max_length=255, widget=forms.TextInput(attrs=_NAME)
    )
    # What was typed and not saved yet comes back with a refused form; what is saved never does.
    password = forms.CharField(
        label=_("Password"),
        required=False,
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(render_value=True, attrs={"autocomplete": "new-password"}),
    )
    ca_pem = forms.CharField(
        label=_("Authority of its certificate"),
        required=False,
        help_text=_("In PEM form; only for a server whose certificate no public authority has signed."),
        widget=forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "mono"}),
    )

    def __init__(
        self, *args: Any, saved: Mapping[tuple[str, int, str], Smarthost] | None = None, **kwargs: Any
    ) -> None:
        """Know the saved smarthosts of the route, by `key`."""
        super().__init__(*args, **kwargs)
        self._saved = saved or {}
        if self.saved is not None and self.saved.password_sealed:
            self.fields["password"].help_text = _("Saved; leave empty to keep it.")

    @property
    def saved(self) -> Smarthost | None:
        """The saved smarthost that this row is about, if any."""
        values = [self[name].value() for name in ("host", "port", "username")]
        try:
            wanted = (targets.normal_host(str(values[0] or "")), int(values[1] or 0), str(values[2] or "").strip())
        except ValueError:
            return None
        return self._saved.get(wanted)

    def clean(self) -> dict[str, Any]:
        """Check what only makes sense together, by the rules of the service."""
        cleaned = super().clean() or self.cleaned_data
        if self.errors:
            return cleaned
        try:
            checked = targets.smarthost(self.given())
            saved = self.saved
            has_password = bool(checked.password) or bool(saved and saved.password_sealed)
            targets.check_credentials(checked.tls, checked.username, has_password=has_password)
        except ValidationError as error:
            take(self, error)
        return cleaned

    def given(self) -> SmarthostInput:
        """Return the row as the service takes it."""
        values = self.cleaned_data
        return SmarthostInput(
            host=values["host"],
            port=values["port"],
            tls=values["tls"],
            username=values["username"],
            password=values["password"] or None,
            ca_pem=values["ca_pem"],
        )


def key(smarthost: Smarthost) -> tuple[str, int, str]:
    """Return by what a saved smarthost is told from others."""
    return smarthost.host, smarthost.port, smarthost.username
