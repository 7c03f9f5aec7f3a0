"""Server mode: the five services as processes, over MongoDB's wire, RabbitMQ, Redis and Elasticsearch."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.backing import Backing
from bench.calls import demand, wait_until
from bench.operations import Operations, counted
from bench.peers.site import SIGN_IN, Site
from bench.process import Process
from tests.servers.places import free_port

READY_SECONDS = 90.0
SERVICES = ("flow_manager", "scheduler", "executor", "logging", "gateway")


class HeadraceServer:
    """One process of each service, or more than one executor. Each shows its metrics, for its operations."""

    def __init__(self, folder: Path, backing: Backing, *, executors: int = 1) -> None:
        self.name = "headrace-server" if executors == 1 else f"headrace-server-{executors}x"
        self._folder = folder
        self._backing = backing
        self._executors = executors
        self._places = [
            *((service, free_port(), free_port()) for service in SERVICES),
            *(("executor", free_port(), free_port()) for _ in range(executors - 1)),
        ]
        self._port = next(port for service, port, _ in self._places if service == "gateway")
        self._site = Site(f"http://127.0.0.1:{self._port}")
        self._processes: list[Process] = []

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
        executors = "1 executor" if self._executors == 1 else f"{self._executors} executors"
        return (
            f"Headrace {metadata.version('headrace')}, five services with {executors}, Python "
            f"{platform.python_version()}, over SecantusDB (MongoDB's wire), RabbitMQ, Redis and Elasticsearch"
        )

    def prepare(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True)
        self.launch()
        wait_until(self._is_up, READY_SECONDS, what=f"{self.name} is up")
        self._site.build()
        self.stop()

    def launch(self) -> None:
        shared = self._shared()
        self._processes = [
            Process(
                [sys.executable, "-m", f"headrace_{service}"],
                folder=self._folder,
                log=self._folder / f"{service}.{port}.log",
                environ={
                    **shared,
                    **_listening(service, port),
                    "HEADRACE_METRICS_LISTEN": f"127.0.0.1:{metrics}",
                    "HEADRACE_DATA_DIR": str(self._folder / f"{service}.{port}"),
                },
            )
            for service, port, metrics in self._places
        ]

    def processes(self) -> Sequence[Process]:
        """The services. The servers behind them serve others too and are not counted in."""
        return list(self._processes)

    def finished(self) -> int:
        return self._site.finished()

    def last_finished_at(self) -> float:
        return self._site.last_finished_at()

    def operations(self) -> Operations:
        return counted(_text(metrics) for _, _, metrics in self._places)

    def stop(self) -> None:
        for process in reversed(self._processes):  # the gateway first: who gives work stops before who takes it
            process.stop()
        self._processes = []

    def _shared(self) -> Mapping[str, str]:
        addresses = {f"HEADRACE_{service.upper()}_ADDRESS": self._address(service) for service in SERVICES[:4]}
        return {
            **SIGN_IN,
            **self._backing.settings(self.name),
            **addresses,
            "HEADRACE_PUBLIC_URL": f"http://127.0.0.1:{self._port}",
            "HEADRACE_DRAIN_DELAY": "100ms",  # no balancer has to notice that it stops
        }

    def _address(self, service: str) -> str:
        found = [f"127.0.0.1:{port}" for name, port, _ in self._places if name == service]
        return found[0] if len(found) == 1 else f"ipv4:{','.join(found)}"

    def _is_up(self) -> bool:
        for process in self.processes():
            process.check()
        return self._site.is_up()


def _listening(service: str, port: int) -> Mapping[str, str]:
    if service == "gateway":
        return {"HEADRACE_PORT": str(port)}
    return {f"HEADRACE_{service.upper()}_LISTEN": f"127.0.0.1:{port}"}


def _text(port: int) -> str:
    content: Any = demand("GET", f"http://127.0.0.1:{port}/metrics").content
    return str(content)
