"""A component is published through the REST API, used, updated under a running flow, and its process killed."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from headrace_core.archives import write_archive
from headrace_runner import landlock

from tests.certificates import write_certificates

from .process import Client, Process, wait_for
from .services import ALL, Services
from .test_flow_life import put

pytestmark = pytest.mark.system

WEBHOOK = "headrace.utils.http.Webhook"
MANIFEST = {
    "description": "Waits for a file where it is told to, and greets.",
    "inPorts": ["in"],
    "outPorts": ["out"],
    "properties": {"schema": {"type": "object", "properties": {"folder": {"type": "string"}}}},
}
PYTHON = """
import asyncio, os, pathlib
from headrace_sdk import Component, Context

class Greet(Component):
    async def receive(self, context: Context) -> None:
        folder = pathlib.Path(context.properties["folder"])
        data = context.messages["in"][0].content["data"]
        name = data["name"]
        (folder / f"{name}.pid").write_text(str(os.getpid()))
        while name.startswith("wait") and context.attempt == 1 and not (folder / f"{name}.go").exists():
            await asyncio.sleep(0.02)
        seen = []
        for file in ("/etc/passwd", f"/proc/{os.getppid()}/environ", *data.get("files", [])):
            try:
                seen.append(open(file, "rb").read().decode("latin-1"))
            except OSError as error:
                seen.append(error.strerror)
        await context.flow_state.inc("greeted")
        await context.send_json({"text": f"WORD {name}", "attempt": context.attempt, "pid": os.getpid(), "seen": seen})
"""
JAVASCRIPT = """
const fs = require('fs');
module.exports = {
    async receive(context) {
        const { folder } = context.properties;
        const { name, files = [] } = context.messages.in.content.data;
        fs.writeFileSync(`${folder}/${name}.pid`, String(process.pid));
        while (name.startsWith('wait') && context.attempt === 1 && !fs.existsSync(`${folder}/${name}.go`)) {
            await new Promise((resolve) => setTimeout(resolve, 20));
        }
        const seen = ['/etc/passwd', `/proc/${process.ppid}/environ`, ...files].map((file) => {
            try {
                return fs.readFileSync(file, 'latin1');
            } catch (error) {
                return error.code === 'EACCES' ? 'Permission denied' : error.message;
            }
        });
        await context.flow.stateInc('greeted');
        await context.sendJson({ text: `WORD ${name}`, attempt: context.attempt, pid: process.pid, seen }, 'out');
    }
};
"""


@dataclass(frozen=True)
class Greeter:
    """The same component in one of the languages."""

    service: str
    file: str
    code: str
    effect: str = "idempotent"

    @property
    def type(self) -> str:
        return f"acme.{self.service}.core.Greet"

    def files(self, word: str) -> dict[str, bytes]:
        root = self.type.replace(".", "/")
        manifest = {"name": self.type, **MANIFEST, "effect": self.effect}
        code = self.code.replace("WORD", word)
        return {f"{root}/component.json": json.dumps(manifest).encode(), f"{root}/{self.file}": code.encode()}


@pytest.fixture(
    params=[Greeter("own", "component.py", PYTHON), Greeter("script", "Greet.js", JAVASCRIPT)],
    ids=lambda each: each.file,
)
def greeter(request: pytest.FixtureRequest) -> Greeter:
    found: Greeter = request.param
    return found


class Place(Protocol):
    """A platform of one process or of five, of which the one that runs components can be killed and started again."""

    def client(self) -> Client: ...

    def kill(self) -> None: ...

    def start_again(self) -> None: ...

    def files(self) -> list[Path]:
        """What its executor keeps, in a folder that is not open to components."""
        ...


def settings(folder: Path) -> dict[str, str]:
    """One folder is open to components, which leave marks there."""
    marks = folder.parent / "marks"
    marks.mkdir(exist_ok=True)
    return {"HEADRACE_RETRY_FIRST": "200ms", "HEADRACE_RUNNER_FOLDERS": str(marks)}


@pytest.fixture
def marks(tmp_path_factory: pytest.TempPathFactory, place: Place) -> Path:
    """A folder of this test's in the one that is open."""
    return Path(tempfile.mkdtemp(dir=tmp_path_factory.getbasetemp() / "marks"))


