"""What an expression may see, and what it may spend.

`Environment` is what the caller hands in: the outputs of earlier steps, the incoming content, values of
the flow, the time, and a seed. `Evaluation` is one rendering under way: it counts steps, watches the
deadline and keeps the loops that block modifiers have opened.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from headrace_core import Json
from headrace_core.errors import TooLarge
from headrace_core.expressions.scripts import Scripts


class Missing:
    """The type of `MISSING`, the value of a variable that is not there ("undefined"). It is falsy."""

    __slots__ = ()

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()

Value: TypeAlias = "Json | Missing"
"""What a variable can hold while an expression is evaluated."""


class LimitExceeded(TooLarge):
    """An evaluation took more steps, time or room than it is allowed. The message says which."""


class ModifierFailed(Exception):
    """A modifier cannot do its work on this value. Becomes a `Failure`, never leaves the engine."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one evaluation (all fields of one message's input) may spend."""

    wall_seconds: float = 0.2
    steps: int = 1_000_000
    depth: int = 128
    output_bytes: int = 16 * 1024 * 1024
    list_length: int = 100_000
    pattern_chars: int = 1_000
    searched_chars: int = 1024 * 1024


DEFAULT_LIMITS: Final = Limits()


class Scope(Protocol):
    """The outputs of the steps that a message has passed."""

    def lookup(self, node_id: str, port: str) -> Value:
        """Latest output of an ancestor on a port; `MISSING` when it has sent nothing there."""
        ...


@dataclass(frozen=True, slots=True)
class FlowValues:
    """What the modifiers of type "flow" tell."""

    flow_id: str
    flow_name: str
    user_id: str
    webhook_url: str
    custom_fields: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Failure:
    """A modifier that failed: the variable it stood in became `MISSING`."""

    where: str
    modifier: str
    reason: str


@dataclass(slots=True)
class Environment:
    """What an expression may read.

    `seed` (the step's id) makes random values repeatable: rendering again gives the same ones.
    Modifiers that fail are added to `failures`; rendering goes on.
    """

    scope: Scope
    content: Json
    flow: FlowValues
    now: datetime
    seed: bytes
    limits: Limits = DEFAULT_LIMITS
    failures: list[Failure] = field(default_factory=list)
    scripts: Scripts | None = None
    """Results of modifiers in JavaScript; None where there are no such modifiers."""


class Loop:
    """One round of a block modifier: the item and its place in the list."""

    __slots__ = ("index", "item", "key", "length")

    def __init__(self, item: Json, index: int, key: Json, length: int) -> None:
        self.item = item
        self.index = index
        self.key = key
        self.length = length


# Reading the clock costs more than a step, so it is read once in this many.
_STEPS_PER_LOOK = 512
# So many objects and lists are passed on by reference before their sizes are counted: their sum is bounded
# by the size limit of messages, and counting is dear.
_FREE_CONTAINERS = 8
# Texts made on the way may together be so many times as long as a result.
_CLAIMS = 4


class Evaluation:
    """One rendering under way."""

    __slots__ = ("_claimed", "_containers", "_deadline", "_next_look", "_output", "_steps", "env", "limits", "loops")

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.limits = env.limits
        self.loops: list[Loop] = []
        self._steps = 0
        self._next_look = _STEPS_PER_LOOK
        self._output = 0
        self._containers = 0
        self._claimed = 0
        self._deadline = time.perf_counter() + env.limits.wall_seconds

    def spend(self, steps: int = 1) -> None:
        """Count work. Raises `LimitExceeded` when there was too much of it, or the time is up."""
        self._steps += steps
        if self._steps >= self._next_look:
            self._look()

    def _look(self) -> None:
        if self._steps > self.limits.steps:
            raise LimitExceeded(f"The expression takes more than {self.limits.steps:,} steps: make it simpler.")
        self._next_look = self._steps + _STEPS_PER_LOOK
        self.check_time()

    def check_time(self) -> None:
        """Raise `LimitExceeded` when the time is up."""
        if time.perf_counter() > self._deadline:
            allowed = self.limits.wall_seconds * 1000
            raise LimitExceeded(f"The expression takes longer than {allowed:.0f} ms: make it simpler.")

    def claim(self, chars: int) -> None:
        """Say how long a text is going to be, before it is made.

        Raises `ModifierFailed` when no single value may be that long, and `LimitExceeded` when all of them
        together need too much room.
        """
        if chars > self.limits.output_bytes:
            raise ModifierFailed(f"the result would be longer than {self.limits.output_bytes:,} bytes")
        self._claimed += chars
        if self._claimed > self.limits.output_bytes * _CLAIMS:
            raise LimitExceeded("The expression makes too many long texts on its way: make it simpler.")
        self.spend(chars >> 10)

    def claim_list(self, length: int) -> None:
        """Say how long a list is going to be. Raises `ModifierFailed` when no list may be that long."""
        if length > self.limits.list_length:
            raise ModifierFailed(f"the list would have more than {self.limits.list_length:,} items")

    def searchable(self, text: str) -> str:
        """The text, when it is short enough to be searched. Raises `ModifierFailed` when it is not."""
        if len(text) > self.limits.searched_chars:
            raise ModifierFailed(f"texts over {self.limits.searched_chars:,} characters are not searched")
        return text

    def add_text(self, text: str) -> str:
        """Count a text that becomes part of the result. Raises `LimitExceeded` past the output limit."""
        size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
        self._add(size)
        return text

    def add_container(self, value: Json, *, is_new: bool) -> None:
        """Count an object or list that becomes part of the result.

        What a modifier has made (`is_new`) is always measured, also for its depth.
        """
        self._containers += 1
        if is_new or self._containers > _FREE_CONTAINERS:
            self._measure(value)

    def _add(self, size: int) -> None:
        self._output += size
        if self._output > self.limits.output_bytes:
            raise LimitExceeded(f"The result is larger than {self.limits.output_bytes:,} bytes: use less of it.")

    def _measure(self, value: Json) -> None:
        waiting: list[tuple[Json, int]] = [(value, 1)]
        while waiting:
            container, depth = waiting.pop()
            if depth > self.limits.depth:
                raise LimitExceeded(f"The result is nested deeper than {self.limits.depth} levels.")
            if isinstance(container, dict):
                self._add(sum(map(len, container)) + 4 * len(container) + 2)
                members = list(container.values())
            elif isinstance(container, list):
                self._add(len(container) + 2)
                members = container
            else:
                members = [container]
            self.spend(len(members))
            for member in members:
                if isinstance(member, str):
                    self.add_text(member)
                elif isinstance(member, (dict, list)):
                    waiting.append((member, depth + 1))

    def fail(self, where: str, modifier: str, reason: str) -> None:
        """Note that a modifier failed. The list is bounded, as loops can fail very often."""
        if len(self.env.failures) < 100:
            self.env.failures.append(Failure(where, modifier, reason))

    def draw(self, place: str, size: int = 16) -> bytes:
        """Bytes that look random and are the same whenever this place of this step is rendered."""
        rounds = ",".join([str(loop.index) for loop in self.loops])
        return hashlib.blake2b(
            self.env.seed + b"\0" + f"{place}|{rounds}".encode("utf-8", "surrogatepass"), digest_size=size
        ).digest()
