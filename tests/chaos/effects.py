"""The world outside: a server that remembers every call it got, and under which key."""

from __future__ import annotations

import contextlib
import http.server
import itertools
import threading
import time
from collections import Counter, defaultdict
from typing import Any


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True


class Sink:
    """Answers each call with a number of its own, so that two calls never have one result."""

    def __init__(self, takes: float = 0.0) -> None:
        """`takes`: seconds from a call to its answer."""
        self._calls: dict[str, list[str]] = defaultdict(list)
        self._first: dict[str, float] = {}
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        numbers = itertools.count(1)
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = self.path.strip("/")
                with sink._lock:
                    sink._counts[path.partition("/")[0]] += path not in sink._calls
                    sink._first.setdefault(path, time.time())
                    sink._calls[path].append(self.headers.get("Idempotency-Key", ""))
                    body = b'{"call": %d}' % next(numbers)
                time.sleep(takes)
                with contextlib.suppress(ConnectionError):  # the caller was killed meanwhile
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def calls(self, kind: str) -> dict[str, list[str]]:
        """Event → the keys it was called under, in order, of all calls to `/kind/<event>`."""
        with self._lock:
            found = [(path.partition("/"), list(keys)) for path, keys in self._calls.items()]
        return {event: keys for (first, _, event), keys in found if first == kind}

    def count(self, kind: str) -> int:
        """How many events `/kind/<event>` was called for."""
        with self._lock:
            return self._counts[kind]

    def first_calls(self, kind: str) -> dict[str, float]:
        """Event → when it was first called for, by the wall clock, of all calls to `/kind/<event>`."""
        with self._lock:
            found = [(path.partition("/"), at) for path, at in self._first.items()]
        return {event: at for (first, _, event), at in found if first == kind}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
