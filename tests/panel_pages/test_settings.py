"""Settings of the server, its domains, listeners and certificate: each form's words, and what it changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Final

import pytest
from django.test import Client

from mailadmin.activity.models import Entry
from mailadmin.certificates.models import Certificate
from mailadmin.generation import services as generation
from mailadmin.listeners.models import Listener
from mailadmin.routing.models import Domain
from mailadmin.server.models import Server

pytestmark = pytest.mark.django_db
Beat = Callable[..., None]
SERVER: Final = {
    "hostname": "smtp.example.org",
    "message_size_limit": "25",
    "recipient_limit": "200",
    "history_days": "30",
    "delay_notice_after": "2",
    "give_up_after": "3",
    "mx_port": "25",
}
LISTENER: Final = {
    "enabled": "on",
    "port": "1587",
    "address": "0.0.0.0",  # noqa: S104  # the default
    "address6": "::",
    "max_connections": "2000",
    "max_connections_per_address": "50",
}


def _text(browser: Client, path: str) -> str:
    response = browser.get(path)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _post(browser: Client, path: str, values: dict[str, str], status: int = 200) -> str:
    response = browser.post(path, values, follow=True)
    assert response.status_code == status
    return unescape(response.content.decode())


def test_the_servers_settings_are_saved_in_their_own_units(panel: Client) -> None:
    before = generation.number()
    assert "The settings are saved." in _post(panel, "/settings/", SERVER)
    server = Server.objects.get()
    assert (server.hostname, server.message_size_limit, server.recipient_limit) == ("smtp.example.org", 25_000_000, 200)
    assert (server.give_up_after, server.delay_notice_after) == (timedelta(days=3), timedelta(hours=2))
    assert server.history_days == 30
    assert generation.number() > before
    assert Entry.objects.filter(verb="server.update", actor="hanako@example.org").exists()


def test_the_form_shows_what_is_in_force(panel: Client) -> None:
    page = _text(panel, "/settings/")
    for text in ('value="mail.example.org"', 'value="50"', 'value="100"', 'value="90"', 'value="4"', 'value="5"'):
        assert text in page


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("hostname", "not a name", "is not a server name such as mail.example.org"),
        ("hostname", "", "This field is required."),
        ("message_size_limit", "0.01", "It must be between"),
        ("message_size_limit", "much", "Enter a number."),
        ("recipient_limit", "5", "It must be between 100 and 10000."),
        ("history_days", "0", "It must be between 1 and 3650."),
        ("give_up_after", "90", "It must be between"),
        ("delay_notice_after", "100", "The notice of a delay must come before mail is given up."),
        ("delay_notice_after", "NaN", "Enter a number."),
        ("mx_port", "70000", "It must be between 1 and 65535."),
    ],
)
def test_a_wrong_value_is_told_at_its_field_and_nothing_typed_is_lost(
    panel: Client, field: str, value: str, sentence: str
) -> None:
    page = _post(panel, "/settings/", {**SERVER, "hostname": "typed.example.org", field: value}, 422)
    assert sentence in page[page.index(f'id="id_{field}_error"') :]
    assert f'value="{value}"' in page or not value
    assert "typed.example.org" in page or field == "hostname"
    assert Server.objects.get().hostname == "mail.example.org"


def test_a_domain_is_added_changed_and_removed_with_undo(panel: Client) -> None:
    page = _post(panel, "/settings/domains/", {"name": "家.example", "delivery": "maildir"})
    assert "xn--fct.example" in page
    lmtp = {"delivery": "lmtp", "lmtp_target": "/run/dovecot/lmtp", "node": "box"}
    _post(panel, "/settings/domains/xn--fct.example/", lmtp)
    page = _post(panel, "/settings/domains/xn--fct.example/remove/", {})
    assert not Domain.objects.filter(name="xn--fct.example").exists()
    undo = page[page.index('action="/settings/domains/xn--fct.example/restore/') :].split('"')[1]
    _post(panel, undo, {})
    domain = Domain.objects.get(name="xn--fct.example")
    assert (domain.delivery, domain.lmtp_target, domain.node) == ("lmtp", "/run/dovecot/lmtp", "box")
    verbs = list(Entry.objects.filter(subject="xn--fct.example").order_by("pk").values_list("verb", flat=True))
    assert verbs == ["domain.add", "domain.change", "domain.remove", "domain.add"]


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"name": "example.org", "delivery": "maildir"}, "name", "example.org is a local domain already."),
        ({"name": "no domain", "delivery": "maildir"}, "name", "is not a mail domain such as example.org"),
        ({"name": "new.example", "delivery": "lmtp", "lmtp_target": ""}, "lmtp_target", "HOST:PORT"),
    ],
)
def test_a_domain_that_cannot_be_is_refused_at_its_field(
    panel: Client, values: dict[str, str], field: str, sentence: str
) -> None:
    page = _post(panel, "/settings/domains/", values, 422)
    assert sentence in page[page.index(f'id="id_{field}_error"') :]
    assert f'value="{values["name"]}"' in page


def test_a_listener_moves_and_the_page_says_how_far_the_change_has_come(panel: Client, daemon_lives: Beat) -> None:
    daemon_lives()
    page = _post(panel, "/settings/listeners/submission/", {**LISTENER, "port": "2587", "address6": ""})
    listener = Listener.objects.get(name="submission")
    assert (listener.port, listener.address6) == (2587, None)
    assert "In force on 0 of 1 worker." in page
    assert 'hx-get="/in-force/"' in page
    daemon_lives()
    assert "In force on 1 of 1 worker." in _text(panel, "/settings/listeners/")


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"port": "1465"}, "port", "Port 1465 on this address belongs to the listener “submissions” already."),
        ({"port": "0"}, "port", "It must be between 1 and 65535."),
        ({"port": ""}, "port", "This field is required."),
        ({"address": "300.1.1.1"}, "address", "“300.1.1.1” is not an IP address."),
        ({"address": "::1"}, "address", "“::1” is not an IPv4 address."),
        ({"address": "", "address6": ""}, "address", "A listener needs an IPv4 or an IPv6 address."),
        ({"max_connections": "0"}, "max_connections", "It must be between 1 and 100000."),
    ],
)
def test_a_listener_that_cannot_be_is_refused_at_its_field(
    panel: Client, changes: dict[str, str], field: str, sentence: str
) -> None:
    page = _post(panel, "/settings/listeners/submission/", {**LISTENER, **changes}, 422)
    assert sentence in page[page.index(f'id="id_{field}_error"') :]
    assert Listener.objects.get(name="submission").port == 1587


def test_a_listener_is_turned_off_and_on_again_by_undo(panel: Client) -> None:
    page = _post(panel, "/settings/listeners/mx/off/", {})
    assert not Listener.objects.get(name="mx").enabled
    assert 'action="/settings/listeners/mx/on/"' in page
    _post(panel, "/settings/listeners/mx/on/", {})
    assert Listener.objects.get(name="mx").enabled


def test_a_listener_whose_port_is_taken_meanwhile_stays_off_with_a_word(panel: Client) -> None:
    Listener.objects.filter(name="mx").update(enabled=False, port=1587)
    assert "Port 1587 on this address belongs to the listener “submission” already." in _post(
        panel, "/settings/listeners/mx/on/", {}
    )
    assert not Listener.objects.get(name="mx").enabled


def test_a_listener_is_added_and_removed(panel: Client) -> None:
    _post(panel, "/settings/listeners/add/", {**LISTENER, "name": "second", "role": "submission", "port": "3587"})
    assert Listener.objects.get(name="second").role == "submission"
    page = _post(panel, "/settings/listeners/add/", {**LISTENER, "name": "Big Name", "role": "mx", "port": "3025"}, 422)
    assert "lower-case letters, digits and hyphens" in page[page.index('id="id_name_error"') :]
    _post(panel, "/settings/listeners/second/remove/", {})
    assert not Listener.objects.filter(name="second").exists()


def test_what_keeps_a_listener_from_listening_stands_in_its_card(japanese: Client, daemon_lives: Beat) -> None:
    daemon_lives("[::]:1025 (mx): another program uses this port. Stop it, or give the listener another port.")
    page = _text(japanese, "/settings/listeners/")
    card = page[page.index('id="listener-mx"') : page.index('id="listener-submission"')]
    assert "[::]:1025 (mx): 別のプログラムがこのポートを使っています。" in card
    assert page.count("別のプログラム") == 1


def test_the_certificate_is_described_and_rotated(panel: Client) -> None:
    before = Certificate.objects.get(in_use=True)
    page = _text(panel, "/settings/certificate/")
    assert before.fingerprint[:2].upper() + ":" + before.fingerprint[2:4].upper() in page
    assert "mail.example.org" in page
    page = _post(panel, "/settings/certificate/rotate/", {})
    after = Certificate.objects.get(in_use=True)
    assert after.fingerprint != before.fingerprint
    assert before.fingerprint[:8] in page  # among the earlier ones
    assert "PRIVATE KEY" not in page


def test_a_certificate_that_ran_out_or_is_missing_is_told_of(panel: Client) -> None:
    Certificate.objects.update(not_after="2020-01-01T00:00:00Z")
    assert "It has run out." in _text(panel, "/settings/certificate/")
    Certificate.objects.all().delete()
    assert "No certificate" in _text(panel, "/settings/certificate/")


@pytest.mark.parametrize(
    "path",
    [
        "/settings/domains/example.org/remove/",
        "/settings/listeners/mx/off/",
        "/settings/listeners/mx/remove/",
        "/settings/certificate/rotate/",
        "/settings/delivery/route/*/remove/",
        "/settings/delivery/test/",
    ],
)
def test_a_change_needs_a_post_with_its_token(panel: Client, path: str) -> None:
    assert panel.get(path).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = panel.cookies
    assert strict.post(path).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["domains/nowhere.example/", "listeners/nobody/", "delivery/route/nowhere.example/", "delivery/test/999/"],
)
def test_what_is_not_there_is_not_found(panel: Client, path: str) -> None:
    assert panel.get(f"/settings/{path}").status_code == 404


@pytest.mark.parametrize(
    "path", ["", "domains/", "domains/example.org/", "listeners/", "listeners/mx/", "delivery/", "certificate/"]
)
def test_every_page_is_japanese_for_a_japanese_reader(japanese: Client, path: str) -> None:
    page = _text(japanese, f"/settings/{path}")
    for english in ("Save<", "Change<", "Remove<", ">Server<", ">Domains<", ">Listeners<", "Mailboxes"):
        assert english not in page
    assert "待ち受け" in page
