"""The use cases of the executor: accept events, fire timers, activate flows, show and mend runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import (
    BadRequest,
    Conflict,
    HeadraceError,
    NotFound,
    TooLarge,
    Unavailable,
    ValidationFailed,
)
from headrace_core.expressions import Json
from headrace_core.ids import new_id, run_id
from headrace_core.webhook_signatures import SignedRequest
from headrace_runtime.failpoints import failpoint

from headrace_executor.answers import AnswerBox, FlowAnswer, Waiters, implicit, to_answer
from headrace_executor.counters import Counters
from headrace_executor.counting import CountQuery, DayCount
from headrace_executor.deciding import Said, decided
from headrace_executor.editing import edits
from headrace_executor.engine import Engine, cancel_order, entry_of
from headrace_executor.journal import Progress, decision_on, read_steps
from headrace_executor.model import (
    SIGNAL_PORT,
    Delivery,
    Inbound,
    NewRun,
    Parked,
    Run,
    RunState,
    StepRecord,
    Unprocessed,
)
from headrace_executor.plan import Plan, check_ports
from headrace_executor.plans import Plans
from headrace_executor.redaction import Redaction, aside
from headrace_executor.settings import ExecutorSettings
from headrace_executor.store import EVERY_ONE, Accepted, ExecutorStore, Narrowing, RunFilter
from headrace_executor.survey import IN_DOUBT, Survey

MAX_EVENT_ID = 512
MAX_CONTENT_BYTES = 15 * 1024 * 1024
PAGE_BYTES = 8 * 1024 * 1024
"""What a page of steps or of unprocessed messages holds at most; each may be as large as an event."""
AT_A_TIME = 20
"""How many messages are in memory before their page is cut."""
ANSWER_POLL_SECONDS = 0.5
TRIAL = "test:"
"""How the event ids of trials begin, and of nothing else."""
REPLAY = "replay:"
"""How the event ids of replays begin; the id of the run whose event it is follows."""
OVERLOAD_RETRY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a flow."""

    index: int
    flow_id: str
    node_id: str
    port: str
    event_id: str
    correlation_id: str
    content: bytes
    wants_answer: bool
    answer_within: float
    caller: str = ""
    signed: SignedRequest | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of an event. `refusal` is None when it was accepted."""

    index: int
    run_id: str = ""
    is_duplicate: bool = False
    refusal: HeadraceError | None = None


@dataclass(frozen=True, slots=True)
class RunDetail:
    """A run with its steps and waits, as they may be shown."""

    run: Run
    steps: list[StepRecord]
    waits: list[tuple[Delivery, Parked]]
    types: dict[str, str]  # node → component type


@dataclass(slots=True)
class _Candidate:
    event: Event
    plan: Plan
    run: NewRun


class Doorkeeper(Protocol):
    """Decides whose webhook calls are believed."""

    async def admit(self, plan: Plan, event: Event) -> Event:
        """The event as it may come in. Raises Unauthenticated, and Unavailable when nobody can say now."""
        ...


class ExecutionService:
    """All decisions about events and runs; input and output go through ports."""

    def __init__(
        self,
        store: ExecutorStore,
        engine: Engine,
        plans: Plans,
        waiters: Waiters,
        clock: Clock,
        counters: Counters,
        settings: ExecutorSettings,
        doorkeeper: Doorkeeper,
    ) -> None:
        self._doorkeeper = doorkeeper
        self._store = store
        self._engine = engine
        self._plans = plans
        self._waiters = waiters
        self._clock = clock
        self._counters = counters
        self._settings = settings
        self._has_hint = asyncio.Event()
        self._late: set[asyncio.Future[list[Accepted]]] = set()
        self._under_way: set[asyncio.Task[list[Acceptance]]] = set()

    # Events.

    async def accept(self, events: Sequence[Event]) -> tuple[list[Acceptance], AnswerBox]:
        """Write events durably, each once, and start their runs. Returns after the commit.

        Refusals concern single events; Unavailable concerns all of them and means that nothing is on record.
        """
        box = AnswerBox(self._clock)
        outcomes: list[Acceptance] = []
        candidates: list[_Candidate] = []
        for event in events:
            try:
                _check_event_id(event.event_id)
                plan = self._plans.fresh(event.flow_id) or await self._active_plan(event.flow_id)
                candidates.append(self._candidate(await self._doorkeeper.admit(plan, event), plan))
            except HeadraceError as error:
                self._counters.refused += 1
                outcomes.append(Acceptance(event.index, refusal=error))
        outcomes.extend(await self._take_in(candidates, box))
        return outcomes, box

    async def accept_inside(self, plan: Plan, event: Event) -> Accepted:
        """Accept an event of the platform's own under a given plan, whether the flow takes events or not."""
        [accepted] = await self.accept_all_inside([(plan, event)])
        return accepted

    async def accept_all_inside(self, events: Sequence[tuple[Plan, Event]]) -> list[Accepted]:
        """The same for several events, in one durable write."""
        candidates = [self._candidate(event, plan) for plan, event in events]
        outcomes = await self._take_in(candidates, AnswerBox(self._clock))
        return [Accepted(outcome.run_id, not outcome.is_duplicate) for outcome in outcomes]

    async def _active_plan(self, flow_id: str) -> Plan:
        plan = await self._plans.active(flow_id)
        if plan is None:
            raise NotFound("running flow", flow_id)
        return plan

    def _candidate(self, event: Event, plan: Plan) -> _Candidate:
        if len(event.event_id) > MAX_EVENT_ID or len(event.correlation_id) > MAX_EVENT_ID:
            raise BadRequest(f"Event and correlation ids have {MAX_EVENT_ID} characters at most.")
        if len(event.content) > MAX_CONTENT_BYTES:
            raise TooLarge(f"The event has {len(event.content):,} bytes: {MAX_CONTENT_BYTES:,} are accepted.")
        check_ports(plan, event.node_id, event.port)
        event_id = event.event_id or new_id()
        name = run_id(plan.flow_id, f"{event.node_id}/{event.port}", event_id)
        run = NewRun(
            run_id=name,
            tenant_id=plan.tenant_id,
            flow_id=plan.flow_id,
            version=plan.version,
            trigger_id=event.node_id,
            port=event.port,
            event_id=event_id,
            correlation_id=event.correlation_id or name,
            caller=event.caller,
            content=event.content,
            owned=self._engine.has_room_for(plan.tenant_id),
        )
        return _Candidate(event, plan, run)

    async def _take_in(self, candidates: Sequence[_Candidate], box: AnswerBox) -> list[Acceptance]:
        """Record the events and start their runs, to the end: a caller who leaves meanwhile cancels his call only.

        Otherwise runs would be on record as this executor's own, and nobody would drive them.
        """
        if not candidates:
            return []
        taking = asyncio.create_task(self._record_and_start(candidates, box))
        self._under_way.add(taking)
        taking.add_done_callback(self._forget)
        return await asyncio.shield(taking)

    def _forget(self, taking: asyncio.Task[list[Acceptance]]) -> None:
        self._under_way.discard(taking)
        if not taking.cancelled():
            taking.exception()  # asked for, so that nobody complains: the caller heard it, if he is still there

    async def settle(self) -> None:
        """Return when everything that was being accepted has been, or has failed."""
        if self._under_way:
            await asyncio.wait(self._under_way)

    async def _record_and_start(self, candidates: Sequence[_Candidate], box: AnswerBox) -> list[Acceptance]:
        now = self._clock.now().timestamp()
        failpoint("accept.before_commit")
        accepted = await self._write(candidates, now)
        failpoint("accept.after_commit")
        outcomes = []
        for candidate, outcome in zip(candidates, accepted, strict=True):
            event = candidate.event
            if outcome.is_new:
                self._counters.accepted += 1
                self._start(candidate, box, now)
            else:
                self._counters.duplicates += 1
                if event.wants_answer:
                    await self._answer_again(candidate, box)
            outcomes.append(Acceptance(event.index, outcome.run_id, not outcome.is_new))
        return outcomes

    async def _write(self, candidates: Sequence[_Candidate], now: float) -> list[Accepted]:
        write = self._store.accept([candidate.run for candidate in candidates], self._engine.owner, now)
        if self._settings.mutant == "answer_before_commit":
            late = asyncio.ensure_future(write)
            self._late.add(late)
            late.add_done_callback(self._late.discard)
            return [Accepted(candidate.run.run_id, True) for candidate in candidates]
        return await write

    def _start(self, candidate: _Candidate, box: AnswerBox, now: float) -> None:
        event, new = candidate.event, candidate.run
        if event.wants_answer:
            if not candidate.plan.expects_answer(new.trigger_id):
                box.expect()
                box.put(event.index, implicit(200 if new.owned else 202, new.run_id))
            elif new.owned:
                self._waiters.add(new.run_id, box, event.index)
            else:
                self._wait_elsewhere(candidate, box)
        if new.owned:
            self._engine.take(_fresh_run(new, self._engine.owner, now))
        else:
            self._engine.nudge(new.tenant_id)

    async def _answer_again(self, candidate: _Candidate, box: AnswerBox) -> None:
        """The same event came again: give it the answer of its run, now or when it comes."""
        run, index = candidate.run, candidate.event.index
        if self._waiters.is_awaited(run.run_id):
            self._waiters.add(run.run_id, box, index)
            return
        if not candidate.plan.expects_answer(run.trigger_id):
            box.expect()
            box.put(index, implicit(200, run.run_id))
            return
        answer = await self._recorded_answer(run.tenant_id, run.run_id)
        if answer is None:
            self._wait_elsewhere(candidate, box)
        else:
            box.expect()
            box.put(index, answer)

    def _wait_elsewhere(self, candidate: _Candidate, box: AnswerBox) -> None:
        run, event = candidate.run, candidate.event
        until = self._clock.monotonic() + event.answer_within
        self._waiters.add_elsewhere(run.tenant_id, run.run_id, box, event.index, until)

    async def _recorded_answer(self, tenant_id: str, name: str) -> FlowAnswer | None:
        """The answer of a run that has one on record, or will have none. None while it may still come."""
        loaded = await self._store.get(tenant_id, name)
        if loaded is None:
            return implicit(202, name)
        for step in read_steps(loaded.chunks, name):
            if step.response is not None:
                return to_answer(dict(step.response))
        goes_on = loaded.run.state in (RunState.READY, RunState.RUNNING)
        return None if goes_on else implicit(202, name)

    # Runs whose callers wait here while others drive them.

    async def look_for_answers(self) -> None:
        """Answer callers whose runs are elsewhere, until cancelled. A hint makes it quicker; this makes it sure."""
        while True:
            self._has_hint.clear()
            for tenant_id, name in self._waiters.elsewhere(self._clock.monotonic()):
                try:
                    answer = await self._recorded_answer(tenant_id, name)
                except (Unavailable, ConnectionError):
                    break
                if answer is not None:
                    self._waiters.answer(name, answer)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ANSWER_POLL_SECONDS):
                    await self._has_hint.wait()

    def hear_of_answer(self, name: str) -> None:
        """Another executor says that this run has its answer on record."""
        if self._waiters.is_awaited(name):
            self._has_hint.set()

    # Calls between flows and errors of steps.

    async def call_flow(self, run: Run, delivery: Delivery, call: tuple[str, str, Json]) -> None:
        """Start another flow of the same tenant for a step that waits. The step's id makes it one call."""
        flow_id, node_id, content = call
        plan = await self._active_plan(flow_id)
        if plan.tenant_id != run.tenant_id:
            raise NotFound("running flow", flow_id)
        caller = f"{run.tenant_id}/{run.run_id}/{delivery.id}"
        event = own_event(flow_id, node_id, "call", delivery.id, content, caller, run.correlation_id)
        await self.accept_inside(plan, event)

    async def answer_call(self, run: Run, content: Json) -> None:
        """Leave the answer for the flow that called this run."""
        if not run.caller:
            return
        tenant_id, caller_run, delivery_id = run.caller.split("/")
        answer = Inbound(0, "answer", delivery_id, orjson.dumps(content))
        await self._store.put_inbox(tenant_id, caller_run, answer, self._clock.now().timestamp())
        self._engine.nudge()

    async def signal(self, plan: Plan, signal_id: str, content: Json) -> None:
        """Tell those nodes of a flow that hear signals; each hears of one once, however often it is sent."""
        events = [
            (plan, own_event(plan.flow_id, node_id, SIGNAL_PORT, signal_id, content))
            for node_id in plan.signal_listeners()
        ]
        if events:
            await self.accept_all_inside(events)

    async def wake(self, run: Run, timeout_id: str, content: Json) -> None:
        """Leave the content for the timeout's node, in its own run of the same tenant. What fired hears nothing."""
        woken = timeout_id.rpartition(".")[0]
        if woken:
            answer = Inbound(0, "answer", timeout_id, orjson.dumps(content))
            await self._store.put_inbox(run.tenant_id, woken, answer, self._clock.now().timestamp())
            self._engine.nudge()

    async def report_error(self, plan: Plan, run: Run, delivery: Delivery, content: dict[str, Json]) -> None:
        """Tell the error triggers of a flow; each hears of a failure once."""
        event_id = f"{delivery.id}/{run.run_id}"
        for node_id in plan.error_listeners():
            await self.accept_inside(plan, own_event(plan.flow_id, node_id, "error", event_id, dict(content)))

    # Runs.

    async def get_run(self, tenant_id: str | None, name: str, first: int = 0, count: int | None = None) -> RunDetail:
        """A run with what it waits for and its steps: so many, from the first that is asked for. Raises NotFound."""
        loaded = await self._store.get(tenant_id, name)
        if loaded is None:
            raise NotFound("run", name)
        run = loaded.run
        redaction = await aside(len(run.content), Redaction.of_event, run.content)
        waits: list[tuple[Delivery, Parked]] = []
        types: dict[str, str] = {}
        with contextlib.suppress(NotFound, ValidationFailed):
            plan = await self._plans.version(run.flow_id, run.version)
            types = {node.id: node.type for node in plan.nodes.values()}
            progress = Progress(run.run_id, plan, plan.rules(run.trigger_id), entry_of(run))
            progress.replay(loaded.chunks)
            waits = [] if run.state.is_over else progress.waits
        end = None if count is None else first + count
        steps = []
        for step in read_steps(loaded.chunks, run.run_id)[first:end]:
            steps.append(redaction.step(step))
            await asyncio.sleep(0)  # each may be large, and others wait
        waits = [(delivery, replace(parked, reason=redaction.text(parked.reason))) for delivery, parked in waits]
        return RunDetail(_shown(run), steps, waits, types)

    async def list_runs(self, query: RunFilter, offset: int, limit: int) -> tuple[list[Run], int]:
        """A page of runs and how many match."""
        runs, total = await self._store.list_runs(query, offset, limit)
        return [_shown(run) for run in runs], total

    async def waits_of(
        self, tenant_id: str | None, runs: Sequence[Run]
    ) -> dict[str, Sequence[tuple[Delivery, Parked]]]:
        """By run id what those of the runs wait for that do. One that has gone meanwhile is left out."""
        found: dict[str, Sequence[tuple[Delivery, Parked]]] = {}
        for run in runs:
            if run.state is RunState.WAITING:
                with contextlib.suppress(NotFound):
                    found[run.run_id] = (await self.get_run(tenant_id, run.run_id, count=0)).waits
        return found

    async def cancel_run(self, tenant_id: str | None, name: str, reason: str) -> Run:
        """End a run at its next step. Ending an ended run changes nothing. Raises NotFound."""
        run = await self._run(tenant_id, name)
        if not run.state.is_over:
            words = f"Cancelled: {reason or 'by a person'}."
            if not self._engine.cancel(name, words):
                order = cancel_order(name, words)
                await self._store.put_inbox(run.tenant_id, name, order, self._clock.now().timestamp())
                self._engine.nudge()
                self._engine.fleet.cancelled(name, words)
        return await self._run(tenant_id, name)

    async def replay_run(self, tenant_id: str, name: str, event_id: str = "") -> tuple[str, Accepted]:
        """Begin a new run with the event of another, in the flow as it runs now; its flow, and what became of it.

        It is the event as it came, secrets included. The same `event_id` makes one run. Raises NotFound for the run
        and for a flow that does not run, ValidationFailed where that has no such trigger any more.
        """
        loaded = await self._store.get(tenant_id, name)
        if loaded is None:
            raise NotFound("run", name)
        old = loaded.run
        plan = await self._active_plan(old.flow_id)
        if plan.tenant_id != tenant_id:
            raise NotFound("running flow", old.flow_id)
        event = Event(
            index=0,
            flow_id=old.flow_id,
            node_id=old.trigger_id,
            port=old.port,
            event_id=f"{REPLAY}{name}:{event_id or new_id()}",
            correlation_id="" if old.correlation_id == name else old.correlation_id,
            content=old.content,
            wants_answer=False,
            answer_within=0.0,
        )
        return old.flow_id, await self.accept_inside(plan, event)

    async def _run(self, tenant_id: str | None, name: str) -> Run:
        loaded = await self._store.get(tenant_id, name)
        if loaded is None:
            raise NotFound("run", name)
        return _shown(loaded.run)

    async def decide_step(self, tenant_id: str, run_id: str, step_id: str, said: Said) -> None:
        """Say what is true of a step in doubt; its run goes on from there.

        Raises NotFound for a step that is not in doubt, BadRequest for outputs that its component cannot send, and
        Conflict where somebody else decided first.
        """
        found = await self._store.get_unprocessed(tenant_id, step_id)
        if found is None or found.run_id != run_id:
            raise await self._decided_already(tenant_id, run_id, step_id)
        if orjson.loads(found.error).get("code") != "in_doubt":
            raise BadRequest("This step is not in doubt: it failed. Retry its message, edit it, or drop it.")
        run = await self._run(tenant_id, run_id)
        plan = await self._plans.version(run.flow_id, run.version)
        now = self._clock.now().timestamp()
        content = orjson.dumps(decided(said, plan.nodes.get(found.node_id), now).to_json())
        is_first = await self._store.retry_unprocessed(tenant_id, [step_id], now, content=content)
        self._engine.nudge()
        if not is_first:
            raise await self._decided_already(tenant_id, run_id, step_id)

    async def _decided_already(self, tenant_id: str, run_id: str, step_id: str) -> Conflict | NotFound:
        loaded = await self._store.get(tenant_id, run_id)
        if loaded is None:
            return NotFound("run", run_id)
        if any(each.kind == "retry" and each.delivery_id == step_id for each in loaded.inbox):
            return Conflict(f"Somebody else decided on the step {step_id} first. Read the run again.")
        decision = decision_on(loaded.chunks, step_id)
        if decision is None:
            return NotFound("step in doubt", step_id)
        moment = datetime.fromtimestamp(decision.at, UTC).isoformat()
        return Conflict(f"User {decision.by} decided on the step {step_id} at {moment}: {decision.verdict}.")

    # Counts of messages.

    async def count_messages(self, query: CountQuery) -> list[DayCount]:
        """The days of the query that have messages, earliest first."""
        return await self._store.count_messages(query)

    async def forget_tenant(self, tenant_id: str) -> None:
        """Forget what was counted for a tenant who leaves."""
        await self._store.forget_counts(tenant_id)

    # Unprocessed messages.

    async def list_unprocessed(
        self,
        tenant_id: str | None,
        flow_id: str,
        correlation_id: str,
        offset: int,
        limit: int,
        narrowing: Narrowing = EVERY_ONE,
    ) -> tuple[list[Unprocessed], int]:
        """A page, newest first, and how many match. A page has an end in bytes, too: what comes after it is cut."""
        shown: dict[str, Unprocessed] = {}
        room, place = PAGE_BYTES, 0
        while True:
            some, total = await self._store.list_unprocessed(
                tenant_id, flow_id, correlation_id, offset + place, min(AT_A_TIME, limit - place), narrowing
            )
            place += len(some)
            for message in await self._without_secrets(some):
                room -= len(message.messages) + len(message.error)
                shown[message.message_id] = message if room >= 0 else replace(message, messages=b"", error=b"")
            if len(some) < AT_A_TIME or place >= limit:
                return [*shown.values()], total

    async def get_unprocessed(self, tenant_id: str | None, message_id: str) -> Unprocessed:
        """One message. Raises NotFound."""
        found = await self._store.get_unprocessed(tenant_id, message_id)
        if found is None:
            raise NotFound("unprocessed message", message_id)
        [shown] = await self._without_secrets([found])
        return shown

    async def _without_secrets(self, messages: Sequence[Unprocessed]) -> list[Unprocessed]:
        events = await self._store.events_of({message.run_id for message in messages})
        hidden: dict[str, Redaction] = {}
        for of_run, event in events.items():
            hidden[of_run] = await aside(len(event), Redaction.of_event, event)
        shown = []
        for message in messages:
            redaction, size = hidden.get(message.run_id, Redaction()), len(message.messages) + len(message.error)
            shown.append(await aside(size, redaction.unprocessed, message))
        return shown

    async def delete_unprocessed(self, tenant_id: str | None, message_ids: Sequence[str]) -> int:
        return await self._store.delete_unprocessed(tenant_id, message_ids)

    async def retry_unprocessed(self, tenant_id: str | None, message_ids: Sequence[str]) -> int:
        """Give messages back to their runs, which go on from there."""
        retried = await self._store.retry_unprocessed(tenant_id, message_ids, self._clock.now().timestamp())
        self._engine.nudge()
        return retried

    async def settle_unprocessed(
        self,
        tenant_id: str | None,
        flow_id: str,
        narrowing: Narrowing,
        limit: int,
        *,
        message_ids: Sequence[str] = (),
        drop: bool = False,
        in_doubt_too: bool = False,
    ) -> tuple[int, int, int]:
        """Retry or drop these messages, or up to `limit` that match, oldest first.

        Says how many, how many are left, and how many wait for a decision: a step of which nobody knows whether it
        happened is not done again for many at once, unless that is asked for.
        """
        meant = replace(narrowing, names=tuple(message_ids))
        fit = meant if drop or in_doubt_too else replace(meant, without=IN_DOUBT)
        names, total = await self._store.unprocessed_ids(tenant_id, flow_id, fit, limit)
        everyone = total if fit is meant else (await self._store.unprocessed_ids(tenant_id, flow_id, meant, 1))[1]
        verb = self.delete_unprocessed if drop else self.retry_unprocessed
        settled = await verb(tenant_id, names) if names else 0
        return settled, total - len(names), max(0, everyone - total)

    async def survey(self, since: float) -> Survey:
        """How runs are, of all tenants."""
        return await self._store.survey(since)

    async def retry_edited(self, tenant_id: str, message_id: str, messages: Mapping[str, Json]) -> int:
        """Give a message back with other contents; 0 when it is not there. Raises BadRequest for contents of others."""
        found = await self._store.get_unprocessed(tenant_id, message_id)
        if found is None:
            return 0
        [shown] = await self._without_secrets([found])
        changed = edits(messages, orjson.loads(shown.messages), orjson.loads(found.messages))
        content = orjson.dumps(changed) if changed else b""
        retried = await self._store.retry_unprocessed(
            tenant_id, [message_id], self._clock.now().timestamp(), content=content
        )
        self._engine.nudge()
        return retried


