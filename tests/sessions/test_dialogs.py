"""Every conversation in tests/dialogs goes as it is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ground.daemon import Product
from tests.sessions.wire import play

DIALOGS = sorted((Path(__file__).parent.parent / "dialogs").glob("*.dialog"))


@pytest.mark.parametrize("dialog", DIALOGS, ids=lambda path: path.stem)
def test_the_conversation_goes_as_written(standing: Product, dialog: Path) -> None:
    play(standing, dialog)
