"""Response bodies, read and unpacked within a limit: a bomb is stopped when it reaches the limit, not after."""

import asyncio
import zlib
from collections.abc import AsyncIterable, Iterator, Sequence

from headrace_core.errors import TooLarge, Unavailable

_STEP = 256 * 1024
_STEPS_WITHOUT_PAUSE = 4  # About a millisecond of unpacking, then others have their turn.
_MAX_CODINGS = 2
_MAX_MEMBERS = 10_000


async def read(chunks: AsyncIterable[bytes], codings: Sequence[str], limit: int) -> bytes:
    """The whole body, unpacked. Codings nobody here knows are left on, with everything under them.

    Raises TooLarge when the body is larger than `limit`, packed or unpacked, and Unavailable when it is damaged.
    """
    unpackers = _unpackers(codings)
    body, packed, steps = bytearray(), 0, 0
    async for chunk in chunks:
        packed += len(chunk)
        _check(packed, limit)
        for piece in _through(unpackers, chunk):
            body += piece
            _check(len(body), limit)
            steps += 1
            if steps % _STEPS_WITHOUT_PAUSE == 0:
                await asyncio.sleep(0)
    if packed and not all(each.is_finished for each in unpackers):
        raise Unavailable("The response ended in the middle of its packed body.")
    return bytes(body)


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"The response is larger than the {limit} bytes that are allowed.")


def _unpackers(codings: Sequence[str]) -> "list[_Unpacker]":
    named = [each.strip().lower() for each in codings if each.strip().lower() not in ("", "identity")]
    if len(named) > _MAX_CODINGS or not all(each in ("gzip", "x-gzip", "deflate") for each in named):
        return []
    return [_Unpacker(each == "deflate") for each in reversed(named)]


def _through(unpackers: "Sequence[_Unpacker]", chunk: bytes) -> Iterator[bytes]:
    if not unpackers:
        yield chunk
        return
    for piece in unpackers[0].pieces(chunk):
        yield from _through(unpackers[1:], piece)


class _Unpacker:
    """Takes one coding off, in steps of bounded size."""

    def __init__(self, is_deflate: bool) -> None:
        self._is_deflate = is_deflate
        self._inflater = self._fresh()
        self._members = 1
        self._has_begun = False
        self._held = b""

    @property
    def is_finished(self) -> bool:
        return self._inflater.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if not self._has_begun:
            data, self._held = self._held + data, b""
            if len(data) < 2:  # It takes two bytes to tell how deflate is wrapped.
                self._held = data
                return
        while data:
            if self._inflater.eof and not self._next_member(data):
                return
            piece = self._inflate(data)
            if piece:
                yield piece
            data = self._inflater.unconsumed_tail or self._inflater.unused_data

    def _inflate(self, data: bytes) -> bytes:
        try:
            piece = self._inflater.decompress(data, _STEP)
        except zlib.error:
            if self._has_begun or not self._is_deflate:
                raise Unavailable("The response has a packed body that is damaged.") from None
            # Half of the world sends deflate without the wrapping that the standard asks for.
            self._has_begun = True
            self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
            return self._inflate(data)
        self._has_begun = True
        return piece

    def _next_member(self, data: bytes) -> bool:
        """Begin the next part of a gzip body that has several. What follows otherwise is padding."""
        if self._is_deflate or not data.startswith(b"\x1f"):
            return False
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise TooLarge(f"The response has a gzip body of more than {_MAX_MEMBERS} parts.")
        self._inflater = self._fresh()
        return True

    def _fresh(self) -> "zlib._Decompress":
        return zlib.decompressobj(zlib.MAX_WBITS if self._is_deflate else 16 + zlib.MAX_WBITS)
