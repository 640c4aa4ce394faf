"""What tests in the browser do one after the other: steps of the first run, signing in, sending."""

from __future__ import annotations

import re
import smtplib
from typing import Final

from tests import cast
from tests.browser.visitor import Visitor
from tests.ground.daemon import Product
from tests.ground.smarthost import Smarthost

# What the far side's server asks for.
LOGIN: Final = ("household", "far-side-secret")
FAR: Final = "friend@example.net"
# The first account, and one that is added later.
FIRST: Final = f"jiro@{cast.DOMAIN}"
SECOND: Final = f"saburo@{cast.DOMAIN}"
# The button that leads on: of a page of the first run, and of a form in the panel.
NEXT: Final = "main form > .actions button:not(.secondary)"
SAVE: Final = "main form .actions button:not(.secondary)"
PAGES: Final = {
    "overview": "/",
    "accounts": "/accounts/",
    "add-account": "/accounts/add/",
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


def link(product: Product) -> str:
    """Return the one-time link that `product` printed."""
    found = re.search(r"http://localhost:\d+/setup/\S+", product.log_text())
    assert found is not None, product.log_text()
    return found[0]


def be_the_administrator(me: Visitor) -> None:
    """Fill in the first page of the first run."""
    me.look("setup-1")
    me.page.fill("[name=address]", cast.ADMINISTRATOR.address)
    me.page.fill("[name=name]", cast.ADMINISTRATOR.name)
    me.page.fill("[name=password]", cast.ADMINISTRATOR.password)
    me.press(NEXT)


def name_the_smarthost(me: Visitor, far_side: Smarthost, password: str) -> None:
    """Fill in the smarthost on the second page."""
    page = me.page
    page.check("[name=via][value=smarthost]")
    page.fill("[name=s0-host]", far_side.host)
    page.fill("[name=s0-port]", str(far_side.port))
    page.select_option("[name=s0-tls]", "starttls")
    page.fill("[name=s0-username]", LOGIN[0])
    page.fill("[name=s0-password]", password)
    page.locator("section.smarthosts details summary").click()
    page.fill("[name=s0-ca_pem]", far_side.ca_pem)


def sign_in(me: Visitor, base: str, person: cast.Person = cast.ADMINISTRATOR) -> None:
    """Sign in to the panel at `base`."""
    page = me.page
    page.goto(f"{base}/login/")
    page.fill("[name=address]", person.address)
    page.fill("[name=password]", person.password)
    me.press("main form .actions button")


def send(product: Product, address: str, password: str, subject: str = "From a mail program") -> None:
    """Do what the account's page says, with a mail program.

    Raises:
        smtplib.SMTPAuthenticationError: the account may not sign in.
    """
    with smtplib.SMTP("127.0.0.1", product.ports["submission"], timeout=30) as client:
        client.starttls(context=product.tls())
        client.login(address, password)
        text = f"From: {address}\r\nTo: {FAR}\r\nSubject: {subject}\r\n\r\nIt works.\r\n"
        client.sendmail(address, [FAR], text)


def account_number(url: str) -> str:
    """Return which account the page at `url` is about."""
    found = re.search(r"/accounts/(\d+)/", url)
    assert found is not None, url
    return found[1]
