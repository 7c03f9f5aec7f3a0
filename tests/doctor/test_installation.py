"""The data directory, the machine and the services, looked at without harm."""

from __future__ import annotations

import os
import socket
import sqlite3
from datetime import timedelta
from pathlib import Path

import grpc
import pytest
from headrace_runtime import rpc
from headrace_runtime.doctor.embedded import data_directory
from headrace_runtime.doctor.host import this_machine
from headrace_runtime.doctor.services import service
from headrace_runtime.sqlite import Database, lock_directory

from tests.doctor.asked import asked, levels
from tests.doors import door
from tests.servers.places import free_port

FILES = {"a.db": 1}
TABLE = ["CREATE TABLE t (n INTEGER PRIMARY KEY, text TEXT)"]


async def test_a_directory_that_is_not_there_yet_is_well_and_not_made(tmp_path: Path) -> None:
    found = await asked(data_directory(tmp_path / "data", FILES))

    assert found["directory"].level == "ok" and "first start" in found["directory"].found
    assert "a.db" not in found
    assert not (tmp_path / "data").exists()


async def test_a_directory_that_is_none_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")

    found = await asked(data_directory(tmp_path / "data", FILES))

    assert found["directory"].level == "error"
    assert "HEADRACE_DATA_DIR" in found["directory"].advice
    assert "room" not in found


async def test_a_running_platform_is_seen_by_its_lock_and_goes_on_writing(tmp_path: Path) -> None:
    with lock_directory(tmp_path):
        database = await Database.open(tmp_path / "a.db", TABLE)
        await database.write(lambda connection: connection.execute("INSERT INTO t VALUES (1, 'x')"))
        found = await asked(data_directory(tmp_path, FILES))
        await database.write(lambda connection: connection.execute("INSERT INTO t VALUES (2, 'y')"))
        rows = await database.read(lambda connection: connection.execute("SELECT count(*) FROM t").fetchone()[0])
        await database.close()

    assert found["lock"].found == f"held by the running Headrace {os.getpid()}"
    assert (found["a.db"].level, found["a.db"].found) == ("ok", "sound")
    assert rows == 2
    assert (await asked(data_directory(tmp_path, FILES)))["lock"].found.startswith("free")


async def test_a_damaged_file_is_an_error_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with sqlite3.connect(path) as connection:
        connection.execute(TABLE[0])
        connection.executemany("INSERT INTO t VALUES (?, ?)", ((n, "x" * 500) for n in range(200)))
    connection.close()
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 5 * 4096] = os.urandom(2 * 4096)
    path.write_bytes(content)

    found = await asked(data_directory(tmp_path, FILES))

    assert found["a.db"].level == "error"
    assert "backup" in found["a.db"].advice
    assert path.read_bytes() == content


async def test_a_file_that_is_no_database_or_of_a_newer_release_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("no database at all, for certain" * 100)
    with sqlite3.connect(tmp_path / "b.db") as connection:
        connection.execute("PRAGMA user_version = 7")
    connection.close()

    found = await asked(data_directory(tmp_path, {"a.db": 1, "b.db": 6}))

    assert (found["a.db"].level, found["b.db"].level) == ("error", "error")
    assert "newer release" in found["b.db"].advice


async def test_a_free_port_is_free_and_port_0_is_not_looked_at() -> None:
    assert (await asked(this_machine({}, "127.0.0.1", free_port())))["port"].level == "ok"
    assert "port" not in await asked(this_machine({}, "127.0.0.1", 0))


@pytest.mark.parametrize(
    ("status", "body", "level"),
    [
        (200, b'{"status":"ready","passed":[],"failed":{}}', "ok"),
        (503, b'{"status":"not ready","passed":[],"failed":{"executor":"It cannot be reached."}}', "warning"),
        (200, b"<html>somebody else</html>", "error"),
    ],
)
async def test_whoever_has_the_port_is_asked(status: int, body: bytes, level: str) -> None:
    async with door(status, [], head="", body=body) as address:
        found = await asked(this_machine({}, "127.0.0.1", int(address.rpartition(":")[2])))

    assert found["port"].level == level


async def test_whoever_has_the_port_and_says_nothing_holds_nobody_up() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = await asked(this_machine({}, "127.0.0.1", listener.getsockname()[1]))

    assert found["port"].level == "error"
    assert "HEADRACE_PORT" in found["port"].advice


async def test_a_variable_that_nobody_reads_is_a_warning() -> None:
    found = await asked(this_machine({"HEADRACE_REDIS_URI": "x"}, "127.0.0.1", 0))

    assert found["environment"].level == "warning"
    assert "HEADRACE_REDIS_URL" in found["environment"].advice


async def test_a_service_that_serves_and_one_that_is_away_are_told() -> None:
    def nothing_more(server: grpc.aio.Server) -> None:
        """The health service is there by itself."""

    limits = rpc.ServerLimits(notice=timedelta(0), grace=timedelta(0))
    async with rpc.serve("127.0.0.1:0", nothing_more, limits=limits) as running:
        serving = await asked(service("executor", running.address, "HEADRACE_EXECUTOR_ADDRESS", None))
    away = await asked(service("executor", f"127.0.0.1:{free_port()}", "HEADRACE_EXECUTOR_ADDRESS", None))

    assert levels(serving) == {"health": "ok"}
    assert levels(away) == {"health": "error"}
    assert "HEADRACE_EXECUTOR_ADDRESS" in away["health"].advice
