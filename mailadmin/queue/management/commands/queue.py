"""`manage.py queue`: what waits, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.core.management.base import CommandParser

from mailadmin import commands
from mailadmin.accounts.addresses import AddressError, normal_domain
from mailadmin.commands import ACTOR, GroupCommand, Problem, Usage
from mailadmin.queue import browse, services
from mailadmin.queue.envelopes import parse_queue_id, queue_id
from mailadmin.queue.models import Attempt, Message, Recipient, State
from mailadmin.queue.services import Selection

Options = dict[str, Any]

LISTED: Final = 200  # messages that a list shows unless told otherwise
COLUMNS: Final = ("id", "sender", "recipients", "state", "size", "accepted_at", "next_attempt_at", "last_reply")


class Command(GroupCommand):
    """List and show mail in the queue and in its history, and act on what waits."""

    help = "List and show mail; retry, hold, release, cancel or return what waits; pause and resume all deliveries."

    def actions(self, add: Callable[[str, Callable[[Options], None], str], CommandParser]) -> None:
        """Describe the actions' flags."""
        listing = add("list", self.list, "List mail, newest first; without flags, what has not left yet.")
        listing.add_argument("--state", choices=browse.FILTERS, default="open", help="which mail (default: open)")
        listing.add_argument("--search", default="", metavar="TEXT", help="an address, a domain, an id, a Message-ID")
        listing.add_argument("--limit", type=int, default=LISTED, help=f"at most so many messages (default {LISTED})")
        show = add("show", self.show, "Show a message, its recipients, and each try with the server's words.")
        show.add_argument("id")
        self._act(add("retry", self.retry, "Try waiting mail now."))
        self._act(add("hold", self.hold, "Keep waiting mail from leaving."))
        self._act(add("release", self.release, "Let held mail leave."))
        self._act(add("cancel", self.cancel, "End waiting or held mail; nobody is told."))
        self._act(add("return", self.give_back, "Send waiting or held mail back to its sender now."))
        add("pause", self.pause, "Stop all deliveries; mail is still accepted.")
        add("resume", self.resume, "Go on with deliveries.")

    @staticmethod
    def _act(parser: CommandParser) -> None:
        parser.add_argument("ids", nargs="*", metavar="ID", help="queue ids")
        parser.add_argument("--domain", default="", help="the recipients in this domain")
        parser.add_argument("--all", action="store_true", help="the whole queue")

    def list(self, options: Options) -> None:
        """List messages."""
        if options["limit"] < 1:
            raise Usage("--limit must be at least 1.")
        page = browse.search(options["search"], state=options["state"], size=options["limit"])
        rows = [_line(message) for message in page.messages]
        if not self.as_json:
            rows = [row | {"recipients": [each["address"] for each in row["recipients"]]} for row in rows]
        self.tell_all(rows, COLUMNS, "There is no such mail." if options["search"] else "The queue is empty.")
        if page.has_next and not self.as_json:
            self.stderr.write(f"There is more; these are the newest {options['limit']}. Use --limit or --search.")

    def show(self, options: Options) -> None:
        """Show one message."""
        message = browse.detail(_number(options["id"]))
        if message is None:
            raise Problem(f"There is no message {options['id']}.")
        facts = _detail(message)
        self.tell(facts, _text(facts))

    def retry(self, options: Options) -> None:
        """Make waiting mail due now."""
        self._do(options, services.retry, "is tried now")

    def hold(self, options: Options) -> None:
        """Hold waiting mail."""
        self._do(options, services.hold, "is held")

    def release(self, options: Options) -> None:
        """Release held mail."""
        self._do(options, services.release, "is released")

    def cancel(self, options: Options) -> None:
        """Cancel mail."""
        self._do(options, services.cancel, "is cancelled")

    def give_back(self, options: Options) -> None:
        """Return mail to its sender."""
        self._do(options, services.give_back, "is on its way back to its sender")

    def pause(self, _options: Options) -> None:
        """Pause the queue."""
        services.pause(actor=ACTOR, now=commands.now())
        self.tell({"paused": True}, "Deliveries are paused; mail is still accepted.")

    def resume(self, _options: Options) -> None:
        """Resume the queue."""
        services.resume(actor=ACTOR, now=commands.now())
        self.tell({"paused": False}, "Deliveries go on.")

    def _do(self, options: Options, service: Callable[..., int], words: str) -> None:
        """Apply `service` to what the flags choose; that nothing was changed is a problem for those who named mail."""
        chosen = _selection(options)
        changed = service(chosen, actor=ACTOR, now=commands.now())
        if not changed and options["ids"]:
            raise Problem("Nothing was changed: the mail is in another state, or being delivered right now.")
        what = "recipient" if changed == 1 else "recipients"
        self.tell({"recipients": changed}, f"Mail to {changed} {what} {words}.")


