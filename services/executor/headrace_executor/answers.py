"""Callers who wait for a flow's answer, by run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
from headrace_core.clock import Clock
from headrace_core.expressions import Json

HTML = "text/html; charset=utf-8"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class FlowAnswer:
    """What goes back to a caller."""

    status: int
    headers: dict[str, str]
    body: bytes
    implicit: bool


class AnswerBox:
    """The answers for one batch of events, in the order they come."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrived: list[tuple[int, FlowAnswer]] = []
        self._expected = 0
        self._news = asyncio.Event()

    def expect(self) -> None:
        self._expected += 1

    def put(self, index: int, answer: FlowAnswer) -> None:
        self._arrived.append((index, answer))
        self._expected -= 1
        self._news.set()

    async def take(self, within_seconds: float) -> AsyncIterator[list[tuple[int, FlowAnswer]]]:
        """Yield answers as they come until all are there or the time is up."""
        deadline = self._clock.monotonic() + within_seconds
        while self._expected or self._arrived:
            if not self._arrived:
                left = deadline - self._clock.monotonic()
                if left <= 0:
                    return
                self._news.clear()
                try:
                    async with asyncio.timeout(left):
                        await self._news.wait()
                except TimeoutError:
                    return
            batch, self._arrived = self._arrived, []
            yield batch


class Waiters:
    """Who waits for which run on this executor."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[tuple[AnswerBox, int]]] = {}
        self._elsewhere: dict[str, tuple[str, float]] = {}

    def add(self, run_id: str, box: AnswerBox, index: int) -> None:
        box.expect()
        self._waiting.setdefault(run_id, []).append((box, index))

    def add_elsewhere(self, tenant_id: str, run_id: str, box: AnswerBox, index: int, until: float) -> None:
        """Wait for a run that somebody else may drive, until this instant of the monotonic clock."""
        self.add(run_id, box, index)
        _, longest = self._elsewhere.get(run_id, (tenant_id, until))
        self._elsewhere[run_id] = (tenant_id, max(until, longest))

    def elsewhere(self, now: float) -> list[tuple[str, str]]:
        """The runs (tenant, run) whose answers have to be looked up; those whose callers left are forgotten."""
        for run_id in [run_id for run_id, (_, until) in self._elsewhere.items() if until < now]:
            self.drop(run_id)
        return [(tenant_id, run_id) for run_id, (tenant_id, _) in self._elsewhere.items()]

    def is_awaited(self, run_id: str) -> bool:
        return run_id in self._waiting

    def is_looked_up(self, run_id: str) -> bool:
        """Whether what is on record of the run answers those who wait."""
        return run_id in self._elsewhere

    def answer(self, run_id: str, answer: FlowAnswer) -> None:
        """Give the answer to everyone who waits; the first one counts."""
        self._elsewhere.pop(run_id, None)
        for box, index in self._waiting.pop(run_id, ()):
            box.put(index, answer)

    def drop(self, run_id: str) -> None:
        """Forget callers whose time is up."""
        self._elsewhere.pop(run_id, None)
        self._waiting.pop(run_id, None)


def to_answer(response: dict[str, Json]) -> FlowAnswer:
    """An answer of a component as it goes out: objects as JSON, text as it is."""
    given = response.get("headers")
    headers = {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    body = response.get("body")
    named = any(name.lower() == "content-type" for name in headers)
    if isinstance(body, str):
        packed, kind = body.encode("utf-8", "surrogatepass"), HTML if body.lstrip().startswith("<") else ""
    else:
        packed, kind = orjson.dumps({} if body is None else body), JSON
    if kind and not named:
        headers["Content-Type"] = kind
    elif not named:
        headers["Content-Type"] = "text/plain; charset=utf-8"
    status = response.get("status", 200)
    return FlowAnswer(status if isinstance(status, int) and 100 <= status <= 599 else 200, headers, packed, False)


def implicit(status: int, run_id: str) -> FlowAnswer:
    """The answer of a flow that has none of its own."""
    body = b"{}" if status == 200 else orjson.dumps({"runId": run_id, "accepted": True})
    return FlowAnswer(status, {"Content-Type": JSON}, body, True)
