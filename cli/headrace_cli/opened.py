"""What every command that calls a host shares: its options, and the block in which it does its work."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli.api import Api, part
from headrace_cli.failures import Failure, Status
from headrace_cli.profiles import Profile, Profiles
from headrace_cli.shown import Output

ProfileName = Annotated[
    str, typer.Option("--profile", "-p", envvar="HEADRACE_PROFILE", help="Which host; the current one by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Limit = Annotated[int, typer.Option(min=1, max=1000, help="How many at most.")]


@dataclass(frozen=True, slots=True)
class Opened:
    """A host, who is signed in there, and where results go."""

    api: Api
    profile: Profile
    out: Output


@contextmanager
def failing(as_json: bool = False) -> Iterator[Output]:
    """Turns a Failure in the block into lines on the standard error and the exit status."""
    out = Output(as_json=as_json)
    try:
        yield out
    except Failure as failure:
        out.failure(failure)
        raise typer.Exit(int(failure.status)) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None


@contextmanager
def opened(profile: str = "", as_json: bool = False) -> Iterator[Opened]:
    """The host of a profile. HEADRACE_URL and HEADRACE_TOKEN go before what is kept."""
    with failing(as_json) as out:
        profiles = Profiles(os.environ)
        found = profiles.get(profile or profiles.current)
        url = os.environ.get("HEADRACE_URL") or found.url
        token = os.environ.get("HEADRACE_TOKEN") or ("" if url != found.url else profiles.token(found.name))
        with Api(url, token) as api:
            yield Opened(api, Profile(found.name, url, found.email), out)


def secret(asked: str) -> str:
    """A password: typed where it is not seen, or the first line of the standard input. Never an argument."""
    found = getpass(f"{asked}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not found:
        raise Failure(Status.USAGE, f"There is no {asked.lower()}.", "Type it, or pipe it in as the first line.")
    return found


def json_value(given: str) -> Any:
    """JSON as it was given: text, `@file`, or `-` for the standard input. Raises Failure."""
    text = sys.stdin.read() if given == "-" else read_text(Path(given[1:])) if given.startswith("@") else given
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failure(Status.USAGE, f"This is no JSON: {error}", "Write JSON, @file or -.") from None


def read_text(file: Path) -> str:
    """A file's text. Raises Failure."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise Failure(Status.NOT_FOUND, f"There is no file {file}.", "Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(Status.FAILED, f"{file} cannot be read: {error}", "Check the file.") from None


def write_file(file: Path, content: str | bytes) -> None:
    """Write a file, with its folder. Raises Failure."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise Failure(Status.FAILED, f"{file} cannot be written: {error}", "Choose another place.") from None


def named(api: Api, path: str, id_field: str, given: str) -> dict[str, Any]:
    """A thing by its id, else by its name. Raises Failure when there is none, or more than one."""
    try:
        found: dict[str, Any] = api.get(f"{path}/{part(given)}")
        return found
    except Failure as failure:
        if failure.status is not Status.NOT_FOUND:
            raise
        matching = [each for each in api.pages(path, pattern=given) if each.get("name") == given]
        if not matching:
            failure.fix = f"See what there is: headrace {path[1:-1]} ls"
            raise
    if len(matching) > 1:
        ids = ", ".join(str(each[id_field]) for each in matching[:5])
        raise Failure(Status.USAGE, f"{len(matching)} are called {given!r}: {ids}.", "Give the id.")
    one: dict[str, Any] = matching[0]
    return one
