"""MongoDB: how it is reached, how its failures are told, how its schema grows.

Every write is acknowledged by a majority with its journal and retried once by the driver after a lost connection.
The driver is `motor`; only this module and the `mongo*` modules of the stores know it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from headrace_core.errors import Conflict, HeadraceError, Internal, TooLarge, Unavailable
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import IndexModel, MongoClient
from pymongo.errors import (
    BulkWriteError,
    ConfigurationError,
    ConnectionFailure,
    DocumentTooLarge,
    ExecutionTimeout,
    InvalidOperation,
    InvalidURI,
    OperationFailure,
    PyMongoError,
    WTimeoutError,
)
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.uri_parser import parse_uri

from headrace_runtime.metrics import Metrics
from headrace_runtime.mongo_silence import PING_SECONDS, Silence
from headrace_runtime.settings import setting

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorDatabase
    from pymongo.database import Database

Document = dict[str, Any]
"""A BSON document. What is in it is the business of the store that wrote it."""

Version: TypeAlias = "Mapping[str, Sequence[IndexModel]] | Callable[[AsyncIOMotorDatabase[Document]], Awaitable[None]]"
"""A step of a schema: new indexes by collection, or work at documents that earlier releases wrote."""

DUPLICATE_KEY = 11000

SELECTION = timedelta(milliseconds=1200)
"""How long a call looks for a primary."""

PATIENCE = timedelta(seconds=10)
"""How long a call may take in all."""

RETRY_AFTER = timedelta(seconds=1)
LONGEST_PAUSE = 15.0
MAX_CONNECTIONS = 16
OLDEST_WIRE = 13  # MongoDB 5.0

_LIMITS = ("serverSelectionTimeoutMS", "connectTimeoutMS", "socketTimeoutMS")
_AUTHENTICATION_FAILED = frozenset({13, 18, 8000})
_TOO_LARGE = frozenset({10334, 17280, 17419, 17420})
_PASSING = frozenset({6, 7, 43, 50, 64, 89, 91, 112, 189, 262, 9001, 10107, 11600, 11602, 13388, 13435, 13436, 14031})
"""Failures of the cluster, not of the command: it is moving, full or slow, and the same call may succeed later."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class MongoSettings:
    """Where MongoDB is, and what our databases are called there."""

    url: str | None = setting(
        None,
        env="HEADRACE_MONGO_URL",
        help="MongoDB replica set, as mongodb://user:password@host:27017/?replicaSet=rs0; without it SQLite is used.",
        secret=True,
    )
    namespace: str = setting(
        "headrace", env="HEADRACE_MONGO_NAMESPACE", help="Begin of the names of the databases, one for each service."
    )

    def database(self, service: str) -> str:
        """The name of a service's own database, for example `headrace_flow_manager`."""
        return f"{self.namespace}_{service.replace('-', '_')}"


