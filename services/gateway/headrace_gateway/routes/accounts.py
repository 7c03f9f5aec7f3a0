"""Accounts: what flows act with at the services of others. No answer has anything secret in it."""

from collections.abc import Mapping

from headrace_core import Json
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.accounts import Component
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import (
    ALL_TENANTS,
    FREE_OBJECT,
    LIST_PARAMETERS,
    PROJECTION,
    TEXT,
    YES_NO,
    an_object,
    array_of,
    ref,
)


async def list_accounts(call: Call) -> Response:
    found, _ = await call.clients.accounts.page(call.reading_scope, queries.list_query(call.parameters))
    shown = queries.projection(call.parameters)
    return answer([shown.apply(each) for each in found])


async def count_accounts(call: Call) -> Response:
    _, total = await call.clients.accounts.page(call.reading_scope, queries.list_query(call.parameters))
    return answer({"count": total})


async def get_account(call: Call) -> Response:
    return answer(await call.clients.accounts.get(call.reading_scope, call.value("id")))


async def create_account(call: Call) -> Response:
    made = await call.clients.accounts.create(
        call.scope,
        await call.object(),
        validates_scope=call.flag("validateScope"),
        requests_profile_info=call.flag("requestProfileInfo"),
    )
    return answer(made)


async def change_account(call: Call) -> Response:
    given, account_id = await call.object(), call.value("id")
    account: dict[str, Json] = {}
    if "sharedWith" in given:
        account = await call.clients.accounts.share(call.scope, account_id, given["sharedWith"])
    if "displayName" in given:
        account = await call.clients.accounts.rename(call.scope, account_id, str(given["displayName"] or ""))
    return answer(account or await call.clients.accounts.get(call.scope, account_id))


async def delete_account(call: Call) -> Response:
    await call.clients.accounts.delete(call.scope, call.value("id"))
    return answer({"accountId": call.value("id")})


async def test_account(call: Call) -> Response:
    account = await call.clients.accounts.test(call.scope, call.value("id"))
    return answer({str(account["tokenId"]): account["state"]})


async def flows_of_account(call: Call) -> Response:
    flows: dict[str, dict[str, Json]] = {}
    nodes: dict[str, list[Json]] = {}
    for each in await call.clients.accounts.uses(call.scope, call.value("id")):
        flow_id, node_id, _ = each.node
        flows[flow_id] = each.flow
        nodes.setdefault(flow_id, []).append(node_id)
    return answer([{**flow, "components": nodes[flow_id]} for flow_id, flow in flows.items()])


async def accounts_of_flow(call: Call) -> Response:
    components, accounts = await call.clients.accounts.of_flow(call.scope, call.value("flowId"))
    known = {str(each["accountId"]): each for each in accounts}
    services: dict[str, Json] = {
        service: [known[each.account_id] for each in components if each.service == service and each.account_id in known]
        for service in sorted({each.service for each in components})
    }
    return answer({"components": {each.node[1]: _binding(each, known) for each in components}, "services": services})


async def profile_field(call: Call) -> Response:
    assigned = await call.clients.accounts.assigned(call.scope, call.text("flowId"), call.text("componentId"))
    account = await call.clients.accounts.get(call.scope, assigned)
    found: Json = account["profileInfo"]
    for step in call.value("field").split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return answer({call.value("field"): found})


async def describe_auth(call: Call) -> Response:
    subject, node_id = call.value("componentType"), call.text("componentId")
    choice = await call.clients.accounts.choice(call.scope, subject, call.text("flowId"), node_id)
    needed = frozenset(choice.scope)
    accounts: dict[str, Json] = {
        str(each["accountId"]): {
            "accountId": each["accountId"],
            "tokenId": each["tokenId"],
            "accessTokenValid": each["accessTokenValid"],
            "reason": each["reason"],
            "componentAssigned": bool(node_id) and each["accountId"] == choice.assigned,
            "componentId": node_id or None,
            "scopeValid": each["type"] != "oauth2" or needed <= frozenset(_texts(each["scope"])),
            "authorizedScope": each["scope"],
            "name": each["name"],
            "displayName": each["displayName"],
            "profileInfo": each["profileInfo"],
            "isShared": each["userId"] != call.scope.tenant_id,
        }
        for each in choice.accounts
    }
    described: dict[str, Json] = {name: choice.auth[name] for name in ("type", "auth", "pre") if name in choice.auth}
    auth: dict[str, Json] = {"service": choice.service, "scope": list(choice.scope), "accounts": accounts, **described}
    return answer({"componentType": subject, "auth": auth})


async def assign(call: Call) -> Response:
    made = await call.clients.accounts.assign(
        call.scope, call.text("flowId"), call.value("componentId"), call.value("accountId")
    )
    return answer(_assigned(made))


async def unassign(call: Call) -> Response:
    left = await call.clients.accounts.unassign(call.scope, call.text("flowId"), call.value("componentId"))
    return answer(_assigned(left))


def _assigned(component: Component) -> dict[str, Json]:
    flow_id, node_id, kind = component.node
    return {
        "flowId": flow_id,
        "componentId": node_id,
        "componentType": kind,
        "service": component.service,
        "accountId": component.account_id or None,
    }


def _binding(component: Component, known: Mapping[str, dict[str, Json]]) -> dict[str, Json]:
    account = known.get(component.account_id)
    said: dict[str, Json] = {"accessTokenValid": account["accessTokenValid"] if account else False}
    return {**_assigned(component), **said, "account": account}


def _texts(value: Json) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else []


