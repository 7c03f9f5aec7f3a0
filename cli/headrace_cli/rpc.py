"""`headrace rpc`: asks the services behind the gateway, by gRPC, for operators and their tools."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from headrace_core.errors import HeadraceError
from rich.console import Console

from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, failing
from headrace_cli.shown import Output

app = typer.Typer(help="Call the services by gRPC: list, describe, call, health.", no_args_is_help=True)
console = Console(highlight=False, markup=False, soft_wrap=True)

Address = Annotated[str, typer.Option(help="host:port or unix:/path of the service.", envvar="HEADRACE_RPC_ADDRESS")]
Deadline = Annotated[float, typer.Option(min=0.001, help="Seconds that the call may take.")]
Authority = Annotated[Path | None, typer.Option(help="Authority of the certificates (PEM).", envvar="HEADRACE_RPC_CA")]
Certificate = Annotated[
    Path | None, typer.Option(help="Your certificate (PEM), named `operator`.", envvar="HEADRACE_RPC_CERT")
]
Key = Annotated[Path | None, typer.Option(help="Its key (PEM).", envvar="HEADRACE_RPC_KEY")]
Name = Annotated[str, typer.Option(help="With TLS: the service the other side must be, such as executor.")]


@app.command("list")
def list_services(
    service: Annotated[str, typer.Argument(help="Show the methods of this one.")] = "", as_json: AsJson = False
) -> None:
    """List the services, or the methods of one.

    Example: headrace rpc list headrace.flow.v1.FlowService
    """
    from headrace_runtime.rpc import calling

    with complaining(as_json) as out:
        found = [*(calling.signatures(service) if service else calling.services())]
        if as_json:
            out.value(found)
        else:
            for line in found:
                out.line(line)


@app.command()
def describe(method: Annotated[str, typer.Argument(help="package.Service/Method")], as_json: AsJson = False) -> None:
    """Show what a method's request may hold.

    Example: headrace rpc describe headrace.flow.v1.FlowService/ResolveFlow
    """
    from headrace_runtime.rpc import calling

    with complaining(as_json) as out:
        found = dict(calling.fields(method))
        if as_json:
            out.value(found)
        else:
            for name, kind in found.items():
                out.line(f"{name}: {kind}")


@app.command()
def call(
    method: Annotated[str, typer.Argument(help="package.Service/Method")],
    address: Address,
    data: Annotated[str, typer.Option(help="The request as JSON; - reads it from the standard input.")] = "{}",
    timeout: Deadline = 10.0,
    ca: Authority = None,
    cert: Certificate = None,
    key: Key = None,
    name: Name = "",
) -> None:
    """Call a method with a JSON body and print each answer as JSON. Exit status 1 when it is refused.

    Example: headrace rpc call headrace.log.v1.LogService/GetRecord --address 127.0.0.1:7105 --data '{"recordId": "r1"}'
    """
    body = sys.stdin.read() if data == "-" else data
    with complaining():
        asyncio.run(_call(method, body, address, timeout, (ca, cert, key), name))


@app.command()
def health(
    address: Address,
    timeout: Deadline = 2.0,
    ca: Authority = None,
    cert: Certificate = None,
    key: Key = None,
    name: Name = "",
    as_json: AsJson = False,
) -> None:
    """Ask the standard health service. Exit status 0 when the answer says SERVING, else 1.

    Example: headrace rpc health --address 127.0.0.1:7103
    """
    from headrace_runtime.rpc import calling

    with complaining(as_json):
        answer = asyncio.run(_call(f"{calling.HEALTH}/Check", "{}", address, timeout, (ca, cert, key), name))
    if '"SERVING"' not in answer:
        raise typer.Exit(1)


async def _call(
    method: str,
    body: str,
    address: str,
    timeout: float,
    identity: tuple[Path | None, Path | None, Path | None],
    name: str,
) -> str:
    """Print the answers as they come; returns the last."""
    from headrace_runtime import rpc
    from headrace_runtime.rpc import calling

    settings = rpc.PeerSettings(authority=identity[0], certificate=identity[1], key=identity[2])
    answer = ""
    async with rpc.dial(address, identity=settings.identity(), service=name) as channel:
        async for answer in calling.call(channel, method, body, timeout):
            console.print(answer)
    return answer


@contextlib.contextmanager
def complaining(as_json: bool = False) -> Iterator[Output]:
    """Turns a refusal into a line on the standard error and exit status 1."""
    with failing(as_json) as out:
        try:
            yield out
        except HeadraceError as error:
            raise Failure(Status.FAILED, f"{error.code}: {error}") from None