class Mongo:
    """One database of a MongoDB replica set or sharded cluster."""

    def __init__(self, url: str, database: str, *, patience: timedelta = PATIENCE, prompt: bool = False) -> None:
        """Raises Conflict when the URL is none; nothing is asked of the server yet."""
        self._patience = patience
        self._prompt = prompt
        self.where = _servers(url)
        self._sent = _Sent()
        self._silence = Silence(self.where, self._answers)
        options: dict[str, Any] = {
            "w": "majority",
            "journal": True,
            "retryWrites": True,
            "serverSelectionTimeoutMS": round(SELECTION.total_seconds() * 1000),
            "connectTimeoutMS": round(SELECTION.total_seconds() * 1000),
            "socketTimeoutMS": round(patience.total_seconds() * 1000),
            "appname": "headrace",
        }
        try:
            self._client: AsyncIOMotorClient[Document] = AsyncIOMotorClient(
                url, maxPoolSize=MAX_CONNECTIONS, event_listeners=[self._sent, self._silence.heard], **options
            )
            self._blocking: MongoClient[Document] = MongoClient(
                url, maxPoolSize=1, connect=False, event_listeners=[self._sent], **options
            )
            self._pinging: MongoClient[Document] = MongoClient(
                url, maxPoolSize=1, connect=False, **{**options, **dict.fromkeys(_LIMITS, round(PING_SECONDS * 1000))}
            )
        except (InvalidURI, ConfigurationError, ValueError, OSError) as error:
            raise Conflict(f"HEADRACE_MONGO_URL cannot be used: {error}.") from None
        self.database: AsyncIOMotorDatabase[Document] = self._client[database]
        self._name = database

    @contextlib.asynccontextmanager
    async def asking(
        self, within: timedelta | None = None, *, prompt: bool | None = None
    ) -> AsyncIterator[AsyncIOMotorDatabase[Document]]:
        """Use the database in the block; what goes wrong there is told as an error of the house.

        Raises Unavailable when the server is away or too slow. Whether a write took place is then not known. `prompt`
        is for callers who must hear within two seconds that the server is away; others are better off waiting. Unsaid,
        it is what the database was opened with, or False for a call that names its own time.
        """
        if prompt is None:
            prompt = self._prompt and within is None
        self._silence.begin()
        if prompt and self._silence.is_away:
            raise self._away("does not answer")
        try:
            async with asyncio.timeout((within or self._patience).total_seconds()) as limit:
                with self._silence.ends(limit) if prompt else contextlib.nullcontext():
                    yield self.database
        except TimeoutError:
            raise self._away("did not answer in time") from None
        except PyMongoError as error:
            raise self._told(error) from error

    @contextlib.contextmanager
    def blocking(self) -> Iterator[Database[Document]]:
        """The database for a thread of its own that must not depend on the event loop. Fails like `asking`."""
        try:
            yield self._blocking[self._name]
        except PyMongoError as error:
            raise self._told(error) from error

    @property
    def sent(self) -> Mapping[str, int]:
        """How many commands of each name went out since the start. Their sum is the count of round trips."""
        return dict(self._sent.counts)

    def count_in(self, metrics: Metrics) -> None:
        """Show the commands among these metrics."""
        metrics.follow(
            "headrace_mongo_commands_total",
            "Commands sent to MongoDB, each a round trip.",
            lambda: self.sent,
            label="command",
        )

    async def check(self) -> None:
        """Raises Conflict with what to do when this deployment cannot keep what Headrace promises, or Unavailable."""
        async with self.asking():
            hello = await self._client.admin.command("hello")
            if not hello.get("setName") and hello.get("msg") != "isdbgrid":
                raise Conflict(
                    f"MongoDB at {self.where} is a single server. Make it a replica set, of one member at least:"
                    " start mongod with --replSet and call rs.initiate() once."
                )
            if hello.get("maxWireVersion", 0) < OLDEST_WIRE:
                raise Conflict(f"MongoDB at {self.where} is too old: Headrace needs 5.0 or newer.")
            await self.database.command("ping")
            # A server may let anybody say hello; only this shows whether the credentials hold.
            await self.database["schema"].find_one({})

    async def wait(self) -> None:
        """Return when the server can be used; tell in a line whenever it cannot, and ask less and less often.

        Raises Conflict when waiting does not help.
        """
        pause = 0.5
        while True:
            try:
                await self.check()
                return
            except Unavailable as error:
                _log.warning("Not started yet: %s Trying again in %g s.", error, pause)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    async def grow(self, versions: Sequence[Version]) -> None:
        """Bring the schema up to `len(versions)`.

        Doing it again, also by several processes at once, changes nothing: work at documents must bear that. Raises
        Conflict when the database was written by a newer release.
        """
        async with self.asking(timedelta(minutes=10)) as database:
            kept = await database["schema"].find_one({"_id": "version"})
            version = int(kept["number"]) if kept else 0
            if version > len(versions):
                raise Conflict(
                    f"The database {self._name} has schema {version}, this release knows {len(versions)}:"
                    " start the newer release."
                )
            for step in versions[version:]:
                if callable(step):
                    await step(database)
                    continue
                for collection, models in step.items():
                    await database[collection].create_indexes(list(models))
            if version < len(versions):
                await database["schema"].update_one(
                    {"_id": "version"}, {"$max": {"number": len(versions)}}, upsert=True
                )

    async def close(self) -> None:
        """Close all connections. Closing again changes nothing."""
        await self._silence.close()
        self._client.close()
        await asyncio.to_thread(self._blocking.close)
        await asyncio.to_thread(self._pinging.close)

    def _answers(self) -> bool:
        """Whether the server answers a ping now."""
        try:
            self._pinging[self._name].command("ping")
        except PyMongoError as error:
            return isinstance(error, OperationFailure)  # it refuses, so it is there
        return True

    def _told(self, error: PyMongoError) -> HeadraceError:
        """The error in words of the house."""
        if isinstance(error, BulkWriteError) and not error.details.get("writeErrors"):
            return self._away("did not confirm a write on a majority")
        if isinstance(error, DocumentTooLarge) or _code(error) in _TOO_LARGE:
            return TooLarge("This is larger than a document of MongoDB may be: 16 MB.")
        if _code(error) in _AUTHENTICATION_FAILED:
            return self._away("refuses the user or password of HEADRACE_MONGO_URL")
        if isinstance(error, WTimeoutError | ExecutionTimeout) or _code(error) in _PASSING:
            return self._away(f"cannot do it now ({_code(error)})")
        if isinstance(error, ConnectionFailure | InvalidOperation) or error.has_error_label("RetryableWriteError"):
            return self._away("cannot be reached")
        return Internal(f"MongoDB at {self.where} refused a command: {error}")

    def _away(self, what: str) -> Unavailable:
        return Unavailable(f"MongoDB at {self.where} {what}.", retry_after=RETRY_AFTER)


async def open_mongo(
    url: str,
    database: str,
    versions: Sequence[Version],
    *,
    patience: timedelta = PATIENCE,
    prompt: bool = False,
) -> Mongo:
    """A database with its schema, as soon as the server can be used. `patience` is how long a call may take."""
    mongo = Mongo(url, database, patience=patience, prompt=prompt)
    try:
        await mongo.wait()
        await mongo.grow(versions)
    except BaseException:
        await mongo.close()
        raise
    return mongo


def duplicates(error: BulkWriteError) -> set[int]:
    """Which operations of a bulk failed because their key was there. Any other failure of one is raised."""
    failed = error.details.get("writeErrors", [])
    if error.details.get("writeConcernErrors") or any(each["code"] != DUPLICATE_KEY for each in failed):
        raise error
    return {each["index"] for each in failed}


class _Sent(CommandListener):
    """Counts commands. The driver calls it from many threads."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def started(self, event: CommandStartedEvent) -> None:
        with self._lock:
            self.counts[event.command_name] += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        pass

    def failed(self, event: CommandFailedEvent) -> None:
        pass


def _code(error: PyMongoError) -> int:
    return error.code or 0 if isinstance(error, OperationFailure) else 0


def _servers(url: str) -> str:
    """The addresses of a URL without user and password."""
    if url.startswith("mongodb+srv://"):
        return url.removeprefix("mongodb+srv://").rpartition("@")[2].partition("/")[0]
    try:
        found = parse_uri(url)["nodelist"]
    except (InvalidURI, ConfigurationError, ValueError) as error:
        raise Conflict(f"HEADRACE_MONGO_URL cannot be used: {error}.") from None
    return ", ".join(f"{host}:{port}" for host, port in found)
