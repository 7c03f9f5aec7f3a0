"""Collections of a plugin: documents as MongoDB's clients speak of them, kept in data stores of the plugin's own.

Each collection is a data store with a record for each document, and what a plugin in JavaScript keeps, one in Python
finds. What a filter means is looked for in all documents of a collection, so a collection is bounded; who changes
documents holds a lock of the collection.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, Protocol

from headrace_sdk import aggregation, documents
from headrace_sdk.context import Lock, Stores
from headrace_sdk.documents import MISSING, Document
from headrace_sdk.errors import CancelError

PAGE: Final = 500
MOST_DOCUMENTS: Final = 10_000
MOST_INDEXES: Final = 20
LOCK_TTL: Final = timedelta(seconds=60)
LOCK_RETRIES: Final = 150
PREFIX: Final = "collection "
INDEXES: Final = "indexes of collections"
_NAME: Final = re.compile(r"[\w.-]{1,100}", re.ASCII)

Filter = Mapping[str, Any]


class DuplicateKey(CancelError):
    """Two documents would have the same `_id`, or the same values under a unique index."""


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update came to."""

    matched: int
    modified: int
    upserted_id: Any = None


class Locks(Protocol):
    """Locks that all of the service share."""

    def __call__(
        self, name: str, *, ttl: timedelta = ..., retry_delay: float = ..., retries: int = ...
    ) -> AbstractAsyncContextManager[Lock]: ...


class Collections:
    """The collections of one plugin."""

    def __init__(self, stores: Stores, lock: Locks) -> None:
        self._stores = stores
        self._lock = lock

    def __call__(self, name: str) -> Collection:
        """The collection of this name: letters, digits, _, - and dots. It is made when something is kept there."""
        if _NAME.fullmatch(name) is None:
            raise CancelError(f"{name[:200]!r} is no name of a collection: letters, digits, _, - and dots are.")
        return Collection(self._stores, self._lock, name)


