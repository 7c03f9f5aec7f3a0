"""People tasks: somebody is asked to approve something, by a link where they have no account."""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.access import TASK_PREFIXES
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.tasks import ROLES, Viewer
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import LIST_PARAMETERS, MOMENT, PROJECTION, TEXT, an_object, array_of, ref

# What only reading adds: a task may be saved as it was read.
_ADDED_ON_READ = ("taskId", "status", "decisionMade", "created", "mtime", "revision", "isApprover", "secret")
_HOOK_PATH: Final = re.compile(r"/flows/([^/]{1,600})/components/([^/]{1,600})\Z")


async def list_tasks(call: Call) -> Response:
    tasks, _ = await call.clients.tasks.page(_viewer(call, {}), _role(call), queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(task) for task in tasks])


async def count_tasks(call: Call) -> Response:
    _, total = await call.clients.tasks.page(_viewer(call, {}), _role(call), queries.list_query(call.parameters))
    return answer({"count": total})


async def get_task(call: Call) -> Response:
    task = await call.clients.tasks.get(_viewer(call, {}), call.value("id"))
    return answer(task, headers=etag_of(task))


async def create_task(call: Call) -> Response:
    task = await call.clients.tasks.create(call.scope, await call.object())
    return answer(task, headers=etag_of(task))


async def update_task(call: Call) -> Response:
    given = await call.object_or_empty()
    changes = {name: value for name, value in given.items() if name not in _ADDED_ON_READ}
    revision = expected_revision(call)
    task = await call.clients.tasks.update(_viewer(call, given), call.value("id"), changes, revision)
    return answer(task, headers=etag_of(task))


async def approve_task(call: Call) -> Response:
    return await _decided(call, approves=True)


async def reject_task(call: Call) -> Response:
    return await _decided(call, approves=False)


async def delete_task(call: Call) -> Response:
    await call.clients.tasks.delete(call.scope, call.value("id"))
    return answer({"taskId": call.value("id")})


async def add_hook(call: Call) -> Response:
    given = await call.object()
    url = str(given["url"])
    flow_id, node_id = _component_of(call, url)
    return answer(await call.clients.tasks.add_hook(call.scope, str(given["taskId"]), url, flow_id, node_id))


async def remove_hook(call: Call) -> Response:
    await call.clients.tasks.remove_hook(call.scope, call.value("id"))
    return answer({})


async def _decided(call: Call, *, approves: bool) -> Response:
    viewer = _viewer(call, await call.object_or_empty())
    revision = expected_revision(call)
    task = await call.clients.tasks.decide(viewer, call.value("id"), approves=approves, expected_revision=revision)
    return answer(task, headers=etag_of(task))


def _viewer(call: Call, given: dict[str, Json]) -> Viewer:
    """Who asks: the caller, the holder of the secret in the query or the body, or both. Raises Unauthenticated."""
    named = given.get("secret")
    secret = named if isinstance(named, str) and named else call.text("secret")
    return Viewer(call.scope if call.known_caller is not None or not secret else None, secret)


def _role(call: Call) -> str:
    role = call.text("role")
    if role not in ROLES:
        raise one_problem("role", f"{role[:40]!r} is no role.", "Give approver, requester or creator.")
    return role


def _component_of(call: Call, url: str) -> tuple[str, str]:
    """The flow and component whose webhook the URL is. Raises ValidationFailed for any other URL."""
    base = urlsplit(call.settings.public_url)
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    is_ours = parts.scheme in ("http", "https") and parts.netloc in (base.netloc, call.request.url.netloc)
    found = _HOOK_PATH.match(parts.path.removeprefix(base.path.rstrip("/")))
    if not is_ours or not parts.netloc or not found:
        fix = "Give the URL of a component's webhook: https://…/flows/{flowId}/components/{componentId}."
        raise one_problem("url", "It is no webhook of this installation.", fix)
    return unquote(found[1]), unquote(found[2])


_SECRET_PARAMETER = Parameter("secret", "Secret of the task's approver or requester, for who has no account.")
_ROLE_PARAMETER = Parameter(
    "role", "What the caller is to the tasks; without it anything.", {"type": "string", "enum": [*filter(None, ROLES)]}
)
_ADDRESS: Schema = {"type": "string", "format": "email", "maxLength": 255}
_FIELDS: dict[str, Schema] = {
    "title": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": {"type": ["string", "null"], "maxLength": 20_000},
    "requester": _ADDRESS,
    "approver": _ADDRESS,
    "decisionBy": MOMENT,
}
_WITH_SECRETS: Schema = {"allOf": [ref("Task"), an_object({"approverSecret": TEXT, "requesterSecret": TEXT})]}
_SECRET_BODY = an_object({"secret": TEXT})
_HOOK = an_object(
    {"webhookId": TEXT, "taskId": TEXT, "url": TEXT, "status": TEXT, "created": MOMENT, "error": TEXT},
    required=("webhookId", "taskId", "url", "status"),
)


