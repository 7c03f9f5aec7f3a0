"""What the executor says to a runner before anything else: one line of JSON on its standard input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Where the runner listens, whom it asks, what it hosts and how much it may take."""

    parent: int  # process id of the executor
    listen: str  # address of the RunnerService
    host: str  # address of the HostService
    bundle: Path
    memory_bytes: int  # over what the runner itself needs
    cpu_seconds: int  # in all its life
    open_files: int
    file_bytes: int  # of any one file that it writes
    output_bytes: int  # of prints, in ten seconds
    allow_private: bool
    networks: tuple[str, ...]
    hosts: tuple[str, ...]  # none: any that the networks allow
    folders: tuple[str, ...]  # of the host, to read and write
    refuses: bool  # to run where the kernel cannot confine
    fence: int  # descriptor of the socket where the executor takes what it answers the filter of calls with


def read_orders(line: bytes) -> Orders:
    """The orders of that line. Raises ValueError, TypeError or KeyError for anything that is none."""
    said = json.loads(line)
    lists = {name: tuple(said[name]) for name in ("networks", "hosts", "folders")}
    return Orders(**{**said, **lists, "bundle": Path(said["bundle"])})
