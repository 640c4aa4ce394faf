"""Why a recipient stands where it stands, in one plain sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailadmin.panel.templatetags.foreign import visible
from mailadmin.queue.models import Attempt, Recipient, State

# By the stage at which the last try ended, for mail that waits.
WAITING: Final[Mapping[str, str | Promise]] = {
    "resolve": gettext_lazy("The mail server of %(domain)s could not be found."),
    "connect": gettext_lazy("%(peer)s could not be reached."),
    "banner": gettext_lazy("%(peer)s did not want to talk to us just now."),
    "ehlo": gettext_lazy("%(peer)s did not want to talk to us just now."),
    "tls": gettext_lazy("No protected connection to %(peer)s came about."),
    "auth": gettext_lazy("%(peer)s refuses our user name or password: check them under Settings, Delivery."),
    "mail": gettext_lazy("%(peer)s does not take mail from this sender at the moment."),
    "rcpt": gettext_lazy("%(peer)s does not take mail for this address at the moment."),
    "data": gettext_lazy("%(peer)s did not take the message at the moment."),
    "mailbox": gettext_lazy("The mailbox could not be written: it may be full."),
}
# By the stage at which it ended for good.
FAILED: Final[Mapping[str, str | Promise]] = {
    "resolve": gettext_lazy("The domain %(domain)s takes no mail, or does not exist."),
    "auth": gettext_lazy("%(peer)s refused our user name or password for good."),
    "mail": gettext_lazy("%(peer)s refused the sender for good."),
    "rcpt": gettext_lazy("%(peer)s refused this address for good: it may be misspelled or closed."),
    "data": gettext_lazy("%(peer)s refused the message for good: it may be too large, or taken for spam."),
    "mailbox": gettext_lazy("The mailbox does not take it."),
    "expired": gettext_lazy("It could not be delivered in the time that the settings give, and was returned."),
    "loop": gettext_lazy("The message went round in a circle between servers, and was returned."),
    "route": gettext_lazy("The settings let no mail leave for %(domain)s."),
    "returned": gettext_lazy("An administrator returned it to its sender."),
}
# Where no stage says more.
PLAIN: Final[Mapping[State, str | Promise]] = {
    State.WAITING: gettext_lazy("It is about to be tried."),
    State.DELIVERING: gettext_lazy("It is being delivered right now."),
    State.HELD: gettext_lazy("It waits until an administrator releases it."),
    State.DELIVERED: gettext_lazy("It was delivered."),
    State.FAILED: gettext_lazy("It was refused for good."),
    State.CANCELLED: gettext_lazy("An administrator cancelled it; nobody was told."),
}


def why(recipient: Recipient, last: Attempt | None, *, paused: bool) -> str:
    """Return the sentence for `recipient`.

    Args:
        recipient: whose state is explained.
        last: its last try, or None.
        paused: whether all delivery is paused.
    """
    if recipient.state == State.DELIVERED and last and last.stage == "mailbox":
        return _("It lies in the mailbox here.")
    if recipient.state == State.DELIVERED and last and last.peer:
        return _("%(peer)s took it over.") % {"peer": visible(last.peer)}
    if recipient.state == State.HELD and recipient.hold_reason == "account":
        return _("It waits because the sender's account is suspended.")
    if recipient.state == State.WAITING and paused:
        return _("All delivery is paused.")
    by_stage = {State.WAITING: WAITING, State.FAILED: FAILED}.get(State(recipient.state), {})
    return _sentence(by_stage, recipient, last) or str(PLAIN[State(recipient.state)])


def _sentence(sentences: Mapping[str, str | Promise], recipient: Recipient, last: Attempt | None) -> str:
    """Return the sentence for the stage of the last try, or nothing when there is none."""
    if last is None or last.stage not in sentences:
        return ""
    if last.stage == "resolve" and last.peer:  # a smarthost, and not the domain's own server
        return _("%(peer)s could not be found.") % {"peer": visible(last.peer)}
    peer = visible(last.peer) or _("The other server")
    return str(sentences[last.stage]) % {"peer": peer, "domain": visible(recipient.domain)}


def tone(state: str) -> str:
    """Return the tone of a state's badge."""
    tones = {State.DELIVERED: "ok", State.FAILED: "bad", State.CANCELLED: "quiet", State.HELD: "wait"}
    return tones.get(State(state), "info")
