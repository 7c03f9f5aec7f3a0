"""Many payloads in one broker message: a confirmed publish costs the same for one hint and for hundreds."""

import struct
from collections.abc import Iterator, Sequence

from headrace_runtime.bus.local import BATCH

CONTENT_TYPE = "application/vnd.headrace.hints"
MAX_BYTES = 128 * 1024

_LENGTH = struct.Struct(">I")


class Malformed(ValueError):
    """These bytes were not packed here."""


def pack(payloads: Sequence[bytes]) -> bytes:
    """Each payload after its length: four bytes, the highest first."""
    return b"".join(_LENGTH.pack(len(each)) + each for each in payloads)


def unpack(body: bytes) -> list[bytes]:
    """What `pack` was given. Raises Malformed."""
    found, at = [], 0
    while at < len(body):
        end = at + _LENGTH.size
        if end > len(body):
            raise Malformed("The message ends within a length.")
        at, end = end, end + _LENGTH.unpack_from(body, at)[0]
        if end > len(body):
            raise Malformed("The message ends within a payload.")
        found.append(body[at:end])
        at = end
    if not found:
        raise Malformed("The message holds nothing.")
    return found


def chunks(payloads: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """The payloads in order, in parts of at most BATCH payloads and about MAX_BYTES bytes; at least one in each."""
    begin = size = 0
    for at, payload in enumerate(payloads):
        if at > begin and (at - begin == BATCH or size + len(payload) > MAX_BYTES):
            yield payloads[begin:at]
            begin, size = at, 0
        size += len(payload)
    if begin < len(payloads):
        yield payloads[begin:]
