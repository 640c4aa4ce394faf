"""The way from the printed link to a delivered message in a browser that runs no scripts."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests import cast
from tests.browser.steps import (
    FAR,
    FIRST,
    LOGIN,
    NEXT,
    SAVE,
    SECOND,
    be_the_administrator,
    link,
    name_the_smarthost,
    send,
    sign_in,
)
from tests.browser.visitor import Visitor, visitor
from tests.ground.daemon import Product, wait_until
from tests.ground.smarthost import Smarthost


def _choose_the_way_out(me: Visitor, far_side: Smarthost) -> None:
    """Test the smarthost, whose result opens in a window of its own, and go on."""
    page = me.page
    name_the_smarthost(me, far_side, LOGIN[1])
    me.look("plain-setup-2")
    with page.expect_popup() as opened:
        page.locator("[name=do][value=test-0]").click()
    result = opened.value
    expect(result.locator(".note[data-tone=ok]")).to_be_visible()  # it asks again by itself
    result.close()
    me.press(NEXT)


def _add_the_first_account(me: Visitor) -> str:
    page = me.page
    page.check("[name=who][value=other]")
    page.fill("[name=address]", FIRST)
    me.look("plain-setup-3")
    me.press(NEXT)
    password = page.locator("section.highlight code").inner_text()
    me.look("plain-first-account")
    assert page.locator("[data-copy]:visible").count() == 0
    return password


def _see_the_first_sign_in(me: Visitor) -> None:
    """Look again, by the link that stands there for readers without scripts."""
    page = me.page
    expect(page.locator(".live .dot[data-tone=ok]")).to_have_count(0)
    for _ in range(20):
        if page.locator(".live .dot[data-tone=ok]").count():
            break
        page.wait_for_timeout(250)
        me.press(".live noscript a")
    expect(page.locator(".live p").first).to_contain_text("127.0.0.1")


def _find_the_message(me: Visitor, base: str) -> None:
    page = me.page
    page.goto(f"{base}/mail/")
    page.fill("input[type=search]", FAR)
    me.press("form[role=search] button")
    me.press("table.mail tbody th a")
    expect(page.locator(".timeline")).to_contain_text("250 2.0.0 stored")
    me.look("plain-message")


def _suspend_and_take_it_back(me: Visitor, base: str) -> None:
    page = me.page
    page.goto(f"{base}/accounts/add/")
    page.fill("[name=address]", SECOND)
    me.press(SAVE)
    expect(page.locator("h1")).to_have_text(SECOND)
    me.press("form[action$='/suspend/'] button")
    expect(page.locator(".purpose .badge").first).to_have_text("停止中" if me.language == "ja" else "Suspended")
    me.look("plain-suspended")
    me.press(".toast form button")
    expect(page.locator("form[action$='/suspend/'] button").first).to_be_visible()


def _choose_language_and_colors(me: Visitor, base: str) -> None:
    """By the buttons of the menu; the page stays the one it was."""
    page = me.page
    page.goto(f"{base}/sign-ins/")
    for language in ("ja", "en"):
        page.locator("details.menu:visible > summary").click()
        me.press(f".menu:visible button[name=language][value={language}]")
        me.language = language
        assert page.url == f"{base}/sign-ins/"
        me.look("plain-sign-ins")
    page.locator("details.menu:visible > summary").click()
    me.press(".menu:visible button[name=theme][value=dark]")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("language", "width"), [("en", 1280), ("ja", 320)])
def test_the_whole_way_needs_no_scripts(
    bare: Product, far_side: Smarthost, browser: Browser, language: str, width: int
) -> None:
    base = bare.up().base.rstrip("/")
    me = visitor(browser, language, width, scripts=False)
    me.page.goto(link(bare))
    be_the_administrator(me)
    _choose_the_way_out(me, far_side)
    password = _add_the_first_account(me)
    send(bare, FIRST, password)
    _see_the_first_sign_in(me)
    far_side.wait_for(1)
    wait_until(lambda: bare.database.states() == {"delivered": 1}, "the record of the delivery")
    _find_the_message(me, base)
    _suspend_and_take_it_back(me, base)
    _choose_language_and_colors(me, base)
    me.page.context.close()
    assert "csp report" not in bare.log_text()


def test_signing_in_goes_on_to_the_page_that_was_asked_for(product: Product, browser: Browser) -> None:
    base = product.up().base.rstrip("/")
    me = visitor(browser, "en", 320, scripts=False)
    page = me.page
    page.goto(f"{base}/settings/listeners/")
    assert re.search(r"/login/\?next=/settings/listeners/$", page.url)
    page.fill("[name=address]", cast.ADMINISTRATOR.address)
    page.fill("[name=password]", "not it")
    me.press(SAVE)
    expect(page.locator("[role=alert]")).to_be_visible()
    page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press(SAVE)
    assert page.url == f"{base}/settings/listeners/"
    sign_out = "form[action$='/logout/'] button"
    page.locator("details.menu:visible > summary").click()
    me.press(f"{sign_out}:visible")
    page.goto(f"{base}/accounts/")
    assert "/login/" in page.url
    sign_in(me, base)
    page.context.close()
