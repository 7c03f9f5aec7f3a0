"""Requests that arrive together leave together: a durable write for many events costs about as much as for one.

While an Accept call waits for its commit, further events gather; when the commit is in, they all leave in the next
call. So a lone event leaves at once, and under load batches grow as far as the store's speed asks for.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from headrace_core import errors

from headrace_gateway.clients.executions import Acceptance, Accepted, Answer, Event

MAX_BATCH = 500
MAX_BATCH_BYTES = 8 * 1024 * 1024
MAX_WAITING = 20_000
MAX_STREAMS = 256

logger = logging.getLogger(__name__)

Accept = Callable[[Sequence[Event], float], AsyncGenerator[Accepted, None]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an event: the run, and the flow's answer where it gave one in time."""

    run_id: str
    duplicate: bool
    answer: Answer | None = None


class _Waiting:
    """An event and whoever waits for it."""

    __slots__ = ("acceptance", "event", "limit", "outcome", "wants_answer")

    def __init__(self, event: Event, outcome: "asyncio.Future[Outcome]", limit: asyncio.Timeout) -> None:
        """`limit` runs out when the event should be accepted, and once it is, when the flow should have answered."""
        self.event = event
        self.outcome = outcome
        self.limit = limit
        self.wants_answer = event.answer_within_seconds > 0
        self.acceptance: Acceptance | None = None

    def settle(self, answer: Answer | None = None) -> None:
        if self.acceptance is not None and not self.outcome.done():
            self.outcome.set_result(Outcome(self.acceptance.run_id, self.acceptance.duplicate, answer))

    def refuse(self, error: errors.HeadraceError) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)

    def take(self, acceptance: Acceptance) -> None:
        self.acceptance = acceptance
        if acceptance.refusal is not None:
            self.refuse(acceptance.refusal)
        elif not self.wants_answer:
            self.settle()
        elif not self.outcome.done():
            self.limit.reschedule(asyncio.get_running_loop().time() + self.event.answer_within_seconds + 1)


class Coalescer:
    """Hands events to the executor in batches and gives each its outcome.

    It owns the tasks that carry batches; `drain` waits for them.
    """

    def __init__(self, accept: Accept, *, accept_within_seconds: float, lanes: int = 2) -> None:
        self._accept = accept
        self._accept_within = accept_within_seconds
        self._free_lanes = lanes
        self._waiting: deque[_Waiting] = deque()
        self._carriers: set[asyncio.Task[None]] = set()
        self.batches = 0
        self.events = 0

    @property
    def waiting(self) -> int:
        """Events that have not left yet."""
        return len(self._waiting)

    async def submit(self, event: Event) -> Outcome:
        """Have the event accepted, and answered where it asks for that.

        Returns once the event is durable and, where an answer is wanted, the flow has answered or the time for it
        is over. Raises what the executor refuses it with; Unavailable when too many wait already or the executor
        is away; DeadlineExceeded when the acceptance takes too long (the event may be durable all the same).
        """
        if len(self._waiting) >= MAX_WAITING:
            raise errors.Unavailable(
                "Too many events wait to be accepted. Try again in a moment.", retry_after=timedelta(seconds=1)
            )
        limit = asyncio.timeout(self._accept_within)
        waiting = _Waiting(event, asyncio.get_running_loop().create_future(), limit)
        # Batches carry their own deadlines; this one counts the wait for a free lane, too.
        try:
            async with limit:
                self._waiting.append(waiting)
                self._send_off()
                return await waiting.outcome
        except TimeoutError:
            if waiting.acceptance is not None:
                return Outcome(waiting.acceptance.run_id, waiting.acceptance.duplicate)
            raise errors.DeadlineExceeded("The event was not accepted in time. Send it again.") from None

    async def drain(self) -> None:
        """Wait until every event that was submitted has its outcome."""
        while self._carriers:
            await asyncio.wait(list(self._carriers))

    def _send_off(self) -> None:
        while self._waiting and self._free_lanes and len(self._carriers) < MAX_STREAMS:
            self._free_lanes -= 1
            carrier = asyncio.get_running_loop().create_task(self._carry(self._next_batch()))
            self._carriers.add(carrier)
            carrier.add_done_callback(self._carried)

    def _next_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < MAX_BATCH:
            size += self._waiting[0].event.size_bytes
            if batch and size > MAX_BATCH_BYTES:
                break
            waiting = self._waiting.popleft()
            if not waiting.outcome.done():  # Its caller may have left.
                batch.append(waiting)
        return batch

    def _carried(self, carrier: "asyncio.Task[None]") -> None:
        self._carriers.discard(carrier)
        if not carrier.cancelled() and (mistake := carrier.exception()) is not None:
            logger.error("A batch of events failed by a mistake of ours.", exc_info=mistake)
        self._send_off()

    async def _carry(self, batch: list[_Waiting]) -> None:
        """Take one batch through its Accept stream; every event of it has an outcome afterwards."""
        lane = _Lane(self)
        try:
            if batch:
                self.batches += 1
                self.events += len(batch)
                await self._accept_batch(batch, lane)
        except errors.HeadraceError as error:
            _refuse_all(batch, error)
        except TimeoutError:
            _refuse_all(
                batch,
                errors.DeadlineExceeded("The event was not accepted in time. Send it again."),
            )
        finally:
            lane.free()
            _refuse_all(batch, errors.Unavailable("The executor left before it accepted the event. Send it again."))

    async def _accept_batch(self, batch: list[_Waiting], lane: "_Lane") -> None:
        events = [each.event for each in batch]
        answers_due = max(each.answer_within_seconds for each in events)
        stream = self._accept(events, self._accept_within + answers_due)
        async with aclosing(stream), asyncio.timeout(self._accept_within) as limit:
            async for message in stream:
                for acceptance in message.acceptances:
                    if 0 <= acceptance.index < len(batch):
                        batch[acceptance.index].take(acceptance)
                if message.acceptances and not lane.is_free:
                    # Accepted: from here on only answers are due, and the next batch may leave.
                    limit.reschedule(asyncio.get_running_loop().time() + answers_due)
                    lane.free()
                for answer in message.answers:
                    if 0 <= answer.index < len(batch):
                        batch[answer.index].settle(answer)
                if all(each.outcome.done() for each in batch):
                    return


class _Lane:
    """The right to have a batch on its way; given back once."""

    __slots__ = ("_owner", "is_free")

    def __init__(self, owner: Coalescer) -> None:
        self._owner = owner
        self.is_free = False

    def free(self) -> None:
        if not self.is_free:
            self.is_free = True
            self._owner._free_lanes += 1
            self._owner._send_off()


def _refuse_all(batch: list[_Waiting], error: errors.HeadraceError) -> None:
    """End what is still open: accepted events with their run, the others with the error."""
    for each in batch:
        each.settle()
        each.refuse(error)
