"""Mail for a domain whose mailboxes a real Dovecot keeps arrives there by LMTP, over TCP and over a socket."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.interop.dovecot import Dovecot, dovecot
from tests.interop.messages import EIGHT_BIT, ISO_2022_JP, LARGE, MIME, PLAIN, Letter
from tests.interop.test_clients import without_traces

DOMAINS = ("example.com", "socket.example.com")
# Dovecot 2.3 offers no SMTPUTF8.
LETTERS = (PLAIN, MIME, ISO_2022_JP, EIGHT_BIT, LARGE)


@pytest.fixture(scope="module")
def keeper() -> Iterator[Dovecot]:
    """A running Dovecot."""
    with dovecot() as running:
        yield running


@pytest.fixture(scope="module")
def sending(product_template: Template, keeper: Dovecot) -> Iterator[Product]:
    """A running product with two domains that Dovecot keeps."""
    product = product_template.copy()
    try:
        for domain, target in zip(DOMAINS, keeper.targets, strict=True):
            product.command("domain", "add", domain, "--lmtp", target)
        product.start()
        yield product
    finally:
        product.remove()


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.name)
def test_what_dovecot_stores_is_what_was_sent(sending: Product, keeper: Dovecot, domain: str, letter: Letter) -> None:
    recipients = [f"hanako@{domain}", f"jiro@{domain}"]
    before = [len(keeper.mailbox(address)) for address in recipients]
    with sending.client("submission", cast.BECKY) as client:
        client.sendmail(cast.BECKY.address, recipients, letter.data)
    for address, number in zip(recipients, before, strict=True):
        wait_until(lambda: len(keeper.mailbox(address)) > number, f"the letter for {address}")  # noqa: B023  # at once
        assert without_traces(keeper.mailbox(address)[number]) == letter.data
    wait_until(lambda: sending.database.states().keys() == {"delivered"}, "the record of it")


def test_whom_dovecot_does_not_know_is_refused_at_once(sending: Product) -> None:
    unknown = f"nobody@{DOMAINS[0]}"
    with sending.client("submission", cast.BECKY) as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        client.sendmail(cast.BECKY.address, [unknown], PLAIN.data)
    code, words = refused.value.recipients[unknown]
    assert (code, words[:6]) == (550, b"5.1.1 ")
