"""Zip archives built byte by byte, so that they can lie wherever an archive can."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

FILE = 0o100644
LINK = 0o120777


@dataclass(frozen=True, slots=True)
class Member:
    """An entry. What is not given is as it should be; `local_*` says it otherwise in front of the content only."""

    name: bytes
    content: bytes = b"x"
    method: int = 8
    flags: int = 1 << 11
    mode: int = FILE
    attributes: int = 0
    crc: int | None = None
    size: int | None = None
    packed: bytes | None = None
    packed_size: int | None = None
    at: int | None = None
    local_name: bytes | None = None
    local_size: int | None = None
    local_flags: int | None = None
    host: int = 3
    disk: int = 0

    @property
    def bytes_packed(self) -> bytes:
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.content
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(self.content) + packer.flush()


def zip_of(
    members: Sequence[Member],
    *,
    before: bytes = b"",
    after: bytes = b"",
    comment: bytes = b"",
    total: int | None = None,
    disk: int = 0,
    directory_at: int | None = None,
    locator: bytes = b"",
) -> bytes:
    """The archive of those entries, in their order."""
    body, directory = bytearray(before), bytearray()
    for member in members:
        at = len(body) if member.at is None else member.at
        packed = member.bytes_packed
        size = len(member.content) if member.size is None else member.size
        crc = zlib.crc32(member.content) if member.crc is None else member.crc
        packed_size = len(packed) if member.packed_size is None else member.packed_size
        if member.at is None:
            local_size = size if member.local_size is None else member.local_size
            name = member.name if member.local_name is None else member.local_name
            flags = member.flags if member.local_flags is None else member.local_flags
            descriptor = bool(flags & 8)
            sizes = (0, 0, 0) if descriptor else (crc, packed_size, local_size)
            body += struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, member.method, 0, 33, *sizes, len(name), 0) + name
            body += packed
            if descriptor:
                body += struct.pack("<4s3L", b"PK\7\x08", crc, packed_size, size)
        directory += struct.pack(
            "<4s6H3L5H2L",
            b"PK\1\2",
            member.host << 8 | 20,
            20,
            member.flags,
            member.method,
            0,
            33,
            crc,
            packed_size,
            size,
            len(member.name),
            0,
            0,
            member.disk,
            0,
            member.mode << 16 | member.attributes,
            at,
        )
        directory += member.name
    count = len(members) if total is None else total
    place = len(body) if directory_at is None else directory_at
    end = struct.pack("<4s4H2LH", b"PK\5\6", disk, disk, count, count, len(directory), place, len(comment))
    return bytes(body + directory + locator + end + comment + after)


def plain(*names: str) -> list[Member]:
    """Entries of those names."""
    return [Member(name.encode()) for name in names]
