"""`python -m tests.system`: server mode on this machine, until Ctrl-C.

Starts MongoDB's wire, RabbitMQ, Redis and Elasticsearch natively, then the five services as processes of their own over
them, and prints where everything is. A server that `HEADRACE_MONGO_URL`, `HEADRACE_RABBITMQ_URL`, `HEADRACE_REDIS_URL`
or `HEADRACE_ELASTICSEARCH_URL` names is used instead of one of our own.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.servers.install import Missing
from tests.servers.server import NotReady

from .cluster import Backing, cluster, settings_of
from .process import ADMIN
from .services import Services

KINDS = ("mongo", "rabbitmq", "redis", "elasticsearch")
PORT = 2200
LOOK_SECONDS = 1.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run-server", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data/server"), help="keeps data and logs; data/server")
    parser.add_argument("--replicas", type=int, default=2, help="of each service but the log service; 2")
    given = parser.parse_args()
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as stack:
        try:
            return _run(given.data.resolve(), given.replicas, stack, stopping)
        except (Missing, NotReady, AssertionError) as error:
            print(error, file=sys.stderr)
            return 1


def _run(folder: Path, replicas: int, stack: ExitStack, stopping: threading.Event) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    urls = _urls(folder, stack)
    email = os.environ.get("HEADRACE_ADMIN_EMAIL", ADMIN)
    password = _secret(folder, "HEADRACE_ADMIN_PASSWORD", "admin-password", secrets.token_urlsafe(12))
    keys = _secret(folder, "HEADRACE_VAULT_KEYS", "vault-keys", base64.b64encode(secrets.token_bytes(32)).decode())
    services = cluster(
        folder / "services",
        settings_of(**urls, namespace=os.environ.get("HEADRACE_MONGO_NAMESPACE", "headrace")),
        replicas=dict.fromkeys(("gateway", "flow_manager", "scheduler", "executor"), replicas),
        ports={"gateway": int(os.environ.get("HEADRACE_PORT", PORT))},
        HEADRACE_ADMIN_EMAIL=email,
        HEADRACE_ADMIN_PASSWORD=password,
        HEADRACE_VAULT_KEYS=keys,
    )
    stack.callback(services.end)
    services.start()
    _tell(services, urls, f"{email} / {password}")
    status = _watch(services, stopping)
    codes = services.ask_to_stop(list(services.children))
    return status or max(codes.values(), default=0)


def _urls(folder: Path, stack: ExitStack) -> dict[str, str]:
    given = {name: os.environ.get(f"HEADRACE_{name.upper()}_URL", "") for name in KINDS}
    made = Backing(folder).all
    own = [server for name, server in made.items() if not given[name]]
    for server in own:
        stack.callback(server.close)
        stack.callback(server.stop)
    if own:
        print(", ".join(server.name for server in own), "start ...", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(len(KINDS)) as pool:
        for start in [pool.submit(server.start) for server in own]:
            start.result()
    return {name: url or made[name].url for name, url in given.items()}


def _secret(folder: Path, variable: str, name: str, made: str) -> str:
    """Given, or made at the first start and kept beside the data that know it."""
    kept = folder / name
    if given := os.environ.get(variable):
        return given
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(made)
    return kept.read_text()


def _tell(services: Services, urls: Mapping[str, str], sign_in: str) -> None:
    for name, url in urls.items():
        print(f"  {name:14} {url}")
    for name, port in services.ports.items():
        print(f"  {name:14} {'http://' if name.startswith('gateway') else ''}127.0.0.1:{port}")
    print(f"Headrace serves at http://127.0.0.1:{services.port}, sign in: {sign_in}")
    print(f"Logs of the services are in {services.folder}. Ctrl-C stops everything.", flush=True)


def _watch(services: Services, stopping: threading.Event) -> int:
    """Until somebody asks to stop; a service that ends by itself is started again, as anything in production does."""
    while not stopping.wait(LOOK_SECONDS):
        for name, child in list(services.children.items()):
            status = child.poll()
            if status is not None:
                print(f"{name} ended with {status} and is started again.", file=sys.stderr, flush=True)
                services.children.pop(name)
                services.start([name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
