"""The panel as a browser without JavaScript uses it: pages are fetched, their forms found, filled in and sent.

Nothing is posted that is not in a form of a page, so the token against forged requests, hidden fields and the addresses
of forms are the panel's own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from tests import cast

TIMEOUT: Final = 30.0


@dataclass(slots=True)
class Form:
    """A form of a page: where it goes, and what its fields hold."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Page:
    """An answer of the panel."""

    url: str
    status: int
    text: str
    forms: list[Form]

    def form(self, *, action: str = "", having: str = "") -> Form:
        """Return the one form whose address ends in `action` and that has a field `having`.

        Raises:
            AssertionError: there is none, or there are several.
        """
        found = [form for form in self.forms if form.action.endswith(action) and (not having or having in form.fields)]
        assert len(found) == 1, f"{len(found)} forms {action} {having} on {self.url}:\n{self.text[-3000:]}"
        return found[0]


class _Forms(HTMLParser):
    """Collects the forms of a page."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._url = url
        self._open: Form | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._open = Form(urljoin(self._url, facts.get("action", "")), facts.get("method", "get").lower())
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag == "select":
            self._select = facts.get("name", "")
        elif tag == "option" and self._select and ("selected" in facts or self._select not in self._open.fields):
            self._open.fields[self._select] = facts.get("value", "")
        elif tag == "button":
            self._open.buttons.append(facts.get("name", ""))
        elif tag == "textarea" and "name" in facts:
            self._open.fields[facts["name"]] = ""
        elif tag == "input" and "name" in facts:
            self._input(self._open, facts)

    def _input(self, form: Form, facts: dict[str, str]) -> None:
        kind = facts.get("type", "text")
        if kind in {"submit", "button", "image"} or (kind in {"checkbox", "radio"} and "checked" not in facts):
            return
        form.fields[facts["name"]] = facts.get("value", "on" if kind == "checkbox" else "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = ""


class Panel:
    """One browser's session with the panel at `base`."""

    def __init__(self, base: str, language: str = "en") -> None:
        """Keep cookies of its own; ask for pages in `language`."""
        self.base = base
        self._opener: OpenerDirector = build_opener(HTTPCookieProcessor(CookieJar()))
        self._opener.addheaders = [("Accept-Language", language), ("Accept", "text/html")]

    def _open(self, request: Request) -> Page:
        response: HTTPResponse | HTTPError
        try:
            response = self._opener.open(request, timeout=TIMEOUT)
        except HTTPError as error:
            response = error
        with response:
            text = response.read().decode()
            parser = _Forms(response.url)
            parser.feed(text)
            return Page(response.url, int(response.status or 0), text, parser.forms)

    def get(self, path: str) -> Page:
        """Return the page at `path`, after redirects."""
        return self._open(Request(urljoin(self.base, path)))  # noqa: S310  # our own http address

    def submit(self, form: Form, **values: str) -> Page:
        """Send `form` with `values` in its fields and return the page that comes, after redirects."""
        unknown = values.keys() - form.fields.keys() - set(form.buttons)
        assert not unknown, f"the form has no field {unknown}"
        data = urlencode({**form.fields, **values}).encode()
        headers = {"Referer": form.action, "Origin": re.match(r"https?://[^/]+", form.action)[0]}  # type: ignore[index]  # it is a URL
        return self._open(Request(form.action, data=data, headers=headers))  # noqa: S310  # our own http address

    def sign_in(self, person: cast.Person) -> Page:
        """Sign in as `person` and return the page that comes."""
        page = self.get("/login/")
        return self.submit(page.form(having="password"), address=person.address, password=person.password)
