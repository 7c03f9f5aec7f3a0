"""Q1: an API that says 429 to more than so many calls a second gets every message of two tenants, soon and fairly.

`python -m tests.chaos.q1 --level ci|nightly|release [--mutant impatient]` from the root of the repository. A connector
is published whose component calls a local HTTP server that counts strictly, in any stretch of a second. Two tenants
send their messages at once, first while nobody knows the limit, then under a rule of it. All must arrive, once, none
may fail, within 1.3 times the time that the limit allows, and while both wait neither may get more than 1.5 times as
much. With `impatient` the nodes give up at the first refusal.
"""

from __future__ import annotations

import io
import json
import signal
import sys
import threading
import time
import zipfile
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.chaos.served import served_folder
from tests.chaos.verdict import command, play
from tests.system.process import Client, Process, wait_for

TENANTS = ("ann", "bob")
SENDERS = 8
MOST_TIMES_IDEAL = 1.3
MOST_TIMES_OTHER = 1.5
SETTLING_SECONDS = 8.0
"""What a bar of a few seconds cannot have: the time in which a limit is found."""

HOOK, OWN, TYPE, QUOTA = "hook", "own", "zoo.crowd.core.Call", "zoo:crowd"
CODE = """
from headrace_sdk import Component


class Call(Component):
    async def receive(self, context):
        given = context.content["data"]
        answer = await context.http.request("GET", "{url}/call", params={{"n": given["n"], "who": given["who"]}})
        answer.raise_for_status()
        await context.send_json({{"fine": True}})
"""


@dataclass(frozen=True, slots=True)
class Level:
    """How many messages both send together, and how many calls a second there may be."""

    messages: int
    allowed: int


LEVELS = {
    "short": Level(200, 20),
    "ci": Level(1_000, 10),
    "nightly": Level(5_000, 20),
    "release": Level(20_000, 50),
}


@dataclass(slots=True)
class Api:
    """The server, and what it let through: when, who and which."""

    allowed: int
    through: list[tuple[float, str, str]] = field(default_factory=list)
    refused: int = 0
    url: str = ""
    _recent: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def call(self, who: str, number: str) -> bool:
        """Whether this call is let through."""
        with self._lock:
            now = time.monotonic()
            while self._recent and self._recent[0] <= now - 1:
                self._recent.popleft()
            if len(self._recent) >= self.allowed:
                self.refused += 1
                return False
            self._recent.append(now)
            self.through.append((now, who, number))
            return True


@contextmanager
def serving(api: Api) -> Iterator[Api]:
    """The server, at a port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = parse_qs(urlsplit(self.path).query)
            is_through = api.call(asked["who"][0], asked["n"][0])
            self.send_response(200 if is_through else 429)
            if not is_through:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, format: str, *args: Any) -> None:
            """It is not told."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
        return "Q1 " + " ".join(f"{name}={value}" for name, value in {**self.told, "wrong": len(self.wrong)}.items())


def run(folder: Path, level: Level, mutant: str = "") -> Verdict:
    """Publish, send and judge: without a rule, then with one."""
    verdict = Verdict()
    process = Process(folder, HEADRACE_EGRESS_ALLOW_PRIVATE="true")
    try:
        process.start()
        admin = process.client()
        clients = {who: _tenant(admin, who) for who in TENANTS}
        for name in ("learned", "ruled"):
            with serving(Api(level.allowed)) as api:
                _publish(admin, api.url)
                if name == "ruled":
                    rule = f"module.exports = {{ rules: [{{ limit: {level.allowed}, window: 1000 }}] }};"
                    put = admin.call("PUT", f"/quota/{QUOTA}", json.dumps({"source": rule}).encode(), {})
                    assert put.status_code == 200, put.text
                flows = {who: _start_flow(client, mutant) for who, client in clients.items()}
                began = time.monotonic()
                _send(clients, flows, level.messages)
                seconds = _rest(clients, flows, level, began)
                _judge(name, api, level, seconds, _states(clients, flows), verdict)
        process.end(signal.SIGTERM)
    finally:
        process.end(signal.SIGKILL)
    return verdict


# What is there.


def _tenant(admin: Client, who: str) -> Client:
    made = admin.post("/user", {"email": f"{who}@example.com", "password": "correct horse battery"})
    assert made.status_code == 201, made.text
    return Client(admin.port, {"Authorization": f"Bearer {made.json()['token']}"})


