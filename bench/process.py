"""A process and its descendants: started, looked at, ended by their own ids. Linux only: it reads /proc."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

STOP_SECONDS = 30.0
KIB = 1024


@dataclass(frozen=True, slots=True)
class Memory:
    """Of all processes together. `rss` counts shared pages once for each process, `pss` once."""

    rss_mib: float
    pss_mib: float


class Process:
    """One child in a session of its own, so that Ctrl-C reaches only the benchmark, which then ends it."""

    def __init__(self, argv: Sequence[str | Path], *, folder: Path, log: Path, environ: Mapping[str, str]) -> None:
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [str(each) for each in argv],
                env={**os.environ, **environ},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def check(self) -> None:
        """Raise RuntimeError with the end of the log when the child has ended."""
        if self._child.poll() is not None:
            end = self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self._log.stem} ended with code {self._child.returncode}; its log ends with:\n{end}")

    def pids(self) -> list[int]:
        return list(_family(self._child.pid)) if self._child.poll() is None else []

    def stop(self) -> None:
        """Ask, wait, then kill what is left of the tree. Stopping twice changes nothing."""
        family = self.pids()
        self._child.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._child.wait(STOP_SECONDS)
        for pid in {*family, *self.pids()}:
            with contextlib.suppress(ProcessLookupError):
                if os.getsid(pid) == self._child.pid:
                    os.kill(pid, signal.SIGKILL)
        self._child.wait(STOP_SECONDS)


def memory_of(pids: Iterable[int]) -> Memory:
    rss_kib = pss_kib = 0
    for pid in pids:
        with contextlib.suppress(OSError):  # it ended meanwhile
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                name, _, value = line.partition(":")
                rss_kib += int(value.split()[0]) if name == "Rss" else 0
                pss_kib += int(value.split()[0]) if name == "Pss" else 0
    return Memory(rss_kib / KIB, pss_kib / KIB)


def cpu_seconds(pids: Iterable[int]) -> float:
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = _stat(pid)
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _family(pid: int) -> Iterator[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    waiting = [pid]
    while waiting:
        each = waiting.pop()
        yield each
        waiting.extend(children.get(each, []))


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; the second is a name that may hold anything."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
