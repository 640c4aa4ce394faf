"""The pages with a long history: few queries, however much there is, and an answer while somebody waits."""

# ruff: noqa: S608  # statements are composed of this module's constants

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from mailadmin.accounts.models import Account
from mailadmin.queue.envelopes import first_id, queue_id
from mailadmin.queue.models import Message

ROWS: Final = 100_000
MOST_QUERIES: Final = 12
# The median of a page on a slow, busy machine; a scan of the history by hand would take many times that.
MOST_SECONDS: Final = 1.0
PAGES: Final = (
    "/",
    "/mail/",
    "/mail/?page=40",
    "/mail/?state=sent",
    "/mail/?state=failed",
    "/mail/?state=waiting",
    "/mail/?q=friend7@example.net",
    "/mail/?q=friend",
    "/mail/{id}/",
    "/sign-ins/",
    "/sign-ins/?result=refused",
    "/sign-ins/?q=hanako",
    "/activity/",
    "/settings/",
    "/settings/listeners/",
    "/settings/delivery/",
    "/settings/certificate/",
    "/live/rows/?show=events&after=1.1.1",
)


def _statements(account: Account) -> Iterator[str]:
    """Yield what writes a history of `ROWS` messages, tries, sign-ins and changes, a minute apart."""
    first = first_id(timezone.now().timestamp() - ROWS * 60)
    if connection.vendor == "sqlite":
        at, false, empty = f"datetime('now', '-' || ({ROWS} - n) || ' minutes')", "0", "'{}'"
    else:
        at, false, empty = f"now() - ({ROWS} - n) * interval '1 minute'", "false", "'{}'::jsonb"
    series = f"WITH RECURSIVE series(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM series WHERE n + 1 < {ROWS})"
    message = f"{first} + n * CAST(60000000 AS bigint) * 4096"
    yield (
        "INSERT INTO queue_message (id, account_id, sender, message_id, size, accepted_at, smtputf8, eight_bit, envid,"
        " ret, listener, client, helo, mechanism, tls, chunked, open_recipients)"
        f" {series} SELECT {message}, {account.pk}, 'hanako@example.org', '<' || n || '@example.org>', 2000, {at},"
        f" {false}, {false}, '', '', 'submission', '192.0.2.1', '', 'PLAIN', 'TLSv1.3', {false}, 0 FROM series"
    )
    yield (
        "INSERT INTO queue_recipient (message_id, address, domain, notify, orcpt, state, next_attempt_at, lease_owner,"
        " attempts, hold_reason, delay_notified, last_reply, finished_at)"
        f" {series} SELECT {message}, 'friend' || n % 500 || '@example.net', 'example.net', '', '',"
        f" CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'delivered' END, {at}, '', 1, '', {false}, '250 2.0.0 ok', {at}"
        " FROM series"
    )
    yield (
        "INSERT INTO queue_attempt (recipient_id, at, outcome, stage, peer, tls, code, enhanced, reply)"
        " SELECT id, next_attempt_at, state, 'data', 'mx', '', 250, '2.0.0', 'ok' FROM queue_recipient"
    )
    yield (
        "INSERT INTO activity_signin (at, account_id, login, listener, client, mechanism, tls, helo, result)"
        f" {series} SELECT {at}, {account.pk}, 'hanako@example.org', 'submission', '192.0.2.' || n % 250, 'PLAIN',"
        " 'TLSv1.3', '', CASE WHEN n % 10 = 0 THEN 'password' ELSE 'ok' END FROM series"
    )
    yield (
        "INSERT INTO activity_entry (at, actor, verb, subject, before, after)"
        f" {series} SELECT {at}, 'hanako@example.org', 'account.edit', 'ichiro@example.org', {empty}, {empty}"
        " FROM series"
    )
    if connection.vendor == "postgresql":
        yield "ANALYZE"


@pytest.mark.django_db
def test_every_page_is_quick_and_asks_little_after_a_hundred_thousand_messages(
    panel: Client, administrator: Account, shown: Callable[[str], None]
) -> None:
    with connection.cursor() as cursor:
        for statement in _statements(administrator):
            cursor.execute(statement)
    newest = queue_id(Message.objects.order_by("-pk").values_list("pk", flat=True)[0])
    report, slow = [], []
    for page in PAGES:
        path = page.format(id=newest)
        times = []
        for _ in range(3):
            with CaptureQueriesContext(connection) as captured:
                started = time.perf_counter()
                assert panel.get(path).status_code == 200
                times.append(time.perf_counter() - started)
        seconds = sorted(times)[1]
        report.append(f"{seconds * 1000:7.1f} ms  {len(captured):2} queries  {page}")
        if seconds > MOST_SECONDS or len(captured) > MOST_QUERIES:
            slow.append(report[-1])
    shown("\n".join(report))
    assert slow == []
