"""Log records, and failures for webhooks, made from the journal after the fact: a run waits for neither.

The journal is the spool, so a crash loses none. The store remembers what was shipped; ids come from steps, so shipping
a chunk twice makes no second record, and tells nobody twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial

import orjson
from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_core.ids import derive_id

from headrace_executor.counters import Counters
from headrace_executor.journal import read_steps
from headrace_executor.model import HOOK_PORTS, StepRecord
from headrace_executor.plan import Plan
from headrace_executor.plans import Plans
from headrace_executor.ports import Failure, Failures, LogEntry, Logs
from headrace_executor.redaction import Redaction, aside
from headrace_executor.store import JournalEntry, RunStore

logger = logging.getLogger(__name__)

CHUNKS = 100
RECORDS = 200
"""Of one write. The log service holds each several times over on its way, and many times while its store is away."""
IDLE_SECONDS = 0.3
BUSY_SHARE = 0.25
MAX_MESSAGE_CHARS = 51_200
FAILURES = 50
"""Told at once. Each has the messages that failed with it."""


class Shipper:
    """Follows the journal and gives its records to the log service, taking a quarter of the time at most."""

    def __init__(
        self, store: RunStore, plans: Plans, logs: Logs, failures: Failures | None, clock: Clock, counters: Counters
    ) -> None:
        self._failures = failures
        self._store = store
        self._plans = plans
        self._logs = logs
        self._clock = clock
        self._counters = counters
        self._known: dict[str, Redaction] = {}

    async def run(self) -> None:
        """Ship until cancelled. A log service that is away is asked again later; nothing is dropped."""
        while True:
            began = self._clock.monotonic()
            try:
                chunks = await self._store.unshipped(CHUNKS)
                if chunks:
                    await self._ship(chunks)
            except (HeadraceError, ConnectionError) as error:
                logger.warning("Log records wait for the log service: %s", error)
                await self._clock.sleep(2.0)
                continue
            spent = self._clock.monotonic() - began
            await self._clock.sleep(spent * (1 / BUSY_SHARE - 1) if chunks else IDLE_SECONDS)

    async def _ship(self, chunks: Sequence[JournalEntry]) -> None:
        records: list[LogEntry] = []
        failures: list[Failure] = []
        redactions = await self._redactions(chunks)
        for chunk in chunks:
            plan = await self._plan(chunk)
            if plan is not None:
                work = partial(_records, plan=plan, redaction=redactions[chunk.run_id])
                made, failed = await aside(len(chunk.records), work, chunk)
                records += made
                failures += failed
        for start in range(0, len(records), RECORDS):
            await self._logs.write(records[start : start + RECORDS])
        if self._failures is not None:
            for start in range(0, len(failures), FAILURES):
                await self._failures.tell(failures[start : start + FAILURES])
        self._counters.shipped += len(records)
        await self._store.shipped([chunk.ticket for chunk in chunks])

    async def _redactions(self, chunks: Sequence[JournalEntry]) -> Mapping[str, Redaction]:
        """What hides the secrets of each run; those of the batch before are known already."""
        run_ids = {chunk.run_id for chunk in chunks}
        events = await self._store.events_of(run_ids - self._known.keys())
        found = {run_id: await aside(len(event), Redaction.of_event, event) for run_id, event in events.items()}
        self._known = {run_id: found.get(run_id) or self._known.get(run_id) or Redaction() for run_id in run_ids}
        return self._known

    async def _plan(self, chunk: JournalEntry) -> Plan | None:
        try:
            return await self._plans.version(chunk.flow_id, chunk.version)
        except HeadraceError:
            self._counters.log_drops += 1  # the flow is gone: nobody may read its logs
            return None


def _records(chunk: JournalEntry, plan: Plan, redaction: Redaction) -> tuple[list[LogEntry], list[Failure]]:
    """The records of a chunk, as far as the flow wants them logged, and its failures."""
    steps = [redaction.step(step) for step in read_steps([chunk.records], chunk.run_id) if step.port not in HOOK_PORTS]
    records = [
        record
        for step in (steps if plan.log_level != "none" else ())
        for record in _step_records(chunk, plan, step)
        if plan.log_level == "all" or record.fields["severity"] == "error"
    ]
    return records, [failure for step in steps for failure in _failures(chunk, plan, step)]


def _failures(chunk: JournalEntry, plan: Plan, step: StepRecord) -> Iterator[Failure]:
    """What webhooks tell of a step that failed for good; of one that is put aside, that it waits for somebody, too."""
    if step.error is None or step.outcome not in ("failed", "caught"):
        return
    node = plan.nodes.get(step.node_id)
    data: dict[str, Json] = {
        "err": dict(step.error),
        "flowId": chunk.flow_id,
        "flowName": plan.name,
        "userId": chunk.tenant_id,
        "componentId": step.node_id,
        "componentType": node.type if node is not None else "",
        "inputMessages": None if step.input is None else _fitting({step.port: [step.input]}),
        "runId": chunk.run_id,
        "correlationId": chunk.correlation_id,
        "messageId": step.step_id,
        "attempts": step.attempts,
    }
    for event in ("component.error", "message.unprocessed") if step.outcome == "failed" else ("component.error",):
        name = derive_id(event, step.step_id, repr(step.finished))
        yield Failure(name, event, chunk.tenant_id, datetime.fromtimestamp(step.finished, UTC), data)


def _fitting(value: Json) -> Json:
    """The value, unless it is too much to be told."""
    return value if len(orjson.dumps(value)) <= MAX_MESSAGE_CHARS else None


def _step_records(chunk: JournalEntry, plan: Plan, step: StepRecord) -> Iterator[LogEntry]:
    started = datetime.fromtimestamp(step.started, UTC)
    finished = datetime.fromtimestamp(step.finished, UTC)
    incoming: dict[str, Json] = {
        "severity": "info",
        "portType": "in",
        "port": step.port,
        "type": "data",
        "msg": _text(step.input),
    }
    yield _entry(chunk, plan, step, f"{step.step_id}.in", started, incoming)
    for index, (message_id, port, content) in enumerate(step.outputs):
        fields: dict[str, Json] = {
            "severity": "info",
            "portType": "out",
            "port": port,
            "type": "data",
            "msg": _text(content),
            "inputMessages": _text({step.port: [step.input]}) if index == 0 else None,
            "messageId": message_id,
        }
        yield _entry(chunk, plan, step, f"{step.step_id}.out.{index}", finished, fields)
    for index, logged in enumerate(step.logs):
        fields = {"severity": "info", "type": "data", "dataMessageType": "componentLog", "msg": _logged(logged)}
        if isinstance(logged, dict):
            fields["severity"] = str(logged.get("level", "info"))
        yield _entry(chunk, plan, step, f"{step.step_id}.log.{index}", finished, fields)
    if step.error is not None:
        fields = {
            "severity": "error",
            "type": "data",
            "msg": str(step.error.get("message", "")),
            "err": _text(dict(step.error)),
            "inputMessages": _text({step.port: [step.input]}),
        }
        yield _entry(chunk, plan, step, f"{step.step_id}.err.{step.attempts}", finished, fields)


def _entry(
    chunk: JournalEntry, plan: Plan, step: StepRecord, record_id: str, at: datetime, fields: dict[str, Json]
) -> LogEntry:
    node = plan.nodes.get(step.node_id)
    common: dict[str, Json] = {
        "entity": "component",
        "componentId": step.node_id,
        "componentType": node.type if node is not None else "",
        "flowId": chunk.flow_id,
        "flowName": plan.name,
        "userId": chunk.tenant_id,
        "correlationId": chunk.correlation_id,
        "runId": chunk.run_id,
        "bundleId": step.step_id,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    return LogEntry(record_id, chunk.tenant_id, at, {**common, **given})


def _text(value: Json) -> str:
    return orjson.dumps(value).decode()[:MAX_MESSAGE_CHARS]


def _logged(value: Json) -> str:
    message = value.get("message") if isinstance(value, dict) else value
    return message if isinstance(message, str) else _text(message)
