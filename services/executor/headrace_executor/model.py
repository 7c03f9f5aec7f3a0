"""What a run is made of: messages, deliveries, steps, and the states between them. Pure values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Literal

from headrace_core.expressions import MISSING, Json, Missing

from headrace_executor.counting import DayCount
from headrace_executor.scopes import Envelope, lookup

START_HOOK = "@start"
STOP_HOOK = "@stop"
HOOK_PORTS = frozenset({START_HOOK, STOP_HOOK})
ERROR_PORT = "error"
TIMEOUT_PORT = "timeout"
TICK_PORT = "tick"
CAUSE_LENGTH = 500
ANSWER_PORT = "answer"
SIGNAL_PORT = "signal"

WaitKind = Literal["retry", "timeout", "quota", "account", "call", "join", "in_doubt", "stopped"]
Outcome = Literal["done", "failed", "cancelled", "skipped"]
Verdict = Literal["happened", "retry", "skip"]


class RunState(IntEnum):
    """Where a run is. The numbers are those of the proto."""

    READY = 1
    RUNNING = 2
    WAITING = 3
    DONE = 4
    FAILED = 5
    CANCELLED = 6
    QUARANTINED = 7

    @property
    def is_over(self) -> bool:
        return self >= RunState.DONE


@dataclass(slots=True, eq=False)
class Message:
    """Something a node sent. `causes` are the messages its step consumed, so that the whole scope hangs on it.

    A message is freed with the last delivery that descends from it; nothing else holds it.
    """

    id: str
    node: str  # the sender; empty for what came from outside
    port: str
    content: Json
    causes: tuple[Message, ...] = ()
    step: str = ""  # the step that sent it
    envelope: Envelope | None = None

    def lookup(self, node_id: str, port: str) -> Json | Missing:
        """Content of the nearest ancestor (this one included) that `node_id` sent from `port`.

        A message with a scope of its own has no other ancestors than those.
        """
        message: Message = self
        while True:
            if message.node == node_id and message.port == port:
                return message.content
            if message.envelope is not None and message.envelope.scope is not None:
                return lookup(message.envelope.scope, node_id, port)
            causes = message.causes
            if len(causes) != 1:
                return _lookup_in_many(causes, node_id, port)
            message = causes[0]

    def ancestors(self) -> Iterator[Message]:
        """This message and all that led to it, nearest first, each once."""
        seen: set[int] = set()
        wave: list[Message] = [self]
        while wave:
            following: list[Message] = []
            for message in wave:
                if id(message) not in seen:
                    seen.add(id(message))
                    yield message
                    following.extend(message.causes)
            wave = following


def _lookup_in_many(messages: tuple[Message, ...], node_id: str, port: str) -> Json | Missing:
    seen: set[int] = set()
    wave = list(messages)
    while wave:
        following: list[Message] = []
        for message in wave:
            if id(message) in seen:
                continue
            seen.add(id(message))
            if message.node == node_id and message.port == port:
                return message.content
            if message.envelope is None or message.envelope.scope is None:
                following.extend(message.causes)
            elif not isinstance(found := lookup(message.envelope.scope, node_id, port), Missing):
                return found
        wave = following
    return MISSING


@dataclass(slots=True, eq=False)
class Parked:
    """Why a delivery waits, and until when."""

    kind: WaitKind
    reason: str
    due: datetime | None
    account_id: str = ""  # which has to be connected anew before it goes on


@dataclass(slots=True, eq=False)
class Delivery:
    """A message on its way into one in-port of one node."""

    id: str
    message: Message
    node: str
    port: str
    source: str = ""  # the sending node, for its transform
    attempts: int = 0
    parked: Parked | None = None
    intent: bool = False  # an unsafe step began and nobody knows how it ended
    checkpoint: int = 0  # outputs of a half-finished step that are on record
    content: Json | Missing = field(default=MISSING)  # replaces the message's content: an answer, or a person's edit

    @property
    def is_edited(self) -> bool:
        """Whether a person gave it back with another content."""
        return not isinstance(self.content, Missing) and self.port != ANSWER_PORT


@dataclass(frozen=True, slots=True)
class NewRun:
    """An event that is about to become a run."""

    run_id: str
    tenant_id: str
    flow_id: str
    version: int
    trigger_id: str
    port: str
    event_id: str
    correlation_id: str
    caller: str
    content: bytes
    owned: bool


@dataclass(slots=True)
class Run:
    """A run as the store keeps it."""

    run_id: str
    tenant_id: str
    flow_id: str
    version: int
    trigger_id: str
    port: str
    event_id: str
    correlation_id: str
    caller: str
    content: bytes
    state: RunState
    epoch: int
    owner: str
    seq: int
    steps: int
    pending: int
    failed: int
    created: float
    updated: float
    due: float | None
    error: str
    deaths: int
    suspect: str

    @property
    def has_moved(self) -> bool:
        """Whether another than the one who accepted it may drive it."""
        return self.epoch > 1


@dataclass(frozen=True, slots=True)
class Unprocessed:
    """A delivery that could not be processed, with all a person needs to decide.

    `messages` and `error` are JSON. A page that is long enough leaves them out, and they are empty.
    """

    message_id: str
    tenant_id: str
    flow_id: str
    node_id: str
    run_id: str
    correlation_id: str
    messages: bytes
    error: bytes
    attempts: int
    created: float

    @property
    def cause(self) -> str:
        """The first words of its error in small letters, code included: what messages are found by."""
        return cause_of(self.error)


def cause_of(error: bytes) -> str:
    """What the message of this error is found by."""
    return error.decode("utf-8", "replace")[:CAUSE_LENGTH].lower()


def node_scope(tenant_id: str, flow_id: str, node_id: str) -> str:
    """Where the state of one node is kept."""
    return f"{tenant_id}/flow/{flow_id}/node/{node_id}"


@dataclass(frozen=True, slots=True)
class StateChange:
    """One write to kept state, carried out with the step's commit."""

    scope: str
    verb: Literal["set", "unset", "clear"]
    key: str = ""
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class StateVerb:
    """A change to kept state that answers, asked by a step of a run that is at `epoch`.

    `before` is what the step wrote into the same scope until then; the verb meets what they leave.
    """

    change_id: str
    run_id: str
    epoch: int
    scope: str
    verb: Literal["inc", "add", "remove"]
    key: str
    value: Json
    before: tuple[StateChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything one commit of a run writes, at once or not at all.

    It counts only while the run still has `epoch` and `seq`: a late twin or a gap is refused.
    """

    run_id: str
    tenant_id: str
    epoch: int
    seq: int
    records: bytes
    state: RunState
    steps: int
    pending: int
    failed: int
    now: float
    due: float | None = None
    error: str = ""
    suspect: str = ""
    suspended: bool = False
    unprocessed: tuple[Unprocessed, ...] = ()
    changes: tuple[StateChange, ...] = ()
    cancelled_timeouts: tuple[str, ...] = ()
    handled_inbox: tuple[int, ...] = ()
    waits_for: tuple[str, ...] = ()  # accounts that have to be connected anew
    messages: tuple[DayCount, ...] = ()


Edit = tuple[str, int, Json]
"""In-port and place there of a message that a delivery stands for, and what it is from now on."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says of a step in doubt: it happened and sent `outputs`, try it again, or go on without it."""

    id: str
    verdict: Verdict
    by: str  # a user
    at: float  # seconds since 1970
    outputs: tuple[tuple[str, Json], ...] = ()  # (out-port, content), in the order in which they are sent

    def to_json(self) -> dict[str, Json]:
        outputs: list[Json] = [[port, content] for port, content in self.outputs]
        return {"id": self.id, "verdict": self.verdict, "by": self.by, "at": self.at, "outputs": outputs}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Decision:
        outputs = tuple((port, content) for port, content in value["outputs"])
        return cls(value["id"], value["verdict"], value["by"], value["at"], outputs)


@dataclass(frozen=True, slots=True)
class Inbound:
    """What another party left for a run: an answer to its call, a retry with edits or a decision, a cancellation."""

    number: int
    kind: Literal["answer", "retry", "cancel", "account"]
    delivery_id: str
    content: bytes


@dataclass(slots=True)
class Loaded:
    """A run with its journal, as taken from the store."""

    run: Run
    chunks: list[bytes]
    inbox: list[Inbound]


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One finished step as a reader of the journal sees it."""

    step_id: str
    node_id: str
    port: str
    outcome: str
    attempts: int
    input: Json
    outputs: list[tuple[str, str, Json]]
    error: Mapping[str, Any] | None
    started: float
    finished: float
    logs: list[Json]
    response: Mapping[str, Any] | None
    decision: Decision | None = None
