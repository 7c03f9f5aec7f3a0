"""How the stores of this service write to MongoDB where one conditional write is not enough."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from headrace_runtime.mongo import Document, Mongo, duplicates
from pymongo.errors import BulkWriteError, PyMongoError
from pymongo.read_concern import ReadConcern

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorCollection, AsyncIOMotorDatabase

    Session = AsyncIOMotorClientSession
    Database = AsyncIOMotorDatabase[Document]
    Collection = AsyncIOMotorCollection[Document]

ATTEMPTS: Final = 50
"""How often a write that others overtook is tried."""

_PORTION: Final = 200


def settled(database: "Database", name: str) -> "Collection":
    """A collection whose reads see only what no failover takes back, so that an answer may be built on them."""
    return database.get_collection(name, read_concern=ReadConcern("majority"))


async def insert_new(collection: "Collection", documents: Sequence[Document]) -> None:
    """Insert those whose id is not there. Doing it again changes nothing."""
    if not documents:
        return
    try:
        await collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        duplicates(error)


async def together(database: "Database", work: "Callable[[Session], Awaitable[bool]]") -> bool:
    """Whether the work was done, whole. False when it says so or when somebody wrote the same at once: undone then."""
    async with await database.client.start_session() as session:
        try:
            async with session.start_transaction():
                if await work(session):
                    return True
                await session.abort_transaction()
        except PyMongoError as error:
            if not error.has_error_label("TransientTransactionError"):
                raise
    return False


async def delete_all(mongo: Mongo, name: str, of: Document) -> None:
    """Delete what the filter finds, a portion a command, so that none takes longer than a call may."""
    found = _PORTION
    while found == _PORTION:
        async with mongo.asking() as database:
            ids = await _portion(database, name, of)
            await database[name].delete_many({"_id": {"$in": ids}})
        found = len(ids)


async def update_all(mongo: Mongo, name: str, of: Document, update: Document) -> None:
    """Update what the filter finds, in the same way. The update must make the filter miss it."""
    found = _PORTION
    while found == _PORTION:
        async with mongo.asking() as database:
            ids = await _portion(database, name, of)
            await database[name].update_many({**of, "_id": {"$in": ids}}, update)
        found = len(ids)


async def _portion(database: "Database", name: str, of: Document) -> list[object]:
    return [each["_id"] async for each in database[name].find(of, {"_id": True}).limit(_PORTION)]
