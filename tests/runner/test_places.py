"""Who may begin, and what is claimed next."""

from __future__ import annotations

from mailadmin.policy.snapshot import DomainPolicy, Snapshot
from smtpd.delivery.dispatch import Job, divide
from smtpd.delivery.places import LOCAL, REMOTE, Places, Wanted
from tests.runner.policy import claimed, policy, via

HERE = DomainPolicy("example.org", "maildir", "", "")
THERE = DomainPolicy("branch.example", "maildir", "", "other-node")
DIRECT = policy(via("*"), domains=(HERE, THERE))


def _jobs(snapshot: Snapshot, address: str, count: int) -> list[Job]:
    messages = [claimed(address, number=number) for number in range(count)]
    return [job for message in messages for job in divide(snapshot, message, message.recipients)[0]]


def _add(places: Places, snapshot: Snapshot, address: str, count: int) -> list[Job]:
    for job in _jobs(snapshot, address, count):
        places.add(job)
    return places.begin()


def test_an_idle_runner_wants_mail_for_its_mailboxes_and_for_elsewhere() -> None:
    assert Places().wanted(DIRECT, "node") == [
        Wanted(LOCAL, only=("example.org",)),
        Wanted(REMOTE, without=("example.org", "branch.example")),
    ]


def test_a_node_wants_what_is_pinned_to_it() -> None:
    local, _ = Places().wanted(DIRECT, "other-node")
    assert local.only == ("example.org", "branch.example")


def test_a_lane_takes_no_more_than_its_width_and_is_then_passed_over() -> None:
    places = Places()
    begun = _add(places, DIRECT, "a@busy.example", 7)
    assert len(begun) == 5
    assert places.is_limited
    _, remote = places.wanted(DIRECT, "node")
    assert remote.limit == REMOTE - 5
    assert "busy.example" in remote.without
    places.end(begun[0])
    assert len(places.begin()) == 1


def test_mail_for_elsewhere_leaves_the_places_of_mailboxes_free() -> None:
    places = Places()
    for number in range(5):
        _add(places, DIRECT, f"a@busy{number}.example", 5)
    (local,) = places.wanted(DIRECT, "node")
    assert local == Wanted(LOCAL, only=("example.org",))
    assert len(_add(places, DIRECT, "olga@example.org", 3)) == 3


def test_full_mailboxes_are_passed_over() -> None:
    places = Places()
    _add(places, DIRECT, "olga@example.org", LOCAL)
    assert [wanted.only for wanted in places.wanted(DIRECT, "node")] == [None]


def test_while_the_smarthost_for_all_is_busy_domains_with_a_route_of_their_own_are_wanted() -> None:
    snapshot = policy(via("*", "isp.example"), via("own.example", "other.example"), via("direct.example"))
    places = Places()
    _add(places, snapshot, "a@any.example", 5)
    (remote,) = places.wanted(snapshot, "node")
    assert remote.only == ("own.example", "direct.example")
    _add(places, snapshot, "a@own.example", 5)
    (remote,) = places.wanted(snapshot, "node")
    assert remote.only == ("direct.example",)


def test_while_a_smarthost_of_one_domain_is_busy_only_that_domain_waits() -> None:
    snapshot = policy(via("*", "isp.example"), via("own.example", "other.example"))
    places = Places()
    _add(places, snapshot, "a@own.example", 5)
    (remote,) = places.wanted(snapshot, "node")
    assert (remote.only, remote.without) == (None, ("own.example",))


def test_jobs_begin_in_the_order_they_came() -> None:
    places = Places()
    first = _jobs(DIRECT, "a@one.example", 1)
    second = _jobs(DIRECT, "b@two.example", 1)
    for job in [*first, *second]:
        places.add(job)
    assert places.begin() == [*first, *second]


def test_what_has_no_place_can_be_given_up() -> None:
    places = Places()
    _add(places, DIRECT, "a@busy.example", 8)
    assert len(places.give_up()) == 3
    assert places.give_up() == []


def test_an_unhurried_runner_is_not_limited() -> None:
    places = Places()
    _add(places, DIRECT, "a@one.example", 1)
    assert not places.is_limited
