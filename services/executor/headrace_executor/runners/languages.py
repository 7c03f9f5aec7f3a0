"""What starts a runner of each language, and what it is told besides its orders."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import headrace_node_runner
from headrace_core import Json
from headrace_runtime.egress import EgressPolicy
from headrace_runtime.nodejs import NoNode, find_node
from headrace_sdk.errors import CancelError

from headrace_executor.runners.contract import contract, egress_orders
from headrace_executor.settings import MIB, RunnerSettings

Language = Literal["python", "javascript"]

NODE_FOLDER = Path(next(iter(headrace_node_runner.__path__)))
WORK = "work"
"""Where a runner may write, in its own folder."""

NODE_SLACK_BYTES = 96 * MIB
"""What Node itself takes later on: its threads, and room to move young objects."""


class Command(Protocol):
    """How a runner is started and bounded."""

    executes: ClassVar[int]
    """How often it becomes another program once it is confined."""

    def line(self, bundle: Path, folder: Path, fence: int) -> list[str]:
        """The command line, for a bundle, a folder of the runner's own with its place to work in, and its fence."""
        ...

    def orders(self, policy: EgressPolicy) -> dict[str, Json]:
        """What its orders say besides those that all runners get."""
        ...

    def bound(self, pid: int) -> None:
        """Set the limits that can only be set from outside, once it is ready."""
        ...


class Python:
    """Confines itself."""

    executes: ClassVar[int] = 0

    def line(self, bundle: Path, folder: Path, fence: int) -> list[str]:
        return [sys.executable, "-I", "-m", "headrace_runner"]

    def orders(self, policy: EgressPolicy) -> dict[str, Json]:
        return {}

    def bound(self, pid: int) -> None:
        return


class Node:
    """Is started by a launcher that confines it first. Memory is bounded over what it has when it is ready."""

    executes: ClassVar[int] = 1

    def __init__(self, binary: Path, settings: RunnerSettings) -> None:
        self._binary = binary
        self._settings = settings

    def line(self, bundle: Path, folder: Path, fence: int) -> list[str]:
        settings = self._settings
        heap = max(16, settings.memory_bytes // MIB)
        command = [str(self._binary), "--no-addons", f"--max-old-space-size={heap}", str(NODE_FOLDER / "main.js")]
        orders = {
            "parent": os.getpid(),
            "cpu_seconds": max(1, int(settings.cpu.total_seconds())),
            "open_files": settings.open_files,
            "file_bytes": settings.file_bytes,
            "read": [str(bundle), str(NODE_FOLDER), str(self._binary), str(self._binary.parent.parent / "lib")],
            "write": [str(folder / WORK), *settings.folders],
            "sockets": [str(folder)],
            "refuses": settings.isolation == "refuse",
            "fence": fence,
            "command": command,
        }
        return [sys.executable, "-I", "-m", "headrace_runner.launching", json.dumps(orders)]

    def orders(self, policy: EgressPolicy) -> dict[str, Json]:
        return {"contract": contract(), "egress": egress_orders(policy)}

    def bound(self, pid: int) -> None:
        with contextlib.suppress(OSError, StopIteration):  # who is gone already is noticed elsewhere
            status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
            kibibytes = int(next(line.split()[1] for line in status if line.startswith("VmData")))
            most = kibibytes * 1024 + self._settings.memory_bytes + NODE_SLACK_BYTES
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, most))


class Languages:
    """The languages of this installation."""

    def __init__(self, settings: RunnerSettings) -> None:
        self._settings = settings
        self._node: Node | None = None

    async def command(self, language: Language) -> Command:
        """How runners of the language are started. Raises CancelError where it is not installed."""
        if language == "python":
            return Python()
        if self._node is None:
            try:
                self._node = Node(await asyncio.to_thread(find_node, self._settings.node), self._settings)
            except NoNode as error:
                raise CancelError(str(error)) from None
        return self._node
