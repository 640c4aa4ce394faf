"""What tests of the queue start from: the server's settings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mailadmin.server.models import Server


@pytest.fixture
def server(db: None) -> Server:  # noqa: ARG001  # pytest's way to ask for it
    """The row of settings, with the usual patience."""
    return Server.objects.create(
        pk=1, hostname="mail.example.org", give_up_after=timedelta(days=5), delay_notice_after=timedelta(hours=4)
    )