def _routes(prefix: str) -> Iterator[Route]:
    """All of them at one of the places that clients know."""
    yield Route(
        method="GET",
        path=f"{prefix}/tasks",
        handler=list_tasks,
        policy=Policy.SECRET,
        tag="People tasks",
        summary="List the tasks one is approver, requester or creator of",
        description="With a secret the tasks of the secret. A pattern looks into titles.",
        parameters=(*LIST_PARAMETERS, PROJECTION, _ROLE_PARAMETER, _SECRET_PARAMETER),
        answers=(Answer(200, "A page, oldest first.", array_of(ref("Task"))),),
        errors=(400,),
    )
    yield Route(
        method="GET",
        path=f"{prefix}/tasks-count",
        handler=count_tasks,
        policy=Policy.SECRET,
        tag="People tasks",
        summary="Count tasks",
        parameters=(*LIST_PARAMETERS[:2], _ROLE_PARAMETER, _SECRET_PARAMETER),
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400,),
    )
    yield Route(
        method="POST",
        path=f"{prefix}/tasks",
        handler=create_task,
        policy=Policy.USER,
        tag="People tasks",
        summary="Ask somebody to decide",
        description=(
            "The answer has a secret for the approver and one for the requester, shown this once: a link with "
            "?secret=… lets them in who have no account. After `decisionBy` nobody decides any more."
        ),
        request=an_object(_FIELDS, required=("title", "requester", "approver")),
        answers=(Answer(200, "Made, pending.", _WITH_SECRETS),),
        errors=(400, 409),
    )
    yield Route(
        method="GET",
        path=f"{prefix}/tasks/{{id}}",
        handler=get_task,
        policy=Policy.SECRET,
        tag="People tasks",
        summary="Read a task",
        parameters=(_SECRET_PARAMETER,),
        answers=(Answer(200, "The task; its ETag is its revision.", ref("Task")),),
        errors=(404,),
    )
    yield Route(
        method="PUT",
        path=f"{prefix}/tasks/{{id}}",
        handler=update_task,
        policy=Policy.SECRET,
        tag="People tasks",
        summary="Change a pending task",
        description=(
            "For its creator and requester. Its creator may put it before somebody else, who gets a secret then; the "
            "former one ends."
        ),
        parameters=(_SECRET_PARAMETER, IF_MATCH),
        request=an_object({**_FIELDS, "secret": TEXT}),
        answers=(Answer(200, "Changed.", _WITH_SECRETS),),
        errors=(400, 404, 409),
    )
    for verb, handler, summary in (
        ("approve", approve_task, "Approve a task"),
        ("reject", reject_task, "Reject a task"),
    ):
        yield Route(
            method="PUT",
            path=f"{prefix}/tasks/{{id}}/{verb}",
            handler=handler,
            policy=Policy.SECRET,
            tag="People tasks",
            summary=summary,
            description=(
                "For its approver, once. With If-Match only what was read is decided on. The secret may be in the body."
            ),
            parameters=(_SECRET_PARAMETER, IF_MATCH),
            request=_SECRET_BODY,
            answers=(Answer(200, "Decided.", ref("Task")),),
            errors=(400, 404, 409),
        )
    yield Route(
        method="DELETE",
        path=f"{prefix}/tasks/{{id}}",
        handler=delete_task,
        policy=Policy.USER,
        tag="People tasks",
        summary="Delete a task of one's own",
        answers=(Answer(200, "Deleted.", an_object({"taskId": TEXT}, required=("taskId",))),),
        errors=(404,),
    )
    yield Route(
        method="POST",
        path=f"{prefix}/webhooks",
        handler=add_hook,
        policy=Policy.USER,
        tag="People tasks",
        summary="Have a component told how a task ends",
        description=(
            "The component of one's own flow whose webhook the URL is gets the task as its event's `data`, once, when "
            "it is decided or due; at once when it is already."
        ),
        request=an_object(
            {"url": {"type": "string", "format": "uri", "maxLength": 2000}, "taskId": TEXT}, required=("url", "taskId")
        ),
        answers=(Answer(200, "Noted.", _HOOK),),
        errors=(400, 404, 409),
    )
    yield Route(
        method="DELETE",
        path=f"{prefix}/webhooks/{{id}}",
        handler=remove_hook,
        policy=Policy.USER,
        tag="People tasks",
        summary="Have it not told",
        answers=(Answer(200, "Nobody is told under this id.", an_object({})),),
        errors=(404,),
    )


ROUTES = tuple(route for prefix in TASK_PREFIXES for route in _routes(prefix))
