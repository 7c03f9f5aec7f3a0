"""People tasks."""

from dataclasses import dataclass, field

import orjson
from headrace.task.v1 import task_service_pb2 as pb
from headrace.task.v1.task_service_pb2_grpc import TaskServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery

_STATUSES = {
    pb.TASK_STATUS_PENDING: "pending",
    pb.TASK_STATUS_APPROVED: "approved",
    pb.TASK_STATUS_REJECTED: "rejected",
    pb.TASK_STATUS_DUE: "due",
}
_HOOK_STATES = {
    pb.TASK_HOOK_STATE_PENDING: "pending",
    pb.TASK_HOOK_STATE_SENT: "sent",
    pb.TASK_HOOK_STATE_FAILED: "fail",
}
ROLES = {
    "": pb.TASK_ROLE_UNSPECIFIED,
    "approver": pb.TASK_ROLE_APPROVER,
    "requester": pb.TASK_ROLE_REQUESTER,
    "creator": pb.TASK_ROLE_CREATOR,
}


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks: a user, or the holder of a secret, or both."""

    scope: Scope | None
    secret: str = field(default="", repr=False)


class TaskClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = TaskServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(self, scope: Scope, document: dict[str, Json]) -> dict[str, Json]:
        """Keep a new task; it with both secrets. Raises ValidationFailed and Conflict."""
        request = pb.CreateTaskRequest(scope=scope_to_proto(scope), document=orjson.dumps(document))
        answer = await self._stub.CreateTask(request, timeout=self._timeout)
        return _task_to_json(answer.task) | _secrets_to_json(answer.secrets)

    async def get(self, viewer: Viewer, task_id: str) -> dict[str, Json]:
        """The task. Raises NotFound, and Unauthenticated for nobody."""
        request = pb.GetTaskRequest(viewer=_viewer(viewer), task_id=task_id)
        return _task_to_json((await self._stub.GetTask(request, timeout=self._timeout)).task)

    async def page(self, viewer: Viewer, role: str, query: ListQuery) -> tuple[list[dict[str, Json]], int]:
        """A page of tasks, and how many match. `role` is one of ROLES. Raises Unauthenticated for nobody."""
        request = pb.ListTasksRequest(viewer=_viewer(viewer), role=ROLES[role], query=query_to_proto(query))
        answer = await self._stub.ListTasks(request, timeout=self._timeout)
        return [_task_to_json(each) for each in answer.tasks], answer.total

    async def update(
        self, viewer: Viewer, task_id: str, changes: dict[str, Json], expected_revision: int
    ) -> dict[str, Json]:
        """The task with the changes, and the secret of who is new in it.

        Raises NotFound, Forbidden, ValidationFailed, Conflict and RevisionConflict.
        """
        request = pb.UpdateTaskRequest(
            viewer=_viewer(viewer),
            task_id=task_id,
            changes=orjson.dumps(changes),
            expected_revision=expected_revision,
        )
        answer = await self._stub.UpdateTask(request, timeout=self._timeout)
        return _task_to_json(answer.task) | _secrets_to_json(answer.secrets)

    async def decide(self, viewer: Viewer, task_id: str, *, approves: bool, expected_revision: int) -> dict[str, Json]:
        """The task as it was decided. Raises NotFound, Forbidden, Conflict and RevisionConflict."""
        request = pb.DecideTaskRequest(
            viewer=_viewer(viewer), task_id=task_id, approves=approves, expected_revision=expected_revision
        )
        return _task_to_json((await self._stub.DecideTask(request, timeout=self._timeout)).task)

    async def delete(self, scope: Scope, task_id: str) -> None:
        """Take the task away. Raises NotFound."""
        request = pb.DeleteTaskRequest(scope=scope_to_proto(scope), task_id=task_id)
        await self._stub.DeleteTask(request, timeout=self._timeout)

    async def add_hook(self, scope: Scope, task_id: str, url: str, flow_id: str, node_id: str) -> dict[str, Json]:
        """Have a component told how the task ends. Raises NotFound and Conflict."""
        request = pb.AddTaskHookRequest(
            scope=scope_to_proto(scope), task_id=task_id, url=url, flow_id=flow_id, node_id=node_id
        )
        return _hook_to_json((await self._stub.AddTaskHook(request, timeout=self._timeout)).hook)

    async def remove_hook(self, scope: Scope, hook_id: str) -> None:
        """Have it not told. Raises NotFound."""
        request = pb.RemoveTaskHookRequest(scope=scope_to_proto(scope), hook_id=hook_id)
        await self._stub.RemoveTaskHook(request, timeout=self._timeout)


def _viewer(viewer: Viewer) -> pb.TaskViewer:
    scope = None if viewer.scope is None else scope_to_proto(viewer.scope)
    return pb.TaskViewer(scope=scope, secret=viewer.secret)


def _task_to_json(task: pb.Task) -> dict[str, Json]:
    return {
        "taskId": task.task_id,
        "title": task.title,
        "description": task.description,
        "status": _STATUSES.get(task.status, "pending"),
        "approver": task.approver,
        "requester": task.requester,
        "decisionBy": moment(task, "decision_by"),
        "decisionMade": moment(task, "decided_at"),
        "created": moment(task, "created_at"),
        "mtime": moment(task, "updated_at"),
        "revision": task.revision,
        "isApprover": task.is_approver,
    }


def _secrets_to_json(secrets: pb.TaskSecrets) -> dict[str, Json]:
    found: dict[str, Json] = {"approverSecret": secrets.approver, "requesterSecret": secrets.requester}
    return {name: value for name, value in found.items() if value}


def _hook_to_json(hook: pb.TaskHook) -> dict[str, Json]:
    said: dict[str, Json] = {
        "webhookId": hook.hook_id,
        "taskId": hook.task_id,
        "url": hook.url,
        "status": _HOOK_STATES.get(hook.state, "pending"),
        "created": moment(hook, "created_at"),
    }
    return said | ({"error": hook.error} if hook.error else {})
