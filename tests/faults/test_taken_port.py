"""A port that another program has is told in words wherever somebody looks, and hinders nothing else."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import Final

from tests import cast
from tests.ground.daemon import Product, wait_until
from tests.ground.ports import free_port
from tests.interop.messages import PLAIN

WORDS: Final = "another program uses this port. Stop it, or give the listener another port."


def test_a_taken_port_is_told_on_the_pages_and_by_doctor_and_cured_by_another_one(product: Product) -> None:
    product.choose_ports()
    taken = product.ports["submissions"]
    with closing(socket.create_server(("127.0.0.1", taken))):
        panel = product.up()
        assert panel.sign_in(cast.ADMINISTRATOR).status == 200
        where = f"127.0.0.1:{taken} (submissions): {WORDS}"
        wait_until(lambda: where in panel.get("/").text, "the overview says so")
        assert where in panel.get("/settings/listeners/").text
        said = product.command("doctor", status=1)
        assert where in said
        assert "process.problem" in said
        with product.client("submission", cast.BECKY) as client:
            client.sendmail(cast.BECKY.address, [cast.OUTLOOK.address], PLAIN.data)
        wait_until(lambda: len(product.mailbox(cast.OUTLOOK)) == 1, "the message")
        # Put right where the page says so, while the other program keeps the port.
        product.ports["submissions"] = free_port()
        form = panel.get("/settings/listeners/submissions/").form(having="port")
        assert panel.submit(form, port=str(product.ports["submissions"])).status == 200
        wait_until(lambda: product.connects(product.ports["submissions"]), "the new port is open", 1.0)
        with product.client("submissions", cast.BECKY) as client:
            assert client.noop()[0] == 250
        wait_until(lambda: WORDS not in panel.get("/").text, "the overview has forgotten it")
        assert WORDS not in panel.get("/settings/listeners/").text
    assert "Traceback" not in product.log_text()


def test_a_port_of_two_listeners_is_refused_in_words_before_it_is_saved(product: Product) -> None:
    panel = product.up()
    assert panel.sign_in(cast.ADMINISTRATOR).status == 200
    form = panel.get("/settings/listeners/mx/").form(having="port")
    page = panel.submit(form, port=str(product.ports["submission"]))
    assert page.status == 422
    assert "submission" in page.text
    said = product.command("listener", "set", "mx", "--port", str(product.ports["submission"]), status=1)
    assert "submission" in said
    assert "Traceback" not in said
