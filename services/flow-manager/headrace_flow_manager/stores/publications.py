"""What both adapters share of publications: findings as JSON, and archives in pieces."""

from collections.abc import Iterator, Sequence

from headrace_core import Json
from headrace_core.bundle_rules import Finding

from headrace_flow_manager.catalog.publication import PIECE_BYTES


def pieces_of(archive: bytes) -> Iterator[tuple[int, bytes]]:
    """The pieces of an archive with their numbers."""
    for number, start in enumerate(range(0, len(archive), PIECE_BYTES)):
        yield number, archive[start : start + PIECE_BYTES]


def together(pieces: Iterator[tuple[int, bytes]]) -> bytes:
    """Pieces that follow each other from the first one, in the order of their numbers."""
    archive = bytearray()
    for expected, (number, data) in enumerate(pieces):
        if number != expected:
            break
        archive += data
    return bytes(archive)


def findings_to_json(findings: Sequence[Finding]) -> list[Json]:
    return [[each.file, each.data_path, each.message, each.fix] for each in findings]


def findings_of(kept: Json) -> tuple[Finding, ...]:
    listed = kept if isinstance(kept, list) else []
    return tuple(Finding(*(str(part) for part in each)) for each in listed if isinstance(each, list))
