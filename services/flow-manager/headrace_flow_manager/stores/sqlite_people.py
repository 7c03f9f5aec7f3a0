"""Users and tokens in SQLite."""

import hashlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta

from headrace_core import Json
from headrace_core.errors import AlreadyExists, Conflict, NotFound
from headrace_runtime.sqlite import Database

from headrace_flow_manager import json_text, times
from headrace_flow_manager.people.model import AttemptKey, Personal, Token, User, UserChange
from headrace_flow_manager.people.store import Credentials
from headrace_flow_manager.query import ListQuery, Page, Record, Selection
from headrace_flow_manager.stores.values import changed_rows, parsed_object, parsed_texts, shown

SCHEMA = """
CREATE TABLE users (
    user_id TEXT PRIMARY KEY,
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    active INTEGER NOT NULL,
    scopes TEXT NOT NULL,
    vendors TEXT NOT NULL,
    plan TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE TABLE logins (
    login TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE
);
CREATE INDEX logins_of_user ON logins (user_id);
CREATE TABLE tokens (
    token_hash BLOB PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (user_id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
);
CREATE INDEX tokens_of_user ON tokens (user_id, created_at);
CREATE INDEX tokens_by_end ON tokens (expires_at);
CREATE TABLE attempts (
    attempt_key BLOB PRIMARY KEY,
    first_at INTEGER NOT NULL,
    made INTEGER NOT NULL
);
CREATE INDEX attempts_by_time ON attempts (first_at)
"""

PERSONAL_TOKENS = """
ALTER TABLE tokens ADD COLUMN token_id TEXT;
ALTER TABLE tokens ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '[]'
"""

IMPERSONATION = """
ALTER TABLE tokens ADD COLUMN impersonator_id TEXT NOT NULL DEFAULT ''
"""

RESET_CODES = """
CREATE TABLE reset_codes (
    user_id TEXT PRIMARY KEY REFERENCES users (user_id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
)
"""


