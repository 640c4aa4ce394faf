"""Language, colors, undo and the keyboard, as a person at a browser uses them, and every page in the dark."""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import cast
from tests.browser.steps import FAR, PAGES, SAVE, SECOND, send, sign_in
from tests.browser.visitor import visitor
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.smarthost import Smarthost

FIRST_SIGN_IN: Final = 2.0  # seconds
# What has the focus: where it is on the screen, and whether that can be seen.
FOCUS: Final = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const box = element.getBoundingClientRect();
  const style = getComputedStyle(element);
  const at = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 20));
  return {
    name: element.outerHTML.slice(0, 90),
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth,
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    covered: at !== null && !element.contains(at) && !at.contains(element),
  };
}"""


@pytest.fixture(scope="module")
def standing(product_template: Template) -> Iterator[Product]:
    """Panel and daemon of a product, with a few sign-ins and a message."""
    product = product_template.copy()
    try:
        product.up()
        with product.client("submission", cast.BECKY) as client:
            text = f"From: {cast.BECKY.address}\r\nSubject: hello\r\n\r\nhi\r\n"
            client.sendmail(cast.BECKY.address, [cast.OUTLOOK.address], text)
        yield product
    finally:
        product.remove()


def _base(product: Product) -> str:
    return f"http://localhost:{product.ports['http']}"


def _menu(page: Page) -> None:
    page.locator("details.menu:visible > summary").click()


def _background(page: Page) -> str:
    color: str = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return color


@pytest.mark.parametrize(("language", "width"), [("en", 320), ("ja", 1280)])
def test_every_page_reads_well_in_the_dark(standing: Product, browser: Browser, language: str, width: int) -> None:
    me = visitor(browser, language, width, dark=True)
    page = me.page
    page.goto(f"{_base(standing)}/login/")
    me.look("dark-login")
    sign_in(me, _base(standing))
    account = standing.database.value("SELECT id FROM accounts_account WHERE address=%s", cast.BECKY.address)
    people = {f"account{name}": f"/accounts/{account}/{name}" for name in ("", "edit/", "password/", "remove/")}
    for name, path in (PAGES | people).items():
        page.goto(_base(standing) + path)
        me.look(f"dark-{name.rstrip('/')}")
    page.context.close()


@pytest.mark.parametrize("width", [320, 1280])
def test_the_menu_changes_language_and_colors_and_leaves_the_page(
    standing: Product, browser: Browser, width: int
) -> None:
    me = visitor(browser, "en", width)
    page = me.page
    sign_in(me, _base(standing))
    page.goto(f"{_base(standing)}/mail/?q=olga&state=sent")
    here = page.url
    light = _background(page)
    for language, heading in (("ja", "メール"), ("en", "Mail")):
        _menu(page)
        me.press(f".menu[open] button[name=language][value={language}]")
        me.language = language
        expect(page.locator("h1")).to_have_text(heading)
        assert page.url == here
    for theme, color in (("dark", None), ("light", light), ("auto", light)):
        _menu(page)
        me.press(f".menu[open] button[name=theme][value={theme}]")
        assert page.url == here
        assert (_background(page) == light) == (color == light)
        _menu(page)
        expect(page.locator(f".menu[open] button[value={theme}]")).to_have_attribute("aria-pressed", "true")
        me.look(f"menu-{theme}")
        page.keyboard.press("Escape")
    page.emulate_media(color_scheme="dark")
    assert _background(page) != light  # auto follows the device
    page.context.close()


def test_the_language_goes_with_the_account_and_the_colors_with_the_browser(
    standing: Product, browser: Browser
) -> None:
    one, other = visitor(browser, "en", 1280), visitor(browser, "en", 1280)
    sign_in(one, _base(standing))
    for choice in ("language][value=ja", "theme][value=dark"):
        _menu(one.page)
        one.press(f".menu[open] button[name={choice}]")
    one.page.goto(f"{_base(standing)}/settings/listeners/")
    expect(one.page.locator("html")).to_have_attribute("data-theme", "dark")
    one.language = "ja"
    one.look("chosen-dark")
    sign_in(other, _base(standing))
    expect(other.page.locator("html")).to_have_attribute("lang", "ja")
    assert other.page.locator("html").get_attribute("data-theme") is None
    _menu(other.page)
    other.press(".menu[open] button[name=language][value=en]")
    expect(other.page.locator("html")).to_have_attribute("lang", "en")
    for me in (one, other):
        me.page.context.close()


def _refused(product: Product, person: cast.Person) -> bool:
    """Whether a mail program may not sign in."""
    try:
        product.client("submission", person).quit()
    except smtplib.SMTPAuthenticationError:
        return True
    return False


def test_a_suspension_is_taken_back_from_the_message_that_reports_it(standing: Product, browser: Browser) -> None:
    me = visitor(browser, "en", 1280)
    page = me.page
    sign_in(me, _base(standing))
    page.goto(f"{_base(standing)}/accounts/")
    me.press(f"main a:has-text('{cast.OUTLOOK.address}')")
    me.press("form[action$='/suspend/'] button")
    expect(page.locator(".toast")).to_contain_text("is suspended")
    me.look("suspended")
    assert _refused(standing, cast.OUTLOOK)
    me.press(".toast form button")
    expect(page.locator(".purpose .badge").first).to_have_text("Active")
    assert not _refused(standing, cast.OUTLOOK)
    page.goto(f"{_base(standing)}/activity/")
    expect(page.locator("main")).to_contain_text(cast.OUTLOOK.address)
    page.context.close()


@pytest.mark.alone
def test_the_waiting_line_changes_within_two_seconds_of_the_first_sign_in(product: Product, browser: Browser) -> None:
    with Smarthost(tls="none") as far_side:
        product.choose_ports()
        product.route_to(far_side)
        base = product.up().base.rstrip("/")
        me = visitor(browser, "en", 1280)
        page = me.page
        sign_in(me, base)
        page.goto(f"{base}/accounts/add/")
        page.fill("[name=address]", SECOND)
        me.press(SAVE)
        password = page.locator("section.highlight code").inner_text()
        expect(page.locator(".live p").first).to_have_text("Waiting for the first sign-in…")
        send(product, SECOND, password)
        began = time.monotonic()
        expect(page.locator(".live .dot[data-tone=ok]")).to_be_visible(timeout=FIRST_SIGN_IN * 1000)
        assert time.monotonic() - began < FIRST_SIGN_IN
        assert far_side.wait_for(1)[0].recipients == (FAR,)
        wait_until(lambda: product.database.states() == {"delivered": 1}, "the record of the delivery")
        page.context.close()


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("path", ["/", "/accounts/", "/mail/", "/settings/listeners/submission/"])
def test_the_keyboard_reaches_everything_and_the_focus_is_seen(
    standing: Product, browser: Browser, path: str, width: int
) -> None:
    me = visitor(browser, "en", width)
    page = me.page
    sign_in(me, _base(standing))
    page.goto(_base(standing) + path)
    page.keyboard.press("Tab")
    expect(page.locator("a.skip")).to_be_focused()
    expect(page.locator("a.skip")).to_be_in_viewport()
    stops = _walk(page)
    wanted = page.locator("main :is(a[href], button, input, select, textarea, summary):visible").count()
    assert len(stops) >= min(wanted, 3)
    page.context.close()


def _walk(page: Page) -> list[str]:
    """Go through the page by Tab until the focus leaves it, and return what had it."""
    stops: list[str] = []
    while (focus := page.evaluate(FOCUS)) is not None and len(stops) < 200:
        assert focus["seen"], f"out of sight: {focus['name']}"
        assert focus["outlined"], f"no outline: {focus['name']}"
        assert not focus["covered"], f"covered: {focus['name']}"
        stops.append(focus["name"])
        page.keyboard.press("Tab")
    return stops


def test_the_skip_link_leads_past_the_navigation(standing: Product, browser: Browser) -> None:
    me = visitor(browser, "en", 1280)
    page = me.page
    sign_in(me, _base(standing))
    page.goto(f"{_base(standing)}/mail/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
    page.context.close()


def test_slash_goes_to_the_search_and_escape_closes_the_menu(standing: Product, browser: Browser) -> None:
    me = visitor(browser, "en", 1280)
    page = me.page
    sign_in(me, _base(standing))
    page.goto(f"{_base(standing)}/accounts/")
    page.keyboard.press("/")
    search = page.locator("input[type=search]")
    expect(search).to_be_focused()
    page.keyboard.type("ichi/ro")  # a slash within a field is a letter
    expect(search).to_have_value("ichi/ro")
    page.locator("details.menu:visible > summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.menu[open]")).to_have_count(1)
    page.keyboard.press("Escape")
    expect(page.locator("details.menu[open]")).to_have_count(0)
    expect(page.locator("details.menu:visible > summary")).to_be_focused()
    page.context.close()


def test_a_breach_of_the_policy_would_be_seen(standing: Product, browser: Browser) -> None:
    """What all tests here rely on; and none of those before it caused a report."""
    me = visitor(browser, "en", 1280)
    page = me.page
    page.goto(f"{_base(standing)}/login/")
    assert "csp report" not in standing.log_text()
    with page.expect_console_message():
        page.evaluate("document.body.setAttribute('onclick', 'document.title = 1')")
        page.locator("h1").click()
    assert page.title() != "1"
    assert any("Content Security Policy" in complaint for complaint in me.complaints)
    wait_until(lambda: "csp report" in standing.log_text(), "the report in the log")
    page.context.close()
