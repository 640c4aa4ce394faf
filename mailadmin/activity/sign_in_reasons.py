"""Why somebody could sign in or not, in words a household understands, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

OK: Final = "ok"


@dataclass(frozen=True, slots=True)
class Reason:
    """A result of a sign-in: its name, what happened, and the way out of it (empty: nothing to do)."""

    label: str | Promise
    why: str | Promise
    cure: str | Promise = ""


REASONS: Final[dict[str, Reason]] = {
    OK: Reason(_("Signed in"), _("Signed in.")),
    "password": Reason(
        _("Wrong password"),
        _("The password was wrong."),
        _("Type it again in the mail program, or set a new one on the account's page."),
    ),
    "unknown": Reason(
        _("Unknown account"),
        _("There is no account with this address."),
        _(
            "Correct the user name in the mail program, or add the account. "
            "From far away it is mostly guessing: then there is nothing to do."
        ),
    ),
    "suspended": Reason(
        _("Account suspended"),
        _("The account is suspended."),
        _("Resume it on its page when it should send again."),
    ),
    "tls-required": Reason(
        _("No TLS"),
        _("The connection was not protected by TLS, and passwords are taken only under TLS."),
        _("Choose STARTTLS or SSL/TLS in the mail program."),
    ),
    "mechanism": Reason(
        _("Method not allowed"),
        _("The mail program asked for a sign-in method that is not allowed here."),
        _("Choose the method “normal password” in the mail program, with STARTTLS or SSL/TLS."),
    ),
    "administrator": Reason(
        _("Not an administrator"),
        _("Name and password are right, but only administrators can use this panel."),
        _("Make the account an administrator on its page, when it shall be one."),
    ),
    "malformed": Reason(
        _("Not understood"),
        _("What the mail program sent is no valid sign-in."),
        _("Update the mail program. Guessing programs do this too: then there is nothing to do."),
    ),
    "aborted": Reason(
        _("Broken off"),
        _("The mail program broke the sign-in off before its end."),
    ),
    "temporary": Reason(
        _("Could not be checked"),
        _("The server could not check the password at that moment; the mail program was told to try again later."),
        _("If it happens again, look at the overview for what is wrong with the server."),
    ),
}
_OTHER: Final = Reason(_("Refused"), _("The sign-in was refused."))


def reason(result: str) -> Reason:
    """Return the words for a `SignIn.result`."""
    return REASONS.get(result, _OTHER)
