"""A publication: an archive that somebody handed in, and what became of it. Every change is a new value."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from headrace_core.archives import LIMITS
from headrace_core.bundle_rules import Finding

PIECE_BYTES: Final = 1024 * 1024
"""Archives are kept in pieces of this size; only the last one is shorter."""

MAX_ARCHIVE_BYTES: Final = LIMITS.archive_bytes


class PublicationState(StrEnum):
    """How far it is."""

    UPLOADING = "uploading"
    SUBMITTED = "submitted"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True)
class Publication:
    """One archive of one tenant, under its ticket. `error` is empty where it was published."""

    ticket: str
    tenant_id: str
    created_at: datetime
    changed_at: datetime
    state: PublicationState = PublicationState.UPLOADING
    error: str = ""
    findings: tuple[Finding, ...] = ()
    types: tuple[str, ...] = ()

    def submitted(self, now: datetime) -> "Publication":
        """The archive is whole, and is looked at from now on."""
        return replace(self, state=PublicationState.SUBMITTED, changed_at=now)

    def done(self, types: Sequence[str], now: datetime) -> "Publication":
        """Its components are in the catalog."""
        return replace(self, state=PublicationState.FINISHED, types=tuple(types), changed_at=now)

    def refused(self, error: str, findings: Sequence[Finding], now: datetime) -> "Publication":
        """Nothing of it is."""
        return replace(self, state=PublicationState.FINISHED, error=error, findings=tuple(findings), changed_at=now)