FLOW_ID = Parameter("flowId", "The flow of the component, where several have one of its id.")
_TAG = "Accounts"
_NEW: Schema = an_object(
    {
        "service": {"type": "string", "minLength": 1, "maxLength": 255},
        "token": FREE_OBJECT,
        "name": {"type": ["string", "null"], "maxLength": 200},
        "displayName": {"type": ["string", "null"], "maxLength": 200},
        "profileInfo": {"type": ["object", "null"]},
    },
    required=("service", "token"),
)
_BINDING: Schema = an_object(
    {
        "flowId": TEXT,
        "componentId": TEXT,
        "componentType": TEXT,
        "service": TEXT,
        "accountId": {"type": ["string", "null"]},
    }
)
_OF_FLOW: Schema = an_object({"components": FREE_OBJECT, "services": FREE_OBJECT})

ROUTES = (
    Route(
        method="GET",
        path="/accounts",
        handler=list_accounts,
        policy=Policy.USER,
        tag=_TAG,
        summary="List one's own accounts",
        parameters=(*LIST_PARAMETERS, PROJECTION, ALL_TENANTS),
        answers=(Answer(200, "A page.", array_of(ref("Account"))),),
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/accounts",
        handler=create_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Connect an account by fields that are at hand",
        description=(
            "`token` has the fields of the service's auth module (GET /auth/…): an API key, a user name and password, "
            "or tokens of OAuth (`accessToken`, `refreshToken`, `accessTokenExpDate`, `scope`). The service is asked "
            "whether it accepts them. An account that the service knows by a name that is there is connected anew."
        ),
        parameters=(
            Parameter("validateScope", "true refuses an account whose scope the components find too small.", YES_NO),
            Parameter("requestProfileInfo", "true asks the service for profileInfo even if it is given.", YES_NO),
        ),
        request=_NEW,
        answers=(Answer(200, "The account.", ref("Account")),),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/accounts/count",
        handler=count_accounts,
        policy=Policy.USER,
        tag=_TAG,
        summary="Count one's own accounts",
        parameters=(*LIST_PARAMETERS[:2], ALL_TENANTS),
        answers=(Answer(200, "How many match.", ref("Count")),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/accounts/{id}",
        handler=get_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Read an account",
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The account.", ref("Account")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/accounts/{id}",
        handler=change_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Change what people call an account, and whose flows may use it",
        description=(
            "`sharedWith` lists others by `email`, `domain`, `scope` or `group`; an entry that names several wants all "
            "of them. They find the account where a component needs one of its service (GET /auth/…), assign it, and "
            "see neither what it is opened with nor who else may use it. What is not given stays."
        ),
        request=an_object(
            {
                "displayName": {"type": ["string", "null"], "maxLength": 200},
                "sharedWith": array_of(FREE_OBJECT),
            }
        ),
        answers=(Answer(200, "The account.", ref("Account")),),
        errors=(400, 404),
    ),
    Route(
        method="DELETE",
        path="/accounts/{id}",
        handler=delete_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Remove an account",
        description="Flows whose components use it are stopped first.",
        answers=(Answer(200, "Removed.", an_object({"accountId": TEXT}, required=("accountId",))),),
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/accounts/{id}/test",
        handler=test_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Ask the service whether it accepts an account",
        description="A token that is not accepted is renewed where it can be, and else noted as invalid.",
        answers=(Answer(200, "`valid` or `invalid` by token id.", FREE_OBJECT),),
        errors=(404, 409),
    ),
    Route(
        method="GET",
        path="/accounts/{id}/flows",
        handler=flows_of_account,
        policy=Policy.USER,
        tag=_TAG,
        summary="Which flows use an account",
        answers=(
            Answer(
                200,
                "The flows, each with its components that use it.",
                array_of(an_object({"flowId": TEXT, "name": TEXT, "stage": TEXT, "components": array_of(TEXT)})),
            ),
        ),
        errors=(404,),
    ),
    *(
        Route(
            method="GET",
            path=path,
            handler=accounts_of_flow,
            policy=Policy.USER,
            tag=_TAG,
            summary="Which accounts a flow needs and has",
            answers=(Answer(200, "By component, and the accounts by service.", _OF_FLOW),),
            errors=(404,),
        )
        for path in ("/accounts/flow/{flowId}", "/auth/flow/{flowId}")
    ),
    Route(
        method="GET",
        path="/accounts/profile-info/{field}",
        handler=profile_field,
        policy=Policy.USER,
        tag=_TAG,
        summary="What a service says of the holder of a component's account",
        parameters=(Parameter("componentId", "The component.", required=True), FLOW_ID),
        answers=(Answer(200, "The field by its name; null where there is none.", FREE_OBJECT),),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/auth/{componentType}",
        handler=describe_auth,
        policy=Policy.USER,
        tag=_TAG,
        summary="How accounts for a component or service are opened, and which there are",
        parameters=(Parameter("componentId", "A component whose account is meant."), FLOW_ID),
        answers=(Answer(200, "Its type, fields, scope and accounts.", an_object({"auth": FREE_OBJECT})),),
        errors=(404, 409),
    ),
    Route(
        method="PUT",
        path="/auth/component/{componentId}/{accountId}",
        handler=assign,
        policy=Policy.USER,
        tag=_TAG,
        summary="Let a component use an account",
        description=(
            "A flow that waited for it (`needsAccounts`) goes on with its newest version once no other account is "
            "missing; one that its owner paused stays paused."
        ),
        parameters=(FLOW_ID,),
        answers=(Answer(200, "The component as it is now.", _BINDING),),
        errors=(404, 409),
    ),
    Route(
        method="DELETE",
        path="/auth/component/{componentId}",
        handler=unassign,
        policy=Policy.USER,
        tag=_TAG,
        summary="Let a component use no account",
        parameters=(FLOW_ID,),
        answers=(Answer(200, "The component as it is now.", _BINDING),),
        errors=(404,),
    ),
)
