"""What the services say about themselves: one line a record, for machines or for people.

Every line names the request it belongs to. Secrets in scope are taken out by value before a line leaves the
process, wherever they turn up: in the message, in a field, in a traceback.
"""

import base64
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal, TextIO
from urllib.parse import quote

from headrace_core import Json, ids

Redact = Callable[[str], str]
"""Takes a text that is about to leave the process and gives back the one that may."""

HIDDEN = "***"

_SHORTEST_SECRET = 4  # Shorter ones would blacken ordinary words.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}

request_id: ContextVar[str] = ContextVar("headrace_request_id", default="")
"""The request that is being worked on; "" outside of one."""

_secrets: ContextVar[tuple[str, ...]] = ContextVar("headrace_secrets", default=())


def accept_request_id(offered: str) -> str:
    """The request id a caller offers, when it is one we can pass on safely; else a fresh one."""
    return offered if _REQUEST_ID.fullmatch(offered) else ids.new_id()


def ensure_request_id() -> str:
    """The id of the request that is being worked on, or a fresh one outside of any."""
    return request_id.get() or ids.new_id()


@contextmanager
def working_on(request: str) -> Iterator[str]:
    """Name the request that the block works on, in its log lines and in the calls that it makes."""
    token = request_id.set(request)
    try:
        yield request
    finally:
        request_id.reset(token)


@contextmanager
def hiding(*secrets: str) -> Iterator[None]:
    """Keep these values out of every log line that the block, and tasks it starts, write.

    Each is hidden as it is, URL-quoted, JSON-escaped and in base64. Values of fewer than four characters are not
    hidden: they would blacken ordinary words.
    """
    hidden = {spelling for secret in secrets if len(secret) >= _SHORTEST_SECRET for spelling in spellings(secret)}
    token = _secrets.set((*_secrets.get(), *sorted(hidden, key=len, reverse=True)))
    try:
        yield
    finally:
        _secrets.reset(token)


def redact(text: str) -> str:
    """The text without the secrets in scope."""
    for secret in _secrets.get():
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def setup(
    *,
    level: str = "INFO",
    style: Literal["json", "console"] = "json",
    service: str = "",
    redact: Redact = redact,
    stream: TextIO | None = None,
) -> None:
    """Send the log of the whole process to `stream` (standard error). A second call replaces the first."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(service, redact) if style == "json" else ConsoleLines(redact))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())


class JsonLines(logging.Formatter):
    """One JSON object a line: at, level, logger, message, service, requestId, what was given as `extra`, exception."""

    def __init__(self, service: str = "", redact: Redact = redact) -> None:
        super().__init__()
        self._service = service
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Json] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if self._service:
            line["service"] = self._service
        if request_id.get():
            line["requestId"] = request_id.get()
        line.update({name: _plain(value) for name, value in _extras(record).items() if name not in line})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(_cleaned(line, self._redact), ensure_ascii=False)


class ConsoleLines(logging.Formatter):
    """A line for people: time, level, logger, message, then fields. Control characters cannot reach the terminal."""

    def __init__(self, redact: Redact = redact) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = {"requestId": request_id.get()} if request_id.get() else {}
        fields.update({name: str(value) for name, value in _extras(record).items()})
        tail = "".join(f" {name}={value}" for name, value in fields.items())
        said = f"{record.getMessage()}{tail}".replace("\n", "\\n")
        line = f"{at} {record.levelname:<7} {record.name}: {said}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return self._redact(line).translate(_CONTROL)


def spellings(secret: str) -> set[str]:
    """How a secret may be written: as it is, URL-quoted, JSON-escaped, in base64."""
    encoded = secret.encode("utf-8", "surrogatepass")
    return {
        secret,
        quote(encoded, safe=""),
        json.dumps(secret)[1:-1],
        base64.b64encode(encoded).decode("ascii").rstrip("="),
        base64.urlsafe_b64encode(encoded).decode("ascii").rstrip("="),
    }


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _OWN_FIELDS}


def _plain(value: object) -> Json:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, dict):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value)


def _cleaned(value: Json, redact: Redact) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {redact(name): _cleaned(each, redact) for name, each in value.items()}
    if isinstance(value, list):
        return [_cleaned(each, redact) for each in value]
    return value
