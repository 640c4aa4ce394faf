"""Whatever goes wrong on a page is told in words, in the reader's language, without the database."""

from __future__ import annotations

import pytest
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from mailadmin.panel import failures


def _answer(error: Exception, request: HttpRequest) -> HttpResponse:
    """Return the page for `error`, asked for as Django's handler does."""
    try:
        raise error
    except type(error):
        return failures.fault(request)


def _words(response: HttpResponse) -> str:
    return response.content.decode()


def test_an_address_that_leads_nowhere_is_told_in_words(client: Client) -> None:
    response = client.get("/nowhere/", headers={"Accept-Language": "ja"})
    assert response.status_code == 404
    assert "このページはありません" in response.content.decode()
    assert "Content-Security-Policy" in response.headers


def test_a_database_that_is_down_is_told_in_words_with_the_same_address_to_try_again() -> None:
    # No mark for the database: the test fails where the page asks it for anything.
    request = RequestFactory().get("/accounts/?q=a&show=active")
    response = _answer(OperationalError("connection to server at 192.0.2.1 failed"), request)
    assert response.status_code == 503
    assert response["Retry-After"] == "5"
    assert "The database cannot be used at the moment" in _words(response)
    assert 'href="/accounts/?q=a&amp;show=active"' in _words(response)
    assert "192.0.2.1" not in _words(response)


def test_after_a_form_the_way_on_is_the_overview_since_it_must_not_be_sent_twice_by_a_click() -> None:
    response = _answer(OperationalError(), RequestFactory().post("/accounts/1/suspend/"))
    assert response.status_code == 503
    assert '<a class="button" href="/">' in _words(response)


@pytest.mark.parametrize("error", [RuntimeError("secret"), KeyError("secret")])
def test_a_fault_of_ours_shows_nothing_of_its_inside(error: Exception) -> None:
    response = _answer(error, RequestFactory().get("/mail/"))
    assert response.status_code == 500
    assert "This page has a fault" in _words(response)
    assert "secret" not in _words(response)


def test_a_form_from_elsewhere_is_told_in_words() -> None:
    response = Client(enforce_csrf_checks=True).post("/login/", {"address": "a@example.org"})
    assert response.status_code == 403
    assert "This form was not accepted" in response.content.decode()
