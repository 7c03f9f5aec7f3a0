"""Users and tokens in MongoDB."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from headrace_core.errors import AlreadyExists, Conflict, NotFound
from headrace_runtime.mongo import Document, Mongo
from pymongo import ASCENDING, IndexModel
from pymongo.errors import DuplicateKeyError

from headrace_flow_manager import times
from headrace_flow_manager.people.model import ADMIN, AttemptKey, Token, User, UserChange
from headrace_flow_manager.people.store import Credentials
from headrace_flow_manager.query import ListQuery, Page, Selection
from headrace_flow_manager.stores import mongo_users as users
from headrace_flow_manager.stores.mongo_attempts import ATTEMPTS, MongoAttempts
from headrace_flow_manager.stores.mongo_selection import page_of
from headrace_flow_manager.stores.mongo_users import PERSONAL, USERS, WITHOUT_TOKENS

if TYPE_CHECKING:
    from motor.motor_asyncio import AsyncIOMotorClientSession, AsyncIOMotorDatabase

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    USERS: [
        IndexModel([("logins", ASCENDING)], unique=True),
        IndexModel([("first", ASCENDING)], unique=True, partialFilterExpression={"first": True}),
        IndexModel([("tokens.hash", ASCENDING)]),
        IndexModel([("tokens.expires_at", ASCENDING)]),
        IndexModel([("created_at", ASCENDING), ("_id", ASCENDING)]),
    ],
    ATTEMPTS: [IndexModel([("first_at", ASCENDING)])],
}

PERSONAL_INDEXES: Mapping[str, Sequence[IndexModel]] = {
    USERS: [IndexModel([("personal.hash", ASCENDING)]), IndexModel([("personal.expires_at", ASCENDING)])]
}

RESET_INDEXES: Mapping[str, Sequence[IndexModel]] = {USERS: [IndexModel([("reset.hash", ASCENDING)])]}

GUARD: Final = "people_guard"
"""One document that everybody writes who takes an administrator away: of two at once the second sees the first."""

_ONE_ON: Final = {"$inc": {"revision": 1}}
_NO_TOKENS: Final[Document] = {"tokens": [], PERSONAL: []}
_OF_USER: Final = dict.fromkeys(
    ("username", "email", "created_at", "active", "scopes", "vendors", "plan", "metadata"), 1
)

_TAKEN = "Somebody signs in with this name or mail address already. Choose another one."


class MongoPeopleStore:
    """The PeopleStore in MongoDB. What concerns one user is one write of one document."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._attempts = MongoAttempts(mongo)

    async def add(self, user: User, password_hash: str, token: Token) -> None:
        await self._insert(users.of(user, password_hash) | {"tokens": [users.token_of(token)]})

    async def is_empty(self) -> bool:
        async with self._mongo.asking() as database:
            return await database[USERS].find_one({}, {"_id": 1}) is None

    async def add_first(self, user: User, password_hash: str) -> bool:
        """As the port says: only one user can be marked as the first."""
        if not await self.is_empty():
            return False
        try:
            await self._insert(users.of(user, password_hash) | {"first": True})
        except AlreadyExists:
            return False
        return True

    async def get(self, user_id: str) -> User:
        return (await self.credentials(user_id)).user

    async def credentials(self, user_id: str) -> Credentials:
        async with self._mongo.asking() as database:
            kept = await _kept(database, user_id)
        return Credentials(users.user(kept), kept["password_hash"])

    async def credentials_of_login(self, key: str) -> Credentials | None:
        async with self._mongo.asking() as database:
            kept = await database[USERS].find_one({"logins": key}, WITHOUT_TOKENS)
        return None if kept is None else Credentials(users.user(kept), kept["password_hash"])

    async def page(self, query: ListQuery) -> Page[User]:
        selection = Selection(query, names=("username", "email"))
        order = [("created_at", ASCENDING), ("_id", ASCENDING)]
        candidates = self._mongo.database[USERS].find({}, {**WITHOUT_TOKENS, "password_hash": 0}).sort(order)
        page = await page_of(self._mongo, candidates, selection, users.shown)
        async with self._mongo.asking() as database:
            cursor = database[USERS].find({"_id": {"$in": list(page.items)}}, WITHOUT_TOKENS)
            found = {kept["_id"]: users.user(kept) async for kept in cursor}
        return Page(tuple(found[user_id] for user_id in page.items if user_id in found), page.total)

    async def update(self, user_id: str, change: UserChange) -> User:
        async with self._mongo.asking() as database:
            while True:
                kept = await _kept(database, user_id)
                before = users.user(kept)
                after = change.applied(before)
                try:
                    if before.is_administrator and not after.is_administrator:
                        is_written = await _replace_administrator(database, kept, after)
                    else:
                        is_written = await _replace(database, kept, after)
                except DuplicateKeyError:
                    raise AlreadyExists(_TAKEN) from None
                if is_written:
                    return after

    async def erase(self, user_id: str) -> None:
        async with self._mongo.asking() as database:
            await database[USERS].delete_one({"_id": user_id})

    async def set_password(self, user_id: str, password_hash: str, keep: bytes | None) -> None:
        others = {key: {"hash": {"$ne": keep}} for key in ("tokens", PERSONAL)}
        change = {"$set": {"password_hash": password_hash}, "$pull": others, **_ONE_ON}
        async with self._mongo.asking() as database:
            written = await database[USERS].update_one({"_id": user_id}, change)
        if not written.matched_count:
            raise NotFound("user", user_id)

    async def put_code(self, user_id: str, code_hash: bytes, expires_at: datetime) -> None:
        code = {"hash": code_hash, "expires_at": times.to_micros(expires_at)}
        async with self._mongo.asking() as database:
            await database[USERS].update_one({"_id": user_id}, {"$set": {"reset": code}, **_ONE_ON})

    async def redeem(self, code_hash: bytes, password_hash: str, now: datetime) -> User | None:
        code = {"reset.hash": code_hash, "reset.expires_at": {"$gt": times.to_micros(now)}}
        new = {"$set": {"password_hash": password_hash, **_NO_TOKENS}, "$unset": {"reset": ""}, **_ONE_ON}
        async with self._mongo.asking() as database:
            kept = await database[USERS].find_one_and_update(code, new, projection=WITHOUT_TOKENS)
        return None if kept is None else users.user(kept)

    async def renew_hash(self, user_id: str, outdated: str, renewed: str) -> None:
        async with self._mongo.asking() as database:
            await database[USERS].update_one(
                {"_id": user_id, "password_hash": outdated},
                {"$set": {"password_hash": renewed}, **_ONE_ON},
            )

    async def add_token(self, token: Token, limit: int) -> None:
        newest = {"$each": [users.token_of(token)], "$sort": {"created_at": 1}, "$slice": -limit}
        # A write whose answer was lost is sent again: it finds the token there and adds no second one.
        place = {"_id": token.user_id, "tokens.hash": {"$ne": token.token_hash}}
        async with self._mongo.asking() as database:
            await database[USERS].update_one(place, {"$push": {"tokens": newest}, **_ONE_ON})

    async def add_personal(self, token: Token, limit: int) -> None:
        this = {"_id": token.user_id, f"{PERSONAL}.hash": {"$ne": token.token_hash}}
        below = {**this, f"{PERSONAL}.{limit - 1}": {"$exists": False}}
        async with self._mongo.asking() as database:
            pushed = {"$push": {PERSONAL: users.token_of(token)}, **_ONE_ON}
            if (await database[USERS].update_one(below, pushed)).matched_count:
                return
            await _kept(database, token.user_id)
            if await database[USERS].find_one(this, {"_id": 1}) is not None:
                raise Conflict(f"There are {limit} personal tokens already. Revoke one that is not used any more.")
            # It is there: the answer to the first try was lost on the way.

    async def personal_tokens(self, user_id: str) -> Sequence[Token]:
        async with self._mongo.asking() as database:
            kept = await database[USERS].find_one({"_id": user_id}, {PERSONAL: 1})
        return [] if kept is None else [users.token(kept, each) for each in kept.get(PERSONAL, ())]

    async def remove_personal(self, user_id: str, token_id: str) -> bool:
        async with self._mongo.asking() as database:
            removed = await database[USERS].update_one(
                {"_id": user_id, f"{PERSONAL}.id": token_id}, {"$pull": {PERSONAL: {"id": token_id}}, **_ONE_ON}
            )
        return removed.matched_count > 0

    async def remove_token(self, token_hash: bytes) -> None:
        async with self._mongo.asking() as database:
            this = {key: {"hash": token_hash} for key in ("tokens", PERSONAL)}
            await database[USERS].update_one(_with(token_hash), {"$pull": this, **_ONE_ON})

    async def remove_tokens(self, user_id: str) -> int:
        async with self._mongo.asking() as database:
            kinds = {"tokens": 1, PERSONAL: 1, "revision": 1}
            while (kept := await database[USERS].find_one({"_id": user_id}, kinds)) is not None:
                written = await database[USERS].update_one(_as_read(kept), {"$set": _NO_TOKENS, **_ONE_ON})
                if written.matched_count:
                    return len(kept["tokens"]) + len(kept.get(PERSONAL, ()))
        return 0

    async def claim_attempt(self, keys: Sequence[AttemptKey], now: datetime, window: timedelta) -> datetime | None:
        return await self._attempts.claim(keys, now, window)

    async def forgive(self, keys: Sequence[AttemptKey]) -> None:
        await self._attempts.forgive(keys)

    async def prune(self, now: datetime, window: timedelta) -> None:
        ended = {"expires_at": {"$lte": times.to_micros(now)}}
        async with self._mongo.asking() as database:
            for kind in ("tokens", PERSONAL):
                await database[USERS].update_many(
                    {f"{kind}.expires_at": ended["expires_at"]}, {"$pull": {kind: ended}, **_ONE_ON}
                )
        await self._attempts.prune(now - window)

    async def _insert(self, document: Document) -> None:
        async with self._mongo.asking() as database:
            try:
                await database[USERS].insert_one(document)
            except DuplicateKeyError:
                if await database[USERS].find_one({"_id": document["_id"]}, {"_id": 1}) is None:
                    raise AlreadyExists(_TAKEN) from None
                # The id is ours and new: the first answer was lost on the way.


