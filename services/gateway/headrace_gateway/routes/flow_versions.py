"""Versions of a flow: every descriptor that was saved, what people call them, and what lies between two."""

import asyncio

from headrace_core import Json
from headrace_core.differences import ABSENT, Difference, FieldChange, difference
from headrace_core.flow import Node, parse_descriptor
from headrace_core.graph import Link
from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.revisions import IF_MATCH, etag_of, expected_revision
from headrace_gateway.routing import Answer, Parameter, Policy, Route
from headrace_gateway.schemas import (
    ALL_TENANTS,
    ANYTHING,
    PAGE_PARAMETERS,
    PROJECTION,
    TEXT,
    WHOLE,
    YES_NO,
    an_object,
    array_of,
    ref,
)


async def list_versions(call: Call) -> Response:
    offset = call.number("offset", 0)
    limit = call.number("limit", 100, minimum=1, maximum=1000)
    versions, total = await call.clients.flows.versions(call.reading_scope, call.value("id"), offset, limit)
    shown = queries.projection(call.parameters)
    return answer({"items": [shown.apply(each) for each in versions], "totalCount": total})


async def get_version(call: Call) -> Response:
    found = await call.clients.flows.version(call.reading_scope, call.value("id"), _number(call, "version"))
    return answer(queries.projection(call.parameters).apply(found))


async def label_newest(call: Call) -> Response:
    label = str((await call.object())["label"])
    labelled = await call.clients.flows.label(call.scope, call.value("id"), 0, label, only_if_unlabelled=True)
    return answer(_labelled(labelled))


async def label_version(call: Call) -> Response:
    label = str((await call.object())["label"])
    version = _number(call, "version")
    return answer(_labelled(await call.clients.flows.label(call.scope, call.value("id"), version, label)))


async def restore_version(call: Call) -> Response:
    flow = await call.clients.flows.restore(
        call.scope,
        call.value("id"),
        _number(call, "version"),
        force=call.flag("forceUpdate"),
        expected_revision=expected_revision(call),
    )
    return answer({"flowId": flow["flowId"], "version": flow["version"]}, headers=etag_of(flow))


async def compare_versions(call: Call) -> Response:
    return await _compared(call, _number(call, "version"), _number(call, "other"))


async def compare_named_versions(call: Call) -> Response:
    to = call.text("to")
    return await _compared(call, _whole("from", call.text("from")), _whole("to", to) if to else NEWEST)


async def _compared(call: Call, *numbers: int) -> Response:
    flows, flow_id = call.clients.flows, call.value("id")
    before, after = [await flows.version(call.reading_scope, flow_id, each) for each in numbers]
    # Descriptors may be large: they are read beside the event loop.
    found = await asyncio.to_thread(
        lambda: difference(parse_descriptor(before["flow"]), parse_descriptor(after["flow"]))
    )
    return answer({"flowId": flow_id, "from": before["version"], "to": after["version"], **_difference(found)})


async def migrate_runs(call: Call) -> Response:
    given = await call.object_or_empty()
    flow = await call.clients.flows.get(call.scope, call.value("id"))  # runs are moved by the flow's owner
    wanted, named = given.get("version"), given.get("runIds")
    version = wanted if isinstance(wanted, int) else flow["version"]
    dry_run = given.get("dryRun") is True
    runs, total = await call.clients.executions.migrate(
        call.scope,
        str(flow["flowId"]),
        version if isinstance(version, int) else 0,
        run_ids=[str(each) for each in named] if isinstance(named, list) else [],
        dry_run=dry_run,
        offset=call.number("offset", 0),
        limit=call.number("limit", 100, minimum=1, maximum=MAX_MIGRATED),
    )
    return answer({"version": version, "dryRun": dry_run, "runs": [*runs], "totalCount": total})


def _number(call: Call, name: str) -> int:
    """The number of a version in the path. Raises ValidationFailed."""
    return _whole(name, call.value(name))


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) <= 15 and int(text) > 0):
        raise one_problem(name, f"{text[:40]!r} is no version of a flow.", "Versions are counted from 1.")
    return int(text)


def _labelled(version: dict[str, Json]) -> dict[str, Json]:
    return {name: version[name] for name in ("flowId", "version", "label", "btime")}


