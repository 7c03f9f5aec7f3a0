"""Publishing: archives of developers become part of the catalog, or are refused with every file's verdict.

Who hands an archive in gets a ticket as soon as it is on record. It is looked at after that, by whichever flow
manager is free, and again by another one when that dies: doing it twice changes nothing, for what is published is
named by its content. Nothing that runs is touched: flows keep the contents they began with, and a content goes when
no version of any flow and no service has it any more.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

from headrace_core import bundle_rules, bundles
from headrace_core.archives import LIMITS, BadArchive, check_together, read_archive, write_archive
from headrace_core.bundle_rules import Finding
from headrace_core.bundles import Files
from headrace_core.clock import Clock
from headrace_core.errors import (
    BadRequest,
    Forbidden,
    HeadraceError,
    NotFound,
    RateLimited,
    RevisionConflict,
    TooLarge,
)
from headrace_core.flow import normalize_type
from headrace_core.ids import new_id

from headrace_flow_manager import json_text
from headrace_flow_manager.attempts import persistently
from headrace_flow_manager.catalog import packages, publication
from headrace_flow_manager.catalog.model import auths_in, description_to_json, plugins_in
from headrace_flow_manager.catalog.packages import NotInstalled, PackageSource, Wanted
from headrace_flow_manager.catalog.publication import PIECE_BYTES, Publication, PublicationState
from headrace_flow_manager.catalog.service import CatalogService, Vendors
from headrace_flow_manager.catalog.store import BundleStore, Content, PublicationStore, Published

log = logging.getLogger(__name__)

BATCH = 10
KEPT_FOR = timedelta(days=7)
UNUSED_FOR = timedelta(hours=1)
"""How long a content is seen unused before it goes: longer than a start takes that has just chosen it."""
MAX_WAITING = 20
MAX_USES = 1_000
MAX_DESCRIPTION_BYTES = 8 * 1024 * 1024

_KEPT_LIMITS = replace(LIMITS, archive_bytes=2 * LIMITS.total_bytes, ratio=1_000_000)
"""For archives of our own."""


class UsingFlow(Protocol):
    """A flow that uses a component, and whose it is."""

    @property
    def tenant_id(self) -> str: ...

    @property
    def flow_id(self) -> str: ...

    @property
    def name(self) -> str: ...


class Turns(Protocol):
    """Whose turn it is at something, among all flow managers."""

    def hold_if_free(self, what: str, /) -> AbstractAsyncContextManager[bool]:
        """Be alone at it inside the block, if nobody else is at it now: the block is told whether it is."""
        ...


class Uses(Protocol):
    """What flows use."""

    async def pinned(self, content_ids: Collection[str]) -> Collection[str]:
        """Those of the contents that any version of any flow is pinned to."""
        ...

    async def using(self, selector: str, limit: int) -> Sequence[UsingFlow]:
        """Flows whose newest version has a component of this type or under this selector, by flow id."""
        ...


class Refused(Exception):
    """An archive that is not published. Never leaves this module."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Removed:
    """What a removal took away; nothing where flows are in the way: those of who asked, and how many of others."""

    types: tuple[str, ...]
    flows: tuple[UsingFlow, ...] = ()
    flows_of_others: int = 0


