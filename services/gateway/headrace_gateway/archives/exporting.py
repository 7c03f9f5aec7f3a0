"""Writes everything a tenant owns, a page at a time: memory holds a page and what is on its way out.

It is no snapshot: what is changed meanwhile is in the archive as it was when its turn came.
"""

import hashlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import orjson
from headrace_core import Json, errors

from headrace_gateway.archives import layout, sealing
from headrace_gateway.archives.layout import Manifest
from headrace_gateway.archives.paging import Listing, every
from headrace_gateway.archives.sealing import Sealer
from headrace_gateway.archives.writing import ArchiveWriter
from headrace_gateway.clients import Clients
from headrace_gateway.clients.belongings import KeptFlow, KeptRecord
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery, SortKey

_OUT_BYTES: Final = 64 * 1024
_METADATA_IN_MEMORY: Final = 1024 * 1024
_PACKED_ALREADY: Final = ("image/", "video/", "audio/", "application/zip", "application/gzip", "application/x-7z")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be exported of whom, and under which pass phrase its secrets; none leaves them out."""

    scope: Scope
    kinds: Collection[str]
    pass_phrase: str = ""


class Export:
    """One archive on its way out."""

    def __init__(self, clients: Clients, sealer: Sealer, wanted: Wanted, now: datetime) -> None:
        self._clients = clients
        self._sealer = sealer
        self._wanted = wanted
        self._scope = wanted.scope
        self._now = now
        self._out = ArchiveWriter(now)
        self._incomplete: list[Json] = []

    async def pieces(self) -> AsyncIterator[bytes]:
        """The archive, piece by piece."""
        steps = {
            "flows": self._flows,
            "stores": self._stores,
            "charts": self._charts,
            "aliases": self._aliases,
            "settings": self._settings,
            layout.INSTALLATION: self._installation,
        }
        for kind in layout.KINDS:
            if kind not in self._wanted.kinds:
                continue
            if kind == "files":
                async for piece in self._files():
                    yield piece
                continue
            self._out.begin(layout.lines_of(kind))
            async for line in steps[kind]():
                await self._out.write(line)
                if piece := self._out.taken(_OUT_BYTES):
                    yield piece
            self._out.end()
        await self._finish()
        yield self._out.taken()

    async def _flows(self) -> AsyncIterator[bytes]:
        flows, scope = self._clients.belongings, self._scope
        listing = Listing(
            lambda query: flows.flows(scope, query), lambda flow: flow.flow_id, lambda flow: len(flow.record)
        )
        async for flow in every(listing):
            yield _line("flow", _flow_fields(flow))
            for number in range(1, flow.version + 1):
                try:
                    version = await flows.version(scope, flow.flow_id, number)
                except errors.NotFound:
                    self._note("flow", flow.flow_id, f"it was removed before its version {number} was read")
                    break
                yield _line(
                    "version",
                    {
                        "version": number,
                        "label": version.label,
                        "createdAt": version.created_at,
                        "descriptor": orjson.Fragment(version.descriptor),
                    },
                )

    async def _stores(self) -> AsyncIterator[bytes]:
        stores, scope = self._clients.stores, self._scope
        listing = Listing(lambda query: stores.page(scope, query), lambda store: str(store["storeId"]), lambda _: 500)
        async for store in every(listing):
            store_id = str(store["storeId"])
            yield _line("store", {"storeId": store_id, "name": store["name"]})
            try:
                async for record in every(self._records(store_id)):
                    yield _line("record", {"key": record.key, "value": orjson.Fragment(record.value)})
            except errors.NotFound:
                self._note("store", store_id, "it was removed before all its records were read")

    def _records(self, store_id: str) -> Listing[KeptRecord]:
        return Listing(
            lambda query: self._clients.belongings.records(self._scope, store_id, query),
            lambda record: record.key,
            lambda record: len(record.value),
            sort=(SortKey("key"),),
            in_order=True,
        )

    async def _charts(self) -> AsyncIterator[bytes]:
        charts, scope = self._clients.charts, self._scope
        listing = Listing(lambda query: charts.page(scope, query), lambda chart: str(chart["chartId"]), _size)
        async for chart in every(listing):
            document = {name: chart[name] for name in chart if name not in _ADDED_TO_CHARTS}
            yield _line("chart", {"chartId": chart["chartId"], "document": document})

    async def _aliases(self) -> AsyncIterator[bytes]:
        for alias in await self._clients.aliases.all(self._scope):
            yield _line("alias", {name: alias[name] for name in ("id", "alias", "flowId", "componentId")})

    async def _settings(self) -> AsyncIterator[bytes]:
        user = await self._clients.people.get(self._scope.tenant_id)
        yield _line("settings", {"metadata": user["metadata"], "username": user["username"], "email": user["email"]})

    async def _installation(self) -> AsyncIterator[bytes]:
        settings = self._clients.settings
        yield _line("modifiers", {"document": await self._clients.modifiers.get()})
        for kind in ("routes", "components"):
            rules: list[Json] = [
                {
                    "role": each.role,
                    "resource": each.resource,
                    "action": [*each.actions],
                    "attributes": [*each.attributes],
                }
                for each in await settings.rules(kind)
            ]
            yield _line("rules", {"type": kind, "rules": rules})
        for vendor, origins in (await settings.origins()).items():
            yield _line("origins", {"vendor": vendor, "origins": [*origins]})

    async def _files(self) -> AsyncIterator[bytes]:
        """Contents first, as what is said of them is only known then; that waits on disk where it is much."""
        files, scope, out = self._clients.files, self._scope, self._out
        number = 0
        with tempfile.SpooledTemporaryFile(_METADATA_IN_MEMORY) as told:
            listing = Listing(_file_pages(self._clients, scope), lambda file: str(file["fileId"]), _size)
            async for file in every(listing):
                file_id, kind = str(file["fileId"]), str(file["contentType"])
                number += 1
                name = f"files/{number}"
                out.begin(name, is_packed=not kind.startswith(_PACKED_ALREADY))
                content = hashlib.sha256()
                try:
                    async for data in files.read(scope, file_id, 0, int(str(file["length"]))):
                        content.update(data)
                        await out.write(data)
                        if piece := out.taken(_OUT_BYTES):
                            yield piece
                except errors.NotFound:
                    content.update(b"gone")
                out.end()
                if content.hexdigest() != file["sha256"]:
                    self._note("file", file_id, "it was changed while it was read")
                    continue
                told.write(_line("file", _file_fields(file, name)))
            out.begin(layout.lines_of("files"))
            told.seek(0)
            while lines := told.read(_OUT_BYTES):
                await out.write(lines)
                yield out.taken()
            out.end()

    async def _finish(self) -> None:
        """The manifest, and behind it what is sealed with it."""
        secrets = await self._secrets()
        seals = bool(self._wanted.pass_phrase) and bool(secrets)
        manifest = Manifest(
            user_id=self._scope.tenant_id,
            exported=self._now.isoformat(timespec="seconds"),
            members=self._out.members.copy(),
            secrets=sealing.fresh() if seals else None,
            secrets_left_out=0 if seals else len(secrets),
            incomplete=self._incomplete,
        )
        await self._add(layout.MANIFEST, manifest.encoded())
        if manifest.secrets is not None:
            plain = orjson.dumps(secrets)
            sealed = await self._sealer.seal(plain, self._wanted.pass_phrase, manifest.secrets, manifest.encoded())
            await self._add(layout.SECRETS, sealed)
        self._out.close()

    async def _secrets(self) -> list[Json]:
        """What is sealed at rest, opened: of the installation, as tenants have none of their own."""
        if layout.INSTALLATION not in self._wanted.kinds:
            return []
        settings, scope = self._clients.settings, self._scope
        found: list[Json] = [{"service": each} for each in await settings.services(scope)]
        return found + [{"config": each} for each in await settings.config(scope)]

    async def _add(self, name: str, data: bytes) -> None:
        self._out.begin(name)
        await self._out.write(data)
        self._out.end()

    def _note(self, kind: str, item_id: str, why: str) -> None:
        self._incomplete.append({"kind": kind, "id": item_id, "why": why})


_ADDED_TO_CHARTS: Final = frozenset({"chartId", "userId", "revision", "created", "mtime"})


def _file_pages(clients: Clients, scope: Scope) -> Callable[[ListQuery], Awaitable[Sequence[dict[str, Json]]]]:
    async def page(query: ListQuery) -> Sequence[dict[str, Json]]:
        found, _ = await clients.files.page(scope, query)
        return found

    return page


def _size(thing: dict[str, Json]) -> int:
    return len(orjson.dumps(thing))


def _line(kind: str, fields: object) -> bytes:
    return orjson.dumps({kind: fields}, option=orjson.OPT_APPEND_NEWLINE)


def _flow_fields(flow: KeptFlow) -> dict[str, object]:
    return {
        "flowId": flow.flow_id,
        "version": flow.version,
        "isActive": flow.is_active,
        "record": orjson.Fragment(flow.record),
    }


def _file_fields(file: dict[str, Json], member: str) -> dict[str, Json]:
    metadata = file["metadata"]
    own = {name: each for name, each in metadata.items() if name != "userId"} if isinstance(metadata, dict) else {}
    return {
        "fileId": file["fileId"],
        "filename": file["filename"],
        "contentType": file["contentType"],
        "sha256": file["sha256"],
        "metadata": own,
        "member": member,
    }
