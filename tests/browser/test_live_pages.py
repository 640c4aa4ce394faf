"""Live lists and a household's pages in a browser: pause, the way without a stream, every state in the dark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from mailadmin.panel.live import LIMIT
from mailadmin.queue.envelopes import queue_id
from tests import cast
from tests.browser.visitor import Visitor, visitor
from tests.ground.daemon import Product, Template
from tests.panel_pages.served import Panel, knock

# Whom the demonstration's messages of each kind are to.
STORIES: Final = {
    "waiting": "office@school.example",
    "held": "uncle@example.com",
    "several": "mika.ito@example.net",
    "refused": "tanaka.ken@example.net",
    "unicode": "花子@例え.example",
}


@pytest.fixture
def panel(product: Product) -> Iterator[Panel]:
    """The panel of a product, without its daemon."""
    panel = Panel(product)
    yield panel
    panel.stop()


@pytest.fixture
def household(bare_template: Template) -> Iterator[Panel]:
    """The panel of the demonstration."""
    product = bare_template.copy()
    product.command("demo")
    panel = Panel(product)
    yield panel
    panel.stop()
    product.remove()


def _sign_in(me: Visitor, panel: Panel) -> Page:
    page = me.page
    page.goto(f"{panel.base}/login/")
    page.fill("[name=address]", cast.ADMINISTRATOR.address)
    page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press("main form .actions button")
    return page


def test_rows_wait_while_the_list_is_paused(panel: Panel, browser: Browser) -> None:
    me = visitor(browser, "en", 1280)
    page = _sign_in(me, panel)
    page.goto(f"{panel.base}/sign-ins/")
    state = page.locator("[data-stream-state]")
    expect(state).to_have_text("live")
    page.click("[data-stream-pause]")
    expect(state).to_have_text("paused")
    rows = page.locator("tbody tr")
    before = rows.count()
    knock(panel.product, "while-paused")
    page.wait_for_timeout(1500)
    assert rows.count() == before
    page.click("[data-stream-pause]")
    expect(rows.first).to_contain_text("while-paused")
    page.mouse.move(0, 0)
    knock(panel.product, "after-it")
    expect(rows.first).to_contain_text("after-it", timeout=2000)
    me.look("sign-ins-live")
    page.context.close()


def test_without_a_free_stream_the_rows_are_asked_for(panel: Panel, browser: Browser) -> None:
    panel.sign_in()
    streams = [panel.stream() for _ in range(LIMIT)]
    me = visitor(browser, "en", 1280)
    page = _sign_in(me, panel)
    page.goto(f"{panel.base}/sign-ins/")
    expect(page.locator("[data-stream-state]")).to_have_text("every 5 seconds")
    knock(panel.product, "seen-all-the-same")
    expect(page.locator("tbody tr").first).to_contain_text("seen-all-the-same", timeout=8000)
    for stream in streams:
        stream.close()
    page.context.close()


@pytest.mark.parametrize(("language", "width"), [("ja", 320), ("en", 1280)])
def test_every_state_of_mail_reads_well_in_the_dark(
    household: Panel, browser: Browser, language: str, width: int
) -> None:
    me = visitor(browser, language, width, dark=True)
    page = _sign_in(me, household)
    me.look("dark-overview")
    for name, path in (("mail", "/mail/"), ("sign-ins", "/sign-ins/"), ("route", "/settings/delivery/route/*/")):
        page.goto(household.base + path)
        me.look(f"dark-{name}")
    for name, address in STORIES.items():
        rows = household.product.database.rows(
            "SELECT message_id FROM queue_recipient WHERE address = %s ORDER BY id DESC LIMIT 1", address
        )
        page.goto(f"{household.base}/mail/{queue_id(rows[0]['message_id'])}/")
        closed = page.locator("main details:not([open]) > summary:visible")
        while closed.count():
            closed.first.click()
        me.look(f"dark-message-{name}")
    page.context.close()
