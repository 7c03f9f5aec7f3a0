"""What the numbers were measured on, and how fast it was just then."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

LOOPS = 400_000
WRITES = 20
BEST_OF = 3


@dataclass(frozen=True, slots=True)
class Calibration:
    """Milliseconds for a fixed loop of Python and for one flushed write of 4 KiB. Twice as long is half the machine."""

    loop_ms: float
    flush_ms: float


def calibrate(folder: Path) -> Calibration:
    """Time both, best of three for the loop, the median for the write. `folder` is where the peers keep their data."""
    return Calibration(min(_loop_ms() for _ in range(BEST_OF)), _flush_ms(folder))


def describe() -> dict[str, str]:
    """The machine in the words of its own kernel."""
    memory_kib = int(_field("/proc/meminfo", "MemTotal").split()[0])
    return {
        "processor": f"{os.cpu_count()} × {_field('/proc/cpuinfo', 'model name')}",
        "memory": f"{memory_kib / 1024 / 1024:.0f} GiB",
        "system": platform.platform(),
        "python": f"Python {platform.python_version()}",
    }


def _loop_ms() -> float:
    began, total = time.perf_counter(), 0
    for number in range(LOOPS):
        total += number * number & 7
    return (time.perf_counter() - began) * 1000


def _flush_ms(folder: Path) -> float:
    path, took = folder / "flush", []
    with path.open("wb", buffering=0) as file:
        for _ in range(WRITES):
            began = time.perf_counter()
            file.write(bytes(4096))
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return sorted(took)[WRITES // 2]


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    return "unknown"
