"""Who may begin, and what is claimed next."""

from __future__ import annotations

from mailadmin.policy.snapshot import DomainPolicy, Snapshot
from smtpd.delivery.dispatch import Job, divide
from smtpd.delivery.places import AHEAD, AT_ONCE, REMOTE, Places, Wanted
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
        Wanted(AT_ONCE, only=("example.org",)),
        Wanted(AT_ONCE, without=("example.org", "branch.example")),
    ]


def test_a_node_wants_what_is_pinned_to_it() -> None:
    local, _ = Places().wanted(DIRECT, "other-node")
    assert local.only == ("example.org", "branch.example")


def test_a_lane_takes_no_more_than_its_width_at_once_and_a_few_wait_for_it() -> None:
    places = Places()
    begun = _add(places, DIRECT, "a@busy.example", 5 * AHEAD)
    assert len(begun) == 5
    _, remote = places.wanted(DIRECT, "node")
    assert "busy.example" in remote.without
    places.end(begun[0])
    assert len(places.begin()) == 1
    _, remote = places.wanted(DIRECT, "node")
    assert "busy.example" not in remote.without


def test_what_was_passed_over_is_wanted_when_nothing_waits_for_the_lane_any_more() -> None:
    places = Places()
    begun = _add(places, DIRECT, "a@busy.example", 5 * AHEAD)
    places.wanted(DIRECT, "node")
    answers = []
    while begun:
        answers.append(places.end(begun.pop(0)))
        begun += places.begin()
    assert answers == [False] * 4 + [True] * 6


def test_when_nothing_was_passed_over_an_end_calls_for_no_claim() -> None:
    places = Places()
    (job,) = _add(places, DIRECT, "a@one.example", 1)
    places.wanted(DIRECT, "node")
    assert not places.end(job)


def test_mail_for_elsewhere_leaves_the_places_of_mailboxes_free() -> None:
    places = Places()
    for number in range(REMOTE * AHEAD // 5):
        _add(places, DIRECT, f"a@busy{number}.example", 5)
    (local,) = places.wanted(DIRECT, "node")
    assert local == Wanted(AT_ONCE, only=("example.org",))
    assert len(_add(places, DIRECT, "olga@example.org", 3)) == 3


def test_no_more_is_claimed_than_there_is_room_for() -> None:
    places = Places(remote=4)
    _add(places, DIRECT, "a@one.example", 3)
    _, remote = places.wanted(DIRECT, "node")
    assert remote.limit == 4 * AHEAD - 3


def test_full_mailboxes_are_passed_over() -> None:
    places = Places(local=100)
    _add(places, DIRECT, "olga@example.org", 8 * AHEAD)
    assert [wanted.only for wanted in places.wanted(DIRECT, "node")] == [None]


def test_while_the_smarthost_for_all_is_busy_domains_with_a_route_of_their_own_are_wanted() -> None:
    snapshot = policy(via("*", "isp.example"), via("own.example", "other.example"), via("direct.example"))
    places = Places()
    _add(places, snapshot, "a@any.example", 5 * AHEAD)
    (remote,) = places.wanted(snapshot, "node")
    assert remote.only == ("own.example", "direct.example")
    _add(places, snapshot, "a@own.example", 5 * AHEAD)
    (remote,) = places.wanted(snapshot, "node")
    assert remote.only == ("direct.example",)


def test_while_a_smarthost_of_one_domain_is_busy_only_that_domain_waits() -> None:
    snapshot = policy(via("*", "isp.example"), via("own.example", "other.example"))
    places = Places()
    _add(places, snapshot, "a@own.example", 5 * AHEAD)
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
