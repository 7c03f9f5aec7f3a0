"""Multipart forms, made of the entries of a form-data node."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject

from headrace_connectors.utils.http import queries

MAX_PARTS = 1000
MAX_FORM_BYTES = 64 * 1024 * 1024
PLAIN_KINDS = ("text", "date-time", "number", "toggle")


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart body and the content type that names its boundary."""

    content: bytes
    content_type: str


async def encode(context: Context, entries: Json) -> Form:
    """Encode `{"ADD": [{"name", "type", <type>: value}]}`; files are read from the file store.

    The boundary comes from the step's key, so that a repeated step sends the same bytes.
    Raises `CancelError` for an entry without a name, an unknown type or a form that is too large.
    """
    added = entries.get("ADD") if isinstance(entries, dict) else None
    listed = added if isinstance(added, list) else []
    if len(listed) > MAX_PARTS:
        raise CancelError(f"The form has {len(listed)} fields; at most {MAX_PARTS} are sent.")
    parts: list[bytes] = []
    for entry in listed:
        parts.append(await _part(context, entry if isinstance(entry, dict) else {}))
        if sum(map(len, parts)) > MAX_FORM_BYTES:
            raise CancelError(f"The form is larger than {MAX_FORM_BYTES} bytes.")
    boundary = _boundary(context.idempotency_key, parts)
    content = b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary
    return Form(content, f"multipart/form-data; boundary={boundary.decode()}")


async def _part(context: Context, entry: JsonObject) -> bytes:
    name, kind = entry.get("name"), entry.get("type") or "text"
    if not isinstance(name, str) or not name:
        raise CancelError("Every form field needs a name.")
    value = entry.get(str(kind))
    if kind == "filepicker":
        if not isinstance(value, str) or not value:
            raise CancelError(f"The form field {name!r} names no file.")
        info = await context.files.info(value)
        head = f'name="{_escaped(name)}"; filename="{_escaped(info.filename)}"'
        return _head(head, info.content_type) + await context.files.load(value)
    if kind not in PLAIN_KINDS:
        raise CancelError(f"The form field {name!r} has the unknown type {kind!r}.")
    text = "" if value is None else queries.text_of(value)
    return _head(f'name="{_escaped(name)}"') + text.encode()


def _head(disposition: str, content_type: str = "") -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}"]
    if content_type and not any(character in content_type for character in "\r\n"):
        lines.append(f"Content-Type: {content_type}")
    return "\r\n".join([*lines, "", ""]).encode()


def _escaped(name: str) -> str:
    return name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _boundary(seed: str, parts: list[bytes]) -> bytes:
    boundary = hashlib.sha256(seed.encode()).hexdigest()[:32].encode()
    while any(boundary in part for part in parts):
        boundary = hashlib.sha256(boundary).hexdigest()[:32].encode()
    return boundary
