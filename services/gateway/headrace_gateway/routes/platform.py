"""The platform as a whole, for administrators: how it goes, its processes, settings and connectors, who may what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

from headrace_core import Json, errors
from starlette.responses import Response

from headrace_gateway import access
from headrace_gateway.call import Call, answer
from headrace_gateway.clients.logs import LogQuery
from headrace_gateway.errors import one_problem
from headrace_gateway.identity import Caller, Scope
from headrace_gateway.queries import Condition, ListQuery, SortKey
from headrace_gateway.routes.files import attachment
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import FREE_OBJECT, TEXT, WHOLE, YES_NO, an_object, array_of
from headrace_gateway.selftest import SelfTest

MOST_MINUTES = 24 * 60
MOST_USERS = 200
ONE = ListQuery(limit=1)
_RUNNING = ListQuery(filter=(Condition("stage", "equal", "running", "running"),), limit=1)
_LAST = ListQuery(limit=200)
_ERRORS = LogQuery(query="severity:error", size=200, sort=[SortKey("gridTimestamp", descending=True)])


def _everybody(call: Call) -> Scope:
    return Scope(call.caller.user_id, call.caller.user_id, all_tenants=True)


async def overview(call: Call) -> Response:
    return answer(await _overview(call, call.number("minutes", 60, minimum=1, maximum=MOST_MINUTES)))


async def _overview(call: Call, minutes: int) -> dict[str, Json]:
    clients, everybody, now = call.clients, _everybody(call), call.clock.now()
    survey, flows, running, (_, users) = await asyncio.gather(
        clients.executions.survey(everybody, now - timedelta(minutes=minutes)),
        clients.flows.count(everybody, ONE, []),
        clients.flows.count(everybody, _RUNNING, []),
        clients.people.page(ONE),
    )
    tenants = survey.pop("tenants")
    named = await asyncio.gather(*(_named(call, each) for each in _objects(tenants)))
    return {
        "minutesLookedAt": minutes,
        "flows": {"total": flows, "running": running},
        "users": users,
        **survey,
        "tenants": list(named),
    }


async def _named(call: Call, tenant: Mapping[str, Json]) -> dict[str, Json]:
    """The tenant with what they sign in by; without it once they are gone."""
    try:
        user = await call.clients.people.get(str(tenant["userId"]))
    except errors.NotFound:
        return {**tenant, "user": None}
    return {**tenant, "user": user.get("email") or user.get("username")}


async def list_processes(call: Call) -> Response:
    found = await call.gateway.processes.all()
    return answer([{key: value for key, value in each.items() if key != "settings"} for each in found])


async def hold_process(call: Call) -> Response:
    is_resumed = (await call.object())["command"] == "resume"
    user = await call.clients.people.get(call.caller.impersonator_id or call.caller.user_id)
    found = await call.gateway.processes.hold(
        call.value("service"),
        call.value("instance"),
        by=str(user.get("email") or user.get("username") or user["id"]),
        resume=is_resumed,
    )
    return answer({key: value for key, value in found.items() if key != "settings"})


async def run_self_test(call: Call) -> Response:
    trip = SelfTest(call.clients, call.gateway.coalescer, call.clock)
    return answer(await trip.run(call.scope))


async def list_settings(call: Call) -> Response:
    found = await call.gateway.processes.all()
    return answer(_settings(found))


def _settings(processes: Sequence[Mapping[str, Json]]) -> list[Json]:
    """Each setting once, with who has it; `values` says where processes differ."""
    known: dict[str, dict[str, Json]] = {}
    values: dict[str, dict[str, str]] = {}
    services: dict[str, list[str]] = {}
    for process in processes:
        settings = process.get("settings")
        for each in settings if isinstance(settings, list) else []:
            if isinstance(each, dict):
                name, service = str(each["name"]), str(process["service"])
                known.setdefault(name, {**each, "needsRestart": True})
                values.setdefault(name, {})[f"{service} {process['place']}"] = str(each["value"])
                services.setdefault(name, [])
                services[name] += [service] if service not in services[name] else []
    for name, each in known.items():
        differ = len(set(values[name].values())) > 1
        each |= {"services": [*services[name]], "values": {**values[name]} if differ else None}
    return [known[name] for name in sorted(known)]


async def diagnostics(call: Call) -> Response:
    processes = await call.gateway.processes.all()
    acts, _ = await call.clients.audit.page(_LAST)
    try:
        trouble: Json = (await call.clients.logs.find(_everybody(call), _ERRORS))["hits"]
    except errors.HeadraceError as error:
        trouble = [{"error": error.message}]
    said: dict[str, Json] = {
        "at": call.clock.now().isoformat(),
        "overview": await _overview(call, 60),
        "processes": [*processes],
        "errors": trouble,
        "audit": [*acts],
    }
    return answer(said, headers={"Content-Disposition": attachment("headrace-diagnostics.json")})


async def list_connectors(call: Call) -> Response:
    everybody, catalog = _everybody(call), call.clients.catalog
    components, apps, bundles, configured = await asyncio.gather(
        catalog.components(everybody, "", include_private=True),
        catalog.apps(everybody),
        catalog.bundles(everybody),
        call.clients.settings.services(call.scope),
    )
    builtin = {name for name, _ in await catalog.builtin_components("")}
    rules = await call.clients.settings.rules("components")
    services = {str(each["serviceId"]) for each in configured}
    found: dict[str, dict[str, Json]] = {}
    counts: dict[str, int] = {}
    for kind, manifest in components:
        name = ".".join(kind.split(".")[:2])
        counts[name] = counts.get(name, 0) + 1
        app = apps.get(name)
        about = app if isinstance(app, dict) else {}
        versions = _versions(bundles, name)
        service = name.replace(".", ":")
        found.setdefault(
            name,
            {
                "name": name,
                "label": about.get("label") or manifest.get("label") or name,
                "icon": about.get("icon"),
                "description": about.get("description"),
                "category": about.get("category"),
                "version": max(map(str, versions.values()), default=None),
                "bundles": versions,
                "changelog": about.get("changelog"),
                "isBuiltIn": kind in builtin,
                "isPrivate": not access.allows_component(rules, _A_USER, name, is_private=False),
                "configuration": about.get("configuration"),
                "isConfigured": service in services,
                "needsAccount": False,
            },
        )
        found[name]["needsAccount"] = found[name]["needsAccount"] is True or "auth" in manifest
    return answer([{**found[name], "components": counts[name]} for name in sorted(found)])


def _versions(bundles: Mapping[str, Json], name: str) -> dict[str, Json]:
    """The versions of the bundles of a service, by name."""
    of_service = {each: about for each, about in bundles.items() if each == name or each.startswith(f"{name}.")}
    return {each: about.get("version") for each, about in of_service.items() if isinstance(about, dict)}


async def list_connector_users(call: Call) -> Response:
    limit = call.number("limit", MOST_USERS, minimum=1, maximum=1000)
    flows = await call.clients.catalog.users(_everybody(call), call.value("selector"), limit)
    return answer([*flows])


async def explain_access(call: Call) -> Response:
    user_id = call.text("userId")
    if not user_id:
        raise one_problem("userId", "Say who it is about.", "Give the id of a user.")
    user = await call.clients.people.get(user_id)
    query = ListQuery(filter=(Condition("members", "equal", user_id, user_id),), limit=1000)
    groups = [str(each["groupId"]) for each in await call.clients.groups.page(query)]
    scopes = user["scope"]
    asked = Caller(
        user_id,
        frozenset(str(each) for each in scopes) if isinstance(scopes, list) else frozenset(),
        "",
        groups=frozenset(groups),
    )
    routes = await call.clients.settings.rules("routes")
    components = await call.clients.settings.rules("components")
    everything = await call.clients.catalog.components(Scope(user_id, user_id), "", include_private=True)
    withheld: list[Json] = [
        name
        for name, manifest in everything
        if not access.allows_component(components, asked, name, is_private=manifest.get("private") is True)
    ]
    components_seen: dict[str, Json] = {"seen": len(everything) - len(withheld), "withheld": withheld}
    return answer(
        {
            "userId": user_id,
            "isActive": user["isActive"],
            "isAdministrator": asked.is_admin,
            "roles": list[Json](sorted(asked.roles)),
            "routes": _may(call, routes, asked),
            "components": components_seen,
        }
    )


def _may(call: Call, rules: Sequence[access.Rule], asked: Caller) -> list[Json]:
    """What the user may do with each thing that routes are about."""
    actions: dict[str, set[str]] = {}
    for route in call.gateway.table:
        if route.policy is Policy.ADMIN and not asked.is_admin:
            continue
        actions.setdefault(access.resource_of(route.path), set()).add(access.ACTIONS[route.method])
    return [
        {
            "resource": resource,
            "may": [each for each in sorted(there) if access.allows(rules, asked, resource, each)],
            "mayNot": [each for each in sorted(there) if not access.allows(rules, asked, resource, each)],
        }
        for resource, there in sorted(actions.items())
    ]


def _objects(value: Json) -> list[dict[str, Json]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


_A_USER = Caller("", frozenset({"user"}), "")
_TALLY: dict[str, Schema] = {"runs": WHOLE, "failed": WHOLE, "steps": WHOLE}
_NUMBER: Schema = {"type": ["number", "null"]}
_OVERVIEW = an_object(
    {
        "minutesLookedAt": WHOLE,
        "flows": an_object({"total": WHOLE, "running": WHOLE}),
        "users": WHOLE,
        "open": an_object({"ready": WHOLE, "running": WHOLE, "waiting": WHOLE}),
        "unprocessed": WHOLE,
        "inDoubt": WHOLE,
        "minutes": array_of(an_object({"at": TEXT, **_TALLY})),
        "tenants": array_of(an_object({"userId": TEXT, "user": {"type": ["string", "null"]}, **_TALLY})),
        "p50Seconds": _NUMBER,
        "p95Seconds": _NUMBER,
        "lookedAt": WHOLE,
    },
    required=("flows", "users", "open", "unprocessed", "inDoubt"),
)
_PROCESS = an_object(
    {
        "service": TEXT,
        "place": TEXT,
        "state": {"type": "string", "enum": ["serving", "held", "away"]},
        "error": TEXT,
        "instanceId": TEXT,
        "host": TEXT,
        "pid": WHOLE,
        "version": TEXT,
        "started": TEXT,
        "clockSkewSeconds": {"type": "number"},
        "answeredInMs": {"type": "number"},
        "canHold": YES_NO,
        "heldAt": {"type": ["string", "null"]},
        "heldBy": {"type": ["string", "null"]},
        "numbers": FREE_OBJECT,
        "findings": array_of(FREE_OBJECT),
    },
    required=("service", "place", "state"),
)
_SELF_TEST = an_object(
    {
        "at": TEXT,
        "isWell": YES_NO,
        "steps": array_of(an_object({"name": TEXT, "isWell": YES_NO, "said": TEXT, "tookMs": WHOLE})),
    },
    required=("at", "isWell", "steps"),
)
_ACCESS = an_object(
    {
        "userId": TEXT,
        "isActive": YES_NO,
        "isAdministrator": YES_NO,
        "roles": array_of(TEXT),
        "routes": array_of(an_object({"resource": TEXT, "may": array_of(TEXT), "mayNot": array_of(TEXT)})),
        "components": an_object({"seen": WHOLE, "withheld": array_of(TEXT)}),
    }
)

ROUTES = (
    Route(
        method="GET",
        path="/system/overview",
        handler=overview,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="How the platform goes",
        description=(
            "What is open now, and what came of the runs that began in the last minutes: at most the newest 20,000 are "
            "looked at. `tenants` are those whose runs took most steps."
        ),
        parameters=(Parameter("minutes", "How far to look back.", {"type": "integer", "default": 60}),),
        answers=(Answer(200, "How it goes.", _OVERVIEW),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/processes",
        handler=list_processes,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="List the processes of all services",
        description=(
            "Each replica that the gateway can find, and the gateway itself: `findings` say what it finds of the "
            "servers behind it. One that does not answer is `away`."
        ),
        answers=(Answer(200, "By service.", array_of(_PROCESS)),),
    ),
    Route(
        method="POST",
        path="/system/processes/{service}/{instance}",
        handler=hold_process,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="Drain a process, or let it work again",
        description=(
            "A drained executor begins no run: what it has begun goes on to its end, and other executors take what "
            "comes. Where it is the only one, events are still put on record, and runs wait. It stays drained over its "
            "restarts; `heldAt` and `heldBy` say since when, and by whom."
        ),
        request=an_object({"command": {"type": "string", "enum": ["drain", "resume"]}}, required=("command",)),
        answers=(Answer(200, "How it is now.", _PROCESS),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/system/self-test",
        handler=run_self_test,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="Try the whole platform",
        description=(
            "A flow of the administrator's is made, started, sent an event, answers, waits a moment, is found in the "
            "log and is taken away. Each step says what it proved, or what went wrong."
        ),
        answers=(Answer(200, "How it went.", _SELF_TEST),),
    ),
    Route(
        method="GET",
        path="/system/settings",
        handler=list_settings,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="List what the services are set to",
        description=(
            "By variable, with who reads it, where its value comes from and what may be written; secrets are hidden. "
            "`values` is there where processes differ."
        ),
        answers=(Answer(200, "All of them.", array_of(FREE_OBJECT)),),
    ),
    Route(
        method="GET",
        path="/system/diagnostics",
        handler=diagnostics,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="Download what helps to find a fault",
        description="Overview, processes with their settings, the last errors and acts; no secrets.",
        answers=(Answer(200, "One document.", FREE_OBJECT),),
    ),
    Route(
        method="GET",
        path="/system/connectors",
        handler=list_connectors,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="List the connectors of all vendors",
        answers=(Answer(200, "By name.", array_of(FREE_OBJECT)),),
    ),
    Route(
        method="GET",
        path="/system/connectors/{selector}/flows",
        handler=list_connector_users,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="List the flows that use a connector",
        description="Of all users, by the newest version of each: what an update or a removal would touch.",
        parameters=(Parameter("limit", "Flows to return at most.", {"type": "integer", "default": MOST_USERS}),),
        answers=(Answer(200, "By flow.", array_of(an_object({"flowId": TEXT, "userId": TEXT, "name": TEXT}))),),
        errors=(400,),
    ),
    Route(
        method="GET",
        path="/system/access",
        handler=explain_access,
        policy=Policy.ADMIN,
        tag="Platform",
        summary="What a user may do",
        description="By their roles and groups and the rules in force.",
        parameters=(Parameter("userId", "Who.", required=True),),
        answers=(Answer(200, "What they may do.", _ACCESS),),
        errors=(400, 404),
    ),
)
