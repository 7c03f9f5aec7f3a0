"""The store answers after the commit, and one bad write takes nobody with it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import pytest
from headrace_core.errors import Conflict, Unavailable
from headrace_runtime.sqlite import Database, lock_directory

SCHEMA = ["CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"]


def insert(name: str):
    return lambda connection: connection.execute("INSERT INTO thing (name) VALUES (?)", (name,)).lastrowid


def names(connection: sqlite3.Connection) -> list[str]:
    return [row["name"] for row in connection.execute("SELECT name FROM thing ORDER BY name")]


async def test_a_write_is_visible_to_readers_and_to_the_next_process(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", SCHEMA)
    await database.write(insert("one"))
    assert await database.read(names) == ["one"]
    await database.close()

    again = await Database.open(tmp_path / "a.db", SCHEMA)
    assert await again.read(names) == ["one"]
    await again.close()


async def test_one_failing_write_takes_nobody_with_it(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", SCHEMA)
    outcomes = await asyncio.gather(
        *(database.write(insert(name)) for name in ["a", "b", "a", "c"]), return_exceptions=True
    )
    assert [isinstance(outcome, sqlite3.IntegrityError) for outcome in outcomes] == [
        False,
        False,
        True,
        False,
    ]
    assert await database.read(names) == ["a", "b", "c"]
    await database.close()


async def test_readers_cannot_write(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", SCHEMA)
    with pytest.raises(sqlite3.OperationalError):
        await database.read(insert("one"))
    await database.close()


async def test_a_closed_store_refuses_and_says_so(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "a.db", SCHEMA)
    await database.close()
    await database.close()
    with pytest.raises(Unavailable, match=r"a\.db"):
        await database.write(insert("one"))


async def test_schemas_move_forward_only(tmp_path: Path) -> None:
    newer = await Database.open(tmp_path / "a.db", [*SCHEMA, "ALTER TABLE thing ADD COLUMN note TEXT"])
    await newer.close()
    with pytest.raises(Conflict, match="newer release"):
        await Database.open(tmp_path / "a.db", SCHEMA)


async def test_a_broken_commit_stops_all_writing(tmp_path: Path) -> None:
    heard: list[BaseException] = []
    database = await Database.open(tmp_path / "a.db", SCHEMA, on_broken=heard.append)

    def end_the_transaction(connection: sqlite3.Connection) -> None:
        connection.execute("ROLLBACK")

    with pytest.raises(Unavailable):
        await database.write(end_the_transaction)
    with pytest.raises(Unavailable):
        await database.write(insert("one"))
    assert len(heard) == 1
    await database.close()


async def test_a_lock_that_another_process_holds_too_long_refuses_the_write_and_breaks_nothing(tmp_path: Path) -> None:
    broken: list[BaseException] = []
    database = await Database.open(tmp_path / "a.db", SCHEMA, on_broken=broken.append)
    with contextlib.closing(sqlite3.connect(tmp_path / "a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await database.write(insert("one"))

    await database.write(insert("two"))

    assert await database.read(names) == ["two"]
    assert broken == []
    await database.close()


def test_a_data_directory_has_one_process(tmp_path: Path) -> None:
    with lock_directory(tmp_path), pytest.raises(Conflict, match="in use"), lock_directory(tmp_path):
        pass
    with lock_directory(tmp_path):
        pass
