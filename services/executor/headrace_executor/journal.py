"""The journal of a run: every change is one record, and the records alone bring the run back.

`Progress` holds what a run still has to do. Its methods change that, write down what they changed and return the
deliveries that became free; the caller puts them into `ready` once it may. `replay` applies written records to a
fresh `Progress` and fills `ready` by itself. After any prefix of the records both agree on what is pending, which
messages there are and how they are called: a repeated step therefore sends the same messages again, and duplicates
vanish. See `docs/concepts/journal.md`.

Records, by `k`: `s` a finished step, `c` outputs of a step that goes on, `p` a delivery that waits, `i` the intent of
an unsafe step, `m` what a step asked of its node's memory, `j` a join that fired, `a` an answer or retry that arrived,
with the person's decision under `by`, `x` the end of a run by order. In `w` is what goes with outputs besides their
contents.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, cast

import orjson
from headrace_core.expressions import MISSING, Json
from headrace_core.graph import Link
from headrace_core.ids import delivery_id, derive_id, message_id

from headrace_executor.counting import DayCount, Tally
from headrace_executor.firing import Join, JoinRules, is_met
from headrace_executor.memory import Memories, Operation
from headrace_executor.model import (
    HOOK_PORTS,
    TIMEOUT_PORT,
    Decision,
    Delivery,
    Edit,
    Message,
    Parked,
    StepRecord,
    WaitKind,
)
from headrace_executor.scopes import Envelope

Record = dict[str, Any]


class Routes(Protocol):
    """What a run must know of its flow to move on."""

    def links_from(self, node: str, out_port: str) -> tuple[Link, ...]: ...


@dataclass(slots=True)
class StepResult:
    """What one call of a component came to."""

    outcome: str
    attempts: int
    started: float
    finished: float
    input: Json = None
    outputs: list[tuple[str, Json]] = field(default_factory=list)  # (port, content), after the last checkpoint
    error: Mapping[str, Json] | None = None
    logs: list[Json] = field(default_factory=list)
    timeouts: list[tuple[str, Json, float]] = field(default_factory=list)  # (id, content, due)
    memory: Sequence[Operation] = ()  # what it wrote into its node's memory of the run
    response: Mapping[str, Json] | None = None
    envelopes: Mapping[int, Envelope] = field(default_factory=dict)  # of outputs, by their places
    parked: Parked | None = None  # the step goes on later: it called another flow


class Progress:
    """What a run has to do, in memory."""

    def __init__(self, run_id: str, routes: Routes, rules: JoinRules, entry: Delivery) -> None:
        self.run_id = run_id
        self.pending: dict[str, Delivery] = {}
        self.ready: deque[Delivery] = deque()
        self.failed: dict[str, Delivery] = {}
        self.memories = Memories()
        self.steps = 0
        self.failures = 0
        self.error = ""
        self.ended = False
        self.unsettled = False  # the buffer holds a decision that a repetition might take otherwise
        self._routes = routes
        self._rules = rules
        self._held: dict[tuple[str, str], list[Delivery]] = {}
        self._live: dict[tuple[str, str], int] = {}
        self._touched: list[tuple[str, str]] = []
        self._joined: dict[str, tuple[Delivery, ...]] = {}
        self._decided: set[str] = set()
        self._records: list[Record] = []
        self._tally = Tally()
        self._replaying = False
        self._add(entry)

    # What a run does. Each method appends one record.

    def finish(self, delivery: Delivery, result: StepResult) -> list[Delivery]:
        """Record a finished step. Returns the deliveries it set free, which the caller may start now."""
        record: Record = {
            "k": "s",
            "i": delivery.id,
            "n": delivery.node,
            "p": delivery.port,
            "x": result.outcome,
            "a": result.attempts,
            "b": result.started,
            "e": result.finished,
        }
        _put(record, "v", result.input)
        _put(record, "o", result.outputs)
        _put(record, "c", delivery.checkpoint)
        _put(record, "err", result.error)
        _put(record, "l", result.logs)
        _put(record, "t", result.timeouts)
        _put(record, "m", list(result.memory))
        _put(record, "r", result.response)
        _put(record, "w", _written(result.envelopes))
        self._records.append(record)
        if result.attempts and delivery.port not in HOOK_PORTS:  # a timeout that was called off has none
            self._tally.add(result.finished, result.input)
        return self._apply_step(record)

    def checkpoint(
        self, delivery: Delivery, outputs: Sequence[tuple[str, Json]], envelopes: Mapping[int, Envelope] | None = None
    ) -> list[Delivery]:
        """Record outputs of a step that goes on, so that they are not sent again. Returns what they set free."""
        record: Record = {"k": "c", "i": delivery.id, "n": delivery.node, "c": delivery.checkpoint, "o": list(outputs)}
        _put(record, "w", _written(envelopes or {}))
        self._records.append(record)
        return self._apply_checkpoint(record)

    def park(self, delivery: Delivery, parked: Parked, result: StepResult | None = None) -> None:
        """Record that a delivery waits."""
        record: Record = {"k": "p", "i": delivery.id, "w": parked.kind, "y": parked.reason, "a": delivery.attempts}
        _put(record, "d", parked.due.timestamp() if parked.due else None)
        _put(record, "u", parked.account_id)
        if result is not None:
            _put(record, "err", result.error)
            _put(record, "l", result.logs)
            _put(record, "v", result.input)
            _put(record, "b", result.started)
        self._records.append(record)
        self._apply_park(record)

    def intend(self, delivery: Delivery) -> None:
        """Record that an unsafe step is about to begin."""
        record = {"k": "i", "i": delivery.id, "a": delivery.attempts + 1}
        self._records.append(record)
        self._apply_intent(record)

    def remember(self, delivery: Delivery, name: str, operation: Operation, *, is_pure: bool) -> Json:
        """Record and carry out what a step asks of its node's memory. A repeated step gets the first answer again."""
        answered = self.memories.answered(delivery.id)
        if name in answered:
            return answered[name]
        record: Record = {"k": "m", "i": delivery.id, "n": delivery.node, "q": name, "o": list(operation)}
        answer = self._apply_memory(record)
        self._records.append(record)
        if is_pure:  # any other step commits before something builds on it
            self.unsettled = True
        return answer

    def arrive(
        self,
        delivery_id_: str,
        port: str | None,
        content: Json,
        edits: Sequence[Edit] = (),
        decision: Decision | None = None,
    ) -> Delivery | None:
        """Record that an answer (or a retry: `port` None) came for a delivery. None when nobody waits for it.

        A retry may bring edits: what the component gets from then on instead of what it was sent. One decision of a
        person arrives once.
        """
        if decision is not None and decision.id in self._decided:
            return None
        if delivery_id_ not in self.pending and delivery_id_ not in self.failed:
            return None
        record: Record = {"k": "a", "i": delivery_id_}
        _put(record, "p", port)
        _put(record, "v", content)
        _put(record, "e", list(edits))
        _put(record, "by", None if decision is None else decision.to_json())
        self._records.append(record)
        return self._apply_arrival(record)

    def cancel(self, reason: str) -> None:
        """Record the end of the run by order: nothing is pending any more."""
        record = {"k": "x", "y": reason}
        self._records.append(record)
        self._apply_end(record)

    def wake(self, now: datetime) -> list[Delivery]:
        """Free the parked deliveries whose time has come. Not a record: the clock tells the same after a crash."""
        due = [
            delivery
            for delivery in self.pending.values()
            if delivery.parked is not None and delivery.parked.due is not None and delivery.parked.due <= now
        ]
        for delivery in due:
            delivery.parked = None
        return due

    def take_records(self) -> bytes:
        """The records since the last call, for the store."""
        records, self._records = self._records, []
        self.unsettled = False
        return orjson.dumps(records, default=_jsonable)

    def take_messages(self) -> tuple[DayCount, ...]:
        """What the records since the last call count for; to be written with them."""
        return self._tally.take()

    @property
    def has_records(self) -> bool:
        return bool(self._records)

    @property
    def next_due(self) -> float | None:
        """When the next parked delivery goes on by itself."""
        dues = [d.parked.due.timestamp() for d in self.pending.values() if d.parked is not None and d.parked.due]
        return min(dues, default=None)

    @property
    def accounts_waited_for(self) -> tuple[str, ...]:
        """The accounts that have to be connected anew before everything goes on."""
        found = {d.parked.account_id for d in self.pending.values() if d.parked is not None and d.parked.account_id}
        return tuple(sorted(found))

    def waiting_for(self, account_id: str) -> list[str]:
        """The deliveries that wait for this account, in the order in which they came."""
        return [name for name, d in self.pending.items() if d.parked is not None and d.parked.account_id == account_id]

    @property
    def waits(self) -> list[tuple[Delivery, Parked]]:
        """What waits and why, joins included."""
        found = [(d, d.parked) for d in self.pending.values() if d.parked is not None]
        for (node, _), held in self._held.items():
            reason = f"Waits for more messages to join at {node}."
            found.extend((delivery, Parked("join", reason, None)) for delivery in held)
        return found

    # Coming back.

    def replay(self, chunks: Iterable[bytes]) -> None:
        """Apply written records. Afterwards `ready` holds everything that neither waits nor is held by a join."""
        self._replaying = True
        for chunk in chunks:
            for record in orjson.loads(chunk):
                self._apply(record)
        self._replaying = False
        held = {id(delivery) for group in self._held.values() for delivery in group}
        held |= {id(part) for parts in self._joined.values() for part in parts}
        self.ready = deque(
            delivery for delivery in self.pending.values() if delivery.parked is None and id(delivery) not in held
        )
        self._touched = list(self._held)
        self.ready.extend(self._fire_joins())

    def _apply(self, record: Record) -> None:
        kind = record["k"]
        if kind == "s":
            self._apply_step(record)
        elif kind == "c":
            self._apply_checkpoint(record)
        elif kind == "p":
            self._apply_park(record)
        elif kind == "i":
            self._apply_intent(record)
        elif kind == "m":
            self._apply_memory(record)
        elif kind == "j":
            self._apply_join(record)
        elif kind == "a":
            self._apply_arrival(record)
        elif kind == "x":
            self._apply_end(record)

    # What each record does, live and in replay alike.

    def _apply_step(self, record: Record) -> list[Delivery]:
        delivery = self.pending.get(record["i"])
        if delivery is None:
            return []
        self.steps += 1
        if record["x"] == "failed":
            self.failures += 1
            self.failed[delivery.id] = delivery
            delivery.attempts = record["a"]
            self.error = self.error or _error_text(record.get("err"))
        if "m" in record:
            self.memories.change(delivery.node, record["m"])
        self.memories.forget(delivery.id)
        freed = self._send(delivery, record.get("o", ()), record.get("c", 0), record.get("w"))
        for timeout_id, content, due in record.get("t", ()):
            self._set_timeout(delivery, timeout_id, content, due)
        self._remove(delivery)
        freed.extend(self._fire_joins())
        return freed

    def _apply_checkpoint(self, record: Record) -> list[Delivery]:
        delivery = self.pending.get(record["i"])
        if delivery is None:
            return []
        freed = self._send(delivery, record["o"], record["c"], record.get("w"))
        delivery.checkpoint = record["c"] + len(record["o"])
        freed.extend(self._fire_joins())
        return freed

    def _apply_park(self, record: Record) -> None:
        delivery = self.pending.get(record["i"])
        if delivery is None:
            return
        due = record.get("d")
        kind = cast("WaitKind", record["w"])
        until = datetime.fromtimestamp(due, UTC) if due else None
        delivery.parked = Parked(kind, record["y"], until, record.get("u", ""))
        delivery.attempts = record["a"]
        delivery.intent = False
        self.error = self.error or _error_text(record.get("err"))

    def _apply_intent(self, record: Record) -> None:
        delivery = self.pending.get(record["i"])
        if delivery is not None:
            delivery.intent = True

    def _apply_memory(self, record: Record) -> Json:
        return self.memories.ask(record["n"], record["i"], record["q"], record["o"])

    def _apply_join(self, record: Record) -> Delivery:
        parts = tuple(self.pending[part] for part in record["d"])
        key = (record["n"], record["g"])
        self._held[key] = [held for held in self._held.get(key, []) if held.id not in record["d"]]
        if not self._held[key]:
            del self._held[key]
        joined = Delivery(record["i"], _joined_message(record["i"], parts), record["n"], parts[0].port)
        self.pending[joined.id] = joined
        self._joined[joined.id] = parts
        return joined

    def _apply_arrival(self, record: Record) -> Delivery | None:
        if "by" in record:
            self._decided.add(record["by"]["id"])
        delivery = self.pending.get(record["i"]) or self._revive(record["i"])
        if delivery is None:
            return None
        if "p" in record:
            delivery.port = record["p"]
            delivery.content = record.get("v")
        for port, place, content in record.get("e", ()):
            [*there] = (part for part in self.parts_of(delivery) if part.port == port)
            there[place].content = content
        delivery.parked = None
        delivery.intent = False
        return delivery

    def _apply_end(self, record: Record) -> None:
        self.pending.clear()
        self.ready.clear()
        self._held.clear()
        self._live.clear()
        self.ended = True
        self.error = self.error or record["y"]

    # The pieces.

    def parts_of(self, delivery: Delivery) -> tuple[Delivery, ...]:
        """The deliveries a joined delivery stands for; itself otherwise."""
        return self._joined.get(delivery.id, (delivery,))

    def _send(
        self,
        delivery: Delivery,
        outputs: Iterable[Sequence[Any]],
        first: int,
        envelopes: Mapping[str, Any] | None = None,
    ) -> list[Delivery]:
        freed: list[Delivery] = []
        causes = tuple(part.message for part in self.parts_of(delivery))
        for index, (port, content) in enumerate(outputs, start=first):
            links = self._routes.links_from(delivery.node, port)
            if not links:
                continue
            name = message_id(self.run_id, delivery.node, delivery.id, port, index)
            kept = envelopes.get(str(index - first)) if envelopes else None
            envelope = Envelope.from_json(kept) if kept else None
            message = Message(name, delivery.node, port, content, causes, delivery.id, envelope)
            for link in links:
                name_there = delivery_id(name, link.target, link.in_port)
                freed.extend(self._add(Delivery(name_there, message, link.target, link.in_port, delivery.node)))
        return freed

    def _set_timeout(self, delivery: Delivery, timeout_id: str, content: Json, due: float) -> None:
        causes = tuple(part.message for part in self.parts_of(delivery))
        message = Message(timeout_id, "", TIMEOUT_PORT, content, causes, delivery.id)
        waiting = Delivery(timeout_id, message, delivery.node, TIMEOUT_PORT)
        until = datetime.fromtimestamp(due, UTC)
        waiting.parked = Parked("timeout", f"Waits until {until.isoformat()}.", until)
        self.pending[timeout_id] = waiting
        self._count(waiting, +1)

    def _add(self, delivery: Delivery) -> list[Delivery]:
        if delivery.id in self.pending:
            return []
        self.pending[delivery.id] = delivery
        self._count(delivery, +1)
        join = self._rules.joins.get(delivery.node)
        if join is None:
            return [delivery]
        group = self._rules.group_of(join, delivery.message) or ""
        key = (join.node, group)
        self._held.setdefault(key, []).append(delivery)
        self._touched.append(key)
        return []

    def _remove(self, delivery: Delivery) -> None:
        for part in self.parts_of(delivery):
            if self.pending.pop(part.id, None) is not None:
                self._count(part, -1)
        self.pending.pop(delivery.id, None)
        if delivery.id not in self.failed:
            self._joined.pop(delivery.id, None)

    def _revive(self, delivery_id_: str) -> Delivery | None:
        delivery = self.failed.pop(delivery_id_, None)
        if delivery is None:
            return None
        self.failures -= 1
        self.ended = False
        for part in self.parts_of(delivery):
            self.pending[part.id] = part
            self._count(part, +1)
        self.pending[delivery.id] = delivery
        delivery.attempts = 0
        return delivery

    def _count(self, delivery: Delivery, change: int) -> None:
        for join in self._rules.downstream.get(delivery.node, ()):
            group = self._rules.group_of(join, delivery.message)
            if group is None:
                continue
            key = (join.node, group)
            self._live[key] = self._live.get(key, 0) + change
            if self._live[key] == 0:
                del self._live[key]
                self._touched.append(key)

    def _fire_joins(self) -> list[Delivery]:
        touched, self._touched = self._touched, []
        if self._replaying:
            return []
        fired: list[Delivery] = []
        for key in dict.fromkeys(touched):
            held = self._held.get(key)
            join = self._rules.joins.get(key[0])
            if held and join is not None and (is_met(join, held) or key not in self._live):
                fired.append(self._fire(join, key, held))
        return fired

    def _fire(self, join: Join, key: tuple[str, str], held: list[Delivery]) -> Delivery:
        parts = [delivery.id for delivery in held]
        record = {"k": "j", "i": derive_id("join", self.run_id, *key, *parts), "n": key[0], "g": key[1], "d": parts}
        self._records.append(record)
        self.unsettled = True
        return self._apply_join(record)


