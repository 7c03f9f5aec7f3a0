"""Connectors: made, tried and packed here; published, listed, fetched and removed at a host."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli import connector_template
from headrace_cli.api import part
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import (
    AsJson,
    Opened,
    ProfileName,
    Yes,
    failing,
    json_value,
    opened,
    read_text,
    write_file,
)

app = typer.Typer(help="Connectors: make, try, pack, publish, list, pull, remove.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(help="The folder of a component, module or service.")]
Selector = Annotated[str, typer.Argument(help="vendor.service, a module of it, or a whole component.")]
PUBLISH_SECONDS = 300.0


class Language(StrEnum):
    """What a component is written in."""

    PYTHON = "python"
    NODE = "node"


@app.command("new")
def new_connector(
    name: Annotated[str, typer.Argument(help="vendor.service.module.Component")],
    language: Annotated[Language, typer.Option(help="What it is written in.")] = Language.PYTHON,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the vendor's folder goes.")] = Path("."),
    as_json: AsJson = False,
) -> None:
    """Make a component that works, with its service and a fixture. Files that are there already stay as they are.

    Example: headrace connector new acme.mail.core.Send
    """
    with failing(as_json) as shown:
        files = connector_template.files(name, language.value)
        folder = out / Path(*name.split("."))
        if folder.exists():
            raise Failure(Status.CONFLICT, f"{folder} is there already.", "Choose another name.")
        made = [file for file in files if not (out / file).exists()]
        for file in made:
            write_file(out / file, files[file])
        said = f"{folder} is made. Try it: headrace connector test {folder}"
        shown.done(said, {"name": name, "files": [str(out / file) for file in made]})


@app.command("test")
def test_connector(
    folder: Annotated[Path, typer.Argument(help="The component's folder.")] = Path("."),
    content: Annotated[str, typer.Option("--input", "-i", help="What it is sent: JSON, @file or -.")] = "",
    properties: Annotated[str, typer.Option(help="Its properties: JSON, @file or -.")] = "{}",
    port: Annotated[str, typer.Option(help="The in-port.")] = "in",
    as_json: AsJson = False,
) -> None:
    """Run a component here, without network: with --input, else with each of its fixtures.

    A fixture is a file `fixtures/<name>.json` with `content`, `port`, `properties` and `state`; `expect` lists what is
    to be sent, `error` is text that must be in the error. Exit status 1 when one is not as expected. One that is
    written in JavaScript needs Node.js, and npm packages where it lies.

    Examples:

        headrace connector test acme/mail/core/Send

        headrace connector test acme/mail/core/Send -i '{"name": "Ada"}'
    """
    with failing(as_json) as shown:
        from headrace_cli.connector_files import find
        from headrace_cli.connector_trial import Told, fixtures, try_all

        found = find(folder)
        calls: list[tuple[str, Told]] = [(file.stem, _fixture(file)) for file in fixtures(found)]
        if content:
            told = {"port": port, "content": json_value(content), "properties": json_value(properties)}
            calls = [("input", told)]
        if not calls:
            raise Failure(Status.NOT_FOUND, f"{found.name} has no fixtures.", "Give --input, or write one.")
        trials = try_all(found, calls)
        if as_json:
            shown.value([each.to_json() for each in trials])
        else:
            for each in trials:
                shown.line(f"{'failed' if each.has_failed else 'passed'}  {each.name}  {each.error}".rstrip())
                for message in each.sent:
                    shown.line(f"  {message['port']}: {json.dumps(message['content'], ensure_ascii=False)}")
        if any(each.has_failed for each in trials):
            raise typer.Exit(int(Status.FAILED))


@app.command("pack")
def pack_connector(
    folder: Folder = Path("."),
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The archive; by default its name with .zip.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a connector as a host does, and pack it. The same files make the same archive, to the byte.

    Example: headrace connector pack acme/mail -o mail.zip
    """
    with failing(as_json) as shown:
        name, content = _packed(folder)
        file = out or Path(f"{name}.zip")
        write_file(file, content)
        shown.done(f"{file} has {len(content)} bytes.", {"name": name, "file": str(file), "sizeBytes": len(content)})


