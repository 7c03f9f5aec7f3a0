"""Asks MongoDB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from headrace_core.errors import Internal, Unavailable

from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules import clocks
from headrace_runtime.doctor.rules import mongo as rules
from headrace_runtime.doctor.running import Check, Subject
from headrace_runtime.mongo import Document, Mongo

NAME = "MongoDB"
PATIENCE = timedelta(seconds=3)

_RIGHTS = "Give the user the role readWrite on the databases of HEADRACE_MONGO_NAMESPACE, and clusterMonitor."


def mongo(url: str, schemas: Mapping[str, int | None]) -> Subject:
    """The MongoDB at this URL. `schemas` names the databases of the services, with the version this release knows."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        client = Mongo(url, next(iter(schemas)), patience=PATIENCE)
        try:
            yield _Asking(client, schemas).checks()
        finally:
            await client.close()

    return Subject(NAME, opening)


class _Asking:
    def __init__(self, client: Mongo, schemas: Mapping[str, int | None]) -> None:
        self._client = client
        self._schemas = schemas

    def checks(self) -> list[Check]:
        return [
            Check("connection", self._connection, "Start it, or correct HEADRACE_MONGO_URL.", is_needed=True),
            Check("version", self._version, _RIGHTS),
            Check("replica set", self._topology, _RIGHTS, is_needed=True),
            Check("clock", self._clock, _RIGHTS),
            Check("members", self._members, _RIGHTS),
            Check("write concern", self._defaults, _RIGHTS),
            Check("write", self._write, "See that a majority of the members is up, and that the user may write."),
            Check("disk", self._disk, _RIGHTS),
            Check("schema", self._schema, _RIGHTS),
        ]

    async def _connection(self) -> Finding:
        where = self._client.where
        async with self._client.asking() as database:
            await database.client["admin"].command("hello")
        try:
            async with self._client.asking() as database:
                # Anybody may say hello; only this shows whether the credentials hold.
                await database["schema"].find_one({})
        except Unavailable as refused:
            return error("connection", refused.message, "Correct user, password and authSource in HEADRACE_MONGO_URL.")
        return ok("connection", where)

    async def _version(self) -> list[Finding]:
        return rules.version(str((await self._command("buildInfo")).get("version", "")))

    async def _topology(self) -> Finding:
        return rules.topology(await self._command("hello"))

    async def _clock(self) -> Finding:
        before = datetime.now(UTC)
        told = (await self._command("hello"))["localTime"].replace(tzinfo=UTC)
        return clocks.skew(told - (before + (datetime.now(UTC) - before) / 2))

    async def _members(self) -> Finding:
        status = await self._told("replSetGetStatus")
        return rules.members(status) if status else ok("members", "not told")

    async def _defaults(self) -> Finding:
        concern = await self._told("getDefaultRWConcern")
        return rules.defaults(concern, (await self._told("replSetGetConfig")).get("config", {}))

    async def _write(self) -> Finding:
        """One document, confirmed by a majority with its journal, and gone again with its collection."""
        async with self._client.asking() as database:
            probe = database["doctor"]
            try:
                await probe.insert_one({"at": datetime.now(UTC)})
            finally:
                await probe.drop()
        return ok("write", "confirmed by a majority, journaled")

    async def _disk(self) -> list[Finding]:
        async with self._client.asking() as database:
            found = rules.disk(await database.command("dbStats"))
        return [found] if found else []

    async def _schema(self) -> list[Finding]:
        findings = []
        async with self._client.asking() as database:
            for name, known in self._schemas.items():
                kept = await database.client[name]["schema"].find_one({"_id": "version"})
                findings.append(rules.schema(name, int(kept["number"]) if kept else None, known))
        return findings

    async def _command(self, name: str) -> Document:
        async with self._client.asking() as database:
            answer: dict[str, Any] = await database.client["admin"].command(name)
        return answer

    async def _told(self, name: str) -> Document:
        """What it answers; nothing where it does not know the command or does not let us."""
        try:
            return await self._command(name)
        except (Internal, Unavailable):
            return {}
