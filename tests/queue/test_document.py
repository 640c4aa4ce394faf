"""docs/queue.md says what the code does."""

from __future__ import annotations

import re
from typing import Final

from mailadmin.queue.models import State
from mailadmin.queue.states import TRANSITIONS
from tests.ground.checkout import ROOT

DOCUMENT: Final = (ROOT / "docs" / "queue.md").read_text()
ROW: Final = re.compile(r"^\| `(\w+)` \| ([a-z, ]+) \| ([a-z]+) \|", re.MULTILINE)


def test_the_events_of_the_document_are_those_of_the_code_in_the_same_order() -> None:
    told = [(event, sources.split(", "), target) for event, sources, target in ROW.findall(DOCUMENT)]
    coded = [(event, list(map(str, row.sources)), str(row.target)) for event, row in TRANSITIONS.items()]
    assert told == coded


def test_every_state_is_drawn_and_explained() -> None:
    drawing = DOCUMENT.partition("## The states")[2].partition("## The events")[0]
    for state in State.values:
        assert state in drawing.partition("`waiting`:")[0]
        assert f"`{state}`" in drawing


def test_every_event_is_drawn() -> None:
    drawing = DOCUMENT.partition("## The states")[2].partition("`waiting`:")[0]
    assert not [event for event in TRANSITIONS if not re.search(rf"\b{event}\b", drawing)]


def test_nothing_leads_out_of_a_final_state() -> None:
    final = {transition.target for transition in TRANSITIONS.values() if transition.is_final}
    assert final == {State.DELIVERED, State.FAILED, State.CANCELLED}
    assert not [event for event, transition in TRANSITIONS.items() if final & set(transition.sources)]
