"""Where downloads are kept, and which ports and users servers get."""

import contextlib
import fcntl
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

PORTS = range(20_000, 32_000)
"""Below what Linux gives to outgoing connections: a killed server's port must still be free when it comes back."""

NOBODY = 65_534


def is_root() -> bool:
    return os.geteuid() == 0


def cache() -> Path:
    """The user's cache directory, outside of every tree. Root's is one that an unprivileged server can read too."""
    given = os.environ.get("HEADRACE_TEST_CACHE") or os.environ.get("XDG_CACHE_HOME")
    home = Path(given) if given else Path("/var/cache") if is_root() else Path.home() / ".cache"
    folder = home / "headrace"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def alone(what: str) -> Iterator[None]:
    """Only one process at a time installs `what`; the others wait for it."""
    with (cache() / f"{what}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _own_ports() -> range:
    """Those of this process, where several run tests at once: a port that is free may be somebody's in a moment."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return PORTS[worker::workers]


def free_port() -> int:
    """A port on the loopback address that nobody listens at."""
    for port in random.sample(_own_ports(), 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"None of 200 ports tried in {PORTS} is free on 127.0.0.1.")
