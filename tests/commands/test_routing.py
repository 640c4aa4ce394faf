"""`manage.py domain` and `manage.py route`."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.db import connections

from mailadmin import secretbox
from mailadmin.certificates import x509
from mailadmin.generation import services as generation
from mailadmin.routing import trials
from mailadmin.routing.models import Domain, Route, Smarthost
from mailadmin.server import services as server
from tests.commands.calling import manage

RELAY = ("--smarthost", "relay.example.net:465", "--smarthost-user", "u")


@pytest.fixture(autouse=True)
def _initialised(now: datetime, request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("django_db"):
        server.initialise(now)


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    """A file with a smarthost's password."""
    path = tmp_path / "password"
    path.write_text("pass\n")
    return str(path)


def _passwords() -> list[str]:
    sealed = Smarthost.objects.order_by("id").values_list("password_sealed", flat=True)
    return [secretbox.unseal(text, secretbox.SMARTHOST_PASSWORD) for text in sealed]


@pytest.mark.django_db
def test_domains_are_added_listed_and_removed() -> None:
    assert manage("domain", "list", "--json").json == []
    assert "no local domains" in manage("domain", "list").out
    assert manage("domain", "add", "Example.ORG", "--json").json["name"] == "example.org"
    manage("domain", "add", "lmtp.example.org", "--lmtp", "/run/dovecot/lmtp")
    manage("domain", "add", "far.example.org", "--lmtp", "[::1]:24")
    assert [(row["name"], row["delivery"], row["lmtp_target"]) for row in manage("domain", "list", "--json").json] == [
        ("example.org", "maildir", ""),
        ("far.example.org", "lmtp", "[::1]:24"),
        ("lmtp.example.org", "lmtp", "/run/dovecot/lmtp"),
    ]
    assert manage("domain", "remove", "EXAMPLE.org").code == 0
    assert not Domain.objects.filter(name="example.org").exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("domain", "add", "not a domain"), "is not a mail domain"),
        (("domain", "add", "example.org", "--lmtp", "localhost"), "neither HOST:PORT nor the path"),
        (("domain", "remove", "example.net"), "is not a local domain"),
        (("route", "set", "a@b", "--mx"), "is not a pattern"),
        (("route", "remove", "*"), "all other mail"),
        (("route", "remove", "example.net"), "no route"),
        (("route", "set", *RELAY), "password is missing"),
        (("route", "set", *RELAY, "--smarthost-password-file", "/nonexistent"), "cannot be read"),
        (("route", "set", *RELAY, "--smarthost-ca", "/dev/null", "--smarthost-tls", "none"), "readable on its way"),
        (("route", "test"), "No daemon is running"),
    ],
)
def test_a_refusal_is_words_and_one(arguments: tuple[str, ...], words: str) -> None:
    refused = manage(*arguments)
    assert (refused.code, refused.out) == (1, "")
    assert words in refused.error


@pytest.mark.django_db
def test_a_smarthost_is_set_with_its_password_and_authority(now: datetime, tmp_path: Path, password_file: str) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(x509.self_signed(["relay.example.net"], now).chain_pem)
    more = ("--smarthost-password-file", password_file, "--smarthost-ca", str(authority))
    shown = manage("route", "set", *RELAY, *more, "--json")
    assert shown.json == {
        "pattern": "*",
        "via": "smarthost",
        "smarthosts": [
            {
                "host": "relay.example.net",
                "port": 465,
                "tls": "implicit",
                "username": "u",
                "has_password": True,
                "own_authority": True,
            }
        ],
    }
    assert _passwords() == ["pass"]
    assert "pass" not in shown.out.replace("has_password", "")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("flags", "tls"),
    [
        (("--smarthost", "relay:25"), "starttls"),
        (("--smarthost", "relay"), "starttls"),
        (("--smarthost", "relay:465"), "implicit"),
        (("--smarthost", "relay:25", "--smarthost-tls", "none"), "none"),
        (("--smarthost", "relay:465", "--smarthost-tls", "starttls"), "starttls"),
    ],
)
def test_tls_follows_the_port_unless_it_is_said(flags: tuple[str, ...], tls: str) -> None:
    assert manage("route", "set", *flags, "--json").json["smarthosts"][0]["tls"] == tls


