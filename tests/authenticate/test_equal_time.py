"""Nobody can find out by the clock which addresses have an account."""

from __future__ import annotations

import asyncio
import statistics
import time

import pytest

from smtpd.authenticate import Authenticator, Failure
from tests import cast
from tests.authenticate.household import Household, begin, plain, run

ROUNDS = 7  # some milliseconds a hash: enough to stand out, little enough to do often
TRIALS = 100
# Known and unknown names, a suspended account, and a name that is no address.
LOGINS = (cast.BECKY.address, cast.STRANGER.address, cast.SUSPENDED.address, "nobody")


@pytest.mark.alone
def test_unknown_wrong_and_suspended_cost_the_same() -> None:
    spent: dict[str, list[float]] = {login: [] for login in LOGINS}

    async def scene() -> None:
        authenticator = Authenticator(Household(rounds=ROUNDS))
        await run(begin(authenticator), plain(cast.BECKY.address, "the first real verifier sets the decoys' cost"))
        for trial in range(TRIALS):
            for login in LOGINS:
                # CPU time of the whole process, so that other work on the machine does not count.
                start = time.process_time()
                step = await run(begin(authenticator), plain(login, f"guess {trial}"))
                spent[login].append(time.process_time() - start)
                assert isinstance(step, Failure)
        authenticator.close()

    asyncio.run(scene())
    medians = [statistics.median(times) for times in spent.values()]
    assert min(medians) > 0.001
    assert max(medians) - min(medians) < 0.03 * min(medians), spent


def test_the_first_guess_of_all_costs_a_whole_hash_even_before_any_account_was_seen() -> None:
    async def scene() -> float:
        authenticator = Authenticator(Household())
        start = time.process_time()
        await run(begin(authenticator), plain(cast.STRANGER.address, "guess"))
        authenticator.close()
        return time.process_time() - start

    assert asyncio.run(scene()) > 0.03  # bcrypt at cost 12
