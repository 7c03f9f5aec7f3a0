"""One HTTP exchange: the fields of an http node become a request, the server's answer becomes a message.

The rules are those flow authors know: a text that reads as JSON object or list is sent as JSON, an answer
that reads as JSON arrives parsed, and any status but 2xx fails the step.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass

from headrace_core import Json
from headrace_sdk import CancelError, Context, HttpResponse, JsonObject

from headrace_connectors.utils.http import answers, fields, multipart, queries

FORM = "application/x-www-form-urlencoded"
ENCODINGS = ("ascii", "utf8", "utf16le", "base64", "latin1", "binary", "hex")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that is ready to be sent."""

    method: str
    url: str
    headers: dict[str, str]
    content: bytes | None = None
    encoding: answers.Encoding = "utf8"


async def perform(context: Context, method: str) -> None:
    """Send the request the input describes and pass the answer on to `response`.

    POST and PATCH carry the step's key, so that a server that knows Idempotency-Key acts once, however
    often the step is repeated. Raises `CancelError` for input that makes no request, `RateLimitedError`
    for 429 and `HttpStatusError` for any other status but 2xx.
    """
    request = await build(context, method)
    answer = await context.http.request(request.method, request.url, headers=request.headers, content=request.content)
    if not 200 <= answer.status < 300:
        raise answers.failure(answer, request.encoding)
    await context.send_json(message(request, answer), "response")


async def build(context: Context, method: str) -> Request:
    """The request that the input of this node describes."""
    given = context.content if isinstance(context.content, dict) else {}
    url = fields.checked_url(given.get("url"))
    headers = fields.read_headers(given.get("headers"))
    url, credentials = fields.without_credentials(url)
    if credentials:
        headers = {name: text for name, text in headers.items() if name.lower() != "authorization"}
        headers["Authorization"] = credentials
    content: bytes | None = None
    if method == "GET":
        url = queries.extend(url, _decoded(given) if given.get("body") else None)
    else:
        content = await _body(context, given, headers)
    if method in ("POST", "PATCH") and fields.header(headers, "idempotency-key") is None:
        headers["Idempotency-Key"] = context.idempotency_key
    return Request(method, url, headers, content, _encoding(given.get("responseEncoding")))


async def _body(context: Context, given: JsonObject, headers: dict[str, str]) -> bytes | None:
    body_type = given.get("bodyType") or "raw"
    if body_type == "raw":
        return _raw_body(given, headers)
    if body_type == "binary":
        return await _file_body(context, given, headers)
    if body_type == "form-data":
        form = await multipart.encode(context, given.get("bodyFormData"))
        _set_type(headers, form.content_type)
        return form.content
    raise CancelError(f"The body type {body_type!r} is not known: use raw, form-data or binary.")


async def _file_body(context: Context, given: JsonObject, headers: dict[str, str]) -> bytes:
    file_id = given.get("fileId")
    if not isinstance(file_id, str) or not file_id:
        raise CancelError("The body type is binary, so the field fileId must name a file.")
    _set_type(headers, "application/octet-stream")
    return await context.files.load(file_id)


def _raw_body(given: JsonObject, headers: dict[str, str]) -> bytes | None:
    body = given.get("body")
    if body is None or body == "":
        return None
    if given.get("bodyBase64Encode"):
        _set_type(headers, "application/octet-stream")
        return _unpacked(body)
    if isinstance(body, str):
        return _text_body(body, headers)
    return _value_body(body, headers, json.dumps(body, ensure_ascii=False))


def _text_body(text: str, headers: dict[str, str]) -> bytes:
    try:
        value = fields.strict_json(text)
    except ValueError:
        value = None
    if isinstance(value, (dict, list)):
        return _value_body(value, headers, text)
    _set_type(headers, FORM)
    return text.encode()


def _value_body(value: Json, headers: dict[str, str], as_json: str) -> bytes:
    if (fields.header(headers, "content-type") or "").partition(";")[0].strip().lower() == FORM:
        return queries.encode(value).encode()
    _set_type(headers, "application/json")
    return as_json.encode()


def _set_type(headers: dict[str, str], content_type: str) -> None:
    if fields.header(headers, "content-type") is None:
        headers["Content-Type"] = content_type


def _decoded(given: JsonObject) -> Json:
    body = given.get("body")
    if given.get("bodyBase64Encode"):
        body = _unpacked(body).decode("utf-8", "replace")
    return fields.parsed(body, "body") if isinstance(body, str) else body


def _unpacked(body: Json) -> bytes:
    if not isinstance(body, str):
        raise CancelError("The field body must be base64 text, because bodyBase64Encode is on.")
    try:
        return base64.b64decode(body, validate=False)
    except binascii.Error as error:
        raise CancelError(f"The field body is no base64: {error}.") from error


def _encoding(value: Json) -> answers.Encoding:
    if value is None or value == "" or value == "noEncoding":
        return "utf8"
    if value not in ENCODINGS:
        raise CancelError(f"The response encoding {value!r} is not known.")
    return str(value)


def message(request: Request, answer: HttpResponse) -> JsonObject:
    """What leaves the node: body, headers, request and statusCode."""
    return {
        "body": answers.body_of(answer, request.encoding),
        "headers": answers.headers_of(answer),
        "request": answers.request_of(request.method, request.url, request.headers),
        "statusCode": answer.status,
    }
