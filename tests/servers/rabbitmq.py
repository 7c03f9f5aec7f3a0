"""RabbitMQ: a node of its own name with a port mapper of its own, beside whatever broker the machine runs."""

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import install
from tests.servers.places import free_port
from tests.servers.server import Server, guard

USER = "headrace"
PASSWORD = "headrace"  # of a broker on the loopback address that lives as long as the tests


class RabbitMq(Server):
    """One node. `control` runs rabbitmqctl against it."""

    name = "RabbitMQ"
    install = staticmethod(install.rabbitmq)

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._distribution_port = free_port()
        self._mapper_port = free_port()
        self._mapper: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{self.port}/"

    def control(self, *arguments: str, timeout: float = 60) -> str:
        """What rabbitmqctl says. Raises CalledProcessError."""
        program = install.rabbitmq() / "rabbitmqctl"
        environ = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(self.folder), **self._environ()}
        done = subprocess.run(
            [str(program), "-q", *arguments], env=environ, capture_output=True, text=True, timeout=timeout, check=True
        )
        return done.stdout

    def close(self) -> None:
        super().close()
        if self._mapper is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._mapper.pid, signal.SIGKILL)
            self._mapper.wait(10)
            guard.forget(self._mapper.pid)
            self._mapper = None

    def _command(self) -> Sequence[str]:
        programs = install.rabbitmq()
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\n"
            f"default_user = {USER}\ndefault_pass = {PASSWORD}\n"
            "heartbeat = 10\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
            "disk_free_limit.absolute = 50MB\nvm_memory_high_watermark.absolute = 512MB\n"
            "raft.wal_max_size_bytes = 33554432\n"
        )
        (self.folder / "enabled_plugins").write_text("[].\n")
        (self.folder / "rabbitmq-env.conf").write_text("")
        self._start_mapper()
        return [str(programs / "rabbitmq-server")]

    def _start_mapper(self) -> None:
        """Erlang's own would be a daemon that outlives us, shared with every other node of the machine."""
        if self._mapper is not None and self._mapper.poll() is None:
            return
        environ = {"PATH": os.environ["PATH"], **self._environ()}
        with self.log.open("ab") as log:
            self._mapper = subprocess.Popen(
                ["epmd"], env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0
            )
        guard.watch(self._mapper.pid)

    def _environ(self) -> Mapping[str, str]:
        return {
            "ERL_EPMD_PORT": str(self._mapper_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": str(self.folder / "crash.dump"),
            # The same with every port: data belong to a node's name. The port mapper is our own, so no two meet.
            "RABBITMQ_NODENAME": "headrace@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.data),
            "RABBITMQ_MNESIA_DIR": str(self.data / "node"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(self.data / "feature-flags"),
            "RABBITMQ_LOG_BASE": str(self.folder / "logs"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(self.folder / "generated"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            # Two threads that sleep when there is nothing to do: several brokers share two cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _serves(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            # A frame of kind 1 (method) on channel 0, and in it connection.start (class 10, method 10).
            answer = connection.recv(64)
            return answer[:3] == b"\x01\x00\x00" and answer[7:11] == b"\x00\x0a\x00\x0a"
