"""Streams of bytes, cut into pieces of one size."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator

PIECE_BYTES = 1024 * 1024


async def pieces_of(content: AsyncIterable[bytes], size: int = PIECE_BYTES) -> AsyncIterator[bytes]:
    """The same bytes in pieces of `size`; the last one is what is left. Raises TypeError for what is no bytes."""
    left = bytearray()
    async for each in content:
        if not isinstance(each, bytes | bytearray | memoryview):
            raise TypeError(f"A stream of a file gives bytes, and this one gave {type(each).__name__}.")
        left += each
        while len(left) >= size:
            yield bytes(left[:size])
            del left[:size]
    if left:
        yield bytes(left)