class InOne:
    """The embedded platform."""

    def __init__(self, folder: Path) -> None:
        self._process = Process(folder, **settings(folder))
        self._process.start()
        self.client, self.start_again = self._process.client, self._process.start
        self._data = folder / "data"

    def files(self) -> list[Path]:
        return sorted(self._data.glob("executor.db*"))

    def kill(self) -> None:
        self._process.end(signal.SIGKILL)

    def end(self) -> None:
        self._process.end(signal.SIGTERM)


class InFive:
    """Five services, with certificates."""

    def __init__(self, folder: Path) -> None:
        certificates = folder / "certificates"
        certificates.mkdir()
        write_certificates(certificates, *(each.replace("_", "-") for each in ALL), "operator")
        self._services = Services(folder, certificates=certificates, **settings(folder))
        self._services.start()
        self.client, self.end = self._services.client, self._services.end
        self._folder = folder

    def files(self) -> list[Path]:
        return sorted([*self._folder.rglob("executor.db*"), *self._folder.rglob("executor*key*")])

    def kill(self) -> None:
        self._services.kill("executor")

    def start_again(self) -> None:
        self._services.start(["executor"])


@pytest.fixture(scope="module", params=[InOne, InFive])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    place = request.param(tmp_path_factory.mktemp("published"))
    try:
        client = place.client()
        user = client.get("/user").json()["id"]
        assert put(client, f"/users/{user}", {"vendor": ["acme"]}).status_code == 200
        yield place
    finally:
        place.end()


def publish(client: Client, greeter: Greeter, word: str) -> None:
    """Publish the component so that it greets with this word."""
    archive = write_archive(greeter.files(word))
    handed_in = client.post("/components", content=archive, headers={"Content-Type": "application/octet-stream"})
    assert handed_in.status_code == 200, handed_in.text
    ticket = handed_in.json()["ticket"]
    told = wait_for(lambda: client.get(f"/components/uploader/{ticket}").json(), 20)
    assert not told.get("err"), told


def descriptor(greeter: Greeter, folder: Path) -> dict[str, Any]:
    greet = {
        "type": greeter.type,
        "source": {"in": {"hook": ["trigger"]}},
        "config": {"properties": {"folder": str(folder)}},
    }
    return {"hook": {"type": WEBHOOK, "source": {}, "config": {}}, "greet": greet}


def start(client: Client, flow_id: str, greeter: Greeter, folder: Path) -> None:
    made = put(client, f"/flows/{flow_id}", {"name": flow_id, "flow": descriptor(greeter, folder)})
    assert made.status_code == 200, made.text
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text


def send(client: Client, flow_id: str, name: str, **more: Any) -> str:
    answer = client.post(f"/flows/{flow_id}/components/hook?enqueueOnly=true", json={"name": name, **more})
    assert answer.status_code < 300, answer.text
    return str(answer.json()["runId"])


def greeting(client: Client, run_id: str) -> dict[str, Any]:
    """What the component of a run sent, once the run is over."""
    run = wait_for(lambda: over(client.get(f"/runs/{run_id}").json()), 40)
    assert run["state"] == "done", run
    [found] = [
        output["content"] for step in run["steps"] if step["componentId"] == "greet" for output in step["outputs"]
    ]
    return dict(found)


def over(run: dict[str, Any]) -> dict[str, Any] | None:
    return run if run["state"] in ("done", "failed", "cancelled", "quarantined") else None


def pid_of(folder: Path, name: str) -> int:
    """The process in which the call for this name is."""
    return int(wait_for(lambda: (folder / f"{name}.pid").exists() and (folder / f"{name}.pid").read_text(), 20))


