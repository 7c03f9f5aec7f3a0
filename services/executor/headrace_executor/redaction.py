"""What is shown of a run, without the secrets it was given.

A flow gets its event as it came; whatever leaves the executor to be read (steps, logs, live happenings, unprocessed
messages, errors) goes through here. Two rules, one after the other. By name: the values of headers that are known to
hold secrets are hidden wherever they stand. By value: what such a header of the event, or of the shown value itself,
held is hidden in every text, so that a copy under another name is hidden, too.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from typing import TypeVar, cast

import orjson
from headrace_core.expressions import Json
from headrace_runtime.logs import HIDDEN, spellings
from headrace_sdk.context import JsonObject

from headrace_executor.model import StepRecord, Unprocessed

LARGE_BYTES = 64 * 1024
"""More than that is hidden in a thread: a megabyte of small values takes a tenth of a second."""

SHORTEST_SECRET = 4
SHORTEST_PART = 8
"""Shorter pieces of a header would blacken ordinary words."""

T = TypeVar("T")
R = TypeVar("R")

KNOWN_HEADERS = ("authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key")
"""Hidden under these names in any object; the words below only in one that is called `headers`."""

_SECRET_HEADER = re.compile(
    r"(?:^|-)(?:authorization|cookie2?|auth|tokens?|secret|signature(?:-?\w+)?|password|passwd|credentials?"
    r"|api-?key|access-?key|hmac(?:-\w+)?|jwt|session(?:-?id)?)$"
)
_HINTS = (b"authorization", b"cookie", b"x-api-key", b"headers", b"bearer ", b"basic ")
"""JSON in which the first rule finds something holds one of these; most does not, and is not looked through."""

_IN_TEXT = re.compile(
    r"(\b(?:" + "|".join(KNOWN_HEADERS) + r")\\?[\"']?\s*[:=]\s*\\?[\"']?)"
    r"((?:(?:bearer|basic|digest|token)\s+)?[^\s\"'\\,;}]+)",
    re.I,
)
_SCHEME = re.compile(r"\b(bearer|basic)\s+(?=[A-Za-z._~+/=-]*\d)([A-Za-z0-9._~+/=-]{16,})", re.I)
SHORTEST_HINTED = len("cookie=x")
"""Shorter texts hold nothing that the two above find."""
_ShownStep = tuple[Json, list[Json], JsonObject | None, list[Json], JsonObject | None]
_PIECES = re.compile(r"[\s;,]+")


class Redaction:
    """Takes the secrets of one run out of what is shown of it."""

    __slots__ = ("_secrets",)

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets = sorted({each for secret in secrets for each in spellings(secret)}, key=len, reverse=True)

    @classmethod
    def of_event(cls, content: bytes) -> Redaction:
        """Hide what the headers of this event held."""
        return cls(_secrets_in(orjson.loads(content))) if _has_hint(content) else cls()

    def json(self, value: Json) -> Json:
        """The value as it may be shown; the same object when nothing of it is hidden."""
        packed = orjson.dumps(value, default=_nothing)
        if _has_hint(packed):
            return Redaction((*self._secrets, *_secrets_in(value)))._shown(value)
        return self._shown(value) if self._stands_in(packed.decode()) else value

    def text(self, text: str) -> str:
        """A text as it may be shown."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        if len(text) >= SHORTEST_HINTED and _is_hinted(text.lower()):
            text = _SCHEME.sub(rf"\1 {HIDDEN}", _IN_TEXT.sub(rf"\g<1>{HIDDEN}", text))
        return text

    def packed(self, content: bytes) -> bytes:
        """JSON as it may be shown."""
        value: Json = orjson.loads(content)
        shown = self.json(value)
        return content if shown is value else orjson.dumps(shown)

    def step(self, step: StepRecord) -> StepRecord:
        """A step as it may be shown."""
        contents: list[Json] = [content for _, _, content in step.outputs]
        error: Json = dict(step.error) if step.error is not None else None
        response: Json = dict(step.response) if step.response is not None else None
        whole: list[Json] = [step.input, contents, error, step.logs, response]
        shown = self.json(whole)
        if shown is whole:
            return step
        input_, contents, error, logs, response = cast("_ShownStep", shown)
        outputs = [(name, port, each) for (name, port, _), each in zip(step.outputs, contents, strict=True)]
        return replace(step, input=input_, outputs=outputs, error=error, logs=logs, response=response)

    def unprocessed(self, message: Unprocessed) -> Unprocessed:
        """A message that could not be processed, as it may be shown."""
        return replace(message, messages=self.packed(message.messages), error=self.packed(message.error))

    def _stands_in(self, packed: str) -> bool:
        return any(secret in packed for secret in self._secrets)

    def _shown(self, value: Json, *, are_headers: bool = False) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._shown(each) for each in value]
        if isinstance(value, dict):
            return {
                self.text(name): HIDDEN
                if _is_secret(name, are_headers=are_headers) and each not in (None, "")
                else self._shown(each, are_headers=name.lower() == "headers")
                for name, each in value.items()
            }
        return value


