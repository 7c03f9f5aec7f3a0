"""The commands of the quickstart, word for word, in a shell against a fresh platform."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.system.process import ADMIN, PASSWORD, Process

QUICKSTART = Path(__file__).parents[2] / "docs" / "quickstart.md"
ANNOUNCE = "\necho; echo '=== {number}'\n"


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """What each code block printed."""
    folder = tmp_path_factory.mktemp("quickstart")
    process = Process(folder)
    process.start()
    try:
        yield play(blocks(QUICKSTART.read_text()), folder, process.port)
    finally:
        process.end(signal.SIGTERM)


def blocks(text: str) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", text, re.DOTALL)


def play(commands: list[str], folder: Path, port: int) -> list[str]:
    """Run all blocks in one shell, as a reader would, with the address and the sign-in of this platform."""
    told = {"http://127.0.0.1:2200": f"http://127.0.0.1:{port}", "admin@headrace.local": ADMIN}
    told["THE PRINTED PASSWORD"] = PASSWORD
    script = "set -eu" + "".join(ANNOUNCE.format(number=number) + block for number, block in enumerate(commands))
    for written, here in told.items():
        assert written in script, f"The quickstart no longer says {written}."
        script = script.replace(written, here)
    done = subprocess.run(["sh"], input=script, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.split(r"\n=== \d+\n", done.stdout)[1:]


def objects(text: str) -> list[Any]:
    """The JSON values in what a block printed, leaving out what stands between them."""
    found, decoder, place = [], json.JSONDecoder(), 0
    while (start := text.find("{", place)) >= 0:
        value, place = decoder.raw_decode(text, start)
        found.append(value)
    return found


@pytest.mark.system
def test_the_first_flow_is_started(said: list[str]) -> None:
    assert objects(said[1])[-1]["stage"] == "running"


@pytest.mark.system
def test_the_webhook_is_answered_and_its_run_and_logs_are_shown(said: list[str]) -> None:
    run, logs = objects(said[2])

    assert said[2].startswith("Hello ADA!")
    assert [step["componentId"] for step in run["steps"]] == ["hook", "greet", "answer"]
    assert run["state"] == "done"
    assert {"hook", "greet"} <= {hit["componentId"] for hit in logs["hits"]}


@pytest.mark.system
def test_a_flow_begins_by_itself_and_is_stopped(said: list[str]) -> None:
    started, runs, stopped = objects(said[3])

    assert (started["stage"], stopped["stage"]) == ("running", "stopped")
    assert {"go", "minute"} == {run["triggerId"] for run in runs["items"]}
    assert {run["state"] for run in runs["items"]} == {"done"}


@pytest.mark.system
def test_a_component_that_is_not_there_is_named(said: list[str]) -> None:
    checked, refused = objects(said[4])

    assert refused["statusCode"] == 400
    for problem in (checked["errors"][0], refused["problems"][0]):
        assert (problem["node"], problem["field"]) == ("stamp", "type")
        assert "acme.chat.messages.Send" in problem["message"]
        assert problem["fix"]