class MongoTokenLookup:
    """The TokenLookup in MongoDB: one read by an index, two for personal tokens."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo

    async def find(self, token_hash: bytes) -> tuple[User, Token] | None:
        async with self._mongo.asking() as database:
            # One by one: an index answers each, and not every server finds one for an `$or` of them.
            for kind in ("tokens", PERSONAL):
                this = {kind: {"$elemMatch": {"hash": token_hash}}}
                kept = await database[USERS].find_one({f"{kind}.hash": token_hash}, {**_OF_USER, **this})
                if kept is not None:
                    return users.user(kept), users.token(kept, kept[kind][0])
        return None


def _with(token_hash: bytes) -> Document:
    """The user whose token this is, of either kind."""
    return {"$or": [{"tokens.hash": token_hash}, {f"{PERSONAL}.hash": token_hash}]}


def _as_read(kept: Document) -> Document:
    """The user as long as nothing about them was written since."""
    return {"_id": kept["_id"], "revision": kept["revision"]}


async def _kept(database: "AsyncIOMotorDatabase[Document]", user_id: str) -> Document:
    kept = await database[USERS].find_one({"_id": user_id}, WITHOUT_TOKENS)
    if kept is None:
        raise NotFound("user", user_id)
    return kept


async def _replace(
    database: "AsyncIOMotorDatabase[Document]",
    kept: Document,
    after: User,
    session: "AsyncIOMotorClientSession | None" = None,
) -> bool:
    """Write the user in place of what was read; False when somebody wrote in between."""
    changes = users.changing(after) | ({} if after.active else _NO_TOKENS)
    written = await database[USERS].update_one(_as_read(kept), {"$set": changes, **_ONE_ON}, session=session)
    return written.matched_count == 1


async def _replace_administrator(database: "AsyncIOMotorDatabase[Document]", kept: Document, after: User) -> bool:
    """The same for one who will not administer any more. It takes a transaction, because it depends on the others."""

    async def work(session: "AsyncIOMotorClientSession") -> bool:
        await database[GUARD].update_one({"_id": "administrators"}, _ONE_ON, upsert=True, session=session)
        others = {"active": True, "scopes": ADMIN, "_id": {"$ne": after.user_id}}
        if await database[USERS].find_one(others, {"_id": 1}, session=session) is None:
            raise Conflict("This is the last administrator. Make somebody else one first.")
        return await _replace(database, kept, after, session)

    async with await database.client.start_session() as session:
        return bool(await session.with_transaction(work))
