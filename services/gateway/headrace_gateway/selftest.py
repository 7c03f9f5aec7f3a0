"""A round trip through the whole platform, for administrators: what a person does with a flow, done and looked at.

A flow is made, started, sent an event, answers, waits a moment, is found in the log, and is taken away again. Each step
says what it proved; after one that fails, only the flow is taken away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import orjson
from headrace_core import Json, errors
from headrace_core.clock import Clock
from headrace_core.ids import new_id

from headrace_gateway.clients import Clients
from headrace_gateway.clients.executions import Event
from headrace_gateway.clients.logs import LogQuery
from headrace_gateway.coalescer import Coalescer
from headrace_gateway.identity import Scope
from headrace_gateway.queries import Condition, ListQuery

NAME = "Self-test"
MARK = "customFields.selfTest"
STEP_SECONDS = 20.0
LOOK_SECONDS = 0.25
LEFT_OVER = timedelta(minutes=5)
PAUSE = timedelta(seconds=2)
HOOK, WAIT, REPLY = "hook", "wait", "reply"


def flow_of(word: str, until: str) -> dict[str, Json]:
    """A webhook that answers with a word and what it was sent, and whose run goes on at an instant."""
    sent: Json = {"variable": f"$.{HOOK}.request.data.word", "functions": []}
    body: Json = {"body": word + " {{{b}}}"}
    answered: Json = {"type": "json2new", "modifiers": {"body": {"b": sent}}, "lambda": body}
    paused: Json = {"type": "json2new", "lambda": {"until": until}}
    after: Json = {"in": {HOOK: ["request"]}}
    return {
        HOOK: _node("http.WebhookTrigger", {}, {"properties": {"immediateResponse": False}}),
        REPLY: _node("http.Response", after, {"transform": {"in": {HOOK: {"request": answered}}}}),
        WAIT: _node("timers.Wait", after, {"transform": {"in": {HOOK: {"request": paused}}}}),
    }


def _node(kind: str, source: Json, config: Json) -> Json:
    return {"type": f"headrace.utils.{kind}", "x": 0, "y": 0, "source": source, "config": config}


@dataclass(slots=True)
class Trip:
    """What was found so far."""

    flow_id: str = ""
    run_id: str = ""
    steps: list[dict[str, Json]] = field(default_factory=list)

    @property
    def is_well(self) -> bool:
        return all(each["isWell"] for each in self.steps)


class SelfTest:
    """Makes such trips as one user, whose flow it is meanwhile."""

    def __init__(self, clients: Clients, coalescer: Coalescer, clock: Clock) -> None:
        self._clients = clients
        self._coalescer = coalescer
        self._clock = clock

    async def run(self, scope: Scope) -> dict[str, Json]:
        """How it went. What earlier trips left, whose gateway ended on the way, is taken away first."""
        trip, word = Trip(), new_id()
        steps: Mapping[str, Callable[[], Awaitable[str]]] = {
            "A flow is saved": lambda: self._save(scope, trip, word),
            "It is started": lambda: self._start(scope, trip),
            "It takes an event and answers": lambda: self._send(trip, word),
            "Its run goes on after a wait": lambda: self._look(scope, trip),
            "Its log is found": lambda: self._find(scope, trip),
        }
        try:
            for name, step in steps.items():
                if not await self._step(trip, name, step):
                    break
        finally:
            await asyncio.shield(self._step(trip, "It is taken away", lambda: self._remove(scope, trip)))
        return {"at": self._clock.now().isoformat(), "isWell": trip.is_well, "steps": [*trip.steps]}

    async def _step(self, trip: Trip, name: str, step: Callable[[], Awaitable[str]]) -> bool:
        began = self._clock.monotonic()
        is_well = False
        try:
            async with asyncio.timeout(STEP_SECONDS):
                said = await step()
            is_well = True
        except TimeoutError:
            said = f"It took longer than {STEP_SECONDS:.0f} s."
        except errors.HeadraceError as error:
            said = error.message
        took = round((self._clock.monotonic() - began) * 1000)
        trip.steps.append({"name": name, "isWell": is_well, "said": said, "tookMs": took})
        return is_well

    async def _save(self, scope: Scope, trip: Trip, word: str) -> str:
        await self._tidy(scope)
        until = (self._clock.now() + PAUSE).isoformat(timespec="milliseconds")
        record: dict[str, Json] = {"name": NAME, "flow": flow_of(word, until), "customFields": {"selfTest": True}}
        trip.flow_id = str((await self._clients.flows.create(scope, "", record))["flowId"])
        return "The flow manager and its store take flows and give them back."

    async def _tidy(self, scope: Scope) -> None:
        before = (self._clock.now() - LEFT_OVER).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        left = (Condition(MARK, "equal", True, "true"), Condition("mtime", "less", before, before))
        for each in await self._clients.flows.page(scope, ListQuery(filter=left, limit=20)):
            await self._clients.flows.delete(scope, str(each["flowId"]), 0)

    async def _start(self, scope: Scope, trip: Trip) -> str:
        await self._clients.flows.start(scope, trip.flow_id)
        return "An executor took it in: flow manager and executors reach each other."

    async def _send(self, trip: Trip, word: str) -> str:
        sent = new_id()
        content = orjson.dumps({"method": "POST", "data": {"word": sent}, "headers": {}, "query": {}})
        event = Event(trip.flow_id, HOOK, "webhook", content, answer_within_seconds=STEP_SECONDS)
        outcome = await self._coalescer.submit(event)
        trip.run_id = outcome.run_id
        if outcome.answer is None or outcome.answer.implicit:
            raise errors.DeadlineExceeded(f"The flow did not answer within {STEP_SECONDS:.0f} s: run {trip.run_id}.")
        if outcome.answer.body.decode("utf-8", "replace") != f"{word} {sent}":
            raise errors.Internal(f"The flow answered with something else than it was sent: run {trip.run_id}.")
        return "An executor put the event on record and ran the flow, and its answer came back."

    async def _look(self, scope: Scope, trip: Trip) -> str:
        while True:
            run = await self._clients.executions.run(scope, trip.run_id, 0, 10)
            if run["state"] == "done":
                return "A timer of the scheduler woke the run, and its end is on record."
            if run["state"] in ("failed", "cancelled", "quarantined"):
                raise errors.Internal(f"Run {trip.run_id} is {run['state']}: {run['error']}.")
            await self._clock.sleep(LOOK_SECONDS)

    async def _find(self, scope: Scope, trip: Trip) -> str:
        while True:
            hits = (await self._clients.logs.find(scope, LogQuery(flow_ids=[trip.flow_id])))["hits"]
            found = (
                {each.get("componentId") for each in hits if isinstance(each, dict)}
                if isinstance(hits, list)
                else set()
            )
            if REPLY in found:
                return "What the run did came to the log service, and its store finds it."
            await self._clock.sleep(LOOK_SECONDS)

    async def _remove(self, scope: Scope, trip: Trip) -> str:
        if not trip.flow_id:
            return "There was nothing to take away."
        await self._clients.flows.delete(scope, trip.flow_id, 0)
        return "The flow is stopped and gone."
