"""One service's process among the others: how it answers them and how it calls them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace_core.errors import Problem, ValidationFailed

from headrace_runtime import settings
from headrace_runtime.doctor import Subject
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import MetricsSettings
from headrace_runtime.process import Holding, Process
from headrace_runtime.rpc import processes
from headrace_runtime.rpc.client import DialledChannel, dial
from headrace_runtime.rpc.replicas import Resolved
from headrace_runtime.rpc.server import RunningServer, ServerLimits, serve
from headrace_runtime.rpc.tls import Identity

if TYPE_CHECKING:
    import grpc.aio


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerSettings:
    """What the operator says about calls between the services; the same for each of them."""

    drain_delay: timedelta = settings.setting(
        timedelta(seconds=2),
        env="HEADRACE_DRAIN_DELAY",
        help="How long a service says that it is not ready before it takes no more calls.",
    )
    authority: Path | None = settings.setting(
        None, env="HEADRACE_RPC_CA", help="Certificate of the authority of all services, in PEM; with it TLS is on."
    )
    certificate: Path | None = settings.setting(
        None, env="HEADRACE_RPC_CERT", help="This service's certificate in PEM; its DNS name is the service's name."
    )
    key: Path | None = settings.setting(None, env="HEADRACE_RPC_KEY", help="Key of the certificate, in PEM.")
    reflection: bool = settings.setting(
        False, env="HEADRACE_RPC_REFLECTION", help="True lets tools ask a service which methods it has."
    )

    def identity(self) -> Identity | None:
        """Who we are; None where nobody shows who they are. Raises ValidationFailed for half an identity."""
        given = {"HEADRACE_RPC_CA": self.authority, "HEADRACE_RPC_CERT": self.certificate, "HEADRACE_RPC_KEY": self.key}
        if self.authority and self.certificate and self.key:
            return Identity.read(self.authority, self.certificate, self.key)
        missing = [name for name, path in given.items() if path is None]
        if len(missing) < len(given):
            raise ValidationFailed([Problem(name, "is not set", "Set all three, or none.") for name in missing])
        return None


class Peer:
    """The process of the service `name`. Calls that it answers are counted in its metrics."""

    def __init__(self, name: str, environ: Mapping[str, str], metrics: Metrics | None = None) -> None:
        self.name = name
        self._metrics = metrics
        self._settings = settings.load(PeerSettings, environ)
        self._identity = self._settings.identity()
        self._environ = environ

    def process(
        self,
        *,
        settings: Sequence[type[Any]] = (),
        subjects: Sequence[Subject] = (),
        data: Path | None = None,
        holding: Holding | None = None,
    ) -> Process:
        """This process, as it describes itself; see `Process`."""
        return Process(
            self.name,
            self._environ,
            self._metrics or Metrics(),
            settings=(*settings, PeerSettings, MetricsSettings),
            subjects=subjects,
            data=data,
            holding=holding,
        )

    def replicas(self, service: str, address: str) -> Resolved:
        """The processes of the service of that name behind the address, one by one."""
        return Resolved(lambda place: self.dial(service, place), address)

    def dial(self, service: str, address: str) -> DialledChannel:
        """A channel to the service of that name at the address, for generated stubs; see `dial`."""
        return dial(address, identity=self._identity, service=service)

    def serve(
        self,
        address: str,
        register: Callable[[grpc.aio.Server], None],
        *,
        drain: Callable[[], Awaitable[None]],
        process: Process | None = None,
    ) -> AbstractAsyncContextManager[RunningServer]:
        """Answer calls while the block runs; see `serve`. The process says of itself what `process` was told."""
        described = process or self.process()

        def both(server: grpc.aio.Server) -> None:
            register(server)
            processes.register(described, server)

        return serve(
            address,
            both,
            limits=ServerLimits(notice=self._settings.drain_delay),
            drain=drain,
            identity=self._identity,
            reflection=self._settings.reflection,
            metrics=self._metrics,
        )
