"""Runtime expressions of OpenAPI 3, as far as they speak of a response: its body by pointer, its headers by name."""

from __future__ import annotations

import re

from headrace_core import Json
from headrace_sdk import CancelError, JsonObject

from headrace_connectors.utils.http import queries

EXPRESSION = re.compile(r"\{\$response\.(?:body#(?P<pointer>[^{}]*)|header\.(?P<header>[^{}]*))\}")


def fill(template: str, response: JsonObject) -> str:
    """Replace `{$response.body#/pointer}` and `{$response.header.name}` by what `response` (data, headers) holds.

    Raises `CancelError` for a pointer that leads nowhere and a header that did not come.
    """

    def value(match: re.Match[str]) -> str:
        if match["pointer"] is not None:
            return queries.text_of(resolve(response.get("data"), match["pointer"]))
        headers = response.get("headers")
        found = headers.get(match["header"].lower()) if isinstance(headers, dict) else None
        if found is None:
            raise CancelError(f"The answer to the registration has no header {match['header']!r}.")
        return queries.text_of(found)

    return EXPRESSION.sub(value, template)


def resolve(document: Json, pointer: str) -> Json:
    """The value at a JSON pointer (RFC 6901). Raises `CancelError` when there is none."""
    value = document
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isascii() and name.isdigit() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise CancelError(f"The answer to the registration has nothing at {pointer!r}.")
    return value
