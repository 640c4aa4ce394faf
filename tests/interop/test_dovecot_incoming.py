"""Mail that other servers bring to the mx listener for a domain whose mailboxes a real Dovecot keeps."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests import cast
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.smarthost import Smarthost
from tests.interop.dovecot import Dovecot, dovecot
from tests.interop.messages import EIGHT_BIT, ISO_2022_JP, LARGE, MIME, PLAIN, SMTPUTF8, Letter
from tests.interop.test_clients import without_traces

DOMAINS = ("example.com", "socket.example.com")
LETTERS = (PLAIN, MIME, ISO_2022_JP, EIGHT_BIT, LARGE)


@dataclass(slots=True)
class Place:
    """A running product, the Dovecot behind it, and the server that its notices to strangers go through."""

    product: Product
    keeper: Dovecot
    far_side: Smarthost

    def bring(self, recipients: list[str], letter: Letter, *options: str) -> None:
        """Hand over `letter` as another server does: from a stranger, without signing in."""
        with self.product.client("mx") as client:
            client.sendmail(cast.STRANGER.address, recipients, letter.data, list(options))


@pytest.fixture(scope="module")
def place(product_template: Template) -> Iterator[Place]:
    """One domain by the port, one by the socket; mail for elsewhere through a smarthost."""
    product = product_template.copy()
    try:
        with dovecot() as keeper, Smarthost(tls="none") as far_side:
            for domain, target in zip(DOMAINS, keeper.targets, strict=True):
                product.command("domain", "add", domain, "--lmtp", target)
            product.route_to(far_side)
            product.start()
            yield Place(product, keeper, far_side)
    finally:
        product.remove()


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("letter", LETTERS, ids=lambda letter: letter.name)
def test_what_another_server_brings_is_stored_as_it_came(place: Place, domain: str, letter: Letter) -> None:
    recipients = [f"hanako@{domain}", f"jiro@{domain}"]
    before = {address: len(place.keeper.mailbox(address)) for address in recipients}
    place.bring(recipients, letter)
    for address in recipients:
        wait_until(lambda: len(place.keeper.mailbox(address)) > before[address], f"the letter for {address}")  # noqa: B023  # at once
        stored = place.keeper.mailbox(address)[before[address]]
        assert without_traces(stored) == letter.data
        assert stored.startswith(f"Return-Path: <{cast.STRANGER.address}>\r\n".encode())


@pytest.mark.parametrize("domain", DOMAINS)
def test_whom_dovecot_does_not_know_is_refused_at_once_and_the_others_get_theirs(place: Place, domain: str) -> None:
    place.far_side.forget()
    known, unknown = f"hanako@{domain}", f"nobody@{domain}"
    before = len(place.keeper.mailbox(known))
    with place.product.client("mx") as client:
        refused = client.sendmail(cast.STRANGER.address, [known, unknown], PLAIN.data)
    assert {address: (code, words[:6]) for address, (code, words) in refused.items()} == {unknown: (550, b"5.1.1 ")}
    wait_until(lambda: len(place.keeper.mailbox(known)) > before, "the copy of the one that exists")
    assert len(place.keeper.mailbox(known)) == before + 1
    assert place.far_side.messages == []


def test_a_letter_that_needs_smtputf8_comes_back_because_dovecot_has_none(place: Place) -> None:
    place.far_side.forget()
    place.bring([f"hanako@{DOMAINS[0]}"], SMTPUTF8, "SMTPUTF8", "BODY=8BITMIME")
    notice = place.far_side.wait_for(1)[0]
    assert (notice.sender, notice.recipients) == ("", (cast.STRANGER.address,))
    assert b"Status: 5.6.7" in notice.data


def test_while_dovecot_is_away_strangers_are_put_off_and_our_own_mail_waits(product: Product) -> None:
    with dovecot() as keeper, Smarthost(tls="none") as far_side:
        product.command("domain", "add", DOMAINS[0], "--lmtp", str(keeper.folder / "not-here"))
        product.route_to(far_side)
        product.start()
        recipient = f"jiro@{DOMAINS[0]}"
        with product.client("mx") as client, pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
            client.sendmail(cast.STRANGER.address, [recipient], PLAIN.data)
        assert refused.value.recipients[recipient][0] == 450
        with product.client("submission", cast.BECKY) as client:
            client.sendmail(cast.BECKY.address, [recipient], PLAIN.data)
        product.wait_for_states(waiting=1)
        wait_until(lambda: product.database.value("SELECT count(*) FROM queue_attempt"), "the first try")
        (keeper.folder / "not-here").symlink_to(keeper.folder / "lmtp")
        product.command("queue", "retry", "--all")
        wait_until(lambda: keeper.mailbox(recipient), "the letter, once Dovecot is there")
        assert without_traces(keeper.mailbox(recipient)[0]) == PLAIN.data
        assert far_side.messages == []
        assert product.mailbox(cast.BECKY) == []
