"""The body of a request: read within limits of size and time, and parsed as what it says it is."""

import asyncio
from dataclasses import dataclass
from urllib.parse import parse_qsl

import orjson
from headrace_core import Json, errors
from headrace_runtime import garbage
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope

from headrace_gateway.errors import SlowRequest, UnsupportedMedia
from headrace_gateway.heads import header

MAX_FORM_FIELDS = 1000
JSON_DEPTH = 64
_CHARSETS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "latin1": "latin-1",
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """A body as data. `raw_json` holds its bytes where they are JSON already, so that no digit gets lost."""

    value: Json
    raw_json: bytes | None = None


async def read_body(scope: Scope, receive: Receive, limit_bytes: int, within_seconds: float) -> bytes:
    """The whole body.

    Raises TooLarge as soon as the limit is known to be passed, SlowRequest when the body is not there in time,
    and ClientDisconnect when the caller hangs up.
    """
    declared = header(scope, b"content-length")
    if declared is not None and declared.isdigit() and int(declared) > limit_bytes:
        raise too_large(limit_bytes)
    try:
        async with asyncio.timeout(within_seconds):
            return await _collect(receive, limit_bytes)
    except TimeoutError:
        raise SlowRequest("The body did not arrive in time. Send it again, faster.") from None


async def _collect(receive: Receive, limit_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit_bytes:
            raise too_large(limit_bytes)
        if not message.get("more_body", False):
            return bytes(body)


def too_large(limit_bytes: int) -> errors.TooLarge:
    return errors.TooLarge(f"The body takes at most {limit_bytes} bytes. Send less, or in parts.")


def parse_json(body: bytes, *, depth: int = JSON_DEPTH) -> Json:
    """The JSON value in `body`. Raises BadRequest when it is not JSON or nests deeper than `depth`."""
    try:
        with garbage.held_off():
            value: Json = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.BadRequest(f"The body is not valid JSON: {error}.") from None
    # Counting brackets is cheap; only a body that could be too deep is walked.
    if body.count(b"[") + body.count(b"{") > depth and deeper_than(value, depth):
        raise errors.BadRequest(f"JSON may nest {depth} levels; this body nests deeper.")
    return value


def deeper_than(value: Json, depth: int) -> bool:
    """Whether a value nests deeper than so many levels."""
    level: list[Json] = [value]
    for _ in range(depth):
        deeper: list[Json] = []
        for each in level:
            if isinstance(each, dict):
                deeper.extend(each.values())
            elif isinstance(each, list):
                deeper.extend(each)
        if not deeper:
            return False
        level = deeper
    return any(isinstance(each, (dict, list)) for each in level)


def media_type(content_type: str) -> str:
    """The bare media type, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def is_json(media: str) -> bool:
    return media in {"application/json", "text/json"} or media.endswith("+json")


def parse_body(body: bytes, content_type: str) -> Parsed:
    """The body as the data it says it is: JSON, a form or text; null when there is none.

    A body without a content type is JSON where it reads as JSON, else text. What comes of it is always plain
    data. Raises BadRequest for malformed content and UnsupportedMedia for what cannot be data.
    """
    if not body:
        return Parsed(None)
    media = media_type(content_type)
    if is_json(media):
        return Parsed(parse_json(body), body)
    if media == "application/x-www-form-urlencoded":
        return Parsed(parse_form(body))
    if media.startswith("multipart/"):
        raise UnsupportedMedia("This endpoint reads JSON, forms and text. Files go to POST /files.")
    if not media and body.lstrip()[:1] in (b"{", b"["):
        return Parsed(parse_json(body), body)
    return Parsed(_text(body, content_type))


def parse_form(body: bytes) -> dict[str, Json]:
    """The fields of a form or query; a name that comes several times has a list. Raises BadRequest."""
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MAX_FORM_FIELDS)
    except ValueError:
        raise errors.BadRequest(f"A form is UTF-8 with at most {MAX_FORM_FIELDS} fields.") from None
    fields: dict[str, Json] = {}
    for name, value in pairs:
        before = fields.get(name)
        if before is None:
            fields[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            fields[name] = [before, value]
    return fields


def _text(body: bytes, content_type: str) -> str:
    charset = content_type.lower().partition("charset=")[2].split(";")[0].strip(" \"'")
    encoding = _CHARSETS.get(charset or "utf-8")
    if encoding is None:
        raise UnsupportedMedia("Text comes as UTF-8 or ISO-8859-1.")
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        raise UnsupportedMedia(
            f"The body is no {encoding} text. Send JSON, a form or text; files go to POST /files."
        ) from None
