"""One run on its way through its flow: take a delivery, fire the node, record what came of it, go on.

Pure steps run one after the other where they are and ride with the next commit. Any other step flies on its own,
and what it set free starts only after its commit: so what a crash repeats is never built on something forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import Fenced
from headrace_core.expressions import (
    MAX_SCRIPTS,
    Environment,
    Json,
    LimitExceeded,
    Missing,
    ScriptAnswer,
    ScriptCall,
    ScriptNeeded,
    Scripts,
)
from headrace_core.schemas import Validator
from headrace_runtime import logs
from headrace_runtime.failpoints import failpoint
from headrace_sdk.component import Work, carry_out
from headrace_sdk.context import Message as SdkMessage
from headrace_sdk.errors import TransientError

from headrace_executor import happenings
from headrace_executor.accounts import NoAccount
from headrace_executor.context import Doors, Effects, MemoryOfNode, StepContext, sdk_message
from headrace_executor.counters import Counters
from headrace_executor.journal import Progress, StepResult
from headrace_executor.model import (
    ANSWER_PORT,
    ERROR_PORT,
    HOOK_PORTS,
    SIGNAL_PORT,
    START_HOOK,
    STOP_HOOK,
    TICK_PORT,
    Commit,
    Decision,
    Delivery,
    Inbound,
    Outcome,
    Parked,
    Run,
    RunState,
    Unprocessed,
)
from headrace_executor.plan import Plan, PlannedNode
from headrace_executor.ports import Credentials
from headrace_executor.redaction import Secrets
from headrace_executor.retry import (
    CutShort,
    GiveUp,
    Retry,
    RetryPolicy,
    after_failure,
    describe,
    error_to_json,
)
from headrace_executor.validation import InputRefused, fit

if TYPE_CHECKING:
    from headrace_executor.store import RunStore

SLICE_STEPS = 64
RIDING_STEPS = 500
MAX_FLIGHTS = 16
MAX_PENDING = 2_000
MAX_SHOWN_BYTES = 51_200
QUARANTINE_DEATHS = 5


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every run of this executor shares."""

    store: RunStore
    doors: Doors
    clock: Clock
    counters: Counters
    policy: RetryPolicy
    receive_timeout: timedelta
    owner: str
    answer: Callable[[str, dict[str, Json]], None]  # run id, response
    answered: Callable[[str], None]  # run id: its answer is on record, for whoever accepted the run
    report_error: Callable[[Plan, Run, Delivery, dict[str, Json]], Awaitable[None]]
    call_flow: Callable[[Run, Delivery, tuple[str, str, Json]], Awaitable[None]]
    answer_call: Callable[[Run, Json], Awaitable[None]]
    wake: Callable[[Run, str, Json], Awaitable[None]]  # by a run, what timeout, with what
    wait_for_quota: Callable[[PlannedNode, Run, Delivery, str], Awaitable[Parked | None]]
    end_quota: Callable[[str], Awaitable[None]]
    went_through: Callable[[PlannedNode, Run, Delivery, str], None]
    too_many: Callable[[PlannedNode, Run, Delivery, str, Exception], Awaitable[Parked | None]]
    open_account: Callable[[PlannedNode, Run, Delivery], Awaitable[Credentials | Parked | None]]
    account_refused: Callable[[PlannedNode, Run, Credentials, Exception], Awaitable[Parked | None]]
    happen: Callable[[Plan, Run, dict[str, Json]], None]
    is_watched: Callable[[str], bool]
    run_script: Callable[[str, ScriptCall], Awaitable[ScriptAnswer]]  # of a tenant's flow


@dataclass(slots=True)
class _Due:
    """What the next commit carries besides the records."""

    unprocessed: list[Unprocessed] = field(default_factory=list)
    effects: list[Effects] = field(default_factory=list)


