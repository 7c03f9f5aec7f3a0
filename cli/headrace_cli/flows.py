"""Flows: what there is, what they are, whether they run; and as files, so that Git keeps them."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from headrace_cli import flow_files
from headrace_cli.api import part
from headrace_cli.failures import Failure, Status
from headrace_cli.flow_files import Step
from headrace_cli.opened import (
    AsJson,
    Limit,
    Opened,
    ProfileName,
    Yes,
    failing,
    json_value,
    named,
    opened,
    read_text,
    write_file,
)

app = typer.Typer(help="Flows: list, edit as files, start, stop, run, follow.", no_args_is_help=True)
Flow = Annotated[str, typer.Argument(metavar="FLOW", help="The flow's id or name.")]
Place = Annotated[Path, typer.Argument(help="A flow's file, or a folder of such.")]
OVER = ("done", "failed", "cancelled", "quarantined")


@app.command("ls")
def list_flows(
    profile: ProfileName = "",
    as_json: AsJson = False,
    pattern: Annotated[str, typer.Option(help="Text that must occur in the name.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Only flows of this type.")] = "",
) -> None:
    """List flows.

    Example: headrace flow ls --pattern invoice
    """
    with opened(profile, as_json) as host:
        asked = {"projection": "flowId,name,type,stage,version,mtime"}
        asked |= {"pattern": pattern} if pattern else {}
        asked |= {"filter": f"type:{kind}"} if kind else {}
        host.out.rows(("flowId", "name", "type", "stage", "version", "mtime"), [*host.api.pages("/flows", **asked)])


@app.command("get")
def get_flow(
    flow: Flow,
    profile: ProfileName = "",
    as_json: AsJson = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write it to this file.")] = None,
) -> None:
    """Print a flow as its file has it; with --json, all that the host knows of it.

    Example: headrace flow get "Morning mail" -o flows/morning-mail.json
    """
    with opened(profile, as_json) as host:
        found = _flow(host, flow)
        if out is None:
            host.out.value(found) if as_json else print(flow_files.text_of(found), end="")
            return
        write_file(out, flow_files.text_of(found))
        host.out.done(f"Written to {out}.", {"flowId": found["flowId"], "file": str(out)})


@app.command("new")
def new_flow(
    name: Annotated[str, typer.Argument(help="What the flow is called.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The file; by default the name with .json.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make the file of a new flow, which begins when it is started. `headrace flow apply` brings it to a host.

    Example: headrace flow new "Morning mail" -o flows/morning-mail.json
    """
    with failing(as_json) as shown:
        file = out or Path(re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".json")
        if file.exists():
            raise Failure(Status.CONFLICT, f"{file} is there already.", "Choose another with --out.")
        start = {"type": "headrace.utils.controls.OnStart", "x": 100, "y": 100, "source": {}, "config": {}}
        flow_id = str(uuid.uuid4())
        write_file(file, flow_files.text_of({"flowId": flow_id, "name": name, "flow": {"start": start}}))
        shown.done(f"{file} is made. Bring it to a host: headrace flow apply -f {file}", _told(flow_id, file))