class Secrets:
    """Hides values that a step was given to act with, in whatever it did: nothing of it is written down with them."""

    __slots__ = ("_spelled",)

    def __init__(self, values: Iterable[str]) -> None:
        self._spelled = sorted({each for value in values for each in spellings(value)}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """A text without them."""
        for secret in self._spelled:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        return text

    def json(self, value: Json) -> Json:
        """A value without them; the same object when none is in it."""
        packed = orjson.dumps(value, default=_nothing).decode()
        return self._hidden(value) if any(secret in packed for secret in self._spelled) else value

    def packed(self, content: bytes) -> bytes:
        """JSON without them."""
        value: Json = orjson.loads(content)
        hidden = self.json(value)
        return content if hidden is value else orjson.dumps(hidden)

    def _hidden(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._hidden(each) for each in value]
        if isinstance(value, dict):
            return {self.text(name): self._hidden(each) for name, each in value.items()}
        return value


def secrets_of(event: Json) -> list[str]:
    """The secrets in the headers of a webhook's event, quick enough to ask for every run."""
    headers = event.get("headers") if isinstance(event, dict) else None
    if not isinstance(headers, dict):
        return []
    return [part for name, each in headers.items() if _is_secret_header(name) for part in _parts_of(each)]


def _secrets_in(value: Json, *, are_headers: bool = False) -> Iterator[str]:
    """Everything that stands under the name of a secret header."""
    if isinstance(value, list):
        for each in value:
            yield from _secrets_in(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if _is_secret(name, are_headers=are_headers):
                yield from _parts_of(each)
            else:
                yield from _secrets_in(each, are_headers=name.lower() == "headers")


def _is_secret(name: str, *, are_headers: bool) -> bool:
    return name.lower() in KNOWN_HEADERS or (are_headers and _is_secret_header(name))


@lru_cache(4096)
def _is_secret_header(name: str) -> bool:
    return _SECRET_HEADER.search(name.lower()) is not None


def _parts_of(value: Json) -> Iterator[str]:
    """A header's value and those of its pieces that are secrets of their own: a token without its scheme, the value
    of a cookie, the password of basic credentials."""
    if isinstance(value, list | dict):
        for each in value if isinstance(value, list) else value.values():
            yield from _parts_of(each)
    if not isinstance(value, str):
        return
    if len(value) >= SHORTEST_SECRET:
        yield value
    for piece in _PIECES.split(value):
        part = _after_name(piece)
        if len(part) >= SHORTEST_PART:
            yield part
    scheme, _, credentials = value.partition(" ")
    if scheme.lower() == "basic":
        password = _decoded(credentials).partition(":")[2]
        if len(password) >= SHORTEST_SECRET:
            yield password


def _after_name(piece: str) -> str:
    """`value` of `name=value`; all of a piece that only ends in the padding of base64."""
    _, _, rest = piece.partition("=")
    return rest.strip('"') if rest.strip("=") else piece


def _decoded(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def _has_hint(packed: bytes) -> bool:
    small = packed.lower()
    return any(hint in small for hint in _HINTS)


def _is_hinted(small: str) -> bool:
    """Whether a text in lower case holds what must be there where something is found; asked of every text."""
    return (
        "authorization" in small or "cookie" in small or "x-api-key" in small or "bearer" in small or "basic" in small
    )


def _nothing(value: object) -> None:
    """What is no JSON is written as null, as in the journal."""


async def aside(size: int, work: Callable[[T], R], given: T) -> R:
    """Do it where others are not held up: what is large in a thread, what is small between their turns."""
    if size > LARGE_BYTES:
        return await asyncio.to_thread(work, given)
    await asyncio.sleep(0)
    return work(given)
