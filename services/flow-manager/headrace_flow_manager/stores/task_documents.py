"""Tasks as both databases keep them: what is looked up under names of its own, the rest as JSON."""

from collections.abc import Mapping
from typing import Any, Final

from headrace_core import Json

from headrace_flow_manager import times
from headrace_flow_manager.stores.values import instant, micros
from headrace_flow_manager.tasks.model import Hook, HookState, Party, Status, Task

CLAIMS: Final = ("tenant_id", "approver_key", "requester_key", "approver_hash", "requester_hash")
"""The names that `Viewer.claims` speaks of."""


def looked_up_of(task: Task) -> dict[str, Any]:
    """What a task is found by. `tell_at` is when somebody is to be told of its end next; None for never."""
    return {
        "approver_key": task.approver.key,
        "requester_key": task.requester.key,
        "approver_hash": task.approver.secret_hash,
        "requester_hash": task.requester.secret_hash,
        "open_until": micros(task.open_until),
        "tell_at": micros(task.updated_at) if task.is_untold else None,
        "revision": task.revision,
        "updated_at": times.to_micros(task.updated_at),
    }


def document_of(task: Task) -> dict[str, Json]:
    """The rest of it."""
    return {
        "title": task.title,
        "description": task.description,
        "approver": task.approver.address,
        "requester": task.requester.address,
        "decisionBy": micros(task.decision_by),
        "status": task.status,
        "decidedAt": micros(task.decided_at),
        "hooks": [_of_hook(each) for each in task.hooks],
    }


def task_of(kept: Mapping[str, Any], document: Mapping[str, Any]) -> Task:
    """The task of what is kept: `kept` under the names of the database, and the document."""
    return Task(
        task_id=kept["task_id"],
        tenant_id=kept["tenant_id"],
        title=document["title"],
        description=document["description"],
        approver=Party(document["approver"], bytes(kept["approver_hash"])),
        requester=Party(document["requester"], bytes(kept["requester_hash"])),
        created_at=times.from_micros(kept["created_at"]),
        updated_at=times.from_micros(kept["updated_at"]),
        decision_by=instant(document["decisionBy"]),
        status=Status(document["status"]),
        decided_at=instant(document["decidedAt"]),
        revision=kept["revision"],
        hooks=tuple(_hook(each) for each in document["hooks"]),
    )


def _of_hook(hook: Hook) -> dict[str, Json]:
    return {
        "id": hook.hook_id,
        "url": hook.url,
        "flow": hook.flow_id,
        "node": hook.node_id,
        "at": times.to_micros(hook.created_at),
        "state": hook.state,
        "error": hook.error,
    }


def _hook(kept: Mapping[str, Any]) -> Hook:
    at = times.from_micros(kept["at"])
    return Hook(kept["id"], kept["url"], kept["flow"], kept["node"], at, HookState(kept["state"]), kept["error"])
