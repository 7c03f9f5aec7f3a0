"""The file a converter reads, and the file it makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath
from typing import TypeAlias

from headrace_sdk import CancelError, Context, JsonObject, reading

MAX_FILE_BYTES = 32 * 1024 * 1024

Conversion: TypeAlias = Callable[[bytes], Iterable[bytes]]
"""Makes the new content of the old one, piece by piece."""


async def convert(context: Context, ending: str, content_type: str, conversion: Conversion) -> None:
    """Convert the file of the node, save the result under its name with another ending, and tell its id.

    Raises `CancelError` when the file is larger than 32 MiB, before or after.
    """
    file_id = required(reading.as_object(context.content), "fileId")
    info = await context.files.info(file_id)
    check_size(info.size_bytes)
    content = await context.files.load(file_id)
    # Large files take a while; the event loop goes on meanwhile.
    made = await asyncio.to_thread(_made, conversion, content)
    name = f"{PurePosixPath(info.filename).stem or 'result'}{ending}"
    saved = await context.files.save(name, made, content_type)
    await context.send_json({"fileId": saved.file_id, "fileName": saved.filename}, "out")


def required(given: JsonObject, field: str) -> str:
    """A text that must be there. Raises `CancelError` when it is not."""
    value = given.get(field)
    if not isinstance(value, str) or not value.strip():
        raise CancelError(f"The field {field} is empty.")
    return value.strip()


def check_size(size_bytes: int, limit: int = MAX_FILE_BYTES) -> None:
    """Raises `CancelError` when a file is larger than the limit."""
    if size_bytes > limit:
        raise CancelError(f"The file has {size_bytes} bytes; at most {limit} are converted.")


def safe_path(name: str) -> str:
    """A name that stays inside the folder it is unpacked to, with / between folders."""
    printable = "".join(character for character in name.replace("\\", "/") if character.isprintable())
    parts = [part for part in printable.split("/") if part not in ("", ".", "..")]
    return "/".join(parts)[-255:].strip("/") or "file"


def _made(conversion: Conversion, content: bytes) -> bytes:
    made = bytearray()
    for piece in conversion(content):
        made += piece
        if len(made) > MAX_FILE_BYTES:
            raise CancelError(f"The converted file would have more than {MAX_FILE_BYTES} bytes.")
    return bytes(made)
