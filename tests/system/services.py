"""The five services as processes of their own, each with its port and its data directory, one or more of each."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.certificates import identity_of
from tests.servers.places import free_port
from tests.servers.server import guard

from .process import ADMIN, PASSWORD, Client, wait_for

ALL = ("flow_manager", "scheduler", "executor", "logging", "gateway")
READY_SECONDS = 60
EXIT_SECONDS = 40


class Services:
    """Processes that find each other by the addresses in their environment.

    The first replica of a service has the service's name, the others are `executor.2`, `executor.3`, ...
    """

    def __init__(
        self,
        folder: Path,
        *,
        replicas: Mapping[str, int] | None = None,
        ports: Mapping[str, int] | None = None,
        certificates: Path | None = None,
        **environ: str,
    ) -> None:
        self.folder = folder
        self.certificates = certificates
        self.names = [name for service in ALL for name in names_of(service, (replicas or {}).get(service, 1))]
        gateways = names_of("gateway", (replicas or {}).get("gateway", 1))
        free = free_ports(len(self.names) + len(gateways))
        self.ports = {**dict(zip(self.names, free, strict=False)), **(ports or {})}
        self.peer_ports = dict(zip(gateways, free[len(self.names) :], strict=True))
        self.children: dict[str, subprocess.Popen[bytes]] = {}
        self.given = environ
        self._environ = {
            **os.environ,
            **{f"HEADRACE_{service.upper()}_ADDRESS": self._address(service) for service in ALL},
            "HEADRACE_PUBLIC_URL": f"http://127.0.0.1:{self.ports['gateway']}",
            "HEADRACE_ADMIN_EMAIL": ADMIN,
            "HEADRACE_ADMIN_PASSWORD": PASSWORD,
            "HEADRACE_DRAIN_DELAY": "100ms",
            **environ,
        }

    @property
    def port(self) -> int:
        return self.ports["gateway"]

    def replicas(self, service: str) -> list[str]:
        """The names of a service's processes."""
        return [name for name in self.names if service_of(name) == service]

    def start(self, names: Sequence[str] | None = None) -> None:
        """Start them at once, in no order, and return when each says that it serves."""
        chosen = self.names if names is None else names
        self.launch(chosen)
        for name in chosen:
            wait_for(lambda name=name: self.is_ready(name), READY_SECONDS)

    def launch(self, names: Sequence[str], **more: str) -> None:
        """Start them at once, with more in their environment, and wait for nothing."""
        for name in names:
            environ = {**self._environ, **self.identity(name), **self._place(name), **more}
            with (self.folder / f"{name}.log").open("ab") as log:
                command = [sys.executable, "-m", f"headrace_{service_of(name)}"]
                # A group of its own: what a person presses is for us, who ask each of them to stop once.
                self.children[name] = subprocess.Popen(command, env=environ, stdout=log, stderr=log, process_group=0)
            guard.watch(self.children[name].pid)

    def _place(self, name: str) -> dict[str, str]:
        """The settings by which replicas differ."""
        port = self.ports[name]
        return {
            f"HEADRACE_{service_of(name).upper()}_LISTEN": f"127.0.0.1:{self.peer_ports.get(name, port)}",
            "HEADRACE_PORT": str(port),
            "HEADRACE_DATA_DIR": str(self.folder / name),
            **{key: value for key, value in self.given.items() if key.endswith("_LISTEN")},
        }

    def _address(self, service: str) -> str:
        places = [f"127.0.0.1:{self.peer_ports.get(name, self.ports[name])}" for name in self.replicas(service)]
        return places[0] if len(places) == 1 else f"ipv4:{','.join(places)}"

    def identity(self, name: str) -> dict[str, str]:
        """The settings by which a process shows who it is."""
        if self.certificates is None:
            return {}
        own = service_of(name).replace("_", "-")
        return {
            "HEADRACE_RPC_CA": str(self.certificates / "ca.pem"),
            "HEADRACE_RPC_CERT": str(self.certificates / f"{own}.pem"),
            "HEADRACE_RPC_KEY": str(self.certificates / f"{own}.key"),
        }

    def rpc(self, *words: str, caller: str = "operator") -> subprocess.CompletedProcess[str]:
        """`headrace rpc …` as that caller."""
        command = [sys.executable, "-m", "headrace_cli.main", "rpc", *words]
        environ = {**os.environ, **self.identity(caller)}
        return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)

    def log(self, name: str) -> str:
        """What the service has said so far."""
        return (self.folder / f"{name}.log").read_text()

    def kill(self, name: str) -> None:
        """kill -9."""
        child = self.children.pop(name)
        child.send_signal(signal.SIGKILL)
        child.wait(EXIT_SECONDS)
        guard.forget(child.pid)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal and wait for nothing."""
        self.children[name].send_signal(number)

    def ask_to_stop(self, names: Sequence[str] | None = None) -> dict[str, int]:
        """SIGTERM to all of them; their exit statuses."""
        stopping = {name: self.children.pop(name) for name in (self.names if names is None else names)}
        for child in stopping.values():
            child.send_signal(signal.SIGTERM)
        statuses = {name: child.wait(EXIT_SECONDS) for name, child in stopping.items()}
        for child in stopping.values():
            guard.forget(child.pid)
        return statuses

    def end(self) -> None:
        """Nothing of it is left afterwards."""
        for name in list(self.children):
            self.kill(name)

    def client(self, gateway: str = "gateway") -> Client:
        """A client signed in as the administrator, at that gateway."""
        port = self.ports[gateway]
        answer = Client(port).post("/user/auth", json={"email": ADMIN, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        return Client(port, {"Authorization": f"Bearer {answer.json()['token']}"})

    def is_ready(self, name: str) -> bool:
        """Whether the process says that it serves. Raises AssertionError with its log when it has ended."""
        assert self.children[name].poll() is None, self.log(name)
        if service_of(name) == "gateway":
            with contextlib.suppress(OSError, http.client.HTTPException):
                return Client(self.ports[name]).get("/health/ready").status_code == 200
            return False
        return self._is_serving(name)

    def _is_serving(self, name: str) -> bool:
        """Whether the standard health service there says so."""
        with self._channel(name) as channel:
            return is_serving(channel)

    def _channel(self, name: str) -> grpc.Channel:
        address, own = f"127.0.0.1:{self.ports[name]}", service_of(name).replace("_", "-")
        options = [("grpc.enable_http_proxy", 0), ("grpc.ssl_target_name_override", own)]
        if self.certificates is None:
            return grpc.insecure_channel(address, options=options)
        credentials = identity_of(self.certificates, "operator").channel_credentials()
        return grpc.secure_channel(address, credentials, options=options)


def service_of(name: str) -> str:
    """The service that a process of this name runs."""
    return name.partition(".")[0]


def names_of(service: str, count: int) -> list[str]:
    """The names of so many processes of a service."""
    return [service, *(f"{service}.{number}" for number in range(2, count + 1))]


def is_serving(channel: grpc.Channel) -> bool:
    """Whether the standard health service at the other end says so."""
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    except grpc.RpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at, each another one, that no outgoing connection takes while a process is killed."""
    found: set[int] = set()
    while len(found) < count:
        found.add(free_port())
    return list(found)
