"""The activity page: a sentence for every verb, both values of every change, search and filter."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.test import Client
from django.utils import translation

from mailadmin.activity import browse, services
from mailadmin.activity.models import Entry
from mailadmin.activity.sentences import FIELDS, SENTENCES, differences, sentence
from mailadmin.queue import handling
from tests.catalogues import ROOT
from tests.panel import people

pytestmark = pytest.mark.django_db


@pytest.fixture
def panel() -> Client:
    """The browser of an administrator, with no entries of the first run left."""
    browser = people.signed_in(people.set_up())
    Entry.objects.all().delete()
    return browser


def _record(verb: str, subject: str = "subject", actor: str = "hanako@example.org", **values: object) -> Entry:
    return services.record(actor=actor, verb=verb, subject=subject, now=people.BEGIN, **values)  # type: ignore[arg-type]  # before, after


def _page(browser: Client, query: str = "") -> str:
    response = browser.get("/activity/" + query)
    assert response.status_code == 200
    return unescape(response.content.decode())


def _text(entry: Entry) -> str:
    return re.sub(r"<[^>]+>", "", sentence(entry))


def test_every_verb_that_is_written_has_a_sentence() -> None:
    source = "\n".join(path.read_text() for path in (ROOT / "mailadmin").rglob("*.py"))
    written = set(re.findall(r'verb="([a-z_.]+)"', source)) | {"queue.pause", "queue.resume"}
    events = set(
        re.findall(
            r'(?:_change|_finish)\(\s*chosen,\s*"([a-z_]+)"',
            (ROOT / handling.__name__.replace(".", "/")).with_suffix(".py").read_text(),
        )
    )
    assert events >= {"hold", "release", "retry", "cancel", "give_back"}
    assert written | {f"queue.{event}" for event in events} <= set(SENTENCES)


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("verb", sorted(SENTENCES))
def test_a_sentence_names_who_and_what_in_both_languages(verb: str, language: str) -> None:
    with translation.override(language):
        text = _text(Entry(actor="hanako@example.org", verb=verb, subject="a < b"))
    assert "hanako@example.org" in text
    assert "{" not in text
    assert verb not in text
    assert text.isascii() == (language == "en") or "’" in text


def test_a_verb_of_an_older_version_still_reads() -> None:
    assert _text(Entry(actor="system", verb="old.verb", subject="it")) == "The system: old.verb it"


def test_the_differences_show_both_values_in_words() -> None:
    entry = Entry(
        before={"name": "A\nZ", "is_administrator": False, "quota": None, "senders": ["a@b.c"]},
        after={"name": "B", "is_administrator": True, "quota": 5, "senders": ["a@b.c", "d@e.f"]},
    )
    assert [(str(change.label), change.before, change.after) for change in differences(entry)] == [
        ("Name", "A / Z", "B"),
        ("Administrator", "no", "yes"),
        ("Mailbox limit in bytes", "", "5"),
        ("May send as", "a@b.c", "a@b.c, d@e.f"),
    ]


def test_values_that_did_not_change_are_not_shown() -> None:
    entry = Entry(before={"delivery": "maildir", "node": ""}, after={"delivery": "lmtp", "node": ""})
    assert [str(change.label) for change in differences(entry)] == ["Delivery"]


def test_what_something_new_does_not_have_is_not_shown() -> None:
    entry = Entry(before={}, after={"name": "", "is_administrator": False, "senders": ["a@b.c"]})
    assert [str(change.label) for change in differences(entry)] == ["May send as"]


def test_every_field_that_can_change_has_a_name() -> None:
    assert {"hostname", "port", "senders", "via", "with_tls", "fingerprint"} <= set(FIELDS)


def test_the_newest_change_comes_first(panel: Client) -> None:
    _record("account.add", "first@example.org")
    _record("account.suspend", "second@example.org")
    page = _page(panel)
    assert page.index("second@example.org") < page.index("first@example.org")


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["account", "queue", "domain"]),
        ("?area=accounts", ["account"]),
        ("?area=mail", ["queue"]),
        ("?area=settings", ["domain"]),
        ("?q=QUEUE-thing", ["queue"]),
        ("?q=hanako+domain", ["domain"]),
        ("?area=nonsense&page=x", ["account", "queue", "domain"]),
        ("?q=nothing", []),
    ],
)
def test_search_and_filter_are_in_the_address_bar(panel: Client, query: str, shown: list[str]) -> None:
    for verb in ("account.add", "queue.hold", "domain.add"):
        _record(verb, f"{verb.partition('.')[0]}-thing")
    page = _page(panel, query)
    assert [name for name in ("account", "queue", "domain") if f"<bdi>{name}-thing" in page] == shown


def test_fifty_changes_are_a_page(panel: Client) -> None:
    for number in range(browse.PAGE_SIZE + 1):
        _record("account.edit", f"number{number}@example.org")
    assert "number0@example.org" not in _page(panel)
    assert "number0@example.org" in _page(panel, "?page=2")


def test_what_people_typed_is_only_text(panel: Client) -> None:
    _record("account.edit", "<script>x</script>", after={"note": "<img src=x>"}, before={"note": "{subject}"})
    page = panel.get("/activity/").content.decode()
    assert "<script>x" not in page
    assert "<img src=x>" not in page


def test_an_empty_page_says_what_will_be_there(panel: Client) -> None:
    assert "No changes yet" in _page(panel)
