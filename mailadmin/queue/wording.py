"""What a delivery status notice says to people, in Japanese and English (pure).

These texts leave by mail, to readers whose language nobody has told us; so both stand in each notice, and not in the
panel's catalogues.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal

Kind = Literal["failed", "delayed", "delivered"]

_SUBJECT: Final[dict[Kind, str]] = {
    "failed": "メールを配達できませんでした / Your message was not delivered",
    "delayed": "メールの配達が遅れています / Your message is delayed",
    "delivered": "メールを配達しました / Your message was delivered",
}
_JAPANESE: Final[dict[Kind, str]] = {
    "failed": "次の宛先へメールを配達できませんでした。これ以上の再送は行いません。",
    "delayed": "次の宛先へのメールの配達が遅れています。再送は自動で続きますので、送り直す必要はありません。",
    "delivered": "次の宛先へメールを配達しました(または、配達通知を送らないサーバーへ引き渡しました)。",
}
_ENGLISH: Final[dict[Kind, str]] = {
    "failed": "Your message could not be delivered to the following recipients. No further attempt will be made.",
    "delayed": (
        "Your message has not reached the following recipients yet. It will be tried again; you need not send it again."
    ),
    "delivered": (
        "Your message was delivered to the following recipients, or handed to a server that sends no notice of its own."
    ),
}


def subject(kind: Kind) -> str:
    """Return the subject of a notice."""
    return _SUBJECT[kind]


def text(
    kind: Kind,
    *,
    hostname: str,
    queue_id: str,
    recipients: Sequence[str],
    retry_until: datetime | None,
    whole: bool,
) -> str:
    """Return the text of a notice, lines ending in LF.

    Args:
        kind: what it is about.
        hostname: this server's name.
        queue_id: the original's, to name when asking for help.
        recipients: the recipients, each with what the server said on lines of its own.
        retry_until: for a delay, when the mail is given up.
        whole: whether the whole original is attached, and not its header alone.
    """
    listed = "\n".join(f"  {recipient}" for recipient in recipients)
    until = retry_until.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if retry_until else ""
    japanese = [f"{hostname} のメール配送システムです。", "", _JAPANESE[kind], "", listed, ""]
    english = [f"This is the mail system at {hostname}.", "", _ENGLISH[kind], "", listed, ""]
    if until:
        japanese += [f"再送の期限: {until}", ""]
        english += [f"It will be tried until {until}.", ""]
    japanese.append("元のメール全体を添付します。" if whole else "元のメールのヘッダーを添付します。")
    english.append("The whole message is attached." if whole else "The header of your message is attached.")
    japanese.append(f"お問い合わせの際の番号: {queue_id}")
    english.append(f"If you ask for help, give this number: {queue_id}")
    return "\n".join([*japanese, "", "-" * 70, "", *english, ""])
