"""Integrations: what concerns a template and all instances that were made of it."""

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import etag_of
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import TEXT, WHOLE, YES_NO, an_object, array_of


async def update_instances(call: Call) -> Response:
    given = await call.object_or_empty()
    cancel_runs = given.get("inProgressData", "keep") == "delete"
    template_id = call.value("templateId")
    return answer(
        _ticket(await call.clients.integrations.update_instances(call.scope, template_id, cancel_runs=cancel_runs))
    )


async def preview_update(call: Call) -> Response:
    limit = call.number("limit", 20, minimum=1, maximum=100)
    template_id, after = call.value("templateId"), call.text("after")
    return answer(await call.clients.integrations.preview(call.scope, template_id, after, limit))


async def integration_status(call: Call) -> Response:
    return answer(await call.clients.integrations.progress(call.scope, call.value("ticket")))


async def delete_integration(call: Call) -> Response:
    return answer(_ticket(await call.clients.integrations.delete(call.scope, call.value("flowId"))))


async def publish_draft(call: Call) -> Response:
    given = await call.object_or_empty()
    draft_id = call.value("id")
    template, result = await call.clients.integrations.publish(
        call.scope, draft_id, given.get("sharedWith"), force=call.flag("forceUpdate")
    )
    said: dict[str, Json] = {
        "templateId": template["flowId"],
        "flowId": draft_id,
        "version": template["version"],
        "result": result,
    }
    return answer(said, headers=etag_of(template))


def _ticket(ticket: str) -> dict[str, Json]:
    return {"ticket": ticket}


_TICKET: Schema = an_object({"ticket": TEXT}, required=("ticket",))

_COMPONENT: Schema = an_object(
    {
        "componentId": TEXT,
        "type": TEXT,
        "label": TEXT,
        "change": {"type": "string", "enum": ["added", "removed", "changed"]},
        "fields": array_of(TEXT),
        "kept": array_of(TEXT),
    },
    required=("componentId", "type", "change", "fields", "kept"),
)
_INSTANCE: Schema = an_object(
    {
        "flowId": TEXT,
        "stage": TEXT,
        "templateVersion": WHOLE,
        "result": {"type": "string", "enum": ["updated", "unchanged", "failed"]},
        "components": array_of(_COMPONENT),
        "linksAdded": WHOLE,
        "linksRemoved": WHOLE,
        "needsAccounts": array_of(TEXT),
        "error": TEXT,
    },
    required=(
        "flowId",
        "stage",
        "templateVersion",
        "result",
        "components",
        "linksAdded",
        "linksRemoved",
        "needsAccounts",
    ),
)

ROUTES = (
    Route(
        method="POST",
        path="/drafts/{id}/publish",
        handler=publish_draft,
        policy=Policy.USER,
        tag="Integrations",
        summary="Make a draft's template say what the draft says",
        description=(
            "The first time it makes the template; later the template takes a new version, and components keep their "
            "ids, by which instances follow. Accounts never come along. Publishing again changes nothing. The template "
            "is shared as given, else as it was, and at first as the draft is. Its instances are updated by a call of "
            "their own."
        ),
        parameters=(Parameter("forceUpdate", "true changes a template that runs.", YES_NO),),
        request=an_object({"sharedWith": {"type": "array", "items": {"type": "object"}}}),
        answers=(
            Answer(
                200,
                "Published; the ETag is the template's revision.",
                an_object(
                    {
                        "templateId": TEXT,
                        "flowId": TEXT,
                        "version": WHOLE,
                        "result": {"type": "string", "enum": ["created", "updated", "unchanged"]},
                    },
                    required=("templateId", "flowId", "version", "result"),
                ),
            ),
        ),
        errors=(400, 404, 409),
    ),
    Route(
        method="POST",
        path="/integrations/{templateId}/update-integration-instances",
        handler=update_instances,
        policy=Policy.USER,
        tag="Integrations",
        summary="Bring all instances to the template's newest version",
        description=(
            "What people changed in their instances stays: it is done again on top of the new version. Runs finish "
            "with the version they began with, or are cancelled where inProgressData is `delete`. A step that comes "
            "acts with the account that the instance has of its service; where it has none, the instance is told "
            "`needsAccounts`, and goes on with the version it runs until its owner has assigned one. The work goes on "
            "after a crash; its status is told under the ticket."
        ),
        request=an_object({"inProgressData": {"type": "string", "enum": ["keep", "delete"]}}),
        answers=(Answer(200, "Ordered.", _TICKET),),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/integrations/{templateId}/update-preview",
        handler=preview_update,
        policy=Policy.USER,
        tag="Integrations",
        summary="What an update of all instances would do to each",
        description=(
            "Nothing changes. Components are named as the template names them, with the places that would change and "
            "those where what people filled in stays; what they filled in is not told. `error` says why an instance "
            "would not be updated: one that runs takes only a version that is fit to run. `needsAccounts` are services "
            "that its owner has to connect first: until then what runs goes on with the version it has."
        ),
        parameters=(
            Parameter("after", "The last flowId of the page before.", TEXT),
            Parameter(
                "limit", "Instances of a page.", {"type": "integer", "minimum": 1, "maximum": 100, "default": 20}
            ),
        ),
        answers=(
            Answer(
                200,
                "A page, by flowId.",
                an_object(
                    {"version": WHOLE, "totalCount": WHOLE, "instances": array_of(_INSTANCE)},
                    required=("version", "totalCount", "instances"),
                ),
            ),
        ),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/integrations/status/{ticket}",
        handler=integration_status,
        policy=Policy.USER,
        tag="Integrations",
        summary="How far the work of a ticket is",
        description=(
            "Work that ended is told of for a week. `status` and `state` say the same. `stepsWaiting` of the instances "
            "have the version and wait for accounts (`needsAccounts`), or did when they were looked at."
        ),
        answers=(
            Answer(
                200,
                "The status.",
                an_object(
                    {
                        "ticket": TEXT,
                        "flowId": TEXT,
                        "status": {"type": "string", "enum": ["in-progress", "completed", "failed"]},
                        "state": TEXT,
                        "stepsTotal": WHOLE,
                        "stepsCompleted": WHOLE,
                        "stepsFailed": WHOLE,
                        "stepsWaiting": WHOLE,
                        "error": TEXT,
                    },
                    required=("status", "stepsTotal", "stepsCompleted"),
                ),
            ),
        ),
        errors=(404,),
    ),
    Route(
        method="DELETE",
        path="/integrations/{flowId}",
        handler=delete_integration,
        policy=Policy.USER,
        tag="Integrations",
        summary="Stop and remove a flow with all instances that were made of it",
        answers=(Answer(200, "Ordered.", _TICKET),),
        errors=(404,),
    ),
)