@app.command("apply")
def apply_flows(
    place: Annotated[Path, typer.Option("--file", "-f", help="A flow's file, or a folder of such.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
    yes: Yes = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and end.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Change flows that run, too: new runs take the new.")] = False,
) -> None:
    """Make flows be as their files say. Applied again, nothing is done. What is to be done is shown and asked first.

    A flow that somebody changes meanwhile is left as it is: the command ends with 5, and tells which.

    Examples:

        headrace flow apply -f flows/ --dry-run

        headrace flow apply -f flows/ --yes
    """
    with opened(profile, as_json) as host:
        steps = _steps(host, place)
        todo = [step for step in steps if step.action != "keep"]
        running = [step for step in todo if step.is_running]
        if not as_json or dry_run:
            _show_plan(host, steps)
        if dry_run or not todo:
            if as_json and not dry_run:
                host.out.value([step.to_json() for step in steps])
            elif not todo:
                host.out.note("There is nothing to do.")
            return
        if running and not force:
            said = f"{len(running)} of them run: {', '.join(step.wanted.flow_id for step in running)}."
            raise Failure(Status.CONFLICT, said, "Stop them first, or repeat with --force. Nothing was changed.")
        if not host.out.is_agreed(f"Do this at {host.profile.url}?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was changed.")
        with host.out.progress(f"Applying {len(todo)} flows"):
            for step in todo:
                _apply(host, step, force=force)
        if as_json:
            host.out.value([step.to_json() for step in steps])
        else:
            host.out.line(f"{len(todo)} applied, {len(steps) - len(todo)} were so already.")


@app.command("diff")
def diff_flows(place: Place, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Show what differs between files and a host. Exit status 1 when something does.

    Example: headrace flow diff flows/
    """
    with opened(profile, as_json) as host:
        steps = _steps(host, place)
        if as_json:
            host.out.value([step.to_json() | {"lines": [*flow_files.difference(step)]} for step in steps])
        else:
            for step in steps:
                for line in flow_files.difference(step):
                    host.out.line(line)
        if any(step.action != "keep" for step in steps):
            raise typer.Exit(int(Status.FAILED))


@app.command("start")
def start_flow(flow: Flow, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Start a flow. Starting one that runs changes nothing.

    Example: headrace flow start "Morning mail"
    """
    _order(flow, "start", profile, as_json)


@app.command("stop")
def stop_flow(flow: Flow, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Stop a flow. Runs that wait go on at the next start.

    Example: headrace flow stop "Morning mail"
    """
    _order(flow, "stop", profile, as_json)


@app.command("logs")
def show_logs(
    flow: Flow,
    profile: ProfileName = "",
    as_json: AsJson = False,
    follow: Annotated[bool, typer.Option("--follow", "-F", help="Go on until Ctrl-C.")] = False,
    limit: Limit = 50,
    query: Annotated[str, typer.Option(help="Only records that this finds, such as severity:error.")] = "",
) -> None:
    """Show the newest log records of a flow, oldest first; with --json, an object a line.

    Examples:

        headrace flow logs "Morning mail" --query severity:error

        headrace flow logs "Morning mail" --follow
    """
    with opened(profile, as_json) as host:
        flow_id = str(_flow(host, flow)["flowId"])
        asked = {"flowId": flow_id, "size": str(limit), "sort": "gridTimestamp:desc"}
        asked |= {"query": query} if query else {}
        for record in reversed(host.api.get("/logs", **asked)["hits"]):
            _show_record(host, record)
        if follow:
            _follow(host, flow_id)


@app.command("run")
def run_flow(
    flow: Flow,
    profile: ProfileName = "",
    as_json: AsJson = False,
    component: Annotated[str, typer.Option(help="Where it begins; the flow's only beginning by default.")] = "",
    port: Annotated[str, typer.Option(help="The in-port.")] = "",
    data: Annotated[str, typer.Option(help="What is sent: JSON, @file, or - for the input.")] = "{}",
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the run is over; status 1 when it failed.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60.0,
) -> None:
    """Send a message into a flow that runs, which begins a run.

    Example: headrace flow run "Morning mail" --data '{"to": "ada@example.org"}' --wait
    """
    with opened(profile, as_json) as host:
        found = _flow(host, flow)
        node, kind = _beginning(found, component)
        chosen = port or ("webhook" if "webhook" in kind.lower() else "in")
        _send(
            host,
            str(found["flowId"]),
            {"componentId": node, "port": chosen, "content": json_value(data)},
            wait,
            timeout,
        )


@app.command("replay")
def replay_run(
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until the new run is over; 1 when it failed.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait at most.")] = 60.0,
) -> None:
    """Begin a new run with the event of another one, as it came, in the flow as it runs now.

    Example: headrace flow replay 0f8fad5b-d9cb-469f-a165-70867728950e --wait
    """
    with opened(profile, as_json) as host:
        _begun(host, host.api.post(f"/runs/{part(run)}/replay"), wait, timeout)


@app.command("export")
def export_flows(
    flows: Annotated[list[str] | None, typer.Argument(metavar="[FLOW]...", help="Ids or names, or all.")] = None,
    profile: ProfileName = "",
    as_json: AsJson = False,
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder.")] = Path("flows"),
) -> None:
    """Write flows as files, one each, named by their ids. `headrace flow apply` reads them.

    Example: headrace flow export -o flows/
    """
    with opened(profile, as_json) as host, host.out.progress("Exporting"):
        found = [_flow(host, each) for each in flows or ()] or [*host.api.pages("/flows")]
        files = {str(each["flowId"]): out / f"{each['flowId']}.json" for each in found}
        for each in found:
            write_file(files[str(each["flowId"])], flow_files.text_of(each))
        written = [_told(flow_id, file) for flow_id, file in files.items()]
        host.out.rows(("flowId", "file"), written)


@app.command("import")
def import_flow(
    file: Annotated[Path, typer.Argument(help="A flow's file, of this or of Appmixer's command line.")],
    profile: ProfileName = "",
    as_json: AsJson = False,
    name: Annotated[str, typer.Option(help="What it is called; as the file says by default.")] = "",
) -> None:
    """Make a new flow of a file, with an id of its own.

    Example: headrace flow import backup.json --name "Morning mail, again"
    """
    with opened(profile, as_json) as host:
        try:
            told = json.loads(read_text(file))
        except ValueError as error:
            raise Failure(Status.FAILED, f"{file} is no flow: {error}", "Write JSON in UTF-8.") from None
        if not isinstance(told, dict) or not isinstance(told.get("flow"), dict):
            raise Failure(Status.FAILED, f"{file} is no flow: it has no object `flow`.", "See headrace flow new NAME")
        made = host.api.post("/flows", flow_files.kept(told) | ({"name": name} if name else {}))
        host.out.done(f"Made as {made['flowId']}.", made)


@app.command("rm")
def remove_flow(flow: Flow, profile: ProfileName = "", as_json: AsJson = False, yes: Yes = False) -> None:
    """Stop a flow and remove it.

    Example: headrace flow rm "Morning mail" --yes
    """
    with opened(profile, as_json) as host:
        found = _flow(host, flow)
        if not host.out.is_agreed(f"Remove {found.get('name')!r} ({found['flowId']})?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was removed.")
        host.api.call("DELETE", f"/flows/{part(found['flowId'])}")
        host.out.done(f"{found['flowId']} is removed.", {"flowId": found["flowId"]})


def _flow(host: Opened, given: str) -> dict[str, Any]:
    return named(host.api, "/flows", "flowId", given)


def _told(flow_id: str, file: Path) -> dict[str, Any]:
    return {"flowId": flow_id, "file": str(file)}


def _steps(host: Opened, place: Path) -> list[Step]:
    with host.out.progress("Comparing"):
        return [_step(host, each) for each in flow_files.read(place)]


def _step(host: Opened, wanted: flow_files.FlowFile) -> Step:
    try:
        answer = host.api.call("GET", f"/flows/{part(wanted.flow_id)}")
    except Failure as failure:
        if failure.status is not Status.NOT_FOUND:
            raise
        return flow_files.plan(wanted, None, "")
    return flow_files.plan(wanted, answer.json(), answer.headers.get("etag", ""))


def _show_plan(host: Opened, steps: list[Step]) -> None:
    shown = [step.to_json() for step in steps]
    host.out.rows(("action", "flowId", "name", "changed", "running", "file"), shown)


def _apply(host: Opened, step: Step, *, force: bool) -> None:
    params = {"forceUpdate": "true"} if force else {}
    headers = {"If-Match": step.etag} if step.etag else {}
    path = f"/flows/{part(step.wanted.flow_id)}"
    try:
        host.api.call("PUT", path, flow_files.body(step), params=params, headers=headers)
    except Failure as failure:
        failure.message = f"{step.wanted.file}: {failure.message}"
        if failure.status is Status.CONFLICT:
            failure.fix = f"Somebody changed it meanwhile. See what: headrace flow diff {step.wanted.file}"
        raise


def _order(flow: str, command: str, profile: str, as_json: bool) -> None:
    with opened(profile, as_json) as host:
        flow_id = _flow(host, flow)["flowId"]
        with host.out.progress(f"Waiting for the {command}"):
            made = host.api.post(f"/flows/{part(flow_id)}/coordinator", {"command": command})
        host.out.done(f"{flow_id} is {made['stage']}.", made)


def _beginning(flow: dict[str, Any], wanted: str) -> tuple[str, str]:
    nodes = flow.get("flow") or {}
    if wanted:
        if wanted not in nodes:
            raise Failure(Status.NOT_FOUND, f"The flow has no component {wanted!r}.", f"It has {', '.join(nodes)}.")
        return wanted, str(nodes[wanted].get("type", ""))
    starts = [node for node, told in nodes.items() if not told.get("source")]
    if len(starts) != 1:
        said = f"The flow begins in {len(starts)} places: {', '.join(starts) or 'none'}."
        raise Failure(Status.USAGE, said, "Say which with --component.")
    return starts[0], str(nodes[starts[0]].get("type", ""))


def _send(host: Opened, flow_id: str, message: dict[str, Any], wait: bool, timeout: float) -> None:
    _begun(host, host.api.post(f"/flows/{part(flow_id)}/send", message), wait, timeout)


def _begun(host: Opened, begun: dict[str, Any], wait: bool, timeout: float) -> None:
    if not wait:
        host.out.done(f"Run {begun['runId']} has begun.", begun)
        return
    with host.out.progress("Waiting for the run"):
        run = host.api.until(f"/runs/{part(begun['runId'])}", lambda found: found["state"] in OVER, timeout)
    host.out.done(f"Run {run['runId']} is {run['state']}.", run)
    if run["state"] != "done":
        raise typer.Exit(int(Status.FAILED))


def _follow(host: Opened, flow_id: str) -> None:
    try:
        for name, data in host.api.events(f"/flows/{part(flow_id)}/live"):
            if name == "log":
                _show_record(host, json.loads(data))
            elif name == "dropped":
                host.out.note(f"{json.loads(data).get('count')} records came too fast and are not shown.")
    except KeyboardInterrupt:
        return
    raise Failure(Status.UNAVAILABLE, "The host ended the stream.", "Follow again.")


def _show_record(host: Opened, record: dict[str, Any]) -> None:
    if host.out.as_json:
        print(json.dumps(record, ensure_ascii=False), flush=True)
        return
    said = record.get("msg")
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    where = record.get("componentId") or "-"
    arrow = {"in": "←", "out": "→"}.get(str(record.get("portType")), "")
    if arrow:
        where = f"{where} {arrow} {record.get('port') or ''}".rstrip()
    host.out.line(f"{record.get('gridTimestamp', '')}  {record.get('severity', ''):<5}  {where}  {text}")
