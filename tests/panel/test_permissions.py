"""Who may see a page: a test for each address of the panel, made from the URLconf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from mailadmin.accounts import services as accounts
from tests.cast import BECKY
from tests.panel import people

# The only pages for everybody; each asks for something else (a password, the one-time link) or does no harm.
PUBLIC: Final = {
    "panel:login",
    "panel:logout",
    "panel:language",
    "panel:theme",
    "panel:shortcuts",
    "panel:csp_report",
    "panel:healthz",
    "setup:enter",
    "setup:administrator",
}
VALUES: Final[dict[str, object]] = {
    "pk": 1,
    "number": 1,
    "name": "submission",
    "to": "off",
    "verb": "hold",
    "pattern": "*",
    "token": "token",
}


def _patterns(resolver: URLResolver, namespaces: tuple[str, ...] = ()) -> Iterator[tuple[str, URLPattern]]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _patterns(pattern, (*namespaces, pattern.namespace) if pattern.namespace else namespaces)
        else:
            assert pattern.name, f"{pattern} has no name"
            yield ":".join([*namespaces, pattern.name]), pattern


PATTERNS: Final = dict(_patterns(get_resolver()))


def path_of(name: str) -> str:
    """Return an address of the page `name`, with some values in it."""
    names = PATTERNS[name].pattern.regex.groupindex
    return reverse(name, kwargs={part: VALUES[part] for part in names})


def test_the_list_of_public_pages_has_no_page_that_is_gone() -> None:
    assert set(PATTERNS) >= PUBLIC


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(PATTERNS) - PUBLIC))
@pytest.mark.parametrize("method", ["get", "post"])
def test_a_stranger_is_led_to_the_sign_in_page(name: str, method: str) -> None:
    people.set_up()
    path = path_of(name)
    response = getattr(Client(), method)(path)
    assert response.status_code == 302
    assert unquote(response.headers["Location"]) == f"/login/?next={path}"


@pytest.mark.django_db
@pytest.mark.parametrize("name", sorted(set(PATTERNS) - PUBLIC))
def test_an_account_that_is_no_administrator_is_led_there_too(name: str) -> None:
    people.set_up()
    becky = people.add(BECKY)
    for method in ("get", "post"):
        response = getattr(people.signed_in(becky), method)(path_of(name))
        assert (response.status_code, response.headers["Location"].partition("?")[0]) == (302, reverse("panel:login"))


@pytest.mark.django_db
def test_a_fragment_reloads_its_page_when_the_session_is_over() -> None:
    people.set_up()
    response = Client(headers={"hx-request": "true"}).get(reverse("panel:in_force"))
    assert response.headers["HX-Refresh"] == "true"


@pytest.mark.django_db
def test_a_session_ends_with_the_right_to_use_the_panel() -> None:
    administrator = people.set_up()
    other = people.add(BECKY)
    other.is_administrator = True
    other.save()
    browser = people.signed_in(other)
    assert browser.get(reverse("accounts:list")).status_code == 200
    accounts.edit(other, actor=administrator.address, now=people.BEGIN, is_administrator=False)
    assert browser.get(reverse("accounts:list")).status_code == 302