@pytest.mark.django_db
def test_several_smarthosts_share_a_login_or_have_one_each(password_file: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("word\n")
    two = ("--smarthost", "a.example:587", "--smarthost", "b.example:465")
    manage("route", "set", *two, "--smarthost-user", "u", "--smarthost-password-file", password_file)
    assert _passwords() == ["pass", "pass"]
    each = ("--smarthost-user", "u", "--smarthost-user", "v")
    files = ("--smarthost-password-file", password_file, "--smarthost-password-file", str(other))
    manage("route", "set", *two, *each, *files)
    assert list(Smarthost.objects.order_by("id").values_list("host", "username")) == [
        ("a.example", "u"),
        ("b.example", "v"),
    ]
    assert _passwords() == ["pass", "word"]


@pytest.mark.django_db
def test_a_saved_password_stays_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("pass\n"))
    manage("route", "set", *RELAY, "--smarthost-password-file", "-")
    assert manage("route", "set", *RELAY).code == 0
    assert _passwords() == ["pass"]


@pytest.mark.django_db
def test_routes_are_set_listed_and_removed() -> None:
    assert manage("route", "set", "*.Example.net", "--mx").code == 0
    assert manage("route", "set", "--none").code == 0
    rows = manage("route", "list", "--json").json
    assert [(row["pattern"], row["via"], row["smarthosts"]) for row in rows] == [
        ("*", "none", []),
        ("*.example.net", "mx", []),
    ]
    assert "*.example.net" in manage("route", "list").out
    assert manage("route", "remove", "*.example.net").code == 0
    assert Route.objects.count() == 1


@contextmanager
def _runner(*, ok: bool) -> Iterator[list[tuple[dict[str, object], str | None]]]:
    """Answer tests as the daemon's runner does, from another thread and connection; yields what it was asked."""
    asked: list[tuple[dict[str, object], str | None]] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.wait(0.05):
            now = datetime.now(UTC)
            generation.beat(node="here", pid=7, role="runner", generation=1, started_at=now, problems=[], now=now)
            test = trials.claim_test(now)
            if test is not None:
                asked.append((test.target, trials.test_password(test)))
                steps = [{"step": "connect", "ok": True, "text": "192.0.2.1"}, {"step": "auth", "ok": ok, "text": "hm"}]
                trials.answer_test(test.pk, ok=ok, steps=steps, now=now)
        connections.close_all()

    thread = threading.Thread(target=serve)
    now = datetime.now(UTC)
    generation.beat(node="here", pid=7, role="runner", generation=1, started_at=now, problems=[], now=now)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join(30)


@pytest.mark.django_db(transaction=True)
def test_a_route_is_tried_by_the_runner_and_its_steps_are_shown(password_file: str) -> None:
    manage("route", "set", *RELAY, "--smarthost-password-file", password_file)
    with _runner(ok=True) as asked:
        shown = manage("route", "test", "--json")
        said = manage("route", "test", "anything.example")
    assert shown.code == said.code == 0
    assert shown.json["ok"] is True
    assert [step["step"] for step in shown.json["tests"][0]["steps"]] == ["connect", "auth"]
    assert shown.json["tests"][0]["target"] == "relay.example.net:465"
    assert "relay.example.net:465: works" in said.out
    target = {"host": "relay.example.net", "port": 465, "tls": "implicit", "username": "u", "ca_pem": ""}
    assert asked == [(target, "pass")] * 2


@pytest.mark.django_db(transaction=True)
def test_a_failed_test_ends_with_one_and_shows_where(password_file: str) -> None:
    with _runner(ok=False) as asked:
        said = manage("route", "test", *RELAY, "--smarthost-password-file", password_file)
    assert said.code == 1
    assert "FAILED  auth: hm" in said.out
    assert asked[0][1] == "pass"
    assert Route.objects.get().via == "none"  # a candidate is not saved


@pytest.mark.django_db(transaction=True)
def test_direct_delivery_is_tried_with_a_domain() -> None:
    manage("route", "set", "--mx")
    with _runner(ok=True) as asked:
        assert manage("route", "test").code == 2
        assert manage("route", "test", "Example.NET").code == 0
    assert asked == [({"via": "mx", "domain": "example.net"}, None)]


@pytest.mark.django_db(transaction=True)
def test_a_way_that_leads_nowhere_is_not_tried() -> None:
    with _runner(ok=True) as asked:
        refused = manage("route", "test", "example.net")
    assert refused.code == 1
    assert "nothing to test" in refused.error
    assert asked == []


@pytest.mark.django_db
def test_a_runner_that_does_not_answer_is_not_waited_for_for_ever() -> None:
    now = datetime.now(UTC)
    generation.beat(node="here", pid=7, role="runner", generation=1, started_at=now, problems=[], now=now)
    refused = manage("route", "test", "--smarthost", "relay:25", "--timeout", "0.2")
    assert refused.code == 1
    assert "has not answered within 0.2 seconds" in refused.error