class Execution:
    """Drives one run until nothing is ready any more."""

    def __init__(self, around: Surroundings, plan: Plan, run: Run, progress: Progress, inbox: list[Inbound]) -> None:
        self._around = around
        self._plan = plan
        self._run = run
        self._progress = progress
        self._inbox = inbox
        self._handled: list[int] = []
        self._due = _Due()
        self._credentials: dict[str, Credentials] = {}  # by delivery, while its step is under way
        self._flying = 0
        self._landed = asyncio.Event()
        self._moved = asyncio.Event()
        self._riding = 0
        self._stops_flow = False
        self._careful = run.deaths > 0
        self._cancelled = ""
        self._has_answered = False

    async def drive(self) -> RunState:
        """Go as far as possible and say where the run stands. Raises Fenced when somebody else has it now."""
        self._read_inbox()
        if self._careful and self._run.deaths >= QUARANTINE_DEATHS and self._run.suspect:
            return await self._quarantine()
        if not self._progress.ended:
            try:
                await self._run_flights()
            except BaseExceptionGroup as group:
                raise group.exceptions[0] from None
        self._heed_cancel()
        state = await self._settle()
        if self._heed_cancel():  # it came while the wait was written down
            state = await self._settle()
        return state

    def cancel(self, reason: str) -> None:
        """Start nothing new and end the run; steps that fly already come to their end."""
        self._cancelled = reason
        self._landed.set()

    def _heed_cancel(self) -> bool:
        """End what still waits if somebody asked for that; whether anything did."""
        if not self._cancelled or not self._progress.pending:
            return False
        self._progress.cancel(self._cancelled)
        return True

    async def _run_flights(self) -> None:
        async with asyncio.TaskGroup() as flights:
            await self._drain(flights)
            while self._flying:
                await self._land()
                await self._drain(flights)

    # Moving on.

    async def _drain(self, flights: asyncio.TaskGroup) -> None:
        """Start everything that is ready."""
        ready = self._progress.ready
        started = 0
        while ready:
            if self._cancelled:
                self._progress.cancel(self._cancelled)
                return
            delivery = ready.popleft()
            node = self._plan.nodes.get(delivery.node)
            if node is None:
                self._drop(delivery)
            elif node.is_pure and not self._careful and self._plan.durability != "strict":
                await self._ride(node, delivery, flights)
            else:
                while self._flying >= MAX_FLIGHTS:
                    await self._land()
                self._flying += 1
                flights.create_task(self._fly(node, delivery, flights))
            started += 1
            if started % SLICE_STEPS == 0:
                self._moved.set()
                await asyncio.sleep(0)
            if self._riding >= RIDING_STEPS:
                await self._commit(RunState.RUNNING)

    async def _land(self) -> None:
        await self._landed.wait()
        self._landed.clear()

    async def _ride(self, node: PlannedNode, delivery: Delivery, flights: asyncio.TaskGroup) -> None:
        """Run a pure step here and now; it is recomputed after a crash, so it needs no commit of its own."""
        self._riding += 1
        self._progress.ready.extend(await self._step(node, delivery, flights))

    async def _fly(self, node: PlannedNode, delivery: Delivery, flights: asyncio.TaskGroup) -> None:
        """Run a step that acts outside, and let nothing build on it before it is on record."""
        try:
            if self._progress.unsettled:
                await self._commit(RunState.RUNNING)
            freed = await self._open_account(node, delivery)
            if freed is None:
                freed = await self._resolve_doubt(node, delivery, flights)
            if freed is None:
                freed = await self._wait_for_quota(node, delivery)
            if freed is None:
                await self._announce(node, delivery)
                failpoint("run.before_effect")
                freed = await self._step(node, delivery, flights)
                failpoint("run.after_effect")
            await self._commit(RunState.RUNNING)
            self._progress.ready.extend(freed)
        finally:
            self._credentials.pop(delivery.id, None)
            self._flying -= 1
            self._landed.set()
            self._moved.set()
            await self._around.end_quota(delivery.id)

    async def _open_account(self, node: PlannedNode, delivery: Delivery) -> list[Delivery] | None:
        """Have what the step acts with, or put the delivery aside until it can be had. None: go on and run it."""
        try:
            found = await self._around.open_account(node, self._run, delivery)
        except NoAccount as error:
            now = self._around.clock.now()
            return await self._fail(node, delivery, None, await self._shown(node, delivery), now, error)
        if isinstance(found, Parked):
            self._park_for_account(node, delivery, found)
            return []
        if found is not None:
            self._credentials[delivery.id] = found
        return None

    def _park_for_account(
        self, node: PlannedNode, delivery: Delivery, parked: Parked, result: StepResult | None = None
    ) -> None:
        """Put the delivery aside. An intent that nobody has cleared up stays one.

        Who only looked for news looks again at the next tick: those that could not would gather.
        """
        if delivery.port == TICK_PORT and parked.account_id:
            stamp = self._around.clock.now().timestamp()
            error: dict[str, Json] = {"code": "account_invalid", "name": "AccountInvalid", "message": parked.reason}
            skipped = StepResult("skipped", delivery.attempts + 1, stamp, stamp, error=error)
            self._progress.finish(delivery, skipped)
            return
        intent = delivery.intent
        self._park(node, delivery, parked, result)
        if intent and result is None:
            self._progress.intend(delivery)

    async def _wait_for_quota(self, node: PlannedNode, delivery: Delivery) -> list[Delivery] | None:
        """Put the delivery aside while its quota is used up. None: go on and run it."""
        parked = await self._around.wait_for_quota(node, self._run, delivery, self._account_of(delivery))
        if parked is None:
            return None
        self._park(node, delivery, parked)
        return []

    def _park(self, node: PlannedNode, delivery: Delivery, parked: Parked, result: StepResult | None = None) -> None:
        self._progress.park(delivery, parked, result)
        self._tell_wait(node, delivery.id, delivery.port, parked)

    async def _announce(self, node: PlannedNode, delivery: Delivery) -> None:
        """Write down that an unsafe step begins; for a run that has died before, that any step does."""
        if node.effect == "unsafe" and delivery.port not in HOOK_PORTS:
            self._progress.intend(delivery)
            await self._commit(RunState.RUNNING)
        elif self._careful:
            await self._commit(RunState.RUNNING, suspect=delivery.id)

    async def _resolve_doubt(
        self, node: PlannedNode, delivery: Delivery, flights: asyncio.TaskGroup
    ) -> list[Delivery] | None:
        """Deal with a step whose intent is on record and whose outcome is not. None: go on and run it."""
        if not delivery.intent:
            return None
        now = self._around.clock.now()
        [content, *_] = await self._shown(node, delivery)
        context = self._context(node, delivery, content, {}, {}, flights, now)
        happened = await self._ask_whether_it_happened(node, context)
        if happened is False:
            return None
        stamp = now.timestamp()
        attempts = delivery.attempts + 1
        if happened or node.in_doubt == "skip":
            result = StepResult(
                "done" if happened else "skipped", attempts, stamp, stamp, None, context.effects.outputs
            )
            result.envelopes = context.effects.envelopes
            return self._progress.finish(delivery, result)
        if node.in_doubt == "retry":
            return None
        error: dict[str, Json] = {
            "code": "in_doubt",
            "name": "InDoubt",
            "message": f"{node.type} was interrupted: nobody knows whether its call took place. Decide on it.",
            "attempts": attempts,
        }
        contents = await self._shown(node, delivery)
        return self._give_up(node, delivery, StepResult("failed", attempts, stamp, stamp, error=error), contents)

    async def _ask_whether_it_happened(self, node: PlannedNode, context: StepContext) -> bool | None:
        try:
            async with asyncio.timeout(self._around.receive_timeout.total_seconds()):
                return await node.component.reconcile(context)
        except Exception as error:
            context.log(f"reconcile() failed: {describe(error)}", "error")
            return None

    # One step.

    async def _step(self, node: PlannedNode, delivery: Delivery, flights: asyncio.TaskGroup) -> list[Delivery]:
        """Fire a node and record what came of it. Returns what it set free."""
        around = self._around
        now = around.clock.now()
        contents: list[Json] = []
        content: Json = None
        context: StepContext | None = None
        try:
            contents = await self._contents(node, delivery)
            content, messages, inputs = self._input(node, delivery, contents)
            context = self._context(node, delivery, content, messages, inputs, flights, now)
            with logs.hiding(*self._secrets_of(delivery)):
                await self._call(node, delivery, context)
        except Fenced:
            raise
        except Exception as error:
            if isinstance(error, CutShort) and delivery.intent:
                settled = await self._resolve_doubt(node, delivery, flights)
                if settled is not None:
                    return settled
            return await self._fail(node, delivery, context, contents, now, error)
        around.went_through(node, self._run, delivery, self._account_of(delivery))
        return await self._succeed(node, delivery, context, content, now)

    async def _call(self, node: PlannedNode, delivery: Delivery, context: StepContext) -> None:
        component = node.component
        port = delivery.port
        if port == TICK_PORT:
            call: Callable[[StepContext], Work] = component.tick
        elif port == START_HOOK:
            call = component.start
        elif port == STOP_HOOK:
            call = component.stop
        elif port == SIGNAL_PORT:
            call = component.signal
        else:
            call = component.receive
        if node.is_pure:
            await carry_out(call(context), context)
        else:
            async with asyncio.timeout(self._around.receive_timeout.total_seconds()):
                await carry_out(call(context), context)

    def _input(
        self, node: PlannedNode, delivery: Delivery, contents: list[Json]
    ) -> tuple[Json, dict[str, list[SdkMessage]], dict[str, list[Json]]]:
        """What the component receives, checked against the in-port's schema; all messages; what was filled from each.

        `contents` are those of the delivery's parts; the first is replaced by one that fits. Raises InputRefused.
        """
        parts = self._progress.parts_of(delivery)
        messages: dict[str, list[SdkMessage]] = {}
        validator = node.validators.get(delivery.port)
        if validator is not None and (isinstance(delivery.content, Missing) or delivery.is_edited):
            contents[0] = self._fitting(node, delivery.port, contents[0], validator)
        inputs: dict[str, list[Json]] = {}
        for part, content in zip(parts, contents, strict=True):
            messages.setdefault(part.port, []).append(sdk_message(part, self._run.correlation_id))
            inputs.setdefault(part.port, []).append(content)
        return contents[0], messages, inputs

    def _fitting(self, node: PlannedNode, port: str, content: Json, validator: Validator) -> Json:
        problems = validator.check(content)
        if not problems:
            return content
        schema = node.schemas[port]
        fitted = fit(schema, content)
        if fitted == content or validator.check(fitted):
            raise InputRefused(node.id, port, problems)
        return fitted

    async def _contents(self, node: PlannedNode, delivery: Delivery) -> list[Json]:
        """What each of the messages a delivery stands for comes to at the node's in-port."""
        return [await self._content(node, part) for part in self._progress.parts_of(delivery)]

    async def _shown(self, node: PlannedNode, delivery: Delivery) -> list[Json]:
        """The same for who is told of it; the messages as they were sent where a modifier cannot be run now."""
        try:
            return await self._contents(node, delivery)
        except (TransientError, CutShort):
            return [part.message.content for part in self._progress.parts_of(delivery)]

    async def _content(self, node: PlannedNode, delivery: Delivery) -> Json:
        """Raises TransientError where a modifier in JavaScript cannot be run now."""
        if not isinstance(delivery.content, Missing):
            return delivery.content
        message = delivery.message
        transform = node.transforms.get((delivery.port, delivery.source, message.port))
        if transform is None:
            return message.content
        now, seed, scripts = self._around.clock.now(), delivery.id.encode("ascii", "replace"), Scripts()
        while True:
            try:
                return transform.apply(Environment(message, message.content, node.values, now, seed, scripts=scripts))
            except ScriptNeeded as needed:
                if len(scripts.answers) >= MAX_SCRIPTS:
                    said = f"A message's input takes at most {MAX_SCRIPTS} calls of modifiers in JavaScript."
                    raise LimitExceeded(said) from None
                scripts.answers[needed.call.key] = await self._around.run_script(self._run.tenant_id, needed.call)

    def _context(
        self,
        node: PlannedNode,
        delivery: Delivery,
        content: Json,
        messages: dict[str, list[SdkMessage]],
        inputs: dict[str, list[Json]],
        flights: asyncio.TaskGroup,
        now: datetime,
    ) -> StepContext:
        progress = self._progress
        memory = MemoryOfNode(
            lambda: progress.memories.of(node.id),
            lambda name, operation: progress.remember(delivery, name, operation, is_pure=node.is_pure),
        )

        async def checkpoint() -> None:
            await self._checkpoint(node, delivery, context, flights)

        context = StepContext(
            self._around.doors,
            self._plan,
            node,
            self._run,
            delivery,
            content,
            messages,
            memory,
            now,
            checkpoint,
            inputs,
            self._credentials.get(delivery.id),
        )
        return context

    async def _checkpoint(
        self, node: PlannedNode, delivery: Delivery, context: StepContext, flights: asyncio.TaskGroup
    ) -> None:
        """Send on what a long step has sent so far, so that neither memory nor a repetition grows with its length."""
        self._hide(delivery, context.effects)
        effects = context.effects
        outputs, effects.outputs = effects.outputs, []
        envelopes, effects.envelopes = effects.envelopes, {}
        freed = self._progress.checkpoint(delivery, outputs, envelopes)
        await self._commit(RunState.RUNNING)
        self._progress.ready.extend(freed)
        if node.is_pure:
            await self._drain(flights)
            return
        self._landed.set()
        while len(self._progress.pending) > MAX_PENDING and (self._progress.ready or self._flying > 1):
            self._moved.clear()
            await self._moved.wait()

    async def _succeed(
        self, node: PlannedNode, delivery: Delivery, context: StepContext, content: Json, began: datetime
    ) -> list[Delivery]:
        effects = context.effects
        self._hide(delivery, effects)
        if effects.response is not None:
            self._around.answer(self._run.run_id, effects.response)
            self._has_answered = self._run.has_moved
        for answer in effects.answer:
            await self._around.answer_call(self._run, answer)
        for timeout_id, found in effects.wakes:
            await self._around.wake(self._run, timeout_id, found)
        result = self._result("done", delivery, effects, content, began)
        result.memory = context.run_state.changes
        self._due.effects.append(effects)
        if effects.stops_flow:
            self._stops_flow = True
        if effects.call is not None:
            return await self._await_answer(node, delivery, effects.call, result)
        freed = self._progress.finish(delivery, result)
        self._tell(node, delivery, result)
        return freed

    async def _await_answer(
        self, node: PlannedNode, delivery: Delivery, call: tuple[str, str, Json], result: StepResult
    ) -> list[Delivery]:
        await self._around.call_flow(self._run, delivery, call)
        reason = f"Waits for the answer of flow {call[0]}."
        self._park(node, delivery, Parked("call", reason, None), result)
        return []

    async def _fail(
        self,
        node: PlannedNode,
        delivery: Delivery,
        context: StepContext | None,
        contents: Sequence[Json],
        began: datetime,
        error: Exception,
    ) -> list[Delivery]:
        content = contents[0] if contents else None
        attempts = delivery.attempts + 1
        effects = context.effects if context is not None else Effects()
        self._hide(delivery, effects)
        # What was refused stands in the message that is given up; it may be large, and need not stand here, too.
        received = None if context is None else content
        result = self._result("failed", delivery, Effects(logs=effects.logs), received, began)
        result.error = self._error_of(delivery, error, attempts)
        if await self._is_parked_for_account(node, delivery, error, result):
            return []
        if await self._is_parked_for_its_turn(node, delivery, error, result):
            return []
        decision = self._decide(node, delivery, error, attempts)
        if isinstance(decision, Retry):
            delivery.attempts = attempts
            due = self._around.clock.now() + decision.delay
            reason = Secrets(self._secrets_of(delivery)).text(decision.reason)
            self._park(node, delivery, Parked("retry", reason, due), result)
            self._tell(node, delivery, result)
            return []
        if delivery.port in HOOK_PORTS:
            return self._progress.finish(delivery, result)
        if self._run.port != ERROR_PORT:
            await self._around.report_error(self._plan, self._run, delivery, self._error_event(node, result))
        if decision.how == "errorPort":
            result.outcome = "caught"
            result.outputs = [(ERROR_PORT, {"error": dict(result.error), "input": content})]
        elif decision.how == "drop":
            result.outcome = "cancelled"
        else:
            self._stops_flow = self._stops_flow or decision.how == "stopFlow"
            return self._give_up(node, delivery, result, contents)
        self._tell(node, delivery, result)
        return self._progress.finish(delivery, result)

    async def _is_parked_for_account(
        self, node: PlannedNode, delivery: Delivery, error: Exception, result: StepResult
    ) -> bool:
        """Put the delivery aside where its service does not accept the account: that is no failure of the message."""
        credentials = self._credentials.get(delivery.id)
        if credentials is None or delivery.port in HOOK_PORTS:
            return False
        parked = await self._around.account_refused(node, self._run, credentials, error)
        if parked is None:
            return False
        self._park_for_account(node, delivery, parked, result)
        self._tell(node, delivery, result)
        return True

    async def _is_parked_for_its_turn(
        self, node: PlannedNode, delivery: Delivery, error: Exception, result: StepResult
    ) -> bool:
        """Put the delivery aside where its service had too many calls: that is no failure of the message either."""
        handling = node.node.error_handling
        if delivery.port in HOOK_PORTS or not handling.auto_retry or handling.max_retries == 0:
            return False
        parked = await self._around.too_many(node, self._run, delivery, self._account_of(delivery), error)
        if parked is None:
            return False
        said = Secrets(self._secrets_of(delivery)).text(parked.reason)
        self._park(node, delivery, Parked(parked.kind, said, parked.due), result)
        self._tell(node, delivery, result)
        return True

    def _account_of(self, delivery: Delivery) -> str:
        credentials = self._credentials.get(delivery.id)
        return "" if credentials is None else credentials.account_id

    def _secrets_of(self, delivery: Delivery) -> Sequence[str]:
        credentials = self._credentials.get(delivery.id)
        return () if credentials is None else credentials.secrets

    def _hide(self, delivery: Delivery, effects: Effects) -> None:
        """Nothing that is written down of a step shows what it was given to act with."""
        secrets = self._secrets_of(delivery)
        if secrets:
            effects.hide(Secrets(secrets))

    def _error_of(self, delivery: Delivery, error: Exception, attempts: int) -> dict[str, Json]:
        shown, secrets = error_to_json(error, attempts), self._secrets_of(delivery)
        return cast("dict[str, Json]", Secrets(secrets).json(shown)) if secrets else shown

    def _decide(self, node: PlannedNode, delivery: Delivery, error: Exception, attempts: int) -> Retry | GiveUp:
        if delivery.port in HOOK_PORTS:
            return GiveUp("storeUnprocessed", describe(error))
        return after_failure(error, attempts, node.node.error_handling, self._around.policy, delivery.id)

    def _give_up(
        self, node: PlannedNode, delivery: Delivery, result: StepResult, contents: Sequence[Json]
    ) -> list[Delivery]:
        run = self._run
        self._due.unprocessed.append(
            Unprocessed(
                message_id=delivery.id,
                tenant_id=run.tenant_id,
                flow_id=run.flow_id,
                node_id=node.id,
                run_id=run.run_id,
                correlation_id=run.correlation_id,
                messages=happenings.unprocessed_messages(self._progress.parts_of(delivery), node, contents),
                error=orjson.dumps(result.error),
                attempts=result.attempts,
                created=self._around.clock.now().timestamp(),
            )
        )
        self._tell(node, delivery, result)
        return self._progress.finish(delivery, result)

    def _drop(self, delivery: Delivery) -> None:
        """A delivery to a node that the pinned version does not have cannot be made by it: say so and go on."""
        stamp = self._around.clock.now().timestamp()
        error: dict[str, Json] = {"code": "not_found", "message": f"The flow has no component {delivery.node}."}
        self._progress.finish(delivery, StepResult("failed", delivery.attempts + 1, stamp, stamp, error=error))

    def _result(self, outcome: str, delivery: Delivery, effects: Effects, content: Json, began: datetime) -> StepResult:
        return StepResult(
            outcome,
            delivery.attempts + 1,
            began.timestamp(),
            self._around.clock.now().timestamp(),
            content,
            effects.outputs,
            None,
            effects.logs,
            effects.timeouts,
            (),
            effects.response,
            effects.envelopes,
        )

    def _error_event(self, node: PlannedNode, result: StepResult) -> dict[str, Json]:
        error = result.error or {}
        return {
            "gridTimestamp": self._around.clock.now().isoformat(),
            "msg": error.get("message"),
            "err": orjson.dumps(dict(error)).decode(),
            "componentId": node.id,
            "componentType": node.type,
            "componentLabel": node.label,
            "flowName": self._plan.name,
            "inputMessages": result.input,
        }

    def _tell(self, node: PlannedNode, delivery: Delivery, result: StepResult) -> None:
        if not self._around.is_watched(self._plan.flow_id):
            return
        self._around.happen(self._plan, self._run, happenings.step_happened(node, delivery, result))
        for timeout_id, _, _ in result.timeouts:
            waiting = self._progress.pending.get(timeout_id)
            if waiting is not None and waiting.parked is not None:
                self._tell_wait(node, timeout_id, waiting.port, waiting.parked)

    def _tell_wait(self, node: PlannedNode, step_id: str, port: str, parked: Parked) -> None:
        if self._around.is_watched(self._plan.flow_id):
            self._around.happen(self._plan, self._run, happenings.wait_began(node, step_id, port, parked))

    # Commits.

    async def _commit(self, state: RunState, *, suspect: str = "", suspended: bool = False) -> None:
        """Write everything recorded so far. Raises Fenced when the run is somebody else's by now."""
        progress = self._progress
        if state is RunState.RUNNING and not (progress.has_records or suspect):
            return
        due, self._due = self._due, _Due()
        handled, self._handled = self._handled, []
        self._riding = 0
        run = self._run
        commit = Commit(
            run_id=run.run_id,
            tenant_id=run.tenant_id,
            epoch=run.epoch,
            seq=run.seq,
            records=progress.take_records(),
            state=state,
            steps=progress.steps,
            pending=len(progress.pending),
            failed=progress.failures,
            now=self._around.clock.now().timestamp(),
            due=progress.next_due if state is RunState.WAITING and not suspended else None,
            error=progress.error,
            suspect=suspect,
            suspended=suspended,
            unprocessed=tuple(due.unprocessed),
            changes=tuple(change for effects in due.effects for change in effects.changes),
            cancelled_timeouts=tuple(name for effects in due.effects for name in effects.cancelled_timeouts),
            handled_inbox=tuple(handled),
            waits_for=progress.accounts_waited_for,
            messages=progress.take_messages(),
        )
        run.seq += 1
        failpoint("run.before_commit")
        [written] = await self._around.store.commit([commit])
        failpoint("run.after_commit")
        self._around.counters.committed += written
        if not written:
            raise Fenced(f"Run {run.run_id} belongs to another executor by now.")
        if self._has_answered:
            self._has_answered = False
            self._around.answered(run.run_id)

    async def _settle(self) -> RunState:
        """Nothing is ready: the run waits, or is over."""
        progress = self._progress
        if progress.ended:
            state = RunState.CANCELLED
        elif progress.pending:
            state = RunState.WAITING
        else:
            state = RunState.FAILED if progress.failures else RunState.DONE
        if state is RunState.DONE:
            progress.error = ""  # what failed on the way was made good; the steps tell of it
        await self._commit(state)
        self._run.state = state
        self._around.happen(self._plan, self._run, happenings.run_happened(self._run, progress))
        if self._stops_flow:
            await self._around.doors.flows.stop(self._run.tenant_id, self._run.flow_id)
        return state

    async def suspend(self) -> RunState:
        """Put the run aside until its flow is started again."""
        await self._commit(RunState.WAITING, suspended=True)
        return RunState.WAITING

    async def _quarantine(self) -> RunState:
        self._progress.error = (
            f"Step {self._run.suspect} ended {self._run.deaths} executors in a row; the run is kept still."
        )
        await self._commit(RunState.QUARANTINED)
        self._run.state = RunState.QUARANTINED
        return RunState.QUARANTINED

    def _read_inbox(self) -> None:
        """Take in what others left for the run. The entries go with the commit that records them."""
        progress = self._progress
        for inbound in self._inbox:
            self._handled.append(inbound.number)
            if inbound.kind == "account":
                for name in progress.waiting_for(inbound.delivery_id):
                    freed = progress.arrive(name, None, None)
                    if freed is not None and freed not in progress.ready:
                        progress.ready.append(freed)
                continue
            if inbound.kind == "answer":
                arrived = progress.arrive(inbound.delivery_id, ANSWER_PORT, orjson.loads(inbound.content))
            elif inbound.kind == "retry":
                arrived = self._give_back(inbound)
            elif inbound.delivery_id == self._run.run_id:
                progress.cancel(orjson.loads(inbound.content))
                return
            else:
                arrived = None
                self._forget_timeout(inbound.delivery_id)
            if arrived is not None and arrived not in progress.ready:
                progress.ready.append(arrived)
        progress.ready.extend(progress.wake(self._around.clock.now()))

    def _give_back(self, inbound: Inbound) -> Delivery | None:
        """Take back what was given up. Returns what is tried again; None where a person decided that nothing is."""
        given = orjson.loads(inbound.content) if inbound.content else ()
        progress = self._progress
        if not isinstance(given, dict):
            return progress.arrive(inbound.delivery_id, None, None, given)
        decision = Decision.from_json(given)
        delivery = progress.arrive(inbound.delivery_id, None, None, decision=decision)
        if delivery is None or decision.verdict == "retry":
            return delivery
        outcome: Outcome = "done" if decision.verdict == "happened" else "skipped"
        result = StepResult(outcome, 0, decision.at, decision.at, outputs=[*decision.outputs])
        progress.ready.extend(progress.finish(delivery, result))
        node = self._plan.nodes.get(delivery.node)
        if node is not None:
            self._tell(node, delivery, result)
        return None

    def _forget_timeout(self, timeout_id: str) -> None:
        delivery = self._progress.pending.get(timeout_id)
        if delivery is not None and delivery.parked is not None:
            stamp = self._around.clock.now().timestamp()
            self._progress.finish(delivery, StepResult("skipped", 0, stamp, stamp))