class SqlitePeopleStore:
    """The PeopleStore in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, user: User, password_hash: str, token: Token) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _insert_user(connection, user, password_hash)
            _insert_token(connection, token)

        await self._database.write(work)

    async def is_empty(self) -> bool:
        return await self._database.read(_is_empty)

    async def add_first(self, user: User, password_hash: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            if not _is_empty(connection):
                return False
            _insert_user(connection, user, password_hash)
            return True

        return await self._database.write(work)

    async def get(self, user_id: str) -> User:
        return (await self.credentials(user_id)).user

    async def credentials(self, user_id: str) -> Credentials:
        return await self._database.read(lambda connection: _credentials(connection, user_id))

    async def credentials_of_login(self, key: str) -> Credentials | None:
        def work(connection: sqlite3.Connection) -> Credentials | None:
            row = connection.execute(
                "SELECT u.* FROM logins l JOIN users u ON u.user_id = l.user_id WHERE l.login = ?", (key,)
            ).fetchone()
            return None if row is None else Credentials(_user(row), row["password_hash"])

        return await self._database.read(work)

    async def page(self, query: ListQuery) -> Page[User]:
        selection = Selection(query, names=("username", "email"))

        def work(connection: sqlite3.Connection) -> Page[User]:
            rows = connection.execute("SELECT * FROM users ORDER BY created_at, user_id")
            page = selection.page((row["user_id"], _public(row)) for row in rows)
            return Page(tuple(_credentials(connection, user_id).user for user_id in page.items), page.total)

        return await self._database.read(work)

    async def update(self, user_id: str, change: UserChange) -> User:
        def work(connection: sqlite3.Connection) -> User:
            before = _credentials(connection, user_id).user
            after = change.applied(before)
            if before.is_administrator and not after.is_administrator:
                _keep_an_administrator(connection, user_id)
            _replace_logins(connection, after)
            _update_user(connection, after)
            if not after.active:
                connection.execute("DELETE FROM tokens WHERE user_id = ?", (user_id,))
            return after

        return await self._database.write(work)

    async def erase(self, user_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM users WHERE user_id = ?", (user_id,))  # names and tokens go with it

        await self._database.write(work)

    async def set_password(self, user_id: str, password_hash: str, keep: bytes | None) -> None:
        def work(connection: sqlite3.Connection) -> None:
            updated = connection.execute(
                "UPDATE users SET password_hash = ? WHERE user_id = ?", (password_hash, user_id)
            )
            if not updated.rowcount:
                raise NotFound("user", user_id)
            connection.execute("DELETE FROM tokens WHERE user_id = ? AND token_hash IS NOT ?", (user_id, keep))

        await self._database.write(work)

    async def put_code(self, user_id: str, code_hash: bytes, expires_at: datetime) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT OR REPLACE INTO reset_codes (user_id, code_hash, expires_at)"
                " SELECT user_id, ?, ? FROM users WHERE user_id = ?",
                (code_hash, times.to_micros(expires_at), user_id),
            )

        await self._database.write(work)

    async def redeem(self, code_hash: bytes, password_hash: str, now: datetime) -> User | None:
        def work(connection: sqlite3.Connection) -> User | None:
            row = connection.execute(
                "DELETE FROM reset_codes WHERE code_hash = ? RETURNING user_id, expires_at", (code_hash,)
            ).fetchone()
            if row is None or row["expires_at"] <= times.to_micros(now):
                return None
            user_id = row["user_id"]
            connection.execute("UPDATE users SET password_hash = ? WHERE user_id = ?", (password_hash, user_id))
            connection.execute("DELETE FROM tokens WHERE user_id = ?", (user_id,))
            return _credentials(connection, user_id).user

        return await self._database.write(work)

    async def renew_hash(self, user_id: str, outdated: str, renewed: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?",
                (renewed, user_id, outdated),
            )

        await self._database.write(work)

    async def add_token(self, token: Token, limit: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _insert_token(connection, token)
            connection.execute(
                "DELETE FROM tokens WHERE user_id = ?1 AND token_id IS NULL AND token_hash NOT IN"
                " (SELECT token_hash FROM tokens WHERE user_id = ?1 AND token_id IS NULL"
                " ORDER BY created_at DESC, rowid DESC LIMIT ?2)",
                (token.user_id, limit),
            )

        await self._database.write(work)

    async def add_personal(self, token: Token, limit: int) -> None:
        def work(connection: sqlite3.Connection) -> None:
            _credentials(connection, token.user_id)
            if len(_personal_rows(connection, token.user_id)) >= limit:
                raise Conflict(f"There are {limit} personal tokens already. Revoke one that is not used any more.")
            _insert_token(connection, token)

        await self._database.write(work)

    async def personal_tokens(self, user_id: str) -> Sequence[Token]:
        return await self._database.read(
            lambda connection: [_token(row) for row in _personal_rows(connection, user_id)]
        )

    async def remove_personal(self, user_id: str, token_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            removed = connection.execute("DELETE FROM tokens WHERE user_id = ? AND token_id = ?", (user_id, token_id))
            return changed_rows(removed) > 0

        return await self._database.write(work)

    async def remove_token(self, token_hash: bytes) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tokens WHERE token_hash = ?", (token_hash,))

        await self._database.write(work)

    async def remove_tokens(self, user_id: str) -> int:
        def work(connection: sqlite3.Connection) -> int:
            return changed_rows(connection.execute("DELETE FROM tokens WHERE user_id = ?", (user_id,)))

        return await self._database.write(work)

    async def claim_attempt(self, keys: Sequence[AttemptKey], now: datetime, window: timedelta) -> datetime | None:
        begin = times.to_micros(now - window)

        def work(connection: sqlite3.Connection) -> datetime | None:
            for key in keys:
                connection.execute(
                    "DELETE FROM attempts WHERE attempt_key = ? AND first_at <= ?", (_attempt(key), begin)
                )
                row = connection.execute(
                    "SELECT first_at, made FROM attempts WHERE attempt_key = ?", (_attempt(key),)
                ).fetchone()
                if row is not None and row["made"] >= key.limit:
                    return times.from_micros(row["first_at"]) + window
            for key in keys:
                connection.execute(
                    "INSERT INTO attempts (attempt_key, first_at, made) VALUES (?, ?, 1)"
                    " ON CONFLICT (attempt_key) DO UPDATE SET made = made + 1",
                    (_attempt(key), times.to_micros(now)),
                )
            return None

        return await self._database.write(work)

    async def forgive(self, keys: Sequence[AttemptKey]) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for key in keys:
                if key.kind == "address":  # others share it: only this attempt is taken back
                    connection.execute(
                        "UPDATE attempts SET made = made - 1 WHERE attempt_key = ? AND made > 0", (_attempt(key),)
                    )
                else:
                    connection.execute("DELETE FROM attempts WHERE attempt_key = ?", (_attempt(key),))

        await self._database.write(work)

    async def prune(self, now: datetime, window: timedelta) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM tokens WHERE expires_at <= ?", (times.to_micros(now),))
            connection.execute("DELETE FROM attempts WHERE first_at <= ?", (times.to_micros(now - window),))

        await self._database.write(work)


class SqliteTokenLookup:
    """The TokenLookup in SQLite."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, token_hash: bytes) -> tuple[User, Token] | None:
        def work(connection: sqlite3.Connection) -> tuple[User, Token] | None:
            row = connection.execute("SELECT * FROM tokens WHERE token_hash = ?", (token_hash,)).fetchone()
            return None if row is None else (_credentials(connection, row["user_id"]).user, _token(row))

        return await self._database.read(work)


