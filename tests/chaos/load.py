"""The load of the chaos tests: a flow with one effect of each kind, and clients that do not give in."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tests.chaos.ledger import Ledger, Try
from tests.system.process import Answer, Client

POSTERS = 4
TRY_SECONDS = 120
ANSWER_SECONDS = 3.0
OPEN_EVENTS = 60
ROOM_SECONDS = 60

AFTER_SILENCE = 0.05
AFTER_REFUSAL = 0.1
"""Seconds before the next try, where the answer names none."""

IDEMPOTENT, ONCE = "idempotent", "once"
"""Nodes and paths: an effect that may be repeated under its key, and one that must never be repeated."""

HOOK = "hook"


def flow(sink_port: int) -> dict[str, Any]:
    """hook → two calls, one declared idempotent, one unsafe that is skipped when its outcome is in doubt."""
    return {
        HOOK: hook(),
        IDEMPOTENT: call_of(sink_port, IDEMPOTENT, {"effect": "idempotent"}),
        ONCE: call_of(sink_port, ONCE, {"effect": "unsafe", "inDoubt": "skip"}),
    }


def hook() -> dict[str, Any]:
    """The trigger, which answers as soon as the event is durable."""
    return {
        "type": "headrace.utils.http.WebhookTrigger",
        "x": 0,
        "y": 0,
        "source": {},
        "config": {"properties": {"immediateResponse": True}},
    }


def call_of(
    sink_port: int, path: str, declared: dict[str, Any], *, hook: str = HOOK, after: tuple[str, str] | None = None
) -> dict[str, Any]:
    """A node that calls the sink at `/path/<the event's id>`, once something comes from the port `after`."""
    node, port = after or (hook, "request")
    filled = {
        "type": "json2new",
        "modifiers": {"url": {"id": {"variable": f"$.{hook}.request.data.id", "functions": []}}},
        "lambda": {"url": f"http://127.0.0.1:{sink_port}/{path}/{{{{{{id}}}}}}", "body": "{}"},
    }
    return {
        "type": "headrace.utils.http.Post",
        "x": 0,
        "y": 0,
        "source": {"in": {node: [port]}},
        "config": {**declared, "transform": {"in": {node: {port: filled}}}},
    }


def start_flow(client: Client, sink_port: int, name: str) -> str:
    """Make the flow with both effects and start it; its id."""
    return start(client, name, flow(sink_port))


def start(client: Client, name: str, nodes: dict[str, Any]) -> str:
    """Make a flow of these nodes and start it; its id."""
    flow_id: str = client.post("/flows", json={"name": name, "flow": nodes}).json()["flowId"]
    started = client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    assert started.status_code == 200, started.text
    return flow_id


def path_of(flow_id: str, hook: str) -> str:
    """Where an event is posted that is answered as soon as it is accepted, without waiting for the flow."""
    return f"/flows/{flow_id}/components/{hook}?enqueueOnly=true"


def ahead_of(done: Callable[[], int]) -> Callable[[], int]:
    """The room of a load that is `OPEN_EVENTS` ahead of what is worked off, and no more."""
    return lambda: done() + OPEN_EVENTS


class Load:
    """Clients that send each event until it is acknowledged; a lost answer makes it ambiguous first.

    Each try of an event goes to the next door, under the same event id, and not before the last answer's
    `Retry-After`.
    """

    def __init__(
        self,
        doors: Callable[[], Sequence[int]],
        path: str,
        names: Sequence[str],
        ledger: Ledger,
        *,
        posters: int = POSTERS,
        pace: float = 0.0,
        patience: float = ANSWER_SECONDS,
        room: Callable[[], int] | None = None,
        body: Callable[[str], Any] = lambda name: {"id": name},
    ) -> None:
        """`doors`: the ports the clients knock at, asked anew for each call. `pace`: events a second; 0 sends the next
        as soon as one is acknowledged. `patience`: seconds that a client waits for an answer; after that it asks
        again, under the same id. `room`: how many events may be sent by now; `ahead_of` keeps a slow machine from
        being buried. `body`: what is posted for an event, the same at each try.
        """
        self._body = body
        self._patience = patience
        self._room = room
        self._doors = doors
        self._path = path
        self._names = deque(enumerate(names))
        self._ledger = ledger
        self._pace = pace
        self._stopped = threading.Event()
        self._posters = [threading.Thread(target=self._post_all, daemon=True) for _ in range(posters)]
        self._began = 0.0

    def __enter__(self) -> Load:
        self._began = time.monotonic()
        for poster in self._posters:
            poster.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Send nothing more."""
        self._names.clear()
        self._stopped.set()
        self.join()

    def join(self) -> None:
        """Until every event is acknowledged or given up."""
        for poster in self._posters:
            poster.join()

    def _post_all(self) -> None:
        while True:
            try:
                number, name = self._names.popleft()
            except IndexError:
                return
            if self._pace:
                self._stopped.wait(max(self._began + number / self._pace - time.monotonic(), 0))
            self._wait_for_room(number)
            self._post(number, name)

    def _wait_for_room(self, number: int) -> None:
        deadline = time.monotonic() + ROOM_SECONDS  # what is lost leaves no room: it must not hold up the rest
        while self._room is not None and number >= self._room() and time.monotonic() < deadline:
            if self._stopped.wait(0.05):
                return

    def _post(self, number: int, name: str) -> None:
        deadline = time.monotonic() + TRY_SECONDS
        last = "no answer"
        tries = 0
        while time.monotonic() < deadline and not self._stopped.is_set():
            doors = self._doors()
            answer = self._try(doors[(number + tries) % len(doors)], name, tries + 1)
            tries += 1
            if answer is None:
                self._ledger.doubt(name)
                self._stopped.wait(AFTER_SILENCE)
                continue
            if 200 <= answer.status_code < 300:
                self._ledger.acknowledge(name)
                return
            last = f"{answer.status_code} {answer.text}"
            self._stopped.wait(float(answer.headers.get("retry-after") or AFTER_REFUSAL))
        self._ledger.give_up(name, last)

    def _try(self, port: int, name: str, number: int) -> Answer | None:
        began = time.monotonic()
        answer: Answer | None = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            client = Client(port, timeout=self._patience)
            answer = client.post(self._path, json=self._body(name), headers={"Idempotency-Key": name})
        seconds = time.monotonic() - began
        if answer is None:
            self._ledger.note(Try(name, number, began, seconds))
        else:
            retry_after = answer.headers.get("retry-after", "")
            self._ledger.note(Try(name, number, began, seconds, answer.status_code, retry_after))
        return answer
