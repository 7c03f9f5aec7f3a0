"""The load of the chaos tests: a flow with one effect of each kind, and clients that do not give in."""

from __future__ import annotations

import http.client
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from tests.chaos.ledger import Ledger
from tests.system.process import Client

POSTERS = 4
TRY_SECONDS = 120
ANSWER_SECONDS = 3.0
"""A client waits so long for an answer; after that it asks again, under the same id."""

IDEMPOTENT, ONCE = "idempotent", "once"
"""Nodes and paths: an effect that may be repeated under its key, and one that must never be repeated."""

HOOK = "hook"


def flow(sink_port: int) -> dict[str, Any]:
    """hook → two calls, one declared idempotent, one unsafe that is skipped when its outcome is in doubt."""
    return {
        HOOK: {
            "type": "headrace.utils.http.WebhookTrigger",
            "x": 0,
            "y": 0,
            "source": {},
            "config": {"properties": {"immediateResponse": True}},
        },
        IDEMPOTENT: _call(sink_port, IDEMPOTENT, {"effect": "idempotent"}),
        ONCE: _call(sink_port, ONCE, {"effect": "unsafe", "inDoubt": "skip"}),
    }


def _call(sink_port: int, path: str, declared: dict[str, Any]) -> dict[str, Any]:
    filled = {
        "type": "json2new",
        "modifiers": {"url": {"id": {"variable": f"$.{HOOK}.request.data.id", "functions": []}}},
        "lambda": {"url": f"http://127.0.0.1:{sink_port}/{path}/{{{{{{id}}}}}}", "body": "{}"},
    }
    return {
        "type": "headrace.utils.http.Post",
        "x": 0,
        "y": 0,
        "source": {"in": {HOOK: ["request"]}},
        "config": {**declared, "transform": {"in": {HOOK: {"request": filled}}}},
    }


class Load:
    """Clients that send each event until it is acknowledged; a lost answer makes it ambiguous first."""

    def __init__(self, door: Callable[[], int], path: str, names: Sequence[str], ledger: Ledger) -> None:
        """`door`: the port the clients knock at, asked anew for each call."""
        self._door = door
        self._path = path
        self._names = deque(names)
        self._ledger = ledger
        self._stopped = threading.Event()
        self._posters = [threading.Thread(target=self._post_all, daemon=True) for _ in range(POSTERS)]

    def __enter__(self) -> Load:
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
                name = self._names.popleft()
            except IndexError:
                return
            self._post(name)

    def _post(self, name: str) -> None:
        deadline = time.monotonic() + TRY_SECONDS
        last = "no answer"
        while time.monotonic() < deadline and not self._stopped.is_set():
            client = Client(self._door(), timeout=ANSWER_SECONDS)
            try:
                answer = client.post(self._path, json={"id": name}, headers={"Idempotency-Key": name})
            except (OSError, http.client.HTTPException):
                self._ledger.doubt(name)
                time.sleep(0.05)
                continue
            if 200 <= answer.status_code < 300:
                self._ledger.acknowledge(name)
                return
            last = f"{answer.status_code} {answer.text}"
            time.sleep(0.1)
        self._ledger.give_up(name, last)