def _attempt(key: AttemptKey) -> bytes:
    """A key of one size, whatever was typed."""
    return hashlib.sha256(f"{key.kind}\n{key.value}".encode("utf-8", "surrogatepass")).digest()


def _is_empty(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM users LIMIT 1").fetchone() is None


def _credentials(connection: sqlite3.Connection, user_id: str) -> Credentials:
    row = connection.execute("SELECT * FROM users WHERE user_id = ?", (user_id,)).fetchone()
    if row is None:
        raise NotFound("user", user_id)
    return Credentials(_user(row), row["password_hash"])


def _keep_an_administrator(connection: sqlite3.Connection, leaving: str) -> None:
    rows = connection.execute("SELECT * FROM users WHERE active = 1 AND user_id <> ?", (leaving,))
    if not any(_user(row).is_administrator for row in rows):
        raise Conflict("This is the last administrator. Make somebody else one first.")


def _insert_user(connection: sqlite3.Connection, user: User, password_hash: str) -> None:
    connection.execute(
        "INSERT INTO users (user_id, username, email, password_hash, active, scopes, vendors, plan, metadata,"
        " created_at) VALUES (:user_id, :username, :email, :password_hash, :active, :scopes, :vendors, :plan,"
        " :metadata, :created_at)",
        _values(user) | {"password_hash": password_hash},
    )
    _replace_logins(connection, user)


def _update_user(connection: sqlite3.Connection, user: User) -> None:
    connection.execute(
        "UPDATE users SET email = :email, active = :active, scopes = :scopes, vendors = :vendors,"
        " metadata = :metadata WHERE user_id = :user_id",
        _values(user),
    )


def _replace_logins(connection: sqlite3.Connection, user: User) -> None:
    connection.execute("DELETE FROM logins WHERE user_id = ?", (user.user_id,))
    for login in user.logins:
        if connection.execute("SELECT 1 FROM logins WHERE login = ?", (login,)).fetchone() is not None:
            raise AlreadyExists("Somebody signs in with this name or mail address already. Choose another one.")
        connection.execute("INSERT INTO logins (login, user_id) VALUES (?, ?)", (login, user.user_id))


def _insert_token(connection: sqlite3.Connection, token: Token) -> None:
    personal = token.personal
    connection.execute(
        "INSERT INTO tokens (token_hash, user_id, created_at, expires_at, token_id, name, scopes, impersonator_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            token.token_hash,
            token.user_id,
            times.to_micros(token.created_at),
            times.to_micros(token.expires_at),
            None if personal is None else personal.token_id,
            "" if personal is None else personal.name,
            json_text.encode([] if personal is None else list(personal.scopes)),
            token.impersonator_id,
        ),
    )


def _personal_rows(connection: sqlite3.Connection, user_id: str) -> Sequence[sqlite3.Row]:
    return connection.execute(
        "SELECT * FROM tokens WHERE user_id = ? AND token_id IS NOT NULL ORDER BY created_at, rowid", (user_id,)
    ).fetchall()


def _token(row: sqlite3.Row) -> Token:
    is_personal = row["token_id"] is not None
    return Token(
        token_hash=row["token_hash"],
        user_id=row["user_id"],
        created_at=times.from_micros(row["created_at"]),
        expires_at=times.from_micros(row["expires_at"]),
        personal=Personal(row["token_id"], row["name"], parsed_texts(row["scopes"])) if is_personal else None,
        impersonator_id=row["impersonator_id"],
    )


def _values(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "username": user.username,
        "email": user.email,
        "active": user.active,
        "scopes": json_text.encode(list(user.scopes)),
        "vendors": json_text.encode(list(user.vendors)),
        "plan": user.plan,
        "metadata": json_text.encode(dict(user.metadata or {})),
        "created_at": times.to_micros(user.created_at),
    }


def _user(row: sqlite3.Row) -> User:
    return User(
        user_id=row["user_id"],
        username=row["username"],
        email=row["email"],
        created_at=times.from_micros(row["created_at"]),
        active=bool(row["active"]),
        scopes=parsed_texts(row["scopes"]),
        vendors=parsed_texts(row["vendors"]),
        plan=row["plan"],
        metadata=parsed_object(row["metadata"]),
    )


def _public(row: sqlite3.Row) -> Record:
    vendors: list[Json] = list(parsed_texts(row["vendors"]))
    scopes: list[Json] = list(parsed_texts(row["scopes"]))
    return {
        "id": row["user_id"],
        "username": row["username"],
        "email": row["email"],
        "isActive": bool(row["active"]),
        "scope": scopes,
        "vendor": vendors[0] if len(vendors) == 1 else vendors,
        "plan": row["plan"],
        "metadata": parsed_object(row["metadata"]),
        "created": shown(row["created_at"]),
    }