def _selection(options: Options) -> Selection:
    """Return what the flags choose.

    Raises:
        Usage: they choose nothing, or in two ways.
        Problem: an id is wrong, or there is no such message.
    """
    ways = sum((bool(options["ids"]), bool(options["domain"]), options["all"]))
    if ways != 1:
        raise Usage("Name queue ids, or --domain, or --all: one of them.")
    if options["all"]:
        return Selection(everything=True)
    if options["domain"]:
        try:
            return Selection(domain=normal_domain(options["domain"]))
        except AddressError as error:
            raise Problem(f"{options['domain']}: {error}.") from error
    numbers = [_number(text) for text in options["ids"]]
    known = set(Message.objects.filter(pk__in=numbers).values_list("pk", flat=True))
    for number, text in zip(numbers, options["ids"], strict=True):
        if number not in known:
            raise Problem(f"There is no message {text}.")
    return Selection(messages=numbers)


def _number(text: str) -> int:
    number = parse_queue_id(text)
    if number is None:
        raise Problem(f"{text} is no queue id; `queue list` shows them.")
    return number


def _line(message: Message) -> dict[str, Any]:
    """Return what a list shows of a message."""
    recipients = list(message.recipients.all())
    due = [each.next_attempt_at for each in recipients if each.state == State.WAITING]
    replies = [each.last_reply for each in recipients if each.last_reply]
    return {
        "id": queue_id(message.pk),
        "sender": message.sender,
        "recipients": [_recipient(each) for each in recipients],
        "state": ", ".join(dict.fromkeys(each.state for each in recipients)),
        "size": message.size,
        "accepted_at": message.accepted_at,
        "next_attempt_at": min(due, default=None),
        "last_reply": replies[-1] if replies else "",
    }


def _recipient(recipient: Recipient) -> dict[str, Any]:
    return {
        "address": recipient.address,
        "state": recipient.state,
        "hold_reason": recipient.hold_reason,
        "attempts": recipient.attempts,
        "next_attempt_at": recipient.next_attempt_at if recipient.state == State.WAITING else None,
        "last_reply": recipient.last_reply,
        "finished_at": recipient.finished_at,
    }


def _detail(message: Message) -> dict[str, Any]:
    """Return all there is to say of a message."""
    facts = _line(message)
    facts["recipients"] = [
        _recipient(each) | {"tries": [_try(attempt) for attempt in each.tries.all()]}
        for each in message.recipients.all()
    ]
    return facts | {
        "account": message.account.address if message.account else "",
        "message_id": message.message_id,
        "listener": message.listener,
        "client": message.client,
        "helo": message.helo,
        "mechanism": message.mechanism,
        "tls": message.tls,
    }


def _try(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": attempt.at,
        "outcome": attempt.outcome,
        "stage": attempt.stage,
        "peer": attempt.peer,
        "tls": attempt.tls,
        "code": attempt.code,
        "enhanced": attempt.enhanced,
        "reply": attempt.reply,
    }


def _text(facts: dict[str, Any]) -> str:
    """Return a message's facts as lines for people."""
    labels = ("id", "sender", "account", "message_id", "size", "accepted_at", "listener", "client", "mechanism", "tls")
    lines = [f"{label.replace('_', ' '):12} {facts[label] or '-'}" for label in labels]
    for each in facts["recipients"]:
        when = f", next try {each['next_attempt_at']:%Y-%m-%d %H:%M:%S}" if each["next_attempt_at"] else ""
        lines += ["", f"{each['address']}: {each['state']}{when}"]
        lines += [f"  {_told(attempt)}" for attempt in each["tries"]]
    return "\n".join(lines)


def _told(attempt: dict[str, Any]) -> str:
    parts = (
        f"{attempt['at']:%Y-%m-%d %H:%M:%S}",
        attempt["outcome"],
        f"({attempt['stage']})",
        attempt["peer"],
        str(attempt["code"] or ""),
        attempt["enhanced"],
        attempt["reply"],
    )
    return " ".join(part for part in parts if part)
