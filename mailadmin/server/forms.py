"""The three forms of the first run."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.routing.models import Route

_NAME: Final = {"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}


class AdministratorForm(forms.Form):
    """Who will look after this server. An empty password takes the suggested one."""

    address = forms.CharField(
        label=gettext_lazy("Your mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
        help_text=gettext_lazy("You log in with it. Its domain is suggested as this server’s mail domain."),
    )
    name = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    password = forms.CharField(
        label=gettext_lazy("A password of your own"),
        required=False,
        strip=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("Leave it empty to use the suggested one. Otherwise: 12 characters or more."),
    )
    suggestion = forms.CharField(widget=forms.HiddenInput, required=False, max_length=100)

    @property
    def chosen(self) -> str | None:
        """The password that counts; None: neither was sent, so one must be generated."""
        typed: str = self.cleaned_data["password"] or self.cleaned_data["suggestion"]
        return typed or None


class ServerForm(forms.Form):
    """What the server is called, for which domain it keeps mailboxes, and how other mail leaves."""

    hostname = forms.CharField(
        label=gettext_lazy("Server name"),
        max_length=255,
        widget=forms.TextInput(attrs=_NAME),
        help_text=gettext_lazy("The name under which mail programs reach this machine; its certificate carries it."),
    )
    domain = forms.CharField(
        label=gettext_lazy("Mail domain"),
        max_length=253,
        widget=forms.TextInput(attrs=_NAME),
        help_text=gettext_lazy("The part behind the @. Mail to it is kept on this machine."),
    )
    via = forms.ChoiceField(
        label=gettext_lazy("How mail to other domains leaves"),
        choices=(
            (
                Route.Via.SMARTHOST,
                gettext_lazy("Through a smarthost: the mail server of your provider. Right for most homes."),
            ),
            (
                Route.Via.MX,
                gettext_lazy("Directly to each recipient’s server. Needs a fixed address and an open port 25."),
            ),
            (Route.Via.NONE, gettext_lazy("Not at all: only mail between the accounts here.")),
        ),
        widget=forms.RadioSelect,
        initial=Route.Via.SMARTHOST,
    )


class FirstAccountForm(forms.Form):
    """Whether the administrator's own account is the first one, or another is added."""

    who = forms.ChoiceField(label=gettext_lazy("Who sends mail first?"), widget=forms.RadioSelect, initial="me")
    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=254,
        required=False,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )

    def __init__(self, *args: Any, administrator: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        who = self.fields["who"]
        assert isinstance(who, forms.ChoiceField)  # noqa: S101  # declared above
        who.choices = [
            ("me", _("I do, as %(address)s") % {"address": administrator}),
            ("other", _("Somebody else: add an account, with a generated password")),
        ]

    def clean(self) -> dict[str, Any]:
        """Ask for the address when somebody else is meant."""
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("who") == "other" and not cleaned.get("address"):
            self.add_error("address", _("Type the address of the new account."))
        return cleaned