def _difference(found: Difference) -> dict[str, Json]:
    return {
        "isSame": found.is_empty,
        "onlyMoves": found.only_moves,
        "components": {
            "added": [_node(node) for node in found.added],
            "removed": [_node(node) for node in found.removed],
            "changed": [
                {**_node(change.node), "fields": [_field(field) for field in change.fields]} for change in found.changed
            ],
        },
        "links": {
            "added": [_link(link) for link in found.links_added],
            "removed": [_link(link) for link in found.links_removed],
        },
        "moved": [
            {"componentId": move.node.id, "from": _place(*move.before), "to": _place(*move.after)}
            for move in found.moved
        ],
    }


def _node(node: Node) -> dict[str, Json]:
    return {"componentId": node.id, "type": node.type, "label": node.label}


def _field(field: FieldChange) -> dict[str, Json]:
    """A field that is not there on one side has no value there: null is a value."""
    said: dict[str, Json] = {"path": list(field.path)}
    if field.before is not ABSENT:
        said["from"] = field.before
    if field.after is not ABSENT:
        said["to"] = field.after
    return said


def _link(link: Link) -> dict[str, Json]:
    return {
        "sourceComponentId": link.source,
        "outPort": link.out_port,
        "componentId": link.target,
        "inPort": link.in_port,
    }


def _place(x: float, y: float) -> dict[str, Json]:
    return {"x": x, "y": y}


MAX_MIGRATED = 200
NEWEST = 0
"""What stands for the newest version where one is asked for by number."""

_LABEL = an_object({"label": {"type": "string", "maxLength": 200}}, required=("label",))
_NEW_LABEL = an_object({"label": {"type": "string", "minLength": 1, "maxLength": 200}}, required=("label",))
_LABELLED = an_object({"flowId": TEXT, "version": WHOLE, "label": TEXT}, required=("version", "label"))
_NODE = an_object({"componentId": TEXT, "type": TEXT, "label": TEXT}, required=("componentId", "type"))
_NODE_FIELDS = an_object(
    {
        "componentId": TEXT,
        "type": TEXT,
        "label": TEXT,
        "fields": array_of(an_object({"path": array_of(TEXT), "from": ANYTHING, "to": ANYTHING}, required=("path",))),
    }
)
_LINK = an_object({"sourceComponentId": TEXT, "outPort": TEXT, "componentId": TEXT, "inPort": TEXT})
_PLACE = an_object({"x": {"type": "number"}, "y": {"type": "number"}})
_DIFFERENCE = an_object(
    {
        "flowId": TEXT,
        "from": WHOLE,
        "to": WHOLE,
        "isSame": YES_NO,
        "onlyMoves": YES_NO,
        "components": an_object(
            {"added": array_of(_NODE), "removed": array_of(_NODE), "changed": array_of(_NODE_FIELDS)}
        ),
        "links": an_object({"added": array_of(_LINK), "removed": array_of(_LINK)}),
        "moved": array_of(an_object({"componentId": TEXT, "from": _PLACE, "to": _PLACE})),
    },
    required=("from", "to", "isSame", "onlyMoves", "components", "links", "moved"),
)