class Collection:
    """Documents. Every method raises CancelError for a filter, an update or a stage with a word that is not known."""

    def __init__(self, stores: Stores, lock: Locks, name: str) -> None:
        self._stores = stores
        self._lock = lock
        self._ids: dict[str, str] = {}
        self.name = name

    # Reading.

    async def find(
        self,
        wanted: Filter | None = None,
        *,
        sort: Mapping[str, int] | None = None,
        skip: int = 0,
        limit: int = 0,
        projection: Mapping[str, Any] | None = None,
    ) -> list[Document]:
        """The documents that a filter means; `limit` 0 is none."""
        found = documents.sort(await self._all(wanted or {}), sort or {})
        return [documents.projected(each, projection) for each in found[skip : skip + limit if limit else None]]

    async def find_one(
        self,
        wanted: Filter | None = None,
        *,
        sort: Mapping[str, int] | None = None,
        projection: Mapping[str, Any] | None = None,
    ) -> Document | None:
        """The first of them, or None."""
        found = await self.find(wanted, sort=sort, limit=1, projection=projection)
        return found[0] if found else None

    async def count(self, wanted: Filter | None = None) -> int:
        return len(await self._all(wanted or {}))

    async def distinct(self, name: str, wanted: Filter | None = None) -> list[Any]:
        """The values of a field, each once; of a list its values."""
        found: dict[str, Any] = {}
        for document in await self._all(wanted or {}):
            value = documents.value_at(document, name)
            for each in value if isinstance(value, list) else [] if value is MISSING else [value]:
                found.setdefault(documents.spelled(each), each)
        return [*found.values()]

    async def aggregate(self, pipeline: Sequence[Mapping[str, Any]]) -> list[Document]:
        """What the stages make of the documents. Stages that write or run code are not known."""
        return aggregation.aggregated(await self._all({}), pipeline)

    # Writing. Of two that write at once, one waits.

    async def insert_one(self, document: Document) -> Any:
        """Keep a document; its `_id`, which it gets where it has none. Raises DuplicateKey."""
        return (await self.insert_many([document]))[0]

    async def insert_many(self, made: Sequence[Document]) -> list[Any]:
        """Keep documents, all of them or none; their ids. Raises DuplicateKey."""
        async with self._changing():
            known = await self._all({})
            for each in made:
                each.setdefault("_id", _new_id())
            await self._write(known, made, is_new=True)
        return [each["_id"] for each in made]

    async def update_one(self, wanted: Filter, update: Mapping[str, Any], *, upsert: bool = False) -> Updated:
        """Change the first document that the filter means; with `upsert` one is made where there is none."""
        async with self._changing():
            return await self._update(wanted, update, upsert=upsert, most=1)

    async def update_many(self, wanted: Filter, update: Mapping[str, Any], *, upsert: bool = False) -> Updated:
        async with self._changing():
            return await self._update(wanted, update, upsert=upsert, most=None)

    async def replace_one(self, wanted: Filter, document: Document, *, upsert: bool = False) -> Updated:
        return await self.update_one(wanted, document, upsert=upsert)

    async def find_one_and_update(
        self, wanted: Filter, update: Mapping[str, Any], *, upsert: bool = False, after: bool = False
    ) -> Document | None:
        """Change one document; it as it was before, or as it is `after`."""
        async with self._changing():
            before = next(iter(await self._all(wanted)), None)
            changed = await self._update(wanted, update, upsert=upsert, most=1)
            document_id = changed.upserted_id if before is None else before["_id"]
            if not after or document_id is None:
                return before
            return next(iter(await self._all({"_id": document_id})), None)

    async def delete_one(self, wanted: Filter) -> int:
        async with self._changing():
            return await self._remove((await self._all(wanted))[:1])

    async def delete_many(self, wanted: Filter | None = None) -> int:
        async with self._changing():
            return await self._remove(await self._all(wanted or {}))

    async def find_one_and_delete(self, wanted: Filter) -> Document | None:
        async with self._changing():
            found = (await self._all(wanted))[:1]
            await self._remove(found)
            return found[0] if found else None

    # Indexes. A collection is small enough to be looked through: they say what there is once only.

    async def create_index(self, keys: Mapping[str, int], *, unique: bool = False, sparse: bool = False) -> str:
        """Its name. With `unique` no two documents have the same values of these fields from now on.

        What is not there counts as null, or with `sparse` not at all. Raises DuplicateKey where two have them already.
        """
        made: Document = {"key": dict(keys), "unique": unique, "sparse": sparse}
        made["name"] = "_".join(str(part) for item in keys.items() for part in item)
        async with self._changing():
            known = await self.indexes()
            kept = [*(each for each in known if each["name"] != made["name"]), made]
            if len(kept) > MOST_INDEXES:
                raise CancelError(f"A collection has at most {MOST_INDEXES} indexes.")
            check_unique(self.name, [made], await self._all({}))
            await self._stores.set(await self._store(INDEXES), self.name, list(kept))
        return str(made["name"])

    async def drop_index(self, name: str) -> None:
        async with self._changing():
            kept = [each for each in await self.indexes() if each["name"] != name]
            await self._stores.set(await self._store(INDEXES), self.name, list(kept))

    async def indexes(self) -> list[Document]:
        """Each as {"name", "key", "unique", "sparse"}."""
        found = await self._stores.get(await self._store(INDEXES), self.name)
        kept = found["value"] if found is not None else []
        return [each for each in kept if isinstance(each, dict)] if isinstance(kept, list) else []

    # The data store below.

    async def _update(self, wanted: Filter, update: Mapping[str, Any], *, upsert: bool, most: int | None) -> Updated:
        everything = await self._all({})
        found = [each for each in everything if documents.fits(each, wanted)][:most]
        if not found and upsert:
            seed = documents.seed_of(wanted)
            seed.setdefault("_id", update.get("_id") or _new_id())
            made = documents.updated(seed, update, is_new=True)
            await self._write(everything, [made], is_new=True)
            return Updated(0, 0, made["_id"])
        changed = [
            each
            for each, before in ((documents.updated(each, update), each) for each in found)
            if documents.spelled(each) != documents.spelled(before)
        ]
        await self._write(everything, changed, is_new=False)
        return Updated(len(found), len(changed))

    async def _write(self, known: Sequence[Document], made: Sequence[Document], *, is_new: bool) -> None:
        """Keep documents beside those that are known, if all of them may be there."""
        if is_new and len(known) + len(made) > MOST_DOCUMENTS:
            said = f"The collection {self.name} would have {len(known) + len(made)} documents: {MOST_DOCUMENTS} fit."
            raise CancelError(said)
        together = {_key(each): each for each in known}
        for each in made:
            if is_new and _key(each) in together:
                raise DuplicateKey(f"{self.name} has {each['_id']!r} already.")
            together[_key(each)] = each
        check_unique(self.name, await self.indexes(), [*together.values()])
        store = await self._store(PREFIX + self.name)
        for each in made:
            await self._stores.set(store, _key(each), documents.packed(each))

    async def _remove(self, found: Sequence[Document]) -> int:
        store = await self._store(PREFIX + self.name)
        for each in found:
            await self._stores.remove(store, _key(each))
        return len(found)

    async def _all(self, wanted: Filter) -> list[Document]:
        store = await self._store(PREFIX + self.name)
        found: list[Document] = []
        for offset in range(0, MOST_DOCUMENTS, PAGE):
            page = await self._stores.find(store, offset=offset, limit=PAGE)
            found += [documents.unpacked(each["value"]) for each in page]
            if len(page) < PAGE:
                break
        return [each for each in found if documents.fits(each, wanted)]

    async def _store(self, name: str) -> str:
        """The id of a data store, which is made where it is not there."""
        if name not in self._ids:
            self._ids[name] = await self._named(name) or await self._made(name)
        return self._ids[name]

    async def _made(self, name: str) -> str:
        try:
            return str((await self._stores.create_store(name))["storeId"])
        except CancelError:
            if (found := await self._named(name)) is not None:  # somebody else was as quick
                return found
            raise

    async def _named(self, name: str) -> str | None:
        stores = await self._stores.list_stores()
        return next((str(each["storeId"]) for each in stores if each["name"] == name), None)

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[None]:
        async with self._lock(f"db/{self.name}", ttl=LOCK_TTL, retries=LOCK_RETRIES):
            yield


def check_unique(name: str, indexes: Sequence[Mapping[str, Any]], found: Sequence[Document]) -> None:
    """Raises DuplicateKey where two documents have the same values under a unique index."""
    for index in indexes:
        if not index.get("unique"):
            continue
        seen: dict[str, Any] = {}
        for document in found:
            for key in _keys(document, [*index["key"]], is_sparse=bool(index.get("sparse"))):
                if seen.setdefault(key, document["_id"]) != document["_id"]:
                    raise DuplicateKey(f"{name} has two documents with the same {', '.join(index['key'])}.")


def _keys(document: Document, paths: Sequence[str], *, is_sparse: bool) -> set[str]:
    """The values of some fields; of a list each of its values."""
    values = [documents.value_at(document, path) for path in paths]
    if is_sparse and all(each is MISSING for each in values):
        return set()
    combined: list[list[Any]] = [[]]
    for value in values:
        each_of = value if isinstance(value, list) and value else [None if value is MISSING else value]
        combined = [[*known, each] for known in combined for each in each_of]
    return {documents.spelled(each) for each in combined}


def _key(document: Document) -> str:
    return str(document["_id"])


def _new_id() -> str:
    return secrets.token_hex(12)
