"""`python -m tests.servers [name ...]`: run the backing servers until Ctrl-C, and print where they are."""

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.servers import Elasticsearch, Mongo, RabbitMq, Redis, Server
from tests.servers.install import Missing
from tests.servers.server import NotReady

KINDS: dict[str, tuple[str, type[Server]]] = {
    "mongo": ("HEADRACE_TEST_MONGO_URL", Mongo),
    "redis": ("HEADRACE_TEST_REDIS_URL", Redis),
    "rabbitmq": ("HEADRACE_TEST_RABBITMQ_URL", RabbitMq),
    "elasticsearch": ("HEADRACE_TEST_ELASTICSEARCH_URL", Elasticsearch),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="make services", description=__doc__)
    parser.add_argument("name", nargs="*", help=f"which of {', '.join(KINDS)}; all if none is named")
    parser.add_argument("--data", type=Path, help="keep the data in this directory; otherwise it goes with the servers")
    parser.add_argument("--once", action="store_true", help="start, print, stop: tries whether everything can be had")
    parser.add_argument("--install", action="store_true", help="only install what is missing and no URL is given for")
    given = parser.parse_args()
    for name in given.name:
        if name not in KINDS:
            parser.error(f"There is no server {name!r}: take {', '.join(KINDS)}.")
    if given.install:
        return _install(given.name or list(KINDS))
    return _run(given.name or list(KINDS), given.data, given.once)


def _install(names: Sequence[str]) -> int:
    try:
        for name in names:
            variable, kind = KINDS[name]
            if not os.environ.get(variable):
                kind.install()
    except Missing as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(names: Sequence[str], data: Path | None, is_short: bool) -> int:
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    with ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="headrace-servers-")))
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        try:
            for name in names:
                _start(name, folder.resolve(), stack)
        except (Missing, NotReady) as error:
            print(error, file=sys.stderr)
            return 1
        if not is_short:
            print("Ctrl-C stops them.", file=sys.stderr, flush=True)
            stopping.wait()
    return 0


def _start(name: str, folder: Path, stack: ExitStack) -> None:
    variable, kind = KINDS[name]
    began = time.monotonic()
    server = kind(folder / name)
    stack.callback(server.close)
    server.start()
    stack.callback(server.stop)
    print(f"export {variable}='{server.url}'", flush=True)
    print(f"  {server.name} serves after {time.monotonic() - began:.1f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