class PublishingService:
    """Takes archives and publishes them, removes components, and gives out what was published."""

    def __init__(
        self,
        catalog: CatalogService,
        store: BundleStore,
        publications: PublicationStore,
        uses: Uses,
        vendors: Vendors,
        turns: Turns,
        packages: PackageSource,
        clock: Clock,
        submitted: asyncio.Event,
        published: asyncio.Event,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._publications = publications
        self._uses = uses
        self._vendors = vendors
        self._turns = turns
        self._packages = packages
        self._clock = clock
        self._submitted = submitted
        self._published = published

    async def open(self, tenant: str) -> str:
        """Begin an upload; its ticket. Raises Forbidden for who has no vendor, RateLimited when many are under way."""
        await self._developer(tenant)
        if await self._publications.waiting(tenant) >= MAX_WAITING:
            raise RateLimited(f"{MAX_WAITING} of your publications are not finished. Wait for them, or for their end.")
        now = self._clock.now()
        made = Publication(new_id(), tenant, now, now)
        await self._publications.open(made)
        return made.ticket

    async def write(self, tenant: str, ticket: str, offset: int, data: bytes) -> None:
        """Add the bytes at an offset. Raises NotFound, TooLarge, and BadRequest for other pieces than of 1 MiB."""
        if not data or len(data) > PIECE_BYTES or offset < 0 or offset % PIECE_BYTES:
            raise BadRequest(f"An archive comes in pieces of {PIECE_BYTES} bytes; only the last one is shorter.")
        if offset + len(data) > publication.MAX_ARCHIVE_BYTES:
            raise TooLarge(f"An archive has at most {publication.MAX_ARCHIVE_BYTES} bytes.")
        await self._publications.write(tenant, ticket, offset // PIECE_BYTES, data)

    async def submit(self, tenant: str, ticket: str) -> None:
        """Hand the archive in. Handing it in again changes nothing. Raises NotFound."""
        found = await self._publications.get(tenant, ticket)
        if found.state is PublicationState.UPLOADING:
            await self._publications.save(found.submitted(self._clock.now()))
        self._submitted.set()

    async def get(self, tenant: str, ticket: str) -> Publication:
        """What became of it until now. Raises NotFound."""
        return await self._publications.get(tenant, ticket)

    async def remove(self, tenant: str, selector: str, *, force: bool = False) -> Removed:
        """Take away what was published under a selector. Refused while flows use it, unless forced.

        Flows that run go on with what they began with; a start finds the components no more. Raises Forbidden for who
        is not of the vendor, NotFound when nothing was published there.
        """
        service = await self._own_service(tenant, selector)

        async def attempt() -> Removed:
            before = await self._store.published()
            files = await self._files(before, service)
            gone = tuple(each.type for each in bundles.describe(bundles.under(files, selector)).components)
            if not gone:
                raise NotFound("published component", selector)
            canonical = normalize_type(f"{selector}.").removesuffix(".")
            uses = () if force else await self._uses.using(canonical, MAX_USES)
            if uses:
                own = tuple(each for each in uses if each.tenant_id == tenant)
                return Removed((), own, len(uses) - len(own))
            left = bundles.without(files, selector)
            await self._put(before, service, left)
            return Removed(gone)

        return await persistently(attempt)

    async def users(self, selector: str, limit: int) -> Sequence[UsingFlow]:
        """The flows of everybody that use what is under a selector, some at most."""
        return await self._uses.using(selector, limit)

    async def read(self, tenant: str, selector: str) -> bytes:
        """What was published under a selector, as an archive. Raises as `remove` does."""
        service = await self._own_service(tenant, selector)
        found = packages.without_note(
            bundles.under(await self._files(await self._store.published(), service), selector)
        )
        if not found:
            raise NotFound("published component", selector)
        return await asyncio.to_thread(write_archive, found)

    async def bundle(self, content_id: str) -> AsyncIterator[bytes]:
        """The archive of a content, in pieces. Raises NotFound."""
        number = 0
        while data := await self._store.piece(content_id, number):
            yield data
            number += 1

    async def round(self) -> bool:
        """Look at every archive that was handed in and that nobody else is at; whether there may be more."""
        batch = await self._publications.submitted(BATCH)
        done = 0
        for each in batch:
            async with self._turns.hold_if_free(f"publication:{each.ticket}") as is_free:
                if is_free and await self._carry_on(each):
                    done += 1
        return done == BATCH

    async def prune(self) -> bool:
        """Forget publications that are long over, and contents that nobody uses for an hour."""
        now = self._clock.now()
        await self._publications.prune(now - KEPT_FOR)
        marks = await self._store.marks()
        bundles_used = {
            *(await self._store.published()).contents.values(),
            *await self._uses.pinned([each.content_id for each in marks]),
        }
        offers = await self._catalog.offers(sorted(bundles_used))
        used = bundles_used | {each.packages for each in offers.values() if each.packages}
        for mark in marks:
            if mark.content_id in used:
                if mark.unused_since is not None:
                    await self._store.mark(mark.content_id, None)
            elif mark.unused_since is None:
                await self._store.mark(mark.content_id, now)
            else:
                await self._store.drop(mark.content_id, now - UNUSED_FOR)
        return False

    async def _carry_on(self, submitted: Publication) -> bool:
        """Whether it has come to its end; what is away for a moment lets it wait for the next round."""
        try:
            found = await self._publications.get(submitted.tenant_id, submitted.ticket)
            if found.state is PublicationState.SUBMITTED:
                await self._publications.save(await self._ended(found))
        except NotFound:  # its owner left meanwhile
            return True
        except HeadraceError as error:
            if not error.is_temporary and not isinstance(error, RevisionConflict):
                raise
            log.warning("publication %s goes on later: %s", submitted.ticket, error)
            return False
        return True

    async def _ended(self, found: Publication) -> Publication:
        try:
            types = await self._publish(found)
        except BadArchive as bad:
            finding = Finding(bad.entry, "", bad.said)
            return found.refused("The archive cannot be read.", [finding], self._clock.now())
        except Refused as refused:
            said = "Nothing was published: " + _summary(refused.findings)
            return found.refused(said, refused.findings, self._clock.now())
        return found.done(types, self._clock.now())

    async def _publish(self, found: Publication) -> Sequence[str]:
        archive = await self._publications.archive(found.ticket)
        files = packages.without_note(await asyncio.to_thread(read_archive, archive))
        misplaced = bundle_rules.misplaced(files, await self._vendors.of(found.tenant_id))
        if misplaced:
            raise Refused(misplaced)
        (service,) = bundles.services_in(files)
        packed: dict[str, str] = {}

        async def attempt() -> Sequence[str]:
            before = await self._store.published()
            whole: Files = bundles.merged(await self._files(before, service), files)
            check_together(whole)
            findings = await asyncio.to_thread(bundle_rules.findings, whole, files.keys(), self._is_taken)
            findings = findings or _too_much(whole)
            if findings:
                raise Refused(findings)
            whole = await self._with_packages(service, whole, packed)
            await self._put(before, service, whole)
            return [each.type for each in bundles.describe(whole).components if f"{each.root}/component.json" in files]

        return await persistently(attempt)

    async def _with_packages(self, service: str, files: Files, packed: dict[str, str]) -> Files:
        """The files with a note of their packages, which are kept by then. Raises Refused where they cannot be had.

        `packed` remembers contents by what was wanted: getting them takes long, and others may publish meanwhile.
        """
        wanted = await asyncio.to_thread(packages.wanted_by, files)
        former, bare = packages.noted(files), packages.without_note(files)
        if not wanted:
            return bare
        if found := packages.findings(wanted):
            raise Refused(found)
        path = f"{bundles.folder_of(service)}/{bundles.PACKAGES}"
        request_id = packages.request_id(wanted)
        if former[0] == request_id and await self._store.contents([former[1]]):
            return files
        if request_id not in packed:
            packed[request_id] = await self._pack(service, wanted)
        return {**bare, path: packages.note(wanted, packed[request_id])}

    async def _pack(self, service: str, wanted: Wanted) -> str:
        try:
            archive = await self._packages.pack(wanted)
        except NotInstalled as error:
            raise Refused(error.findings) from None
        content_id = await asyncio.to_thread(packages.content_id, archive)
        await self._store.add(Content(content_id, service, {}), archive, self._clock.now())
        return content_id

    async def _put(self, before: Published, service: str, files: Files) -> None:
        """Make those files the service's. Where they are already, nothing changes."""
        content_id = await asyncio.to_thread(bundles.content_id, files) if files else ""
        if content_id == before.contents.get(service, ""):
            return
        if files:
            described = {
                **description_to_json(bundles.describe(files)),
                "packages": packages.noted(files)[1],
                "auths": auths_in(files),
                "plugins": plugins_in(files),
            }
            content = Content(content_id, service, described)
            await self._store.add(content, await asyncio.to_thread(write_archive, files), self._clock.now())
        await self._store.publish(before, service, content_id)
        self._published.set()

    async def _files(self, published: Published, service: str) -> Files:
        """The files that a service has; none when nothing of it is published."""
        content_id = published.contents.get(service)
        if content_id is None:
            return {}
        archive = b"".join([data async for data in self.bundle(content_id)])
        return await asyncio.to_thread(read_archive, archive, _KEPT_LIMITS)

    def _is_taken(self, component_type: str) -> bool:
        return self._catalog.builtin.find(component_type) is not None

    async def _developer(self, tenant: str) -> frozenset[str]:
        vendors = await self._vendors.of(tenant)
        if not vendors:
            raise Forbidden("You are no developer: your user has no vendor. An administrator can give you one.")
        return vendors

    async def _own_service(self, tenant: str, selector: str) -> str:
        """The service that the selector is in. Raises Forbidden before anything is looked up of another vendor's."""
        vendors = await self._developer(tenant)
        vendor, dot, _ = selector.partition(".")
        if vendor not in vendors:
            raise Forbidden("You are no developer of this vendor.")
        if not dot or selector != ".".join(filter(None, selector.split("."))):
            raise BadRequest("Name a service, module or component: vendor.service, vendor.service.module, …")
        return bundles.service_of(selector)


def _too_much(whole: Files) -> list[Finding]:
    total = sum(map(len, whole.values()))
    if total > LIMITS.total_bytes or len(whole) > LIMITS.entries:
        said = f"With what was published before, the service has {len(whole)} files and {total} bytes."
        return [Finding("", "", said, f"{LIMITS.entries} files and {LIMITS.total_bytes} bytes are allowed.")]
    described = description_to_json(bundles.describe(whole))
    if len(json_text.encode(described).encode()) > MAX_DESCRIPTION_BYTES:
        return [Finding("", "", "The manifests are too large together.", "Use smaller icons.")]
    return []


def _summary(findings: Sequence[Finding]) -> str:
    first = findings[0]
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    where = " ".join(filter(None, (first.file, first.data_path)))
    return (f"{where}: " if where else "") + first.message + more