def _check_event_id(event_id: str) -> None:
    """Raise BadRequest for the id of an event from outside that would pass for a trial."""
    if event_id.startswith(TRIAL):
        raise BadRequest(f"Event ids that begin with {TRIAL!r} are kept for tests of flows. Choose another id.")


def _shown(run: Run) -> Run:
    """A run whose error says no secret of its event."""
    return replace(run, error=Redaction.of_event(run.content).text(run.error)) if run.error else run


def _fresh_run(new: NewRun, owner: str, now: float) -> Run:
    """A run as the store holds it right after it was accepted, without reading it back."""
    return Run(
        run_id=new.run_id,
        tenant_id=new.tenant_id,
        flow_id=new.flow_id,
        version=new.version,
        trigger_id=new.trigger_id,
        port=new.port,
        event_id=new.event_id,
        correlation_id=new.correlation_id,
        caller=new.caller,
        content=new.content,
        state=RunState.RUNNING,
        epoch=1,
        owner=owner,
        seq=0,
        steps=0,
        pending=1,
        failed=0,
        created=now,
        updated=now,
        due=None,
        error="",
        deaths=0,
        suspect="",
    )


def own_event(
    flow_id: str,
    node_id: str,
    port: str,
    event_id: str,
    content: Json,
    caller: str = "",
    correlation_id: str = "",
) -> Event:
    return Event(0, flow_id, node_id, port, event_id, correlation_id, orjson.dumps(content), False, 0.0, caller)
