"""The basic path of a component that needs no account and no package: it is called once with the least valid input.

A trigger is started, looks for news or gets a call of its webhook, and is stopped; any other component gets a message.
What comes of it is right when it ends by itself, or with an error that a component may have: that it refuses the input,
or that a far side cannot be reached or refuses. It is wrong when the code meets something that is not there.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_core.ids import new_id
from headrace_core.manifest import Manifest, parse_manifest
from headrace_executor.ports import PublishedComponent
from headrace_executor.service import RunDetail
from headrace_sdk.context import JsonObject

from tests.executor.platform import TENANT, HandedFlows, Platform

WITHIN = 30.0
NODE = "own"
MISSED = frozenset({"TypeError", "ReferenceError", "SyntaxError", "Missing", "RunnerEnded"})
"""What code throws that met something else than it expects; where the input has too little, it may look the same."""

LACKS = re.compile(r"is not iterable|of (undefined|null)\b|undefined or null")
"""How a TypeError speaks of a value that is not there."""

HOOK: JsonObject = {"method": "POST", "data": {}, "query": {}, "headers": {}, "hostname": "localhost"}


def is_plain(files: Mapping[str, bytes], folder: str) -> bool:
    """Whether a component needs no account and none of the folders around it names a package."""
    if json.loads(files[f"{folder}/component.json"].decode("utf-8-sig")).get("auth"):
        return False
    parts = folder.split("/")
    around = ["/".join(parts[:size]) for size in range(2, len(parts) + 1)]
    described = [json.loads(files.get(f"{each}/package.json", b"{}").decode("utf-8-sig")) for each in around]
    return not any(each.get("dependencies") for each in described)


async def walk(here: Platform, flows: HandedFlows, published: PublishedComponent, verbs: frozenset[str]) -> str | None:
    """What was wrong; "" when nothing was, None when nothing would ever call it. It runs in a flow of its own."""
    manifest = parse_manifest(dict(published.manifest))
    calls = [*_calls(manifest, verbs)]
    if not calls:
        return None
    properties = least(manifest.properties_schema, manifest.properties_inspector)
    node: JsonObject = {"type": published.type, "source": {}, "config": {"properties": properties}}
    flow_id = new_id()
    flows.put(flow_id, {NODE: node}, components=[published])
    try:
        for port, content in calls:
            run_id, _ = await here.send(flow_id, NODE, content, port=port)
            if wrong := _wrong(await _ended(here, run_id), is_told=_is_told(manifest, port)):
                return f"{port}: {wrong}"
    except (HeadraceError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        del flows.sources[flow_id]
    return ""


async def _ended(here: Platform, run_id: str) -> RunDetail:
    """The run when it is over, or waits for what its component asked to be told later."""
    async with asyncio.timeout(WITHIN):
        while True:
            detail = await here.service.get_run(TENANT, run_id)
            if detail.run.state.is_over or any(each.kind != "retry" for _, each in detail.waits):
                return detail
            await asyncio.sleep(0.01)


def least(schema: Json, inspector: Mapping[str, Json]) -> JsonObject:
    """The least that a form asks for: what the schema or the form requires, with defaults where it names some."""
    fields = inspector.get("inputs")
    inputs: Mapping[str, Any] = fields if isinstance(fields, dict) else {}
    shape: Mapping[str, Any] = schema if isinstance(schema, dict) else {}
    described: Mapping[str, Any] = shape.get("properties") or {}
    required = {*(shape.get("required") or ()), *(name for name, each in inputs.items() if each.get("required"))}
    made: JsonObject = {}
    for name in dict.fromkeys([*described, *inputs]):
        given = inputs.get(name) or {}
        if "defaultValue" in given:
            made[name] = given["defaultValue"]
        elif name in required:
            made[name] = value_of(described.get(name) or _of_input(given))
    return made


def value_of(schema: Any) -> Json:
    """A value that a schema takes."""
    if not isinstance(schema, dict):
        return "a"
    for key in ("const", "default", "example"):
        if key in schema:
            return schema[key]  # type: ignore[no-any-return]  # JSON, as the schema is
    if schema.get("enum"):
        return schema["enum"][0]  # type: ignore[no-any-return]  # JSON, as the schema is
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return value_of(schema[key][0])
    kind = schema.get("type", "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            return least(schema, {})
        case "array":
            return [value_of(schema.get("items"))] * max(1, int(schema.get("minItems", 1)))
        case "integer" | "number":
            return max(1, schema.get("minimum", 1))  # type: ignore[no-any-return]  # JSON, as the schema is
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


def _text(schema: Mapping[str, Any]) -> str:
    known = {
        "date-time": "2026-01-02T03:04:05Z",
        "date": "2026-01-02",
        "email": "ann@example.com",
        "uri": "https://example.com/",
        "url": "https://example.com/",
        "uuid": "00000000-0000-4000-8000-000000000000",
    }
    return known.get(str(schema.get("format")), "a" * max(1, int(schema.get("minLength", 1))))


def _of_input(given: Mapping[str, Any]) -> JsonObject:
    """What a field of a form holds, where no schema says it."""
    options = [each.get("value") if isinstance(each, dict) else each for each in given.get("options") or ()]
    if options:
        return {"enum": options}
    kinds: Mapping[str, JsonObject] = {
        "number": {"type": "number"},
        "toggle": {"type": "boolean"},
        "multiselect": {"type": "array"},
        "date-time": {"type": "string", "format": "date-time"},
        "expression": {"type": "object"},
    }
    return dict(kinds.get(str(given.get("type")), {"type": "string"}))


def _calls(manifest: Manifest, verbs: frozenset[str]) -> Iterable[tuple[str, Json]]:
    """Ports that are fired one after the other, with what arrives there."""
    if "start" in verbs:
        yield "@start", None
    if "tick" in verbs:
        yield "tick", {}
    if "receive" in verbs and manifest.in_ports:
        port = manifest.in_ports[0]
        yield port.name, least(port.schema, port.inspector)
    elif "receive" in verbs and manifest.has_webhook:
        yield "webhook", HOOK
    if "stop" in verbs:
        yield "@stop", None


def _is_told(manifest: Manifest, port: str) -> bool:
    """Whether the manifest says what arrives there; where it does not, the least input is an empty one."""
    found = manifest.in_port(port)
    return found is None or found.schema is not None or bool(found.inspector)


def _wrong(detail: RunDetail, *, is_told: bool) -> str:
    for step in detail.steps:
        name, message = (str((step.error or {}).get(each, "")) for each in ("name", "message"))
        if name == "TypeError" and not is_told and LACKS.search(message):
            continue
        if name in MISSED or "is not available" in message:
            return f"{name}: {message}".splitlines()[0]
    return ""
