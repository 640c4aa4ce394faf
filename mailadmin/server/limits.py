"""What each site-wide setting may be, with the sentence for a value that it may not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from mailadmin.accounts.addresses import AddressError, normal_domain

MIB: Final = 1024 * 1024


def checked(field: str, check: Callable[[Any], Any], value: Any) -> Any:
    """Return what `check` makes of `value`.

    Raises:
        ValidationError: under the key `field`, when it is refused.
    """
    try:
        return check(value)
    except ValueError as error:
        raise ValidationError({field: str(error)}) from error


def _hostname(value: str) -> str:
    try:
        return normal_domain(value)
    except AddressError as error:
        raise ValueError(
            _("“%(name)s” is not a server name such as mail.example.org: %(reason)s.")
            % {"name": value, "reason": _(str(error))}
        ) from error


def _between(low: int, high: int) -> Callable[[int], int]:
    def check(value: int) -> int:
        if not low <= value <= high:
            raise ValueError(_("It must be between %(low)s and %(high)s.") % {"low": low, "high": high})
        return int(value)

    return check


def _lasting(low: timedelta, high: timedelta) -> Callable[[timedelta], timedelta]:
    def check(value: timedelta) -> timedelta:
        if not low <= value <= high:
            raise ValueError(
                _("It must be between %(low)s and %(high)s hours.")
                % {"low": round(low / timedelta(hours=1), 2), "high": round(high / timedelta(hours=1))}
            )
        return value

    return check


CHECKS: Final[dict[str, Callable[[Any], Any]]] = {
    "hostname": _hostname,
    "message_size_limit": _between(MIB // 16, 2000 * MIB),  # RFC 5321 §4.5.3.1.7: 64 KiB at least
    "recipient_limit": _between(100, 10_000),  # RFC 5321 §4.5.3.1.8: 100 at least
    "queue_paused": bool,
    "give_up_after": _lasting(timedelta(hours=1), timedelta(days=30)),
    "delay_notice_after": _lasting(timedelta(minutes=5), timedelta(days=30)),
    "history_days": _between(1, 3650),
    "allow_private_destinations": bool,
    "mx_port": _between(1, 65535),
}
