"""Where published bundles are kept, and the archives on their way there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headrace_core import Json

from headrace_flow_manager.catalog.publication import Publication


@dataclass(frozen=True, slots=True)
class Published:
    """Which content each service has now. The generation grows with every change of that; 0 is the empty beginning."""

    generation: int
    contents: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Content:
    """A bundle's content: what it is of and what it offers, as JSON. One that is kept never changes."""

    content_id: str
    service: str
    description: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Mark:
    """Since when nobody was seen to use a content; None when somebody was."""

    content_id: str
    unused_since: datetime | None


class BundleStore(Protocol):
    """Bundles of all vendors. Who may see which is decided above."""

    async def generation(self) -> int:
        """The generation of what is published now. What was answered by `publish` before is seen by everybody."""
        ...

    async def published(self) -> Published:
        """What is published now, with its generation."""
        ...

    async def publish(self, before: Published, service: str, content_id: str) -> None:
        """Give a service another content, none where it is "", if nothing was published since `before`.

        Raises RevisionConflict when something was.
        """
        ...

    async def add(self, content: Content, archive: bytes, now: datetime) -> None:
        """Keep a content with its archive. One that is there already stays, and counts as used again."""
        ...

    async def contents(self, content_ids: Collection[str]) -> Sequence[Content]:
        """Those of the contents that are kept, in any order."""
        ...

    async def piece(self, content_id: str, number: int) -> bytes:
        """A piece of the archive, from 0; empty behind the last one. Raises NotFound when the content is not kept."""
        ...

    async def marks(self) -> Sequence[Mark]:
        """Every content that is kept, with its mark."""
        ...

    async def mark(self, content_id: str, unused_since: datetime | None) -> None:
        """Set the mark of a content."""
        ...

    async def drop(self, content_id: str, before: datetime) -> None:
        """Forget a content that is marked since before then, with its archive; one that is not stays."""
        ...


class PublicationStore(Protocol):
    """Archives on their way to the catalog, of one tenant at a time."""

    async def open(self, publication: Publication) -> None:
        """Keep a new one, with nothing uploaded yet."""
        ...

    async def write(self, tenant: str, ticket: str, number: int, data: bytes) -> None:
        """Keep a piece, from 0, in place of the former one. Raises NotFound when the upload is not under way."""
        ...

    async def archive(self, ticket: str) -> bytes:
        """The pieces together; only those that follow each other from the first one."""
        ...

    async def get(self, tenant: str, ticket: str) -> Publication:
        """The publication. Raises NotFound when the tenant has none of that ticket."""
        ...

    async def save(self, publication: Publication) -> None:
        """Put down what became of one that was opened; what was uploaded goes when it is finished."""
        ...

    async def waiting(self, tenant: str) -> int:
        """How many of the tenant's are not finished."""
        ...

    async def submitted(self, limit: int) -> Sequence[Publication]:
        """Those of all tenants that wait to be looked at, longest first."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget what was finished, or not written to, since before then."""
        ...

    async def delete_owned(self, tenant: str) -> None:
        """Forget everything of a tenant."""
        ...
