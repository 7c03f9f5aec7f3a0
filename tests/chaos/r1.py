"""R1: the embedded platform survives kill -9 under load. Ledger, effect sink, oracle.

`python -m tests.chaos.r1 --level ci|nightly|release [--mutant answer_before_commit]` from the root of the repository.
Every event is posted with an id of its own until it is acknowledged or its answer is lost. Afterwards each
acknowledged event must have exactly one run that is done, and its effect must have been asked for under one key.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import http.server
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.system.process import Client, Process, wait_for

LEVELS = {"short": (120, 2), "ci": (1_000, 15), "nightly": (10_000, 200), "release": (50_000, 1_000)}
POSTERS = 4
REST_SECONDS = 120


class Sink:
    """A server that remembers under which keys it was called for each event."""

    def __init__(self) -> None:
        self.keys: dict[str, set[str]] = defaultdict(set)
        self.calls = 0
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                sink.calls += 1
                sink.keys[self.path].add(self.headers.get("Idempotency-Key", ""))
                with contextlib.suppress(ConnectionError):  # the caller was killed meanwhile
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"{}")

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Ledger:
    """What the clients know: which events were acknowledged, and which answers were lost on the way."""

    acked: set[str] = field(default_factory=set)
    ambiguous: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome; `holds` says whether the bar holds."""

    lost: int
    duplicate_runs: int
    duplicate_effects: int
    unfinished: int
    unexpected: int
    kills: int
    events: int
    recovered: int

    @property
    def holds(self) -> bool:
        wrong = self.lost + self.duplicate_runs + self.duplicate_effects + self.unfinished + self.unexpected
        return wrong == 0 and self.kills > 0

    def line(self) -> str:
        return (
            f"R1 lost={self.lost} duplicate_runs={self.duplicate_runs} kills={self.kills} events={self.events}"
            f" duplicate_effects={self.duplicate_effects} unfinished={self.unfinished}"
            f" unexpected={self.unexpected} recovered={self.recovered}"
        )


def flow(sink_port: int) -> dict[str, Any]:
    """hook → name the address → call it (declared idempotent)."""
    return {
        "hook": {
            "type": "headrace.utils.http.WebhookTrigger",
            "x": 0,
            "y": 0,
            "source": {},
            "config": {"properties": {"immediateResponse": True}},
        },
        "call": {
            "type": "headrace.utils.http.Post",
            "x": 0,
            "y": 0,
            "source": {"in": {"hook": ["request"]}},
            "config": {
                "effect": "idempotent",
                "transform": {
                    "in": {
                        "hook": {
                            "request": {
                                "type": "json2new",
                                "modifiers": {"url": {"id": {"variable": "$.hook.request.data.id", "functions": []}}},
                                "lambda": {"url": f"http://127.0.0.1:{sink_port}/{{{{{{id}}}}}}", "body": "{}"},
                            }
                        }
                    }
                },
            },
        },
    }


def post_all(port: int, hook: str, names: list[str], ledger: Ledger) -> None:
    """Send each event until it is acknowledged; a lost answer makes it ambiguous first."""
    for name in names:
        deadline = time.monotonic() + REST_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = Client(port).post(hook, json={"id": name}, headers={"Idempotency-Key": name})
            except (OSError, http.client.HTTPException):
                with ledger.lock:
                    ledger.ambiguous.add(name)
                time.sleep(0.05)
                continue
            if 200 <= answer.status_code < 300:
                with ledger.lock:
                    ledger.acked.add(name)
                break
            time.sleep(0.1)


def run(folder: Path, events: int, kills: int, seed: int, mutant: str = "") -> Verdict:
    """Post `events`, kill `kills` times, let everything come to rest, judge."""
    chance = random.Random(seed)
    sink, ledger = Sink(), Ledger()
    process = Process(
        folder,
        HEADRACE_EGRESS_ALLOW_PRIVATE="true",
        HEADRACE_CHAOS_MUTANT=mutant,
        HEADRACE_RETRY_FIRST="200ms",
        HEADRACE_RETRY_LONGEST="1s",
    )
    process.start()
    client = process.client()
    flow_id = client.post("/flows", json={"name": "R1", "flow": flow(sink.port)}).json()["flowId"]
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    names = [f"e{number}" for number in range(events)]
    hook = f"/flows/{flow_id}/components/hook"
    done = 0
    for batch in range(kills + 1):
        part = names[batch * events // (kills + 1) : (batch + 1) * events // (kills + 1)]
        posters = [
            threading.Thread(target=post_all, args=(process.port, hook, part[number::POSTERS], ledger))
            for number in range(POSTERS)
        ]
        for poster in posters:
            poster.start()
        if batch < kills:
            time.sleep(chance.uniform(0.02, 0.25))
            process.end(signal.SIGKILL)
            done += 1
            process.start()
        for poster in posters:
            poster.join()
    try:
        return judge(process, flow_id, sink, ledger, events, done)
    finally:
        process.end(signal.SIGTERM)
        sink.close()


def judge(process: Process, flow_id: str, sink: Sink, ledger: Ledger, events: int, kills: int) -> Verdict:
    client = process.client()

    def at_rest() -> bool:
        states = ("ready", "running", "waiting")
        return not any(client.get("/runs", {"flowId": flow_id, "state": state}).json()["items"] for state in states)

    with contextlib.suppress(AssertionError):
        wait_for(at_rest, REST_SECONDS)
    runs: list[dict[str, Any]] = []
    while page := client.get("/runs", {"flowId": flow_id, "limit": "500", "offset": str(len(runs))}).json()["items"]:
        runs.extend(page)
    finished = Counter(run["eventId"].rpartition(":")[2] for run in runs if run["state"] == "done")
    per_event = Counter(run["eventId"] for run in runs)
    keys = {path.strip("/"): found for path, found in sink.keys.items()}
    return Verdict(
        lost=len([name for name in ledger.acked if not finished[name] or name not in keys]),
        duplicate_runs=sum(count - 1 for count in per_event.values()),
        duplicate_effects=sum(len(found) - 1 for found in keys.values()),
        unfinished=sum(run["state"] != "done" for run in runs),
        unexpected=len(set(finished) - ledger.acked - ledger.ambiguous),
        kills=kills,
        events=events,
        recovered=len(ledger.ambiguous & set(finished)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--level", choices=sorted(LEVELS), default="ci")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--mutant", default="", help="answer_before_commit: must turn this red")
    chosen = parser.parse_args()
    seed = chosen.seed if chosen.seed is not None else random.SystemRandom().randrange(1 << 30)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True).stdout.strip()
    print(f"seed={seed} commit={commit} level={chosen.level} mutant={chosen.mutant or 'none'}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        verdict = run(Path(folder), *LEVELS[chosen.level], seed, chosen.mutant)
    print(verdict.line())
    return 0 if verdict.holds else 1


if __name__ == "__main__":
    sys.exit(main())
