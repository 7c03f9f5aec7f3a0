"""Reading the fields of the http nodes: URLs, headers and JSON texts."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote, urlsplit, urlunsplit

from headrace_core import Json
from headrace_sdk import CancelError


def checked_url(value: Json) -> str:
    """The URL, stripped. Raises `CancelError` when it is none that can be asked."""
    url = value.strip() if isinstance(value, str) else ""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise CancelError(f"The field url is no URL: {error}.") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise CancelError(f"The field url must begin with http:// or https:// and name a host, not {url[:200]!r}.")
    return url


def without_credentials(url: str) -> tuple[str, str]:
    """The URL without `user:password@`, and the Authorization header those make; "" when it has none."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    basic = base64.b64encode(unquote(user).encode()).decode("ascii")
    return urlunsplit(parts._replace(netloc=host)), f"Basic {basic}"


def read_headers(value: Json, field: str = "headers") -> dict[str, str]:
    """Headers given as an object or as its JSON text. Raises `CancelError` for anything else."""
    if isinstance(value, str):
        value = parsed(value, field) if value.strip() else None
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CancelError(f'The field {field} must be a JSON object such as {{"Accept": "text/plain"}}.')
    headers = {name.strip(): _header_text(each) for name, each in value.items() if each is not None}
    for name, text in headers.items():
        if not name or any(character in name + text for character in "\r\n\0"):
            raise CancelError(f"The header {name!r} in {field} holds a line break or has no name.")
    return headers


def parsed(text: str, field: str) -> Json:
    """The JSON value of a text. Raises `CancelError` that names the field."""
    try:
        return strict_json(text)
    except ValueError as error:
        raise CancelError(f"The field {field} is no JSON: {error}.") from error


def strict_json(text: str) -> Json:
    """Like `json.loads`, but NaN and Infinity are no JSON. Raises `ValueError`."""
    try:
        return cast("Json", json.loads(text, parse_constant=_refuse_constant))  # loads gives nothing but Json
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def header(headers: Mapping[str, str], name: str) -> str | None:
    """The header of that name, in any case."""
    return next((text for each, text in headers.items() if each.lower() == name), None)


def _header_text(value: Json) -> str:
    if isinstance(value, str):
        return value.strip()
    return json.dumps(value)


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is no JSON")
