"""`headrace doctor` says of everything that the environment names how it is, in time, with an exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.servers import Redis
from tests.servers.places import free_port

SECRET = "a-secret-of-mine"


def doctor(folder: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    given = {"HEADRACE_PORT": "0", "HEADRACE_DATA_DIR": str(folder / "data"), **environ}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HEADRACE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "headrace_cli.main", "doctor", *options],
        env={**kept, **given},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in ended.stderr, ended.stderr
    assert SECRET not in ended.stdout + ended.stderr
    return ended


def lines(ended: subprocess.CompletedProcess[str], level: str) -> list[str]:
    return [line for line in ended.stdout.splitlines() if line.startswith(level)]


def test_without_servers_it_looks_at_the_data_directory(tmp_path: Path) -> None:
    ended = doctor(tmp_path)

    assert ended.returncode == 0
    assert lines(ended, "error") == []
    assert any("Data directory: SQLite" in line for line in lines(ended, "ok"))
    assert ended.stderr == ""


def test_all_servers_are_looked_at_and_their_errors_make_the_status(
    tmp_path: Path, mongo_url: str, redis_url: str, rabbitmq_url: str, elasticsearch_url: str
) -> None:
    named = {
        "HEADRACE_MONGO_URL": mongo_url,
        "HEADRACE_REDIS_URL": redis_url,
        "HEADRACE_RABBITMQ_URL": rabbitmq_url,
        "HEADRACE_ELASTICSEARCH_URL": elasticsearch_url,
        "HEADRACE_MONGO_NAMESPACE": "doctor",
        "HEADRACE_REDIS_NAMESPACE": "doctor",
        "HEADRACE_RABBITMQ_NAMESPACE": "doctor",
        "HEADRACE_ELASTICSEARCH_PREFIX": "doctor",
    }
    good = doctor(tmp_path, **named)
    bad = doctor(tmp_path, "--json", **named, HEADRACE_EXECUTOR_ADDRESS=f"127.0.0.1:{free_port()}")

    assert good.returncode == 0, good.stdout
    for server in ("MongoDB", "Redis", "RabbitMQ", "Elasticsearch"):
        assert any(line.startswith(f"ok       {server}: connection") for line in good.stdout.splitlines())
    assert "Data directory" not in good.stdout
    told = json.loads(bad.stdout)
    assert (bad.returncode, told["good"]) == (1, False)
    assert [each["subject"] for each in told["findings"] if each["level"] == "error"] == ["Service executor"]
    assert all(each["advice"] for each in told["findings"] if each["level"] != "ok")


def test_a_url_may_come_from_a_file_and_no_secret_is_shown(tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"redis://:{SECRET}@127.0.0.1:{free_port()}/0\n")

    ended = doctor(tmp_path, HEADRACE_REDIS_URL_FILE=str(tmp_path / "url"))

    assert ended.returncode == 1
    [line] = lines(ended, "error")
    assert "Redis: connection" in line and "HEADRACE_REDIS_URL" in line


@pytest.mark.parametrize(
    ("variable", "value"),
    [("HEADRACE_REDIS_URL", f"localhost/{SECRET}"), ("HEADRACE_PORT", "many"), ("HEADRACE_MONGO_URL", "http://h")],
)
def test_a_wrong_setting_is_an_error_that_names_it(tmp_path: Path, variable: str, value: str) -> None:
    ended = doctor(tmp_path, **{variable: value})

    assert ended.returncode == 1
    [line] = lines(ended, "error")
    assert variable in line


def test_frozen_servers_hold_it_up_for_some_seconds_only(tmp_path: Path) -> None:
    with Redis(tmp_path / "redis") as server:
        server.pause()
        address = f"127.0.0.1:{server.port}"
        began = time.monotonic()
        ended = doctor(
            tmp_path,
            HEADRACE_REDIS_URL=f"redis://{address}/0",
            HEADRACE_MONGO_URL=f"mongodb://{address}/?replicaSet=rs0",
            HEADRACE_RABBITMQ_URL=f"amqp://{address}/",
            HEADRACE_ELASTICSEARCH_URL=f"http://{address}",
            HEADRACE_EXECUTOR_ADDRESS=address,
        )
        took = time.monotonic() - began
        server.resume()

    assert ended.returncode == 1
    assert len(lines(ended, "error")) == 5
    assert took < 15


def test_help_shows_examples_and_a_wrong_option_is_status_2(tmp_path: Path) -> None:
    helped, wrong = doctor(tmp_path, "--help"), doctor(tmp_path, "--yaml")

    assert helped.returncode == 0 and "headrace doctor --json" in helped.stdout
    assert wrong.returncode == 2 and "--yaml" in wrong.stderr
