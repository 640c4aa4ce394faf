"""From the printed link to a delivered message: what a household's administrator does in the browser, and sees."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests import cast
from tests.browser.steps import (
    FAR,
    FIRST,
    LOGIN,
    NEXT,
    PAGES,
    SAVE,
    SECOND,
    account_number,
    be_the_administrator,
    link,
    name_the_smarthost,
    send,
    sign_in,
)
from tests.browser.visitor import Visitor, visitor
from tests.ground.daemon import Product, wait_until
from tests.ground.smarthost import Smarthost

# What a reader of each language must find at the waiting line.
WAITING: Final = {"en": "Waiting for the first sign-in…", "ja": "最初のサインインを待っています…"}
# In which of the four every page is looked at; the other two look at every page in the dark (test_switches_and_keys).
IN_THE_LIGHT: Final = {("en", 1280), ("ja", 320)}


def _choose_the_way_out(me: Visitor, far_side: Smarthost) -> None:
    """Try the smarthost with a wrong password, see which step fails, and put it right."""
    page = me.page
    me.look("setup-2")
    expect(page.locator("[name=domain]")).to_have_value(cast.DOMAIN)
    name_the_smarthost(me, far_side, "wrong")
    page.locator("[name=do][value=test-0]").click()
    failed = page.locator("#trial-0 .timeline li[data-tone=bad]")
    expect(failed).to_have_count(1)
    expect(failed.locator("pre")).to_contain_text("535 5.7.8")
    me.look("setup-2-refused")
    page.fill("[name=s0-password]", LOGIN[1])
    page.locator("[name=do][value=test-0]").click()
    expect(page.locator("#trial-0 .note[data-tone=ok]")).to_be_visible()
    expect(page.locator("#trial-0 .timeline li[data-tone=bad]")).to_have_count(0)
    me.look("setup-2-tested")
    me.press(NEXT)


def _add_the_first_account(me: Visitor) -> str:
    """Add somebody, and return the password that is shown."""
    page = me.page
    page.check("[name=who][value=other]")
    page.fill("[name=address]", FIRST)
    me.look("setup-3")
    me.press(NEXT)
    password = page.locator("section.highlight code").inner_text()
    expect(page.locator(".live p").first).to_contain_text(WAITING[me.language])
    me.look("first-account")
    return password


def _find_the_message(me: Visitor, base: str) -> None:
    """Search the mail for the recipient, open what is found and read its story."""
    page = me.page
    page.goto(f"{base}/mail/")
    page.fill("input[type=search]", FAR)
    me.press("form[role=search] button")
    me.look("mail-found")
    me.press("table.mail tbody th a")
    story = page.locator(".timeline")
    expect(story).to_contain_text("250 2.0.0 stored")
    expect(story.locator("li[data-tone=ok]").last).to_be_visible()
    me.look("message")


def _add_another_account(me: Visitor, base: str) -> None:
    page = me.page
    page.goto(f"{base}/accounts/add/")
    me.look("add-account")
    page.fill("[name=address]", SECOND)
    me.press(SAVE)
    expect(page.locator("h1")).to_have_text(SECOND)
    expect(page.locator("section.highlight code")).to_have_text(re.compile(r"\S{20,}"))
    me.look("account")
    for name in ("edit", "password", "remove"):
        page.goto(f"{page.url.partition('/accounts/')[0]}/accounts/{account_number(page.url)}/{name}/")
        me.look(f"account-{name}")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_from_the_link_to_a_delivered_message(
    bare: Product, far_side: Smarthost, browser: Browser, language: str, width: int
) -> None:
    base = bare.up().base.rstrip("/")
    me = visitor(browser, language, width)
    page = me.page
    page.goto(link(bare))
    be_the_administrator(me)
    _choose_the_way_out(me, far_side)
    password = _add_the_first_account(me)
    send(bare, FIRST, password)
    # The page that waits shows what was seen, without being asked.
    expect(page.locator(".live .dot[data-tone=ok]")).to_be_visible(timeout=5_000)
    expect(page.locator(".live p").first).to_contain_text("PLAIN")
    expect(page.locator(".live p").first).to_contain_text("127.0.0.1")
    assert far_side.wait_for(1)[0].data.endswith(b"It works.\r\n")
    wait_until(lambda: bare.database.states() == {"delivered": 1}, "the record of the delivery")
    _find_the_message(me, base)
    _add_another_account(me, base)
    if (language, width) in IN_THE_LIGHT:
        for name, path in PAGES.items():
            page.goto(base + path)
            me.look(name)
    page.goto(link(bare))
    assert page.locator("form[method=post] [name=password]").count() == 0
    page.context.close()


def test_the_overview_hears_of_a_sign_in_by_itself(product: Product, browser: Browser) -> None:
    base = product.up().base.rstrip("/")
    me = visitor(browser, "en", 1280)
    page = me.page
    sign_in(me, base)
    theirs = page.locator("ol.events li", has_text=cast.BECKY.address)
    expect(theirs.first).to_be_visible()  # the account was added
    before = theirs.count()
    with product.client("submission", cast.BECKY):
        pass
    expect(theirs).to_have_count(before + 1, timeout=5_000)
    expect(theirs.first).to_contain_text("127.0.0.1")
    me.look("overview-live")
    page.context.close()
