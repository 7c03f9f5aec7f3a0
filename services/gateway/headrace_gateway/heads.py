"""The head of a request: limits, look-ups, and the id that it goes by."""

import re
from collections.abc import Iterable
from secrets import token_hex

from starlette.types import Scope

from headrace_gateway.errors import HeadTooLarge

MAX_HEADERS = 100
MAX_HEAD_BYTES = 32 * 1024
MAX_TARGET_BYTES = 16 * 1024

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")

SECURITY_HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
]


def check_head(scope: Scope) -> None:
    """Refuse a head that is too long. Raises HeadTooLarge."""
    headers = scope["headers"]
    if len(headers) > MAX_HEADERS:
        raise HeadTooLarge(f"A request has at most {MAX_HEADERS} headers; this one has {len(headers)}.")
    size = 0
    for name, value in headers:
        size += len(name) + len(value)
    if size > MAX_HEAD_BYTES:
        raise HeadTooLarge(f"Headers take at most {MAX_HEAD_BYTES} bytes; these take {size}.")
    target = len(scope["raw_path"]) + len(scope["query_string"])
    if target > MAX_TARGET_BYTES:
        raise HeadTooLarge(f"Path and query take at most {MAX_TARGET_BYTES} bytes; these take {target}.")


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of this lower-case name."""
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


def text_header(scope: Scope, name: bytes) -> str:
    """The first header of this name as text; empty when there is none."""
    return (header(scope, name) or b"").decode("latin-1").strip()


def request_id_of(scope: Scope) -> str:
    """The id the caller gave where it is harmless to repeat, else a fresh one."""
    given = header(scope, b"x-request-id")
    if given is not None and _REQUEST_ID.match(given):
        return given.decode("ascii")
    return token_hex(12)


def header_texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """All headers by lower-case name; those that come several times are joined by a comma."""
    texts: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        texts[key] = f"{texts[key]}, {text}" if key in texts else text
    return texts
