"""What every part of an import works with: whom it is for, what was decided, and how that is carried out."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from headrace_core import Json, errors

from headrace_gateway.archives.reading import Archive
from headrace_gateway.archives.verdicts import WRITTEN, Decision, OnConflict, Report
from headrace_gateway.clients import Clients
from headrace_gateway.identity import Scope


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """For whom, and how."""

    scope: Scope
    on_conflict: OnConflict
    dry_run: bool
    is_admin: bool
    may_use: Callable[[Json], Awaitable[None]]
    """Raises Forbidden for a descriptor with a component that the caller may not use."""
    is_free_path: Callable[[str], bool]
    """Whether a path hides no endpoint."""


class Outcome:
    """How carrying out a decision went."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision


@dataclass(frozen=True, slots=True)
class Work:
    """One import."""

    clients: Clients
    archive: Archive
    secrets: list[dict[str, Json]] | None
    terms: Terms
    report: Report = field(default_factory=Report)

    @property
    def scope(self) -> Scope:
        """Whose the things will be."""
        return self.terms.scope

    @property
    def anybodys(self) -> Scope:
        """For looking whether somebody has an id; what they have is told to nobody."""
        return replace(self.scope, all_tenants=True)

    @property
    def tenant(self) -> str:
        """The tenant of the scope."""
        return self.scope.tenant_id

    @property
    def links(self) -> Mapping[str, str]:
        """New ids by old ones, of what others link to."""
        return self.report.ids("store", "file", "flow")

    async def do(self, decision: Decision, write: Callable[[], Awaitable[object]]) -> None:
        """Carry the decision out unless this is a rehearsal, and put it down as it went."""
        if decision.verdict in WRITTEN and not self.terms.dry_run:
            async with self.guarded(decision) as outcome:
                await write()
            decision = outcome.decision
        self.report.decisions.append(decision)

    @asynccontextmanager
    async def guarded(self, decision: Decision) -> AsyncIterator[Outcome]:
        """Let one thing fail without the others; when a service is away, say how to go on."""
        outcome = Outcome(decision)
        try:
            yield outcome
        except errors.HeadraceError as error:
            if error.is_temporary:
                raise errors.Unavailable(
                    f"The import stopped at {decision.kind} {decision.id[:100]}: {error.message} What it brought "
                    "stays. Import the archive again: it goes on from there."
                ) from error
            outcome.decision = decision.failed(error.message)


def an_object(value: Json) -> dict[str, Json]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}