@app.command("publish")
def publish_connector(
    place: Annotated[Path, typer.Argument(help="A folder as for pack, or an archive.")] = Path("."),
    profile: ProfileName = "",
    as_json: AsJson = False,
) -> None:
    """Publish a connector. What is wrong is told file by file; nothing is published then.

    Example: headrace connector publish acme/mail
    """
    with opened(profile, as_json) as host:
        content = _archive(place) if place.is_file() else _packed(place)[1]
        with host.out.progress(f"Publishing {len(content)} bytes"):
            headers = {"Content-Type": "application/octet-stream"}
            ticket = host.api.call("POST", "/components", content=content, headers=headers).json()["ticket"]
            path = f"/components/uploader/{part(str(ticket))}"
            told = host.api.until(path, lambda found: bool(found.get("finished")), PUBLISH_SECONDS)
        if told.get("err"):
            raise Failure(Status.FAILED, str(told["err"]), "Nothing was published.", tuple(_verdicts(told.get("data"))))
        names = [str(each) for each in told.get("components") or ()]
        host.out.done("Published: " + (", ".join(names) or "nothing is new."), {"ticket": ticket, "components": names})


@app.command("ls")
def list_connectors(
    selector: Annotated[str, typer.Argument(help="Only those under it, such as acme or acme.mail.")] = "",
    profile: ProfileName = "",
    as_json: AsJson = False,
) -> None:
    """List the components of a host.

    Example: headrace connector ls acme
    """
    with opened(profile, as_json) as host:
        asked = {"manifest": "yes"} | ({"selector": selector} if selector else {})
        host.out.rows(("name", "version", "label", "description"), host.api.get("/components", **asked))


@app.command("pull")
def pull_connector(
    selector: Selector,
    profile: ProfileName = "",
    as_json: AsJson = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or a file that ends in .zip.")] = Path("."),
) -> None:
    """Fetch what was published, as files below a folder or as one archive.

    Example: headrace connector pull acme.mail -o connectors/
    """
    with opened(profile, as_json) as host:
        with host.out.progress("Fetching"):
            content = host.api.call("GET", f"/components/{part(selector)}").content
        files = _unpacked(content)
        if out.suffix == ".zip":
            write_file(out, content)
        else:
            for name, each in files.items():
                write_file(out / name, each)
        said = f"{len(files)} files of {selector} are in {out}."
        host.out.done(said, {"selector": selector, "out": str(out), "files": [*files]})


@app.command("rm")
def remove_connector(
    selector: Selector,
    profile: ProfileName = "",
    as_json: AsJson = False,
    yes: Yes = False,
    force: Annotated[bool, typer.Option("--force", help="Even while flows use it; those that run go on.")] = False,
) -> None:
    """Remove what was published. While flows use it the command ends with 5, and tells which.

    Example: headrace connector rm acme.mail --yes
    """
    with opened(profile, as_json) as host:
        if not host.out.is_agreed(f"Remove {selector} from {host.profile.url}?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was removed.")
        params = {"force": "true"} if force else {}
        told = _removed(host, selector, params)
        host.out.done(f"Removed: {', '.join(told.get('components', [])) or selector}", told)


def _removed(host: Opened, selector: str, params: dict[str, str]) -> dict[str, Any]:
    try:
        told: dict[str, Any] = host.api.call("DELETE", f"/components/{part(selector)}", params=params).json()
    except Failure as failure:
        if failure.status is Status.CONFLICT:
            failure.fix = "Take it out of the flows first, or repeat with --force."
        raise
    return told


def _packed(folder: Path) -> tuple[str, bytes]:
    """Name and archive of what lies in a folder, once it is good. Raises Failure."""
    from headrace_cli.connector_files import check, files_of, find, pack

    found = find(folder)
    files = files_of(found)
    check(files)
    return found.name, pack(files)


def _archive(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Failure(Status.FAILED, f"{file} cannot be read: {error}", "Check the file.") from None


def _unpacked(content: bytes) -> dict[str, bytes]:
    from headrace_core.archives import read_archive
    from headrace_core.errors import HeadraceError

    try:
        return read_archive(content)
    except HeadraceError as error:
        raise Failure(Status.FAILED, f"The host sent no good archive: {error}", "Ask who runs it.") from None


def _fixture(file: Path) -> dict[str, Any]:
    try:
        told = json.loads(read_text(file))
    except ValueError as error:
        raise Failure(Status.FAILED, f"{file} is no JSON: {error}", "Mend it.") from None
    if not isinstance(told, dict):
        raise Failure(Status.FAILED, f"{file} is no object.", 'Write {{"content": …, "expect": […]}}.')
    return told


def _verdicts(data: Any) -> list[str]:
    if not isinstance(data, list):
        return [str(data)] if data else []
    return [
        " ".join(str(each.get(key)) for key in ("file", "dataPath", "message", "fix") if each.get(key))
        for each in data
        if isinstance(each, dict)
    ]
