"""Rules of who may do what, by role."""

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import access
from headrace_gateway.access import Rule
from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import TEXT, YES_NO, an_object, array_of, ref

_TYPES = ("routes", "components")
_VERBS = (access.ANY, *dict.fromkeys(access.ACTIONS.values()))
_ATTRIBUTES = {"routes": [], "components": [access.NON_PRIVATE]}


async def list_types(call: Call) -> Response:
    return answer([*_TYPES])


async def list_rules(call: Call) -> Response:
    rules, tag = await call.clients.settings.tagged_rules(_type(call))
    return answer([_shown(each) for each in rules], headers=tagged(tag))


async def put_rules(call: Call) -> Response:
    given = await call.json()
    rules = [_rule(each) for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    if call.flag("dryRun"):
        return await _preview(call, rules)
    tag = await call.clients.settings.put_rules(call.scope, _type(call), rules, expected_tag(call))
    call.gateway.guard.forget()
    return answer([_shown(each) for each in rules], headers=tagged(tag))


async def _preview(call: Call, rules: list[Rule]) -> Response:
    """What would come of the rules: nothing is saved."""
    stops, more = (
        ([], False) if _type(call) == "routes" else await call.clients.settings.preview_rules(call.scope, rules)
    )
    return answer({"rules": [_shown(each) for each in rules], "stops": [*stops], "more": more})


async def list_resources(call: Call) -> Response:
    if _type(call) == "routes":
        ruled = [route for route in call.gateway.table if route.policy in (Policy.USER, Policy.SECRET)]
        names = {access.resource_of(route.path) for route in ruled}
    else:
        found = await call.clients.catalog.components(call.scope, "", include_private=True)
        names = {name for name, _ in found} | {".".join(name.split(".")[:2]) for name, _ in found}
    return answer([access.ANY, *sorted(names - {access.ANY})])


async def list_actions(call: Call) -> Response:
    _type(call)
    return answer([f"{no}{verb}" for verb in _VERBS for no in ("", "!")])


async def list_attributes(call: Call) -> Response:
    return answer([*_ATTRIBUTES[_type(call)]])


def _type(call: Call) -> str:
    kind = call.value("type")
    if kind not in _TYPES:
        raise errors.NotFound("type of rules", kind[:100])
    return kind


def _rule(given: dict[str, Json]) -> Rule:
    return Rule(str(given["role"]), str(given["resource"]), _texts(given["action"]), _texts(given.get("attributes")))


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, list) else ()


def _shown(rule: Rule) -> dict[str, Json]:
    return {
        "role": rule.role,
        "resource": rule.resource,
        "action": [*rule.actions],
        "attributes": [*rule.attributes],
    }


_RULES: Schema = {"type": "array", "items": ref("AccessRule"), "maxItems": 1000}
_NAMES = array_of(TEXT)
_STOPS = array_of(an_object({"flowId": TEXT, "userId": TEXT, "name": TEXT, "components": _NAMES}))
_PREVIEW: Schema = an_object({"rules": _RULES, "stops": _STOPS, "more": YES_NO}, required=("rules", "stops", "more"))

ROUTES = (
    Route(
        method="GET",
        path="/acl-types",
        handler=list_types,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="List the types of rules",
        answers=(Answer(200, "routes and components.", _NAMES),),
    ),
    Route(
        method="GET",
        path="/acl/{type}",
        handler=list_rules,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="List the rules of a type",
        answers=(Answer(200, "In their order, with the ETag of them all.", _RULES),),
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/acl/{type}",
        handler=put_rules,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="Replace the rules of a type",
        description=(
            "Rules take away from roles, a group's by the role `group:{groupId}`, and never add to what a route is "
            "for. One that forbids wins; where some are about a resource and none allows an action, it is refused. "
            "Administrators are not bound by rules. Flows that run with a component which their owner may not use any "
            "more are stopped within about a minute; with dryRun nothing changes, and `stops` says which those would "
            "be, up to a thousand."
        ),
        parameters=(Parameter("dryRun", "true saves nothing and tells what would come of it.", YES_NO), IF_MATCH),
        request=_RULES,
        answers=(
            Answer(200, "The rules as they are now; with dryRun, what they would do.", {"anyOf": [_RULES, _PREVIEW]}),
        ),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/acl/{type}/resources",
        handler=list_resources,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="What rules of a type may be about",
        answers=(Answer(200, "Names.", _NAMES),),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/acl/{type}/actions",
        handler=list_actions,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="What rules of a type may allow or forbid",
        answers=(Answer(200, "Actions.", _NAMES),),
        errors=(404,),
    ),
    Route(
        method="GET",
        path="/acl/{type}/resource/{resource}/attributes",
        handler=list_attributes,
        policy=Policy.ADMIN,
        tag="Access rules",
        summary="What a rule about a resource may be narrowed to",
        answers=(Answer(200, "Attributes.", _NAMES),),
        errors=(404,),
    ),
)
