"""What flows hand to each other: named, typed values, and the note a flow leaves about them.

A flow that can be called leaves its fields in the state of the service, so that callers can show them as a form.
"""

from __future__ import annotations

from collections.abc import Sequence

from headrace_core import Json
from headrace_sdk import Context, JsonObject
from headrace_sdk.errors import CancelError
from headrace_sdk.reading import as_flag, as_list, as_number, as_object, parse_json

_INPUT_TYPES = {"string": "text", "number": "number", "boolean": "toggle"}


def input_key(flow_id: str, node_id: str) -> str:
    """Where an OnFlowCall leaves its fields."""
    return f"subflow input {flow_id} {node_id}"


def output_key(flow_id: str) -> str:
    """Where the FlowCallOutput of a flow leaves its fields."""
    return f"subflow output {flow_id}"


async def leave(context: Context, key: str, fields: Sequence[JsonObject]) -> None:
    """Leave the fields for callers. Leaving them again replaces them."""
    kept: list[Json] = [{"name": field.get("name"), "type": field.get("type")} for field in fields]
    await context.service_state.set(key, kept)


async def left(context: Context, key: str) -> list[JsonObject]:
    """The fields that were left there; none when the flow was never opened or started."""
    return [as_object(field) for field in as_list(await context.service_state.get(key))]


def options(prefix: str, fields: Sequence[JsonObject]) -> list[Json]:
    """The fields as variables for later steps."""
    return [
        {"label": field.get("name"), "value": f"{prefix}.{field.get('name')}", "schema": {"type": field.get("type")}}
        for field in fields
    ]


def form_field(field: JsonObject, index: int) -> JsonObject:
    """The field as a part of a form."""
    kind = _INPUT_TYPES.get(str(field.get("type")), "text")
    return {"type": kind, "label": field.get("name"), "group": "input", "index": index}


def named_values(fields: Sequence[JsonObject]) -> JsonObject:
    """The rows of a form as one object, each value in the type it claims where it can be read so."""
    return {str(field["name"]): _typed(field) for field in fields if field.get("name") and "value" in field}


def _typed(field: JsonObject) -> Json:
    value = field["value"]
    if not isinstance(value, str):
        return value
    match field.get("type"):
        case "number":
            number = as_number(value)
            return value if number is None else number
        case "boolean":
            return as_flag(value)
        case "object" | "array":
            return _parsed(value)
        case _:
            return value


def _parsed(text: str) -> Json:
    try:
        return parse_json(text, "The value")
    except CancelError:
        return text
