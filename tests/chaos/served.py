"""Server mode to be hurt: two of each service and one log service over their own RabbitMQ, Redis, MongoDB and
Elasticsearch, and a supervisor that starts again whatever ends.

    with served_folder() as folder, Served(folder) as served:
        flow_id = start_flow(served.client(), sink.port)
        ... Load(served.doors, ...) ... served.kill("executor.2") ... served.backing.redis.restart() ...
        served.wait_for_rest(flow_id)
        served.stop_services()
        dump = served.dump(HOOK)
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.chaos import dump_mongo
from tests.chaos.dump import Dump
from tests.system.cluster import TWO_OF_EACH, Backing, cluster, settings_of
from tests.system.process import Client, wait_for
from tests.system.services import Services, service_of

NAMESPACE = "chaos"
LEASE = "5s"
REST_SECONDS = 180
READY_SECONDS = 60
LOOK_SECONDS = 0.1
OPEN_STATES = ("ready", "running", "waiting")


@contextlib.contextmanager
def served_folder(keep: Path | None = None) -> Iterator[Path]:
    """A folder that servers without privileges can enter; it goes with the block unless it is to be kept."""
    with contextlib.ExitStack() as stack:
        if keep is None:
            made = tempfile.TemporaryDirectory(prefix="headrace-chaos-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
        else:
            folder = keep.resolve()
            folder.mkdir(parents=True)
        folder.chmod(0o755)
        yield folder


class Served:
    """The whole of it in a folder. Entering starts everything; leaving kills everything."""

    def __init__(
        self, folder: Path, *, replicas: Mapping[str, int] = TWO_OF_EACH, mutant: str = "", **environ: str
    ) -> None:
        self.folder = folder
        self.backing = Backing(folder / "backing")
        self.detours: dict[str, int] = {}
        """Server → the port that the services reach it at, where that is not its own. To be filled before the start."""
        self.killed: Counter[str] = Counter()
        """Service → how many of its processes were seen dead by our hand."""
        self.fell: list[str] = []
        """What ended by itself, or badly."""
        self._replicas = replicas
        self._environ = {
            "HEADRACE_EGRESS_ALLOW_PRIVATE": "true",
            "HEADRACE_CHAOS_MUTANT": mutant,
            "HEADRACE_EXECUTOR_LEASE": LEASE,
            "HEADRACE_RETRY_FIRST": "200ms",
            "HEADRACE_RETRY_LONGEST": "1s",
            **environ,
        }
        self._doors = itertools.count()
        self._killed: set[int] = set()
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._services: Services | None = None

    @property
    def services(self) -> Services:
        assert self._services is not None, "The services are not started yet."
        return self._services

    def __enter__(self) -> Self:
        self.backing.__enter__()
        try:
            urls = {name: self._url(name) for name in self.backing.all}
            settings = settings_of(**urls, namespace=NAMESPACE)
            self._services = cluster(self.folder / "services", settings, replicas=self._replicas, **self._environ)
            self._services.start()
        except BaseException:
            self.__exit__()
            raise
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop_supervising()
        if self._services is not None:
            self._services.end()
        self.backing.close()

    def _url(self, name: str) -> str:
        server = self.backing.all[name]
        return server.url.replace(f":{server.port}", f":{self.detours.get(name, server.port)}")

    # Calling.

    def doors(self) -> Sequence[int]:
        """The ports of the gateways, dead or alive: clients do not know."""
        return [self.services.ports[name] for name in self.services.replicas("gateway")]

    def door(self) -> int:
        """A gateway's port, each in its turn."""
        doors = self.doors()
        return doors[next(self._doors) % len(doors)]

    def client(self) -> Client:
        """The administrator, signed in at a gateway that answers."""
        return wait_for(self._client, READY_SECONDS)  # type: ignore[no-any-return]  # it has no type of its own

    def _client(self) -> Client | None:
        for gateway in self.services.replicas("gateway"):
            with contextlib.suppress(AssertionError, OSError, http.client.HTTPException):
                return self.services.client(gateway)
        return None

    # Hurting services. Backing servers are hurt through `backing`.

    def instances(self, service: str) -> list[str]:
        """The names of a service's processes."""
        return self.services.replicas(service)

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again. Returns at once."""
        with self._lock:
            child = self.services.children[name]
            self._killed.add(child.pid)
            child.send_signal(signal.SIGKILL)

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal and wait for nothing."""
        with self._lock:
            self.services.send(name, number)

    def pid(self, name: str) -> int:
        """The process that runs under this name now."""
        with self._lock:
            return self.services.children[name].pid

    def wait_until_again(self, name: str, before: int) -> float:
        """Wait until another process than `before` serves under this name; the seconds that took."""
        began = time.monotonic()
        wait_for(lambda: self.pid(name) != before and self._is_ready(name), READY_SECONDS)
        return time.monotonic() - began

    def _is_ready(self, name: str) -> bool:
        with contextlib.suppress(AssertionError):  # it ended once more: the supervisor sees that, too
            return self.services.is_ready(name)
        return False

    def _supervise(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            with self._lock:
                for name, child in list(self.services.children.items()):
                    if child.poll() is not None:
                        self._note_end(name, child)
                        self.services.launch([name])

    def _note_end(self, name: str, child: subprocess.Popen[bytes]) -> None:
        if child.pid in self._killed and child.returncode == -signal.SIGKILL:
            self.killed[service_of(name)] += 1
        else:
            self.fell.append(f"{name} ended by itself with {child.returncode}")

    def _stop_supervising(self) -> None:
        self._ending.set()
        if self._supervisor.is_alive():
            self._supervisor.join()

    # Coming to rest.

    def wait_for_rest(self, flow_id: str, within: float = REST_SECONDS) -> None:
        """Until no run has anything to do. What does not come to rest in time is for the oracle to find."""
        client = self.client()

        def at_rest() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):
                answers = [client.get("/runs", {"flowId": flow_id, "state": state}) for state in OPEN_STATES]
                return all(answer.status_code == 200 and not answer.json()["items"] for answer in answers)
            return False

        with contextlib.suppress(AssertionError):
            wait_for(at_rest, within)

    def stop_services(self) -> None:
        """SIGTERM to every service, the gateways first. A status that is not 0 is noted among what fell."""
        self._stop_supervising()
        names = list(self.services.children)
        gateways = [name for name in names if service_of(name) == "gateway"]
        for some in (gateways, [name for name in names if name not in gateways]):
            codes = self.services.ask_to_stop(some)
            self.fell += [f"{name} was asked to stop and ended with {code}" for name, code in codes.items() if code]

    def dump(self, trigger: str) -> Dump:
        """What MongoDB holds. To be asked when the services have ended; MongoDB must run."""
        return dump_mongo.read(self.backing.mongo.url, NAMESPACE, trigger)
