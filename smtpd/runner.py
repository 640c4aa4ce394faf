"""The queue runner: claims what is due, has it delivered, records what came of it.

It looks when the bell rings (`smtpd.storage.bell`), when a time comes, and when a delivery that others wait behind has
ended. What is claimed stays under a lease that is renewed while it is worked on. At the end unfinished work goes back
to waiting; after a kill it does so as well: at once where this node's next runner finds it, else when the lease runs
out.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import structlog

from mailadmin.queue.envelopes import ClaimedMessage, Result, Verdict, queue_id
from smtpd import limits, observe
from smtpd.delivery.dispatch import NO_ROUTE, Agents, Job, divide
from smtpd.delivery.places import Places
from smtpd.housekeeping import Housekeeping
from smtpd.outlets import outlet
from smtpd.recorder import Recorder
from smtpd.runtime import Runtime
from smtpd.storage.bell import Bell, bell
from smtpd.storage.errors import UnavailableError
from smtpd.storage.queue import Queue

LEASE: Final = timedelta(seconds=120)
LONGEST_WAIT: Final = 5.0  # seconds between two looks, whatever happens
PAUSED_WAIT: Final = 0.2  # seconds until a pause is looked at again
GATHER: Final = 0.005  # seconds in which what happens together is looked at together
BUSY_WAIT: Final = 0.1  # seconds until mail that another process has locked is looked at again
RETRY: Final = 1.0  # seconds until the database is tried again
PROBLEM: Final = "claim"
# The parts of a drain's time that are kept for recording and for giving back.
LAST_RECORDS: Final = 2.0
LAST_RETURNS: Final = 1.0

log = structlog.get_logger("smtpd.runner")


async def run(runtime: Runtime) -> None:
    """Run the queue of this node until cancelled, then let what is under way end within the time of a drain."""
    runner = Runner(runtime, Queue(runtime.node, LEASE), bell())
    try:
        await runner.work()
    finally:
        await runner.finish(limits.DRAIN_TIME - LAST_RECORDS - LAST_RETURNS)


class Runner:
    """The queue's runner on one node.

    Args:
        runtime: the policy in force, the clock, the store.
        queue: the database.
        bell: says when to look.
    """

    def __init__(self, runtime: Runtime, queue: Queue, bell: Bell) -> None:
        self._runtime = runtime
        self._queue = queue
        self._bell = bell
        self._agents = Agents(partial(outlet, store=runtime.store, queue=queue))
        self._recorder = Recorder(runtime, queue, self._recorded)
        self._wake = asyncio.Event()
        self._places = Places()
        self._deliveries: dict[asyncio.Task[None], Job] = {}
        # Recipients under our lease: waiting for a place, being delivered, or about to be recorded.
        self._ours: set[int] = set()
        # The database went away in the midst of a change, so more may be claimed in our name than we know of.
        self._unsure = False

    async def work(self) -> None:
        """Deliver until cancelled."""
        await self._recover()
        housekeeping = Housekeeping(self._runtime, self._queue)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="bell")
            tasks.create_task(self._serve(), name="serve")
            tasks.create_task(self._renew(), name="renew")
            tasks.create_task(housekeeping.sweep(), name="sweep")
            tasks.create_task(housekeeping.test_routes(), name="route tests")

    async def finish(self, seconds: float) -> None:
        """Give back what is not begun, let what is under way end within `seconds`, record it, and close everything."""
        self._places.give_up()
        if self._deliveries:
            await asyncio.wait(self._deliveries, timeout=seconds)
        if self._deliveries:
            for task in self._deliveries:
                task.cancel()
            await asyncio.wait(self._deliveries)
        await self._recorder.finish(LAST_RECORDS)
        # What is not done, and what a claim brings that was under way when the end came. A lease that is not given back
        # runs out, or falls to this node's next runner.
        with suppress(UnavailableError, TimeoutError):
            async with asyncio.timeout(LAST_RETURNS):
                await self._queue.let_go_of_everything()
        await self._agents.close()
        await self._bell.close()
        self._queue.close()

    # --- when to look ---

    async def _recover(self) -> None:
        """Free what a runner of this node had claimed when it was killed."""
        while True:
            try:
                freed = await self._queue.recover()
            except UnavailableError as error:
                self._unavailable(error)
                await asyncio.sleep(RETRY)
                continue
            if freed:
                log.info("freed what an earlier runner had claimed", recipients=freed)
            return

    async def _listen(self) -> None:
        """Wake the runner whenever the bell rings."""
        while True:
            try:
                await self._bell.wait(LONGEST_WAIT)
            except UnavailableError:
                await asyncio.sleep(RETRY)
            self._wake.set()

    async def _serve(self) -> None:
        """Look for work, again and again."""
        while True:
            self._wake.clear()
            try:
                seconds = await self._look()
            except UnavailableError as error:
                self._unavailable(error)
                seconds = RETRY
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            await asyncio.sleep(GATHER)

    def _unavailable(self, error: UnavailableError) -> None:
        if PROBLEM not in self._runtime.problems:
            log.warning("the queue cannot be read", reason=str(error))
        self._runtime.problems[PROBLEM] = f"The queue cannot be read: {error}"

    async def _renew(self) -> None:
        """Keep the leases on what is being worked on."""
        while True:
            await asyncio.sleep(LEASE.total_seconds() / 4)
            with suppress(UnavailableError):
                await self._queue.renew(list(self._ours), self._now())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._runtime.clock(), UTC)

    # --- what to do ---

    async def _look(self) -> float:
        """Claim what there is room for and begin with it; return how many seconds may pass until the next look."""
        await self._make_sure()
        snapshot = self._runtime.snapshot
        if snapshot.queue_paused:
            await self._give_back(self._places.give_up())
            return PAUSED_WAIT
        self._begin()
        now = self._now()
        try:
            claimed = await self._queue.claim(now, self._places.wanted(snapshot, self._runtime.node))
        except UnavailableError:
            self._unsure = True
            raise
        self._runtime.problems.pop(PROBLEM, None)
        for message in claimed.messages:
            self._take(message, claimed.bodies.get(message.id))
        self._begin()
        if claimed.next_due is None:
            return LONGEST_WAIT
        # What is due and was not had is being worked on by others.
        least = GATHER if claimed.messages else BUSY_WAIT
        return min(max((claimed.next_due - now).total_seconds(), least), LONGEST_WAIT)

    def _take(self, message: ClaimedMessage, octets: bytes | None) -> None:
        """Divide a message that was claimed into deliveries."""
        # A lease of ours that ran out unnoticed (the machine slept) brings back what is still being worked on.
        fresh = tuple(recipient for recipient in message.recipients if recipient.id not in self._ours)
        self._ours.update(recipient.id for recipient in fresh)
        jobs, lost = divide(self._runtime.snapshot, message, fresh, octets)
        for job in jobs:
            self._places.add(job)
        if lost:
            self._tell(message, {recipient.id: NO_ROUTE for recipient in lost})

    def _begin(self) -> None:
        """Start the deliveries that have a place."""
        for job in self._places.begin():
            task = asyncio.create_task(self._deliver(job), name=f"deliver {queue_id(job.message.id)}")
            self._deliveries[task] = job
            task.add_done_callback(self._ended)

    async def _give_back(self, jobs: Sequence[Job]) -> None:
        """Let others, or a later time, have what was claimed and not tried."""
        recipients = [recipient.id for job in jobs for recipient in job.recipients]
        self._ours.difference_update(recipients)
        try:
            await self._queue.let_go(recipients)
        except UnavailableError:
            self._unsure = True
            raise

    async def _make_sure(self) -> None:
        """Give back what is claimed in our name and not known here: it would wait until its lease runs out."""
        if self._unsure:
            freed = await self._queue.let_go_of_unknown(self._ours)
            self._unsure = False
            log.info("the queue is available again", freed=freed)

    async def _deliver(self, job: Job) -> None:
        """Have `job` delivered and hand its verdicts to the recorder."""
        body = partial(self._queue.read, job.message.id) if job.octets is None else partial(_at_hand, job.octets)
        verdicts: Mapping[int, Verdict] = {}
        words = "The delivery agent gave no verdict."
        try:
            async with self._agents.agent(job.lane, self._runtime.snapshot) as agent:
                verdicts = await agent.deliver(job.message, job.recipients, body)
        # Agents do not raise for what the far side does: this is a fault of ours, or the body could not be read.
        except Exception as error:
            fault = observe.fault_id()
            log.exception("a delivery broke off", message=queue_id(job.message.id), fault=fault)
            words = f"An internal error ({type(error).__name__}, fault {fault}); the mail waits."
        broken = Verdict("deferred", "connect", 0, "4.3.0", words)
        self._tell(job.message, {r.id: verdicts.get(r.id, broken) for r in job.recipients})

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Free the place of a delivery, and let others have it."""
        if self._places.end(self._deliveries.pop(task)):
            self._wake.set()
        if not self._runtime.snapshot.queue_paused:
            self._begin()

    def _tell(self, message: ClaimedMessage, verdicts: Mapping[int, Verdict]) -> None:
        """Log verdicts and hand them to the recorder."""
        at = self._now()
        self._recorder.add([Result(recipient, verdict, at) for recipient, verdict in verdicts.items()])
        for verdict in dict.fromkeys(verdicts.values()):
            log.info(
                verdict.outcome,
                message=queue_id(message.id),
                sender=message.sender,
                to=[r.address for r in message.recipients if verdicts.get(r.id) == verdict],
                stage=verdict.stage,
                peer=verdict.peer,
                reply=f"{verdict.code} {verdict.enhanced} {verdict.reply}",
            )

    def _recorded(self, results: Sequence[Result]) -> None:
        """Forget what is written down; mail that was deferred has a new time to look at."""
        self._ours.difference_update(result.recipient for result in results)
        if any(result.verdict.outcome == "deferred" for result in results):
            self._wake.set()


async def _at_hand(octets: bytes) -> AsyncIterator[bytes]:
    """Yield a body that came along with the claim."""
    yield octets
