"""R9: what published components do to their processes harms nobody else, and what they poisoned is kept and repaired.

`python -m tests.chaos.r9 --level ci|nightly|release [--mutant no_suspects]` from the root of the repository. A
connector is published whose component ends its process, hangs, eats memory, forks, floods its output, sends what is no
JSON or raises, as its message says. Each such message goes out in the midst of nine healthy ones: for the same
process, and for another connector's. All healthy runs must be done, each step once; every poisonous message must stand
among the unprocessed ones after its last attempt; the platform must be the same process, and its files sound. Then what
poisons is repaired, all is tried again in one go, and all of it must be done, once.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import signal
import sqlite3
import sys
import textwrap
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.chaos.served import served_folder
from tests.chaos.verdict import command, percentile, play
from tests.system.process import Client, Process, wait_for

NEIGHBOURS = 9
SHOWN = 10
ATTEMPTS = 4
SENDERS = 10
REST_SECONDS = 600
HOOK, OWN = "hook", "own"

POISONS: Mapping[str, tuple[str, str]] = {
    "exits": ("os._exit(7)", "runner_ended"),
    "segfaults": ("ctypes.string_at(0)", "runner_ended"),
    "aborts": ("os.abort()", "runner_ended"),
    "hangs": ("while True: pass", "runner_ended"),
    "floods its output": ("while True: os.write(1, b'x' * 65536)", "runner_ended"),
    "eats memory": ("kept = [bytes(1024 * 1024) for _ in range(4096)]", "MemoryError"),
    "forks": ("os.fork()", "PermissionError"),
    "sends what is no JSON": ("await context.send_json({'a': object()})", "PermanentError"),
    "sends what is nested without end": ("await context.send_json(nested())", "PermanentError"),
    "raises for ever": ("raise ValueError('always')", "ValueError"),
}
"""What a component does, and the code or the name of the error that its message must be kept with."""

POISON = """
import ctypes
import os

from headrace_sdk import Component


def nested():
    found = []
    for _ in range(100_000):
        found = [found]
    return found


class Poison(Component):
    async def receive(self, context):
        given = context.content["data"]
        kind = given.get("kind")
        if kind and await context.store.get(given["store"], "repaired") is None:
            {cases}
        await context.send_json({"from": os.getpid()})
"""
CALM = """
from headrace_sdk import Component


class Calm(Component):
    async def receive(self, context):
        await context.send_json({"fine": True})
"""
TYPES = {"poison": "zoo.poison.core.Poison", "calm": "zoo.calm.core.Calm"}


@dataclass(frozen=True, slots=True)
class Level:
    """How often each poison is sent."""

    rounds: int
    kinds: Sequence[str] = tuple(POISONS)


LEVELS = {
    "short": Level(1, ("segfaults", "hangs", "raises for ever")),
    "ci": Level(3),
    "nightly": Level(20),
    "release": Level(60),
}


@dataclass(frozen=True, slots=True)
class Dose:
    """One poisonous message in the midst of its neighbours."""

    number: int
    kind: str

    def __str__(self) -> str:
        return f"{self.number}:{self.kind.replace(' ', '-')}"


@dataclass(slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    wrong: list[str] = field(default_factory=list)
    told: dict[str, object] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        return not self.wrong

    def explained(self) -> str:
        """What is wrong, line by line; empty when the bar holds."""
        return "\n".join(self.wrong)

    def line(self) -> str:
        return "R9 " + " ".join(f"{name}={value}" for name, value in {**self.told, "wrong": len(self.wrong)}.items())


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that was accepted: its run, and its poison where it has one."""

    run_id: str
    kind: str
    flow: str


def doses(level: Level, seed: int) -> list[Dose]:
    """The poisons of a seed, in its order."""
    kinds = [kind for kind in level.kinds for _ in range(level.rounds)]
    random.Random(seed).shuffle(kinds)
    return [Dose(number, kind) for number, kind in enumerate(kinds)]


def run(folder: Path, level: Level, seed: int, mutant: str = "") -> Verdict:
    """Publish, send, let all come to rest, look, repair, try again, look again, end the process."""
    process = Process(
        folder,
        HEADRACE_CHAOS_MUTANT=mutant,
        HEADRACE_RETRY_FIRST="100ms",
        HEADRACE_RETRY_LONGEST="500ms",
        HEADRACE_RETRY_COUNT=str(ATTEMPTS - 1),
        HEADRACE_RECEIVE_TIMEOUT="300s",
        HEADRACE_RUNNER_HANG_AFTER="2s",
        HEADRACE_RUNNER_CANCEL_WITHIN="1s",
        HEADRACE_RUNNER_MEMORY_BYTES=str(64 * 1024 * 1024),
        HEADRACE_RUNNER_OUTPUT_BYTES=str(16 * 1024),
    )
    verdict = Verdict()
    try:
        process.start()
        client = process.client()
        pid = process.pid
        flows, store_id = _furnish(client)
        sent = _send(client, flows, store_id, doses(level, seed))
        _rest(client, flows)
        _judge_neighbours(client, sent, verdict)
        _judge_poisoned(client, sent, verdict)
        _repair(client, store_id, flows)
        _judge_repaired(client, sent, verdict)
        if process.child is None or process.child.poll() is not None or process.pid != pid:
            verdict.wrong.append("uptime: the platform is not the process any more that it was")
        verdict.told["runner_starts"] = _starts(client)
        process.end(signal.SIGTERM)
    finally:
        process.end(signal.SIGKILL)
    verdict.wrong += _unsound(folder / "data")
    return verdict


