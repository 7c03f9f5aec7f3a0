"""What all backing servers have in common: a folder, ports, a process group, and a life that tests can hurt."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tests.servers.guard import Guard
from tests.servers.places import free_port

STOP_SECONDS = 20
LOG_TAIL = 4_000

guard = Guard()


class NotReady(Exception):
    """The server ended or did not serve in time. The message carries the end of its log."""


class Server(ABC):
    """One server with its own data. It keeps its port and its data from start to start.

    Leaving the block kills it. `kill`, `stop`, `pause`, `resume` and `wipe` may be called in any state.
    """

    name: ClassVar[str]
    start_seconds: ClassVar[float] = 60
    """How long it may take from start to serving, on a busy machine."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.kills = 0
        self._child: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @staticmethod
    @abstractmethod
    def install() -> object:
        """Get its programs, if they are not here. Raises `install.Missing`."""

    @property
    @abstractmethod
    def url(self) -> str:
        """How a client reaches it."""

    @abstractmethod
    def _command(self) -> Sequence[str]:
        """Prepare the folder and say what to run. Called at each start."""

    @abstractmethod
    def _serves(self) -> bool:
        """Whether it does its work now, asked in its own protocol. May raise OSError."""

    def _environ(self) -> Mapping[str, str]:
        return {}

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def serves(self) -> bool:
        """Whether it answers now, asked in its own protocol. Takes a moment where it does not."""
        with contextlib.suppress(OSError):
            return self._serves()
        return False

    def start(self) -> Self:
        """Start it and wait until it serves. Starting a running server does nothing."""
        if self.is_running:
            return self
        command = self._command()
        self.data.mkdir(exist_ok=True)
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **self._environ()}
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        guard.watch(self._child.pid)
        self._wait()
        return self

    def kill(self) -> None:
        """Kill -9, all its processes at once."""
        if self._child is None:
            return
        self.kills += self.is_running
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(STOP_SECONDS)
        self._wait_for_the_rest()
        guard.forget(self._child.pid)
        self._child = None

    def stop(self) -> None:
        """Ask it to stop; kill it if it does not in time."""
        if self._child is None:
            return
        self.resume()
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        self.kill()

    def restart(self) -> None:
        """Kill -9 and start again, with the same data."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open and nobody answers.

        On a busy machine its other threads go on until the one that gets the signal has its turn, so this waits.
        """
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_SECONDS
        while self.is_running and not self._stands_still():
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} goes on {STOP_SECONDS} s after it was stopped.")
            time.sleep(0.005)

    def resume(self) -> None:
        """Let a frozen server go on."""
        self.send(signal.SIGCONT)

    def wipe(self) -> None:
        """Kill it and lose everything it knew. It stays down until `start`."""
        self.kill()
        shutil.rmtree(self.data, ignore_errors=True)

    def close(self) -> None:
        """Kill it for good."""
        self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes and wait for nothing."""
        if self.is_running:
            assert self._child is not None
            os.killpg(self._child.pid, number)

    def _stands_still(self) -> bool:
        """Whether no thread of its processes runs."""
        assert self._child is not None
        return all(state in "TtZX" for state in _states(self._child.pid))

    def _wait(self) -> None:
        assert self._child is not None
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            status = self._child.poll()
            if status is not None:
                self.kill()
                raise NotReady(f"{self.name} ended with {status} at its start:\n{self._last_words()}")
            if self.serves():
                return
            time.sleep(0.1)
        self.kill()
        raise NotReady(f"{self.name} does not serve after {self.start_seconds:.0f} s:\n{self._last_words()}")

    def _wait_for_the_rest(self) -> None:
        """The first process of the group may be a script that is gone before the server itself."""
        assert self._child is not None
        deadline = time.monotonic() + STOP_SECONDS
        while _lives(self._child.pid):
            if time.monotonic() > deadline:
                raise NotReady(f"{self.name} is still there {STOP_SECONDS} s after it was killed.")
            time.sleep(0.02)

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:]


def _states(group: int) -> Iterator[str]:
    """The state of each thread of the group's processes, as in proc(5)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            if int(status.read_text().rpartition(")")[2].split()[2]) == group:
                for thread in (status.parent / "task").glob("*/stat"):
                    yield thread.read_text().rpartition(")")[2].split()[0]


def _lives(group: int) -> bool:
    """Whether a process of the group still runs, or one of its threads does. Real zombies hold nothing any more."""
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group = (each / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and (state not in "ZX" or len(list((each / "task").iterdir())) > 1):
                return True
    return False