ROUTES = (
    Route(
        method="GET",
        path="/flows/{id}/versions",
        handler=list_versions,
        policy=Policy.USER,
        tag="Flow versions",
        summary="List the versions of a flow",
        parameters=(*PAGE_PARAMETERS, PROJECTION, ALL_TENANTS),
        answers=(
            Answer(
                200,
                "A page, newest first.",
                an_object({"items": array_of(ref("FlowVersion")), "totalCount": WHOLE}),
            ),
        ),
        errors=(400, 403, 404),
    ),
    Route(
        method="POST",
        path="/flows/{id}/versions",
        handler=label_newest,
        policy=Policy.USER,
        tag="Flow versions",
        summary="Label the newest version",
        description=(
            "Every saved change of the descriptor is a version already; this gives the newest one a name. One that has "
            "another name is refused: rename it by its number, or change the flow first."
        ),
        request=_NEW_LABEL,
        answers=(Answer(200, "Labelled.", _LABELLED),),
        errors=(400, 404, 409),
    ),
    Route(
        method="GET",
        path="/flows/{id}/versions/{version}",
        handler=get_version,
        policy=Policy.USER,
        tag="Flow versions",
        summary="Read a version",
        parameters=(PROJECTION, ALL_TENANTS),
        answers=(Answer(200, "The version.", ref("FlowVersion")),),
        errors=(400, 403, 404),
    ),
    Route(
        method="PUT",
        path="/flows/{id}/versions/{version}",
        handler=label_version,
        policy=Policy.USER,
        tag="Flow versions",
        summary="Label a version",
        description="The flow, its ETag and what runs stay as they are. An empty label takes the label away.",
        request=_LABEL,
        answers=(Answer(200, "Labelled.", _LABELLED),),
        errors=(400, 404),
    ),
    Route(
        method="POST",
        path="/flows/{id}/versions/{version}/restore",
        handler=restore_version,
        policy=Policy.USER,
        tag="Flow versions",
        summary="Make an older version the newest",
        description=(
            "Its descriptor is saved as a new version, so that nothing between is lost. A running flow changes only "
            "with forceUpdate=true: new runs then take the new version."
        ),
        parameters=(Parameter("forceUpdate", "true changes a running flow.", YES_NO), IF_MATCH),
        answers=(Answer(200, "Restored.", an_object({"flowId": TEXT, "version": WHOLE}, required=("version",))),),
        errors=(400, 404, 409),
    ),
    Route(
        method="POST",
        path="/flows/{id}/migrate",
        handler=migrate_runs,
        policy=Policy.USER,
        tag="Flow versions",
        summary="Let waiting runs go on with another version",
        description=(
            "Runs finish with the version they began with. This moves those that wait to the newest version, or to the "
            "one that is named, where what they did means the same there; each that stays says why. With dryRun "
            "nothing moves, and `moved` says what would. Without runIds a page of the waiting runs is looked at."
        ),
        parameters=(
            PAGE_PARAMETERS[0],
            Parameter(
                "limit",
                "Runs to look at, where none are named.",
                {"type": "integer", "minimum": 1, "maximum": MAX_MIGRATED, "default": 100},
            ),
        ),
        request=an_object(
            {
                "version": {"type": "integer", "minimum": 1, "maximum": 10**15},
                "runIds": {"type": "array", "items": TEXT, "maxItems": MAX_MIGRATED},
                "dryRun": YES_NO,
            }
        ),
        answers=(
            Answer(
                200,
                "What became of each run.",
                an_object(
                    {
                        "version": WHOLE,
                        "dryRun": YES_NO,
                        "runs": array_of(
                            an_object(
                                {"runId": TEXT, "fromVersion": WHOLE, "moved": YES_NO, "reasons": array_of(TEXT)},
                                required=("runId", "moved", "reasons"),
                            )
                        ),
                        "totalCount": WHOLE,
                    },
                    required=("version", "runs", "totalCount"),
                ),
            ),
        ),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/flows/{id}/versions/{version}/diff/{other}",
        handler=compare_versions,
        policy=Policy.USER,
        tag="Flow versions",
        summary="What lies between two versions",
        description=(
            "Components, their fields by path, and links; places on the canvas apart, since they mean nothing to a "
            "run. A field that is missing on one side has no `from` or no `to`."
        ),
        parameters=(ALL_TENANTS,),
        answers=(Answer(200, "The difference.", _DIFFERENCE),),
        errors=(400, 403, 404),
    ),
    Route(
        method="GET",
        path="/flows/{id}/versions/diff",
        handler=compare_named_versions,
        policy=Policy.USER,
        tag="Flow versions",
        summary="What lies between two versions, by query",
        description="The same as GET /flows/{id}/versions/{version}/diff/{other}; without `to` up to the newest.",
        parameters=(
            Parameter("from", "The older version.", {"type": "integer", "minimum": 1}, required=True),
            Parameter("to", "The newer version; the newest where it is left out.", {"type": "integer", "minimum": 1}),
            ALL_TENANTS,
        ),
        answers=(Answer(200, "The difference.", _DIFFERENCE),),
        errors=(400, 403, 404),
    ),
)
