"""The servers that tests run against can be had, hurt one by one, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers import Mongo, RabbitMq, Redis, Server
from tests.servers.install import Missing, packages
from tests.servers.server import NotReady
from tests.system.process import wait_for


def asked(server: Redis, command: str) -> str:
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
        connection.sendall(f"{command}\r\n".encode())
        return connection.recv(100).decode().strip()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_killed_server_comes_back_at_its_port_with_its_data_and_a_wiped_one_without(tmp_path: Path) -> None:
    with Redis(tmp_path) as redis:
        assert asked(redis, "SET name value") == "+OK"
        url = redis.url
        wait_for(lambda: "aof_pending_bio_fsync:0" in info(redis), 5)

        redis.restart()

        assert (redis.url, redis.kills) == (url, 1)
        assert asked(redis, "GET name").endswith("value")

        redis.wipe()
        assert not listens(redis.port)
        redis.start()
        assert asked(redis, "GET name") == "$-1"


def info(server: Redis) -> str:
    with socket.create_connection(("127.0.0.1", server.port), timeout=1) as connection:
        connection.sendall(b"INFO persistence\r\n")
        return connection.recv(10_000).decode()


def test_a_paused_server_accepts_and_does_not_answer_until_it_goes_on(tmp_path: Path) -> None:
    with Redis(tmp_path) as redis:
        redis.pause()

        with pytest.raises(TimeoutError):
            asked(redis, "PING")

        redis.resume()
        assert asked(redis, "PING") == "+PONG"


@pytest.mark.parametrize("kind", [Mongo, RabbitMq])
def test_servers_run_beside_each_other_and_leave_no_process(kind: type[Server], tmp_path: Path) -> None:
    with kind(tmp_path / "one") as one:
        assert one.is_running
        assert one.start() is one
        one.restart()
        assert listens(one.port)

    assert not listens(one.port)
    assert not processes_that_name(str(tmp_path))


def test_servers_end_with_a_process_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import pathlib, sys, time; from tests.servers import Redis;"
        "redis = Redis(pathlib.Path(sys.argv[1])).start(); print(redis.port, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert listens(port)

    parent.send_signal(signal.SIGKILL)
    parent.wait(10)
    parent.stdout.close()

    wait_for(lambda: not listens(port), 10)


def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", redis.port))
        other.listen()

        with pytest.raises(NotReady, match="Could not create server TCP listening socket"):
            redis.start()

    assert not redis.is_running


def test_what_cannot_be_installed_names_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(Missing, match="no-such-server is missing"):
        packages(["no-such-server"], lambda: False)


def processes_that_name(text: str) -> list[str]:
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            line = (each / "cmdline").read_bytes() + (each / "environ").read_bytes()
        except OSError:  # gone meanwhile, or not ours
            continue
        if text.encode() in line and int(each.name) != os.getpid():
            found.append(line.replace(b"\0", b" ").decode(errors="replace"))
    return found