# What is there.


def _furnish(client: Client) -> tuple[dict[str, str], str]:
    """Publish both connectors and start a flow of each; the flows by name, and the store in which repairs stand."""
    user_id = client.get("/user").json()["id"]
    assert client.call("PUT", f"/users/{user_id}", json.dumps({"vendor": "zoo"}).encode(), {}).status_code == 200
    cases = "\n".join(f"if kind == {kind!r}:\n    {line}" for kind, (line, _) in POISONS.items())
    code = POISON.replace("{cases}", textwrap.indent(cases, " " * 12).strip())
    for name, source in (("poison", code), ("calm", CALM)):
        _publish(client, _archive(name, source))
    store = client.post("/stores", {"name": "Repairs"}).json()["storeId"]
    return {name: _start_flow(client, name) for name in TYPES}, str(store)


def _archive(name: str, code: str) -> bytes:
    component = TYPES[name].rpartition(".")[2]
    described = {"name": f"zoo.{name}", "label": name, "category": "apps", "description": name}
    icon = {"icon": "data:image/png;base64,AA=="}
    manifest = {"name": TYPES[name], "inPorts": ["in"], "outPorts": ["out"]}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(f"zoo/{name}/service.json", json.dumps({**described, **icon}))
        packed.writestr(f"zoo/{name}/core/{component}/component.json", json.dumps(manifest))
        packed.writestr(f"zoo/{name}/core/{component}/component.py", code)
    return buffer.getvalue()


def _publish(client: Client, archive: bytes) -> None:
    headers = {"Content-Type": "application/octet-stream"}
    ticket = client.post("/components", content=archive, headers=headers).json()["ticket"]
    wait_for(lambda: bool(client.get(f"/components/uploader/{ticket}").json()), 30)
    told = client.get(f"/components/uploader/{ticket}").json()
    assert "err" not in told, told


def _start_flow(client: Client, name: str) -> str:
    hook = {"type": "headrace.utils.http.WebhookTrigger", "source": {}, "config": {"properties": {}}}
    own = {"type": TYPES[name], "source": {"in": {HOOK: ["request"]}}, "config": {}}
    made = client.post("/flows", {"name": name, "flow": {HOOK: hook, OWN: own}})
    flow_id = str(made.json()["flowId"])
    assert client.post(f"/flows/{flow_id}/coordinator", {"command": "start"}).status_code == 200
    return flow_id


# What is done.


