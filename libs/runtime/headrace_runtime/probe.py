"""Whether the service of this container takes work: `python -m headrace_runtime.probe executor`. Status 0 says yes.

It asks what a balancer asks, at the address in the service's own settings and with its own certificate: the standard
health service, or `GET /health/ready` of the gateway.
"""

import asyncio
import http.client
import os
import sys
from collections.abc import Mapping

from headrace_core.errors import HeadraceError, Unavailable

from headrace_runtime import rpc

LISTENING = {
    "flow-manager": ("HEADRACE_FLOW_MANAGER_LISTEN", "127.0.0.1:7101"),
    "scheduler": ("HEADRACE_SCHEDULER_LISTEN", "127.0.0.1:7102"),
    "executor": ("HEADRACE_EXECUTOR_LISTEN", "127.0.0.1:7103"),
    "logging": ("HEADRACE_LOGGING_LISTEN", "127.0.0.1:7105"),
}
"""Where each service says that it listens, and where it listens when nothing is said."""

GATEWAY_SECONDS = 3.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]", "::": "::1", "": "127.0.0.1"}


async def probe(service: str, environ: Mapping[str, str]) -> None:
    """Return when the service on this machine takes work. Raises Unavailable that says why not, ValidationFailed."""
    if service == "gateway":
        port = int(environ.get("HEADRACE_PORT") or 2200)
        return await asyncio.to_thread(_ask_gateway, _reachable(environ.get("HEADRACE_HOST") or "127.0.0.1"), port)
    variable, default = LISTENING[service]
    host, _, port_text = (environ.get(variable) or default).rpartition(":")
    async with rpc.Peer(service, environ).dial(service, f"{_reachable(host)}:{port_text}") as channel:
        await rpc.check_serving(channel)


def _reachable(host: str) -> str:
    return _ANYWHERE.get(host, host)


def _ask_gateway(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port, timeout=GATEWAY_SECONDS)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        said = answer.read(10_000).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"It cannot be reached: {error}.") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Unavailable(f"It says {answer.status}: {said}")


def main(arguments: list[str]) -> int:
    """The command: its exit status, after a line on the standard error that says why not."""
    if len(arguments) != 1 or arguments[0] not in {*LISTENING, "gateway"}:
        sys.stderr.write(f"Name one service: {', '.join([*LISTENING, 'gateway'])}.\n")
        return 2
    try:
        asyncio.run(probe(arguments[0], os.environ))
    except HeadraceError as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
