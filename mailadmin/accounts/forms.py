"""What the panel asks about accounts. The rules are the services': a form only brings texts into shape."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.accounts.models import Account

MEGABYTE: Final = 1000 * 1000  # octets
_MAX_QUOTA: Final = 10_000_000  # megabytes


class PatternsField(forms.CharField):
    """Sender patterns, one a line; commas and spaces part them too."""

    widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "none"})

    def to_python(self, value: Any) -> list[str]:  # type: ignore[override]  # the field's value is a list
        """Return the patterns of the text."""
        return str(value or "").replace(",", " ").split()

    def validate(self, value: Any) -> None:
        """Leave the patterns to the service."""

    def run_validators(self, value: Any) -> None:
        """Leave the patterns to the service."""

    def prepare_value(self, value: Any) -> Any:
        """Return the patterns as lines."""
        return "\n".join(value) if isinstance(value, list) else value


class DetailsForm(forms.Form):
    """What can be changed of an account at any time."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=100, required=False)
    senders = PatternsField(
        label=gettext_lazy("Also sends as"),
        required=False,
        help_text=gettext_lazy(
            "One a line: shop@example.org, name+*@example.org for any plus-tag, or *@example.org for a whole domain. "
            "An account may always send as its own address."
        ),
    )
    quota = forms.IntegerField(
        label=gettext_lazy("Mailbox limit in MB"),
        min_value=1,
        max_value=_MAX_QUOTA,
        required=False,
        help_text=gettext_lazy("Empty: no limit."),
    )
    note = forms.CharField(
        label=gettext_lazy("Note"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=gettext_lazy("For administrators; nobody else sees it."),
    )
    is_administrator = forms.BooleanField(label=gettext_lazy("Administrator: may use this panel"), required=False)

    @staticmethod
    def values_of(account: Account) -> dict[str, object]:
        """Return the form's initial values for `account`."""
        patterns = [sender.pattern for sender in account.senders.all() if sender.pattern != account.address]
        return {
            "name": account.name,
            "senders": patterns,
            "quota": None if account.quota is None else max(1, account.quota // MEGABYTE),
            "note": account.note,
            "is_administrator": account.is_administrator,
        }

    @property
    def octets(self) -> int | None:
        """The limit in octets."""
        quota: int | None = self.cleaned_data["quota"]
        return None if quota is None else quota * MEGABYTE


class AddForm(DetailsForm):
    """A new account."""

    address = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
        help_text=gettext_lazy("The mail address, which is also the user name in the mail program."),
    )
    password = forms.CharField(
        label=gettext_lazy("Password"),
        required=False,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy(
            "Leave it empty: a strong one is made and shown once. Or type one of 12 characters or more."
        ),
    )
    field_order = ("address", "name", "password", "senders", "quota", "note", "is_administrator")


class PasswordForm(forms.Form):
    """A typed password."""

    password = forms.CharField(
        label=gettext_lazy("New password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("12 characters or more, none of the common ones, and not like the address."),
    )


class RemoveForm(forms.Form):
    """The address once more, so that nobody removes the wrong account."""

    address = forms.CharField(
        label=gettext_lazy("Type the address to confirm"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )
    cancel_mail = forms.BooleanField(label=gettext_lazy("Cancel its waiting mail"), required=False)

    def __init__(self, *args: Any, account: Account, waiting: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        if not waiting:
            del self.fields["cancel_mail"]

    def clean_address(self) -> str:
        """Return the address.

        Raises:
            ValidationError: it is another one.
        """
        typed: str = self.cleaned_data["address"].strip().lower()
        if typed != self.account.address:
            raise ValidationError(_("This is not %(address)s.") % {"address": self.account.address})
        return typed
