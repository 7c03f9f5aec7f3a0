"""`headrace`: starts the embedded platform, and speaks to any by REST."""

from __future__ import annotations

import os
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Annotated

import typer
import typer.completion
from headrace_core.errors import HeadraceError, ValidationFailed
from rich.console import Console
from rich.markup import escape

from headrace_cli import completion, connectors, doctor, flows, people, rpc, runs, sign_in, stores

app = typer.Typer(
    help="Headrace: flows that survive any crash.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)
app.command()(sign_in.login)
app.command()(sign_in.logout)
app.command()(sign_in.whoami)
app.add_typer(sign_in.profiles, name="profile")
app.add_typer(flows.app, name="flow")
app.add_typer(runs.runs, name="run")
app.add_typer(runs.dead, name="dead")
app.add_typer(stores.app, name="store")
app.add_typer(connectors.app, name="connector")
app.add_typer(people.tokens, name="token")
app.add_typer(people.users, name="user")
app.add_typer(rpc.app, name="rpc")
app.command()(doctor.doctor)
app.command()(completion.completion)
console = Console(highlight=False)

if completion.VARIABLE in os.environ:
    typer.completion.completion_init()  # type: ignore[attr-defined]  # typer has no __all__


def _tell_version(is_asked: bool) -> None:
    if is_asked:
        print(f"headrace {version('headrace')}")
        raise typer.Exit


@app.callback()
def root(
    is_asked: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Headrace: flows that survive any crash."""


@app.command()
def up(
    port: Annotated[int | None, typer.Option(help="Port to listen on, instead of HEADRACE_PORT or 2200.")] = None,
    data_dir: Annotated[
        str | None, typer.Option(help="Where everything is kept, instead of HEADRACE_DATA_DIR or ./data.")
    ] = None,
) -> None:
    """Start the whole platform in this process. Ctrl-C drains and stops it.

    Example: headrace up --port 2200 --data-dir ./data
    """
    environ = dict(os.environ)
    if port is not None:
        environ["HEADRACE_PORT"] = str(port)
    if data_dir is not None:
        environ["HEADRACE_DATA_DIR"] = data_dir
    refusals = _serve(environ)
    for error in refusals:
        for line in _lines(error):
            console.print(f"[red]Headrace cannot start:[/red] {escape(line)}", soft_wrap=True)
    if refusals:
        raise typer.Exit(1)


def _lines(error: HeadraceError) -> list[str]:
    """Each thing that is wrong, with what to do about it."""
    return [str(each) for each in error.problems] if isinstance(error, ValidationFailed) else [error.message]


def _serve(environ: dict[str, str]) -> list[HeadraceError]:
    """Run until told to stop; answers what it cannot run for.

    Importing the platform takes a moment, so `headrace --help` does without it.
    """
    from headrace_embedded.platform import open_platform
    from headrace_runtime import lifecycle, logs, variables

    async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
        serving = await stack.enter_async_context(open_platform(environ, on_broken=stopping.fail))
        console.print(f"\n  Headrace is ready at [bold]{serving.url}[/bold]")
        console.print(f"  Data: {serving.data_dir}")
        if serving.admin_password and not environ.get("HEADRACE_ADMIN_PASSWORD"):
            console.print(f"  First sign-in: {serving.admin_email}  password: {serving.admin_password}")
            console.print("  (shown once; change it with POST /user/change-password)")
        console.print("  Ctrl-C drains and stops.\n")
        sys.stdout.flush()
        await stopping.wait()
        console.print("  Draining …")

    logs.setup(service="headrace")
    variables.warn_of_unread(environ)
    return lifecycle.run_or_refuse(main)


if __name__ == "__main__":
    app()
