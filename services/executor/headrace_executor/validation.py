"""Inputs and the schemas of their in-ports: what is made to fit, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence

import orjson
from headrace_core.errors import Problem
from headrace_core.expressions import Json
from headrace_sdk.errors import ComponentError


class InputRefused(ComponentError):
    """The content does not fit the in-port's schema; trying again would not help. Details name each field."""

    code = "GRID_ERR_VAL_PORTS"
    is_temporary = False

    def __init__(self, node_id: str, port: str, problems: Sequence[Problem]) -> None:
        details: list[Json] = [{"field": problem.where, "message": problem.message} for problem in problems]
        words = "; ".join(f"{problem.where}: {problem.message}" for problem in problems[:5])
        super().__init__(f"The message does not fit in-port {port} of component {node_id}: {words}", data=details)


def fit(schema: Json, content: Json) -> Json:
    """The content with fields written as the schema wants them: flows bind lists to text fields and texts to numbers.

    Text is made of anything as JSON writes it; a number, true or false of a text that is exactly that. Only fields
    that the schema names at its top are touched, and `content` itself is not changed.
    """
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(content, dict) or not isinstance(properties, dict):
        return content
    fitted = dict(content)
    for name, wanted in properties.items():
        if name in fitted and isinstance(wanted, dict):
            fitted[name] = _as_type(wanted.get("type"), fitted[name])
    return fitted


def _as_type(wanted: Json, value: Json) -> Json:
    match wanted:
        case "string" if value is not None and not isinstance(value, str):
            return orjson.dumps(value).decode()
        case "number" | "integer" if isinstance(value, str):
            return _number(value)
        case "boolean" if value in ("true", "false"):
            return value == "true"
        case _:
            return value


def _number(text: str) -> Json:
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