def _publish(admin: Client, url: str) -> None:
    user_id = admin.get("/user").json()["id"]
    assert admin.call("PUT", f"/users/{user_id}", json.dumps({"vendor": "zoo"}).encode(), {}).status_code == 200
    service = {"name": "zoo.crowd", "label": "Crowd", "category": "apps", "description": "Crowded."}
    icon = {"icon": "data:image/png;base64,AA=="}
    manifest = {
        "name": TYPE,
        "inPorts": ["in"],
        "outPorts": ["out"],
        "effect": "idempotent",
        "quota": {"manager": QUOTA, "resources": "calls"},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("zoo/crowd/service.json", json.dumps({**service, **icon}))
        packed.writestr("zoo/crowd/quota.py", "rules = []")
        packed.writestr("zoo/crowd/core/Call/component.json", json.dumps(manifest))
        packed.writestr("zoo/crowd/core/Call/component.py", CODE.format(url=url))
    headers = {"Content-Type": "application/octet-stream"}
    ticket = admin.post("/components", content=buffer.getvalue(), headers=headers).json()["ticket"]
    told = wait_for(lambda: admin.get(f"/components/uploader/{ticket}").json(), 30)
    assert "err" not in told, told


def _start_flow(client: Client, mutant: str) -> str:
    hook = {"type": "headrace.utils.http.WebhookTrigger", "source": {}, "config": {"properties": {}}}
    own: dict[str, Any] = {"type": TYPE, "source": {"in": {HOOK: ["request"]}}, "config": {}}
    if mutant == "impatient":
        own["errorHandling"] = {"maxRetries": 0}
    made = client.post("/flows", {"name": "crowd", "flow": {HOOK: hook, OWN: own}})
    flow_id = str(made.json()["flowId"])
    started = client.post(f"/flows/{flow_id}/coordinator", {"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


# What is done.


def _send(clients: Mapping[str, Client], flows: Mapping[str, str], count: int) -> None:
    def post(message: tuple[str, int]) -> None:
        who, number = message
        body = {"n": str(number), "who": who}
        sent = clients[who].post(f"/flows/{flows[who]}/components/{HOOK}?enqueueOnly=true", body)
        assert sent.status_code == 202, sent.text

    # All of Ann's are there before Bob's come: he has to get his share all the same.
    with ThreadPoolExecutor(SENDERS) as senders:
        for who in TENANTS:
            list(senders.map(post, [(who, number) for number in range(count // len(TENANTS))]))


def _rest(clients: Mapping[str, Client], flows: Mapping[str, str], level: Level, began: float) -> float:
    """Until no run has anything to do; the seconds since it began."""

    def at_rest() -> bool:
        return not any(
            clients[who].get("/runs", {"flowId": flow, "state": state, "limit": "1"}).json()["items"]
            for who, flow in flows.items()
            for state in ("ready", "running", "waiting")
        )

    wait_for(at_rest, 4 * level.messages / level.allowed + 60)
    return time.monotonic() - began


def _states(clients: Mapping[str, Client], flows: Mapping[str, str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for who, flow in flows.items():
        for state in ("done", "failed", "cancelled"):
            page = clients[who].get("/runs", {"flowId": flow, "state": state, "limit": "1"}).json()
            found[state] += int(page["totalCount"])
    return found


# What came of it.


def _judge(name: str, api: Api, level: Level, seconds: float, states: Counter[str], verdict: Verdict) -> None:
    times = Counter((who, number) for _, who, number in api.through)
    lost, doubled = level.messages - len(times), sum(count - 1 for count in times.values())
    ideal = (level.messages - level.allowed) / level.allowed
    took = api.through[-1][0] - api.through[0][0] if api.through else seconds
    share = _share(api)
    verdict.told |= {
        f"{name}_ratio": f"{took / ideal:.2f}",
        f"{name}_lost": lost,
        f"{name}_doubled": doubled,
        f"{name}_failed": level.messages - states["done"],
        f"{name}_refused": api.refused,
        f"{name}_share": f"{share:.2f}",
    }
    if lost or doubled:
        verdict.wrong.append(f"{name}: {lost} messages never got through, and {doubled} did more than once")
    if states["done"] != level.messages:
        verdict.wrong.append(f"{name}: of {level.messages} runs are {dict(states)}")
    if took > MOST_TIMES_IDEAL * ideal + SETTLING_SECONDS:
        verdict.wrong.append(f"{name}: it took {took:.1f} s, where {ideal:.1f} s are possible")
    if not 1 / MOST_TIMES_OTHER <= share <= MOST_TIMES_OTHER:
        verdict.wrong.append(f"{name}: while both waited, bob got {share:.2f} times as much as ann")


def _share(api: Api) -> float:
    """How often Bob was let through for each time that Ann was, from his first call until one had all through."""
    begins = next((at for at, who, _ in api.through if who == TENANTS[1]), 0.0)
    ends = min(max((at for at, who, _ in api.through if who == each), default=0.0) for each in TENANTS)
    both = Counter(who for at, who, _ in api.through if begins <= at <= ends)
    return both[TENANTS[1]] / max(1, both[TENANTS[0]])


def main() -> int:
    chosen = command(__doc__, LEVELS, "impatient").parse_args()
    level = LEVELS[chosen.level]
    with served_folder(chosen.keep) as folder:
        return play(chosen, [level], lambda: run(folder, level, chosen.mutant))


if __name__ == "__main__":
    sys.exit(main())
