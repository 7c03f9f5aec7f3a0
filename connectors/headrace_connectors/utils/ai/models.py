"""Models as services offer them that speak the API of OpenAI: hosted ones, and servers of one's own.

An administrator stores for the service `headrace:utils:ai` which one it is: `apiKey`, `baseUrl` where it is another
than OpenAI's, and the names of its models where they are others than below.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from headrace_core import Json
from headrace_sdk import CancelError, Context, JsonObject, TransientError
from headrace_sdk.context import FileInfo, HttpResponse
from headrace_sdk.reading import as_list, as_object, as_text

from headrace_connectors.utils.converters import documents

DEFAULT_URL: Final = "https://api.openai.com/v1"
MODELS: Final = {
    "chatModel": "gpt-4o-mini",
    "imageModel": "dall-e-3",
    "moderationModel": "omni-moderation-latest",
    "speechModel": "tts-1",
    "transcriptionModel": "whisper-1",
}
WITHIN: Final = timedelta(minutes=5)
"""Models think for a while."""

MAX_TEXT: Final = 200_000
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
MAX_IMAGES: Final = 10

_SAID = 500


async def ask(context: Context, path: str, given: JsonObject, model: str) -> HttpResponse:
    """What the service answers to this, asked of the model that is stored under the name.

    Raises CancelError where it is not set up or refuses, RateLimitedError, TransientError.
    """
    body: JsonObject = {"model": _model(context, model), **given}
    return await _sent(context, path, json=body)


async def ask_with_file(
    context: Context, path: str, fields: Mapping[str, str], file: tuple[FileInfo, bytes], model: str
) -> HttpResponse:
    """The same with a file, as a form."""
    info, content = file
    mark = secrets.token_hex(16)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"model": _model(context, model), **fields}.items()
    ]
    name = "".join(each if each.isalnum() or each in "._-" else "_" for each in info.filename)
    parts.append(
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = "".join(parts).encode() + content + f"\r\n--{mark}--\r\n".encode()
    return await _sent(context, path, content=body, kind=f"multipart/form-data; boundary={mark}")


async def chat(context: Context, content: Json, **more: Json) -> str:
    """What the model answers to one message."""
    asked: JsonObject = {"messages": [{"role": "user", "content": content}], **more}
    answer = await ask(context, "chat/completions", asked, "chatModel")
    choices = as_list(content_of(answer).get("choices"))
    message = as_object(as_object(choices[0]).get("message")) if choices else {}
    if refusal := as_text(message.get("refusal")):
        raise CancelError(f"The model refuses: {refusal[:_SAID]}")
    if not isinstance(message.get("content"), str):
        raise CancelError("The service answered without a message of its model.")
    return as_text(message["content"])


def content_of(answer: HttpResponse) -> JsonObject:
    """The object that was answered. Raises CancelError when it is none."""
    try:
        return as_object(answer.json())
    except ValueError:
        raise CancelError(f"The service answered what is no JSON: {answer.text[:_SAID]}") from None


def text_in(context: Context, field: str) -> str:
    """A text of the input that must be there. Raises CancelError when it is not, or is too long."""
    text = documents.required(as_object(context.content), field)
    if len(text) > MAX_TEXT:
        raise CancelError(f"The field {field} has {len(text)} characters; at most {MAX_TEXT} are sent.")
    return text


async def file_of(context: Context, file_id: str) -> tuple[FileInfo, bytes]:
    """A stored file. Raises CancelError when it is too large to be sent."""
    info = await context.files.info(file_id)
    documents.check_size(info.size_bytes, MAX_FILE_BYTES)
    return info, await context.files.load(file_id)


async def image_of(context: Context, file_id: str) -> JsonObject:
    """A stored image, as it stands in a message to a model. Raises CancelError when it is none."""
    info, content = await file_of(context, file_id)
    if not info.content_type.startswith("image/"):
        raise CancelError(f"The file {info.filename!r} is no image but {info.content_type or 'of no type'}.")
    encoded = base64.b64encode(content).decode()
    return {"type": "image_url", "image_url": {"url": f"data:{info.content_type};base64,{encoded}"}}


def _model(context: Context, name: str) -> str:
    return as_text(context.config.get(name)) or MODELS[name]


async def _sent(
    context: Context, path: str, *, json: Json = None, content: bytes | None = None, kind: str = "application/json"
) -> HttpResponse:
    config = context.config
    base, key = as_text(config.get("baseUrl")).rstrip("/"), as_text(config.get("apiKey"))
    if not base and not key:
        said = "No model is set up here. An administrator stores apiKey or baseUrl for the service headrace:utils:ai."
        raise CancelError(said)
    headers = {"Content-Type": kind, "Idempotency-Key": context.idempotency_key}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    address = f"{base or DEFAULT_URL}/{path}"
    answer = await context.http.request("POST", address, headers=headers, json=json, content=content, timeout=WITHIN)
    if answer.status >= 500:
        raise TransientError(f"The service of models answers {answer.status}: {_reason(answer)}")
    if answer.status >= 400 and answer.status != 429:
        raise CancelError(f"The service of models answers {answer.status}: {_reason(answer)}")
    return answer.raise_for_status()


def _reason(answer: HttpResponse) -> str:
    try:
        said = as_object(answer.json())
    except (ValueError, CancelError):
        return answer.text[:_SAID]
    error = said.get("error")
    return as_text(error.get("message") if isinstance(error, dict) else error)[:_SAID] or answer.text[:_SAID]


def options_of(schema: JsonObject) -> Sequence[Json]:
    """What a form offers of an object of this schema."""
    properties = schema.get("properties")
    found = properties if isinstance(properties, dict) else {}
    return [{"label": name, "value": name, "schema": each} for name, each in found.items()]
