"""People tasks in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field

from headrace_core import Json

from headrace_sdk.context import JsonObject
from headrace_sdk.errors import CancelError

_SECRETS = ("approverSecret", "requesterSecret")


@dataclass(slots=True)
class MemoryTasks:
    """Every task with its secrets, by id, and what was mailed: (task, link). A test ends a task by its status."""

    kept: dict[str, JsonObject] = field(default_factory=dict)
    letters: list[tuple[str, str]] = field(default_factory=list)


class NodeTasks:
    """Implements `headrace_sdk.Tasks` for one step."""

    def __init__(self, tasks: MemoryTasks, step_id: str) -> None:
        self._tasks = tasks
        self._step_id = step_id
        self._count = 0

    async def create(self, document: Mapping[str, Json]) -> JsonObject:
        self._count += 1
        task_id = f"task-{self._step_id}-{self._count}"
        secrets: JsonObject = {name: f"{name} {len(self._tasks.kept)} of {task_id}" for name in _SECRETS}
        new: JsonObject = {"taskId": task_id, "status": "pending", "decisionMade": None, "isApprover": False}
        former = self._tasks.kept.get(task_id, {**new, "description": "", "decisionBy": None, **document})
        self._tasks.kept[task_id] = {**former, **secrets}
        return copy.deepcopy(self._tasks.kept[task_id])

    async def get(self, task_id: str, secret: str = "") -> JsonObject:
        kept = self._known(task_id, secret)
        shown = {name: value for name, value in kept.items() if name not in _SECRETS}
        return copy.deepcopy({**shown, "isApprover": bool(secret) and secret == kept["approverSecret"]})

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> JsonObject:
        kept = self._known(task_id, secret)
        if secret != kept["approverSecret"]:
            raise CancelError("Only its approver decides on a task.")
        if kept["status"] != "pending":
            raise CancelError(f"The task is {kept['status']} already.")
        kept |= {"status": "approved" if approves else "rejected", "decisionMade": "2026-01-31T12:00:00.000Z"}
        return await self.get(task_id, secret)

    async def mail(self, task_id: str, link: str) -> None:
        self._known(task_id, "")
        self._tasks.letters.append((task_id, link))

    def _known(self, task_id: str, secret: str) -> JsonObject:
        kept = self._tasks.kept.get(task_id)
        if kept is None or (secret and secret not in (kept[name] for name in _SECRETS)):
            raise CancelError(f"There is no task {task_id!r}.")
        return kept
