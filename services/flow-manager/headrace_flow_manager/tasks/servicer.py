"""headrace.task.v1: decode, call, encode."""

from collections.abc import Mapping

from headrace.task.v1 import task_service_pb2 as pb
from headrace.task.v1 import task_service_pb2_grpc as grpc_pb
from headrace_core.errors import BadRequest, Unauthenticated
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.servicer import query_of, tenant_of, timestamp
from headrace_flow_manager.tasks.model import Hook, HookState, Role, Secrets, Status, Task, Viewer
from headrace_flow_manager.tasks.service import Listener, TaskService

MAX_SECRET = 256

_STATUSES = {
    Status.PENDING: pb.TASK_STATUS_PENDING,
    Status.APPROVED: pb.TASK_STATUS_APPROVED,
    Status.REJECTED: pb.TASK_STATUS_REJECTED,
    Status.DUE: pb.TASK_STATUS_DUE,
}
_ROLES: Mapping[int, Role | None] = {
    pb.TASK_ROLE_UNSPECIFIED: None,
    pb.TASK_ROLE_APPROVER: Role.APPROVER,
    pb.TASK_ROLE_REQUESTER: Role.REQUESTER,
    pb.TASK_ROLE_CREATOR: Role.CREATOR,
}
_HOOK_STATES = {
    HookState.PENDING: pb.TASK_HOOK_STATE_PENDING,
    HookState.SENT: pb.TASK_HOOK_STATE_SENT,
    HookState.FAILED: pb.TASK_HOOK_STATE_FAILED,
}


class TaskServicer(grpc_pb.TaskServiceServicer):
    """Answers headrace.task.v1.TaskService."""

    def __init__(self, tasks: TaskService) -> None:
        self._tasks = tasks

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_TaskServiceServicer_to_server(self, server)

    async def CreateTask(self, request: pb.CreateTaskRequest, context: object) -> pb.CreateTaskResponse:
        document = json_text.decode_object(request.document, "task")
        viewer = Viewer(tenant_of(request.scope))
        listener = Listener(request.hook_url, request.flow_id, request.node_id) if request.hook_url else None
        task, secrets = await self._tasks.create(viewer.user_id, document, request.request_id, listener)
        _, roles = await self._tasks.get(viewer, task.task_id)
        return pb.CreateTaskResponse(task=_task(task, roles), secrets=_secrets(secrets))

    async def GetTask(self, request: pb.GetTaskRequest, context: object) -> pb.GetTaskResponse:
        task, roles = await self._tasks.get(_viewer(request.viewer), request.task_id)
        return pb.GetTaskResponse(task=_task(task, roles))

    async def ListTasks(self, request: pb.ListTasksRequest, context: object) -> pb.ListTasksResponse:
        if request.role not in _ROLES:
            raise BadRequest("There is no such role.")
        viewer, role = _viewer(request.viewer), _ROLES[request.role]
        page, roles = await self._tasks.page(viewer, role, query_of(request.query))
        return pb.ListTasksResponse(tasks=[_task(each, roles[each.task_id]) for each in page.items], total=page.total)

    async def UpdateTask(self, request: pb.UpdateTaskRequest, context: object) -> pb.UpdateTaskResponse:
        changes = json_text.decode_object(request.changes, "changes of the task")
        task, secrets, roles = await self._tasks.update(
            _viewer(request.viewer), request.task_id, changes, request.expected_revision
        )
        return pb.UpdateTaskResponse(task=_task(task, roles), secrets=_secrets(secrets))

    async def DecideTask(self, request: pb.DecideTaskRequest, context: object) -> pb.DecideTaskResponse:
        task, roles = await self._tasks.decide(
            _viewer(request.viewer),
            request.task_id,
            approves=request.approves,
            expected_revision=request.expected_revision,
        )
        return pb.DecideTaskResponse(task=_task(task, roles))

    async def DeleteTask(self, request: pb.DeleteTaskRequest, context: object) -> pb.DeleteTaskResponse:
        await self._tasks.delete(tenant_of(request.scope), request.task_id)
        return pb.DeleteTaskResponse()

    async def AddTaskHook(self, request: pb.AddTaskHookRequest, context: object) -> pb.AddTaskHookResponse:
        hook = await self._tasks.add_hook(
            tenant_of(request.scope), request.task_id, request.url, request.flow_id, request.node_id
        )
        return pb.AddTaskHookResponse(hook=_hook(hook, request.task_id))

    async def MailTask(self, request: pb.MailTaskRequest, context: object) -> pb.MailTaskResponse:
        await self._tasks.mail(tenant_of(request.scope), request.task_id, request.link)
        return pb.MailTaskResponse()

    async def RemoveTaskHook(self, request: pb.RemoveTaskHookRequest, context: object) -> pb.RemoveTaskHookResponse:
        await self._tasks.remove_hook(tenant_of(request.scope), request.hook_id)
        return pb.RemoveTaskHookResponse()


def _viewer(viewer: pb.TaskViewer) -> Viewer:
    """Who asks. Raises Unauthenticated when that is nobody."""
    if len(viewer.secret) > MAX_SECRET:
        raise BadRequest(f"A secret has at most {MAX_SECRET} characters.")
    if not viewer.HasField("scope"):
        if not viewer.secret:
            raise Unauthenticated("Log in, or give the secret that came with the task.")
        return Viewer(secret=viewer.secret)
    return Viewer(tenant_of(viewer.scope), secret=viewer.secret)


def _task(task: Task, roles: frozenset[Role]) -> pb.Task:
    return pb.Task(
        task_id=task.task_id,
        title=task.title,
        description=task.description,
        status=_STATUSES[task.status],
        approver=task.approver.address,
        requester=task.requester.address,
        decision_by=timestamp(task.decision_by),
        decided_at=timestamp(task.decided_at),
        created_at=timestamp(task.created_at),
        updated_at=timestamp(task.updated_at),
        revision=task.revision,
        is_approver=Role.APPROVER in roles,
    )


def _secrets(secrets: Secrets) -> pb.TaskSecrets:
    return pb.TaskSecrets(approver=secrets.approver, requester=secrets.requester)


def _hook(hook: Hook, task_id: str) -> pb.TaskHook:
    return pb.TaskHook(
        hook_id=hook.hook_id,
        task_id=task_id,
        url=hook.url,
        state=_HOOK_STATES[hook.state],
        error=hook.error,
        created_at=timestamp(hook.created_at),
    )