def test_a_published_component_is_used_updated_under_a_running_flow_and_outlives_its_process(
    place: Place, greeter: Greeter, marks: Path
) -> None:
    client = place.client()
    publish(client, greeter, "Hello")
    start(client, greeter.service, greeter, marks)
    first = greeting(client, send(client, greeter.service, "ada"))
    assert first["text"] == "Hello ada"

    # Updated while a run is in the middle of the component.
    waiting = send(client, greeter.service, "wait-a")
    assert pid_of(marks, "wait-a") == first["pid"]
    publish(client, greeter, "Salut")
    assert greeting(client, send(client, greeter.service, "bob"))["text"] == "Hello bob", (
        "the flow keeps what it began with"
    )
    changed = put(client, f"/flows/{greeter.service}?forceUpdate=true", {"flow": descriptor(greeter, marks)})
    assert changed.status_code == 200, changed.text
    client.post(f"/flows/{greeter.service}/coordinator", json={"command": "stop"})
    client.post(f"/flows/{greeter.service}/coordinator", json={"command": "start"})
    second = greeting(client, send(client, greeter.service, "cid"))
    assert second["text"] == "Salut cid"
    assert second["pid"] != first["pid"]
    (marks / "wait-a.go").touch()
    assert greeting(client, waiting)["text"] == "Hello wait-a", "and so does the run"

    # Killed while a run is in the middle of the component.
    waiting = send(client, greeter.service, "wait-b")
    killed = pid_of(marks, "wait-b")
    os.kill(killed, signal.SIGKILL)
    third = greeting(client, waiting)
    assert (third["text"], third["attempt"]) == ("Salut wait-b", 2)
    assert third["pid"] != killed


def test_runners_end_with_a_platform_that_is_killed_and_a_new_one_goes_on(
    place: Place, greeter: Greeter, marks: Path
) -> None:
    client = place.client()
    publish(client, greeter, "Hello")
    start(client, f"kept-{greeter.service}", greeter, marks)
    run_id = send(client, f"kept-{greeter.service}", "wait-c")
    pid = pid_of(marks, "wait-c")

    place.kill()
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), 10)
    (marks / "wait-c.go").touch()
    place.start_again()

    assert greeting(place.client(), run_id)["text"] == "Hello wait-c"


def test_an_unsafe_call_whose_process_is_killed_is_in_doubt_until_somebody_decides(
    place: Place, greeter: Greeter, marks: Path
) -> None:
    client, unsafe = place.client(), replace(greeter, service=f"unsafe{greeter.service}", effect="unsafe")
    publish(client, unsafe, "Hello")
    start(client, unsafe.service, unsafe, marks)
    run_id = send(client, unsafe.service, "wait-d")

    os.kill(pid_of(marks, "wait-d"), signal.SIGKILL)

    run = wait_for(lambda: over(client.get(f"/runs/{run_id}").json()), 40)
    assert run["state"] == "failed", "it is not repeated silently"
    [kept] = [each for each in client.get("/unprocessed-messages").json() if each["flowId"] == unsafe.service]
    assert "doubt" in json.dumps(kept)
    (marks / "wait-d.go").touch()
    assert client.post(f"/unprocessed-messages/{kept['messageId']}/retry", json={}).status_code < 300
    wait_for(lambda: client.get(f"/runs/{run_id}").json()["state"] == "done", 40)
    assert greeting(client, run_id)["text"] == "Hello wait-d"


@pytest.mark.skipif(landlock.release_of_kernel() < 1, reason="This kernel has no Landlock.")
def test_a_published_component_reads_no_file_of_the_host(place: Place, greeter: Greeter, marks: Path) -> None:
    client, peeking = place.client(), replace(greeter, service=f"peeking{greeter.service}")
    publish(client, peeking, "Hello")
    start(client, peeking.service, peeking, marks)
    of_others = [str(file) for file in place.files()]
    assert of_others, "there is something to keep from it"

    found = greeting(client, send(client, peeking.service, "eve", files=of_others))

    assert found["seen"] == ["Permission denied"] * (2 + len(of_others))
