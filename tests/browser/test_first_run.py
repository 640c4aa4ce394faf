"""From the printed link to a delivered message: what a household's administrator does in the browser, and sees."""

from __future__ import annotations

import re
import smtplib
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from tests import cast
from tests.browser.visitor import Visitor, visitor
from tests.ground.daemon import Product, Template, wait_until
from tests.ground.smarthost import Smarthost

LOGIN: Final = ("household", "far-side-secret")
FAR: Final = "friend@example.net"
FIRST: Final = f"jiro@{cast.DOMAIN}"
SECOND: Final = f"saburo@{cast.DOMAIN}"
SUBJECT: Final = "From a mail program"
NEXT: Final = "main form > .actions button:not(.secondary)"
# What a reader of each language must find: after the set-up, at the waiting line, of a message that was delivered.
WAITING: Final = {"en": "Waiting for the first sign-in…", "ja": "最初のサインインを待っています…"}
PAGES: Final = {
    "overview": "/",
    "accounts": "/accounts/",
    "mail": "/mail/",
    "sign-ins": "/sign-ins/",
    "activity": "/activity/",
    "server": "/settings/",
    "domains": "/settings/domains/",
    "listeners": "/settings/listeners/",
    "listener": "/settings/listeners/submission/",
    "add-listener": "/settings/listeners/add/",
    "delivery": "/settings/delivery/",
    "add-route": "/settings/delivery/add/",
    "certificate": "/settings/certificate/",
}


@pytest.fixture
def bare(bare_template: Template) -> Iterator[Product]:
    """A product of this test's own, before its first run."""
    product = bare_template.copy()
    product.choose_ports()
    yield product
    product.remove()


@pytest.fixture
def far_side() -> Iterator[Smarthost]:
    """The provider's server."""
    with Smarthost(tls="starttls", login=LOGIN) as server:
        yield server


def _link(product: Product) -> str:
    found = re.search(r"http://localhost:\d+/setup/\S+", product.log_text())
    assert found is not None, product.log_text()
    return found[0]


def _be_the_administrator(me: Visitor) -> None:
    me.look("setup-1")
    me.page.fill("[name=address]", cast.ADMINISTRATOR.address)
    me.page.fill("[name=name]", cast.ADMINISTRATOR.name)
    me.page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press(NEXT)


def _choose_the_way_out(me: Visitor, far_side: Smarthost) -> None:
    """Try the smarthost with a wrong password, see which step fails, and put it right."""
    page = me.page
    me.look("setup-2")
    expect(page.locator("[name=domain]")).to_have_value(cast.DOMAIN)
    page.check("[name=via][value=smarthost]")
    page.fill("[name=s0-host]", far_side.host)
    page.fill("[name=s0-port]", str(far_side.port))
    page.select_option("[name=s0-tls]", "starttls")
    page.fill("[name=s0-username]", LOGIN[0])
    page.fill("[name=s0-password]", "wrong")
    page.locator("section.smarthosts details summary").click()
    page.fill("[name=s0-ca_pem]", far_side.ca_pem)
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


def _send(product: Product, password: str) -> None:
    """Do what the page says, with a mail program."""
    with smtplib.SMTP("127.0.0.1", product.ports["submission"], timeout=30) as client:
        client.starttls(context=product.tls())
        client.login(FIRST, password)
        text = f"From: {FIRST}\r\nTo: {FAR}\r\nSubject: {SUBJECT}\r\n\r\nIt works.\r\n"
        client.sendmail(FIRST, [FAR], text)


def _find_the_message(me: Visitor, base: str) -> None:
    """Search the mail for the recipient, open what is found and read its story."""
    page = me.page
    page.goto(f"{base}/mail/?q={FAR}")
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
    me.press("main form .actions button:not(.secondary)")
    expect(page.locator("h1")).to_have_text(SECOND)
    expect(page.locator("section.highlight code")).to_have_text(re.compile(r"\S{20,}"))
    me.look("account")
    for name in ("edit", "password", "remove"):
        page.goto(f"{page.url.partition('/accounts/')[0]}/accounts/{_number(page.url)}/{name}/")
        me.look(f"account-{name}")


def _number(url: str) -> str:
    found = re.search(r"/accounts/(\d+)/", url)
    assert found is not None, url
    return found[1]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("language", ["en", "ja"])
def test_from_the_link_to_a_delivered_message(
    bare: Product, far_side: Smarthost, browser: Browser, language: str, width: int
) -> None:
    base = bare.up().base.rstrip("/")
    me = visitor(browser, language, width)
    page = me.page
    page.goto(_link(bare))
    _be_the_administrator(me)
    _choose_the_way_out(me, far_side)
    password = _add_the_first_account(me)
    _send(bare, password)
    # The page that waits shows what was seen, without being asked.
    expect(page.locator(".live .dot[data-tone=ok]")).to_be_visible(timeout=5_000)
    expect(page.locator(".live p").first).to_contain_text("PLAIN")
    expect(page.locator(".live p").first).to_contain_text("127.0.0.1")
    assert far_side.wait_for(1)[0].data.endswith(b"It works.\r\n")
    wait_until(lambda: bare.database.states() == {"delivered": 1}, "the record of the delivery")
    _find_the_message(me, base)
    _add_another_account(me, base)
    for name, path in PAGES.items():
        page.goto(base + path)
        me.look(name)
    page.goto(_link(bare))
    assert page.locator("form[method=post] [name=password]").count() == 0
    page.context.close()


def test_the_overview_hears_of_a_sign_in_by_itself(product: Product, browser: Browser) -> None:
    base = product.up().base.rstrip("/")
    me = visitor(browser, "en", 1280)
    page = me.page
    page.goto(f"{base}/")
    page.fill("[name=address]", cast.ADMINISTRATOR.address)
    page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press("main form .actions button")
    theirs = page.locator("ol.events li", has_text=cast.BECKY.address)
    expect(theirs.first).to_be_visible()  # the account was added
    before = theirs.count()
    with product.client("submission", cast.BECKY):
        pass
    expect(theirs).to_have_count(before + 1, timeout=5_000)
    expect(theirs.first).to_contain_text("127.0.0.1")
    me.look("overview-live")
    page.context.close()


@pytest.mark.parametrize("path", ["/", "/accounts/", "/mail/", "/sign-ins/", "/settings/delivery/"])
def test_in_the_dark_axe_finds_nothing_either(standing_panel: str, browser: Browser, path: str) -> None:
    me = visitor(browser, "en", 1280, dark=True)
    page = me.page
    page.goto(f"{standing_panel}/login/")
    me.look("dark-login")
    page.fill("[name=address]", cast.ADMINISTRATOR.address)
    page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press("main form .actions button")
    page.goto(standing_panel + path)
    me.look(f"dark{path.replace('/', '-')}")
    page.context.close()


@pytest.fixture(scope="module")
def standing_panel(product_template: Template) -> Iterator[str]:
    """The address of a panel that runs, with a few sign-ins and a message."""
    product = product_template.copy()
    try:
        base = product.up().base.rstrip("/")
        with product.client("submission", cast.BECKY) as client:
            client.sendmail(
                cast.BECKY.address,
                [cast.OUTLOOK.address],
                f"From: {cast.BECKY.address}\r\nSubject: hello\r\n\r\nhi\r\n",
            )
        yield base
    finally:
        product.remove()
