"""A stored file, line by line."""

from __future__ import annotations

import codecs
import io
from collections.abc import AsyncIterator

from headrace_sdk import CancelError, Component, Context, Output, reading

from headrace_connectors.utils.converters import documents

MAX_LINE = 1024 * 1024
MAX_LINES = 1_000_000


class LoadFileLines(Component):
    """Sends every line with its number, from 0. Of the file no more than a piece is in memory."""

    async def receive(self, context: Context) -> AsyncIterator[Output]:
        file_id = documents.required(reading.as_object(context.content), "fileId")
        index = 0
        async for line in _lines(context.files.stream(file_id)):
            if index >= MAX_LINES:
                raise CancelError(f"The file has more than {MAX_LINES} lines: split it.")
            yield Output({"index": index, "line": line}, "content")
            index += 1


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """The lines of UTF-8 text without their ends, whichever ends they have; what cannot be read becomes U+FFFD."""
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")("replace"), translate=True)
    rest = ""
    async for piece in pieces:
        *whole, rest = (rest + decoder.decode(piece)).split("\n")
        if len(rest) > MAX_LINE:
            raise CancelError(f"A line has more than {MAX_LINE} characters: this is no file of lines.")
        for line in whole:
            yield line
    *whole, rest = (rest + decoder.decode(b"", final=True)).split("\n")
    for line in whole:
        yield line
    if rest:
        yield rest
