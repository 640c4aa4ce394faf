"""A person at a browser: every page that is looked at is held to what holds for all pages.

That is: axe finds no violation (where scripts run, for axe is one), nothing is wider than the screen, the language is
the reader's, the page has one heading, and neither the console nor the panel's report address has heard of a breach of
the content security policy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Request

from tests.ground.checkout import ROOT

PICTURES: Final = ROOT / "test-results" / "browser"
LOCALES: Final = {"en": "en-GB", "ja": "ja-JP"}
HEIGHT: Final = 900
# What Chromium needs to run as root in a container.
ARGUMENTS: Final = ("--no-sandbox", "--disable-dev-shm-usage")


@dataclass(slots=True)
class Visitor:
    """One browser window."""

    page: Page
    language: str
    width: int
    scripts: bool = True
    complaints: list[str] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)

    def look(self, name: str) -> None:
        """Hold the page that is open to what holds for all; `name` is for its picture."""
        page = self.page
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{self.language}-{self.width}-{name}.png", full_page=True)
        assert page.locator("html").get_attribute("lang") == self.language, name
        assert page.locator("h1").count() == 1, name
        widest: int = page.evaluate("document.documentElement.scrollWidth")
        assert widest <= self.width, f"{name} is {widest} px wide"
        if self.scripts:
            assert violations(page) == [], name
        assert self.complaints == [], name
        self.looked_at.append(name)

    def press(self, selector: str) -> None:
        """Press a button that leads to another page, and wait for that page."""
        with self.page.expect_navigation():
            self.page.locator(selector).click()

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the console says."""
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")

    def see(self, request: Request) -> None:
        """Note reports of breaches."""
        if "csp-report" in request.url:
            self.complaints.append(f"policy: {request.post_data}")


def violations(page: Page) -> list[str]:
    """Return what axe finds on the page, a line for each element."""
    found: dict[str, Any] = Axe().run(page).response
    return [
        f"{violation['id']}: {violation['help']}: {node['html']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def visitor(browser: Browser, language: str, width: int, *, dark: bool = False, scripts: bool = True) -> Visitor:
    """Open a window with nothing in it, for a reader of `language` on a screen `width` pixels wide.

    Args:
        browser: whose window.
        language: en or ja.
        width: in CSS pixels.
        dark: whether the device asks for dark colors.
        scripts: whether the pages' scripts run.
    """
    context = browser.new_context(
        locale=LOCALES[language],
        viewport={"width": width, "height": HEIGHT},
        color_scheme="dark" if dark else "light",
        reduced_motion="reduce",
        java_script_enabled=scripts,
    )
    context.set_default_timeout(15_000)
    made = Visitor(context.new_page(), language, width, scripts)
    made.page.on("console", lambda message: made.hear(message))  # noqa: PLW0108  # playwright marks what it is given
    made.page.on("request", lambda request: made.see(request))  # noqa: PLW0108
    made.page.on("pageerror", lambda error: made.complaints.append(f"script: {error}"))
    return made