def read_steps(chunks: Iterable[bytes], run_id: str) -> list[StepRecord]:
    """The finished steps of a journal in the order they ended."""
    earlier: dict[str, list[Sequence[Any]]] = {}
    decisions: dict[str, Decision] = {}
    steps: list[StepRecord] = []
    for chunk in chunks:
        for record in orjson.loads(chunk):
            if record["k"] == "c":
                earlier.setdefault(record["i"], []).extend(record["o"])
            elif record["k"] == "s":
                decision = decisions.pop(record["i"], None)
                steps.append(_step(record, run_id, earlier.pop(record["i"], []), decision))
            elif "by" in record:
                decisions[record["i"]] = Decision.from_json(record["by"])
    return steps


def decision_on(chunks: Iterable[bytes], step_id: str) -> Decision | None:
    """The last decision of a person that the journal has on a step."""
    found: Decision | None = None
    for chunk in chunks:
        for record in orjson.loads(chunk):
            if "by" in record and record["i"] == step_id:
                found = Decision.from_json(record["by"])
    return found


def _step(record: Record, run_id: str, earlier: list[Sequence[Any]], decision: Decision | None) -> StepRecord:
    step, node = record["i"], record["n"]
    outputs = [
        (message_id(run_id, node, step, port, index), port, content)
        for index, (port, content) in enumerate([*earlier, *record.get("o", ())])
    ]
    return StepRecord(
        step_id=step,
        node_id=node,
        port=record["p"],
        outcome=record["x"],
        attempts=record["a"],
        input=record.get("v"),
        outputs=outputs,
        error=record.get("err"),
        started=record["b"],
        finished=record["e"],
        logs=record.get("l", []),
        response=record.get("r"),
        decision=decision,
    )


def _joined_message(name: str, parts: Sequence[Delivery]) -> Message:
    return Message(name, "", parts[0].port, None, tuple(part.message for part in parts))


def _written(envelopes: Mapping[int, Envelope]) -> dict[str, Any] | None:
    return {str(place): each.to_json() for place, each in envelopes.items()} or None


def _put(record: Record, key: str, value: Any) -> None:
    if value not in (None, [], 0) and value is not MISSING:
        record[key] = value


def _error_text(error: Mapping[str, Any] | None) -> str:
    return str(error.get("message", "")) if error else ""


def _jsonable(value: object) -> object:
    if value is MISSING:
        return None
    raise TypeError(f"{type(value).__name__} is no JSON value")
