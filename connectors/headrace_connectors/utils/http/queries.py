"""Values as query strings: the bracket notation that Node servers read, and the plain one for URLs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote, urlsplit, urlunsplit

from headrace_core import Json
from headrace_sdk import CancelError

MAX_DEPTH = 32


def encode(value: Json) -> str:
    """A form body: nested values get brackets, `{"a": {"b": [1]}}` becomes `a[b][0]=1` (percent-encoded)."""
    entries = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else [])
    return "&".join(pair for name, each in entries for pair in _pairs(str(name), each, 0))


def extend(url: str, parameters: Json) -> str:
    """The URL with more query parameters. Raises `CancelError` when they are no object."""
    if parameters is None:
        return url
    if not isinstance(parameters, dict):
        raise CancelError("The field body of a GET request must be a JSON object: it becomes the URL's query.")
    added = "&".join(pair for name, each in parameters.items() for pair in _parameter(name, each))
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, added) if part)
    return urlunsplit(parts._replace(query=query, fragment=""))


def _parameter(name: str, value: Json) -> Iterator[str]:
    if isinstance(value, list):
        for each in value:
            yield f"{quote(name, safe='')}[]={quote(text_of(each), safe='')}"
    elif value is not None:
        yield f"{quote(name, safe='')}={quote(text_of(value), safe='')}"


def _pairs(name: str, value: Json, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise CancelError(f"The field body is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _pairs(f"{name}[{key}]", each, depth + 1)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _pairs(f"{name}[{index}]", each, depth + 1)
    else:
        yield f"{quote(name, safe='')}={quote('' if value is None else text_of(value), safe='')}"


def text_of(value: Json) -> str:
    """A value as people write it: texts as they are, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