def _send(client: Client, flows: Mapping[str, str], store_id: str, asked: Sequence[Dose]) -> list[Sent]:
    """Each poison among its neighbours, half of which are for the same process."""

    def post(message: tuple[str, str]) -> Sent:
        flow, kind = message
        body = {"kind": kind, "store": store_id} if kind else {"n": 1}
        answer = client.post(f"/flows/{flows[flow]}/components/{HOOK}?enqueueOnly=true", body)
        assert answer.status_code == 202, answer.text
        return Sent(str(answer.json()["runId"]), kind, flow)

    messages: list[tuple[str, str]] = []
    for dose in asked:
        neighbours = [("poison" if number % 2 else "calm", "") for number in range(NEIGHBOURS)]
        neighbours.insert(NEIGHBOURS // 2, ("poison", dose.kind))
        messages += neighbours
    with ThreadPoolExecutor(SENDERS) as senders:
        sent = list(senders.map(post, messages))
    # A payload that a parser could die of is refused at the door, and nobody hears of it behind.
    broken = client.post(f"/flows/{flows['calm']}/components/{HOOK}", content=b"[" * 200_000)
    assert broken.status_code < 500, broken.text
    return sent


def _rest(client: Client, flows: Mapping[str, str]) -> None:
    """Until no run has anything to do; who has after that long is found by who judges."""

    def at_rest() -> bool:
        return not any(
            client.get("/runs", {"flowId": flow, "state": state}).json()["items"]
            for flow in flows.values()
            for state in ("ready", "running", "waiting")
        )

    with contextlib.suppress(AssertionError):
        wait_for(at_rest, REST_SECONDS)


def _repair(client: Client, store_id: str, flows: Mapping[str, str]) -> None:
    """Mend what poisons, and try everything again that was kept."""
    assert client.post(f"/store/{store_id}/repaired", {"yes": True}).status_code < 300
    for message in _kept(client):
        assert client.post(f"/unprocessed-messages/{message['messageId']}/retry", {}).status_code < 300
    _rest(client, flows)


# What came of it.


def _kept(client: Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        page = client.get("/unprocessed-messages", {"limit": "100", "offset": str(len(found))}).json()
        found += page
        if len(page) < 100:
            return found


def _judge_neighbours(client: Client, sent: Sequence[Sent], verdict: Verdict) -> None:
    healthy = [each for each in sent if not each.kind]
    runs = {each.run_id: client.get(f"/runs/{each.run_id}").json() for each in healthy}
    lost = [each for each in healthy if not _is_done_once(runs[each.run_id])]
    verdict.wrong += [f"neighbour: {_described(each, runs[each.run_id])}" for each in lost[:SHOWN]]
    took = [_seconds(run) for run in runs.values()]
    verdict.told |= {
        "healthy": len(healthy),
        "lost": len(lost),
        "cut_short": sum(_attempts(run) > 1 for run in runs.values()),
        "healthy_p50": f"{percentile(took, 0.5):.2f}s",
        "healthy_max": f"{max(took, default=0):.2f}s",
    }


def _judge_poisoned(client: Client, sent: Sequence[Sent], verdict: Verdict) -> None:
    kept = {message["runId"]: message for message in _kept(client)}
    poisoned = [each for each in sent if each.kind]
    for each in poisoned:
        message = kept.pop(each.run_id, None)
        if message is None:
            verdict.wrong.append(f"poison: {each.kind}: its message {each.run_id} is not among the unprocessed ones")
            continue
        expected, err = POISONS[each.kind][1], message["err"]
        if expected not in (err.get("code"), err.get("name")):
            verdict.wrong.append(f"poison: {each.kind}: it is kept with {err}, and not with {expected}")
        if expected == "runner_ended" and message["attempts"] != ATTEMPTS:
            verdict.wrong.append(f"poison: {each.kind}: it had {message['attempts']} attempts and not {ATTEMPTS}")
    verdict.wrong += [f"poison: {message['err']} was kept of a healthy message" for message in kept.values()]
    ended = Counter(each.kind for each in poisoned if POISONS[each.kind][1] == "runner_ended")
    if not ended:
        verdict.wrong.append("proof: no message was to end a process")
    verdict.told |= {"poisoned": len(poisoned), "deadly": sum(ended.values())}


def _judge_repaired(client: Client, sent: Sequence[Sent], verdict: Verdict) -> None:
    poisoned = [each for each in sent if each.kind]
    runs = {each.run_id: client.get(f"/runs/{each.run_id}").json() for each in poisoned}
    left = [each for each in poisoned if not _is_done_once(runs[each.run_id])]
    verdict.wrong += [f"repair: {_described(each, runs[each.run_id])}" for each in left[:SHOWN]]
    verdict.wrong += [f"repair: {message['messageId']} is still unprocessed" for message in _kept(client)[:SHOWN]]
    verdict.told["repaired"] = len(poisoned) - len(left)


def _is_done_once(run: Mapping[str, Any]) -> bool:
    steps = [step for step in run["steps"] if step["componentId"] == OWN and step["outcome"] == "done"]
    return run["state"] == "done" and len(steps) == 1 and len(steps[0]["outputs"]) == 1


def _attempts(run: Mapping[str, Any]) -> int:
    return max((step["attempts"] for step in run["steps"] if step["componentId"] == OWN), default=0)


def _described(sent: Sent, run: Mapping[str, Any]) -> str:
    steps = [(step["outcome"], step["attempts"], step["error"]) for step in run["steps"] if step["componentId"] == OWN]
    return f"run {sent.run_id} of {sent.flow} ({sent.kind or 'healthy'}) is {run['state']}: {steps}"


def _seconds(run: Mapping[str, Any]) -> float:
    begun, ended = (datetime.fromisoformat(str(run[name]).replace("Z", "+00:00")) for name in ("created", "updated"))
    return (ended - begun).total_seconds()


def _starts(client: Client) -> int:
    for line in client.get("/metrics").text.splitlines():
        if line.startswith("headrace_runner_starts_total"):
            return int(float(line.rpartition(" ")[2]))
    return 0


def _unsound(data: Path) -> Iterator[str]:
    for file in sorted(data.glob("*.db")):
        with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
            [[verdict]] = connection.execute("PRAGMA integrity_check(1)").fetchall()
        if verdict != "ok":
            yield f"store: {file.name}: {verdict}"


def main() -> int:
    chosen = command(__doc__, LEVELS, "no_suspects").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, doses(level, chosen.seed), lambda: run(folder, level, chosen.seed, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
