"""The embedded platform: `headrace up` at its defaults, so each answer comes after the commit."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from bench.calls import wait_until
from bench.operations import Operations
from bench.peers.site import SIGN_IN, Site
from bench.process import Process, free_port

READY_SECONDS = 60.0


class Headrace:
    """One process over SQLite."""

    name = "headrace"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self._site = Site(f"http://127.0.0.1:{self._port}")
        self._process: Process | None = None

    @property
    def echo_url(self) -> str:
        return self._site.echo_url

    @property
    def chain_url(self) -> str:
        return self._site.chain_url

    @property
    def branch_url(self) -> str:
        return self._site.branch_url

    def version(self) -> str:
        return f"Headrace {metadata.version('headrace')}, embedded, Python {platform.python_version()}"

    def prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.launch()
        wait_until(self._is_up, READY_SECONDS, what=f"{self.name} is up")
        self._site.build()
        self.stop()

    def launch(self) -> None:
        self._process = Process(
            [sys.executable, "-m", "headrace_cli.main", "up"],
            folder=self._folder,
            log=self._folder / f"{self.name}.log",
            environ={
                **SIGN_IN,
                "HEADRACE_PORT": str(self._port),
                "HEADRACE_DATA_DIR": str(self._folder / "data"),
                "HEADRACE_DRAIN_DELAY": "100ms",  # no balancer has to notice that it stops
            },
        )

    def processes(self) -> Sequence[Process]:
        return [self._process] if self._process else []

    def finished(self) -> int:
        return self._site.finished()

    def last_finished_at(self) -> float:
        return self._site.last_finished_at()

    def operations(self) -> Operations:
        """None: its stores are files of its own process."""
        return {}

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        self._process = None

    def _is_up(self) -> bool:
        for process in self.processes():
            process.check()
        return self._site.is_up()
