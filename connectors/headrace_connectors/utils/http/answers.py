"""What a server answered, as a message or as an error."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import timedelta
from email.message import Message as MailMessage
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from headrace_core import Json
from headrace_sdk import CancelError, HttpResponse, HttpStatusError, JsonObject, RateLimitedError

from headrace_connectors.utils.http.fields import strict_json

MAX_BODY_BYTES = 10 * 1024 * 1024
MAX_ERROR_TEXT = 2000
MASK = "***"
SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})

Encoding: TypeAlias = str
"""ascii, utf8, utf16le, base64, latin1, binary or hex."""


def body_of(answer: HttpResponse, encoding: Encoding) -> Json:
    """The body as text in that encoding, or as the JSON value it reads as."""
    if len(answer.content) > MAX_BODY_BYTES:
        raise CancelError(f"The answer has {len(answer.content)} bytes; at most {MAX_BODY_BYTES} fit into a message.")
    if encoding == "base64":
        return base64.b64encode(answer.content).decode("ascii")
    if encoding == "hex":
        return answer.content.hex()
    text = _text(answer.content, encoding)
    try:
        return strict_json(text)
    except ValueError:
        return text


def headers_of(answer: HttpResponse) -> JsonObject:
    """Headers by small name. The content type is taken apart, cookies are a list, others are joined."""
    headers: JsonObject = {}
    for name, text in answer.headers:
        name = name.lower()
        former = headers.get(name)
        if name == "set-cookie":
            headers[name] = [*(former if isinstance(former, list) else []), text]
        else:
            headers[name] = text if former is None else f"{former}, {text}"
    headers["content-type"] = content_type(answer.header("content-type"))
    return headers


def content_type(text: str) -> JsonObject:
    """`text/html; charset=utf-8` as {"type": "text/html", "parameters": {"charset": "utf-8"}}."""
    if not text:
        return {}
    mail = MailMessage()
    mail["content-type"] = text
    (kind, _), *parameters = mail.get_params([("", "")])
    return {"type": kind.lower(), "parameters": {name.lower(): value for name, value in parameters}}


def failure(answer: HttpResponse, encoding: Encoding = "utf8") -> HttpStatusError | RateLimitedError:
    """The error an answer outside 2xx stands for; it carries the beginning of the body."""
    text = _text(answer.content[: MAX_ERROR_TEXT * 4], "utf8" if encoding in ("base64", "hex") else encoding)
    said = _said(answer)
    reason = f"The server answered with status {answer.status}" + (f": {said}" if said else ".")
    data: JsonObject = {"statusCode": answer.status, "headers": headers_of(answer), "body": text[:MAX_ERROR_TEXT]}
    if answer.status == 429:
        return RateLimitedError(reason, retry_after=_retry_after(answer), data=data)
    return HttpStatusError(answer.status, reason, data=data)


def _said(answer: HttpResponse) -> str:
    try:
        body = strict_json(answer.text[: MAX_ERROR_TEXT * 4])
    except ValueError:
        return ""
    said = body.get("message") if isinstance(body, dict) else None
    return said[:500] if isinstance(said, str) else ""


def _retry_after(answer: HttpResponse) -> timedelta | None:
    text = answer.header("retry-after").strip()
    return timedelta(seconds=min(int(text), 86_400)) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _text(content: bytes, encoding: Encoding) -> str:
    if encoding == "ascii":
        return bytes(byte & 0x7F for byte in content).decode("ascii")
    if encoding in ("latin1", "binary"):
        return content.decode("latin-1")
    return content.decode("utf-16-le" if encoding == "utf16le" else "utf-8-sig", "replace")


def request_of(method: str, url: str, headers: Mapping[str, str]) -> JsonObject:
    """The request as the message tells of it, without its secrets."""
    shown: JsonObject = {name: MASK if name.lower() in SECRET_HEADERS else text for name, text in headers.items()}
    return {"uri": _uri(urlsplit(url)), "method": method.lower(), "headers": shown}


def _uri(parts: SplitResult) -> JsonObject:
    path = parts.path or "/"
    query = f"?{parts.query}" if parts.query else None
    host = parts.netloc.rpartition("@")[2]
    fragment = f"#{parts.fragment}" if parts.fragment else None
    port = parts.port
    return {
        "protocol": f"{parts.scheme}:",
        "slashes": True,
        "host": host,
        "hostname": parts.hostname,
        "port": None if port is None else str(port),
        "hash": fragment,
        "search": query,
        "query": parts.query or None,
        "pathname": path,
        "path": path + (query or ""),
        "href": f"{parts.scheme}://{host}{path}{query or ''}{fragment or ''}",
    }
