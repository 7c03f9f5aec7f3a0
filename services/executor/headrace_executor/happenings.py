"""What is told about a run: to people who watch it live, and in the unprocessed messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import zip_longest

import orjson
from headrace_core.expressions import Json

from headrace_executor.journal import Progress, StepResult
from headrace_executor.model import Delivery, Parked, Run
from headrace_executor.plan import PlannedNode

MAX_SCOPE_BYTES = 256 * 1024


def step_happened(node: PlannedNode, delivery: Delivery, result: StepResult) -> dict[str, Json]:
    """A step ended, waits for another try, or was given up."""
    return {
        "type": "step",
        "componentId": node.id,
        "componentType": node.type,
        "stepId": delivery.id,
        "port": delivery.port,
        "outcome": "retry" if delivery.parked is not None else result.outcome,
        "attempts": result.attempts,
        "outputs": [{"port": port, "content": content} for port, content in result.outputs[:20]],
        "error": None if result.error is None else result.error.get("message"),
        "durationMs": round((result.finished - result.started) * 1000, 3),
    }


def wait_began(node: PlannedNode, step_id: str, port: str, parked: Parked) -> dict[str, Json]:
    """A step waits now, for what `kind` says; it is told of as `step` under the same id when it goes on."""
    return {
        "type": "wait",
        "componentId": node.id,
        "componentType": node.type,
        "stepId": step_id,
        "port": port,
        "kind": parked.kind,
        "reason": parked.reason,
        "accountId": parked.account_id or None,
        "dueAt": None if parked.due is None else parked.due.isoformat(),
    }


def run_happened(run: Run, progress: Progress) -> dict[str, Json]:
    """A run came to rest."""
    due = progress.next_due
    return {
        "type": "run",
        "state": run.state.name.lower(),
        "steps": progress.steps,
        "pending": len(progress.pending),
        "error": progress.error or None,
        "dueAt": None if due is None else datetime.fromtimestamp(due, UTC).isoformat(),
    }


def unprocessed_messages(parts: Sequence[Delivery], node: PlannedNode, contents: Sequence[Json]) -> bytes:
    """What a component could not process, by in-port, in the shape of the public API (map §4.5).

    `contents` are what the parts were filled with, as far as that is known.
    """
    found: dict[str, list[Json]] = {}
    for part, content in zip_longest(parts, contents[: len(parts)]):
        found.setdefault(part.port, []).append(
            {
                "properties": {
                    "correlationId": part.message.id,
                    "sender": {"componentId": part.message.node, "outputPort": part.message.port},
                    "destination": {"componentId": node.id, "inputPort": part.port},
                },
                "content": content,
                "originalContent": part.message.content,
                "scope": _scope(part),
            }
        )
    return orjson.dumps(found)


def _scope(delivery: Delivery) -> Json:
    """The outputs of all ancestors as {component: {port: content}}, nearest first, as far as they fit."""
    scope: dict[str, Json] = {}
    room = MAX_SCOPE_BYTES
    for message in delivery.message.ancestors():
        room -= len(orjson.dumps(message.content))
        if room < 0:
            scope["_cut"] = "Further outputs are in the run's own record."
            break
        ports = scope.setdefault(message.node or "event", {})
        if isinstance(ports, dict):
            ports.setdefault(message.port, message.content)
    return scope
