"""A runner that stands still holds up deliveries and nothing else; people are told, and it is replaced or goes on."""

from __future__ import annotations

import os
import signal
import time
from typing import Final

from tests import cast
from tests.faults.traffic import processes
from tests.ground.daemon import Product, wait_until
from tests.interop.messages import PLAIN

WORDS: Final = "Mail is accepted but not delivered: the queue runner is not running."
# The supervisor gives up on a silent process after half a minute (smtpd.children.SILENCE).
REPLACED: Final = 45.0


def _send(product: Product) -> None:
    with product.client("submission", cast.BECKY) as client:
        client.sendmail(cast.BECKY.address, [cast.OUTLOOK.address], PLAIN.data)


def test_a_runner_that_stands_still_is_told_in_words_and_replaced(product: Product) -> None:
    panel = product.up()
    assert panel.sign_in(cast.ADMINISTRATOR).status == 200
    before = processes(product)
    (runner,) = before["runner"]
    os.kill(runner, signal.SIGSTOP)
    for _ in range(3):
        _send(product)
    assert product.mailbox(cast.OUTLOOK) == []
    wait_until(lambda: WORDS in panel.get("/").text, "the overview says so", 20)
    assert WORDS in product.command("doctor", status=1)
    wait_until(lambda: product.pids("runner") not in ([], [runner]), "another runner", REPLACED)
    wait_until(lambda: len(product.mailbox(cast.OUTLOOK)) == 3, "all is delivered")
    assert WORDS not in panel.get("/").text
    assert processes(product) | {"runner": []} == before | {"runner": []}


def test_a_runner_that_goes_on_in_time_is_the_same_one(product: Product) -> None:
    product.start()
    before = processes(product)
    (runner,) = before["runner"]
    os.kill(runner, signal.SIGSTOP)
    _send(product)
    time.sleep(1.0)
    assert product.mailbox(cast.OUTLOOK) == []
    os.kill(runner, signal.SIGCONT)
    wait_until(lambda: len(product.mailbox(cast.OUTLOOK)) == 1, "the message is delivered")
    assert processes(product) == before
