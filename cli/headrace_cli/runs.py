"""Runs, and messages that could not be processed."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace_cli.api import part
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, Limit, Opened, ProfileName, Yes, named, opened

runs = typer.Typer(help="Runs: what came of each event.", no_args_is_help=True)
dead = typer.Typer(help="Messages that could not be processed: look, retry, drop.", no_args_is_help=True)
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Message = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")]
OfFlow = Annotated[str, typer.Option("--flow", help="Only of this flow, by id or name.")]


@runs.command("ls")
def list_runs(
    profile: ProfileName = "",
    as_json: AsJson = False,
    flow: OfFlow = "",
    state: Annotated[str, typer.Option(help="Only in this state, such as failed or waiting.")] = "",
    limit: Limit = 50,
) -> None:
    """List runs, newest first.

    Example: headrace run ls --flow "Morning mail" --state failed
    """
    with opened(profile, as_json) as host:
        asked = {"limit": str(limit)} | _of(host, flow) | ({"state": state} if state else {})
        found = host.api.get("/runs", **asked)["items"]
        host.out.rows(("runId", "flowId", "state", "stepCount", "failedCount", "created"), found)


@runs.command("show")
def show_run(run: Run, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Show a run, its steps, and what it waits for.

    Example: headrace run show 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    with opened(profile, as_json) as host:
        found = host.api.get(f"/runs/{part(run)}")
        if as_json:
            host.out.value(found)
            return
        host.out.record({name: found[name] for name in ("runId", "flowId", "state", "created", "updated", "error")})
        host.out.line("")
        host.out.rows(("componentId", "componentType", "outcome", "attempts", "error"), found["steps"])
        if found["waits"]:
            host.out.line("")
            host.out.rows(("componentId", "kind", "reason", "due"), found["waits"])


@runs.command("retry")
def retry_run(run: Run, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Give a run all of its messages back that could not be processed.

    Example: headrace run retry 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    with opened(profile, as_json) as host:
        flow_id = host.api.get(f"/runs/{part(run)}", stepLimit="1")["flowId"]
        every = host.api.pages("/unprocessed-messages", flowId=flow_id)
        ids = [str(each["messageId"]) for each in every if each["runId"] == run]
        if not ids:
            raise Failure(Status.NOT_FOUND, f"The run {run} has no message to retry.", f"Look: headrace run show {run}")
        _retry(host, ids)


@runs.command("cancel")
def cancel_run(
    run: Run,
    profile: ProfileName = "",
    as_json: AsJson = False,
    reason: Annotated[str, typer.Option(help="Why; it stands in the log.")] = "",
) -> None:
    """End a run. Ending one that is over changes nothing.

    Example: headrace run cancel 0f8fad5b-d9cb-469f-a165-70867728950e --reason "sent twice"
    """
    with opened(profile, as_json) as host:
        found = host.api.post(f"/runs/{part(run)}/cancel", {"reason": reason} if reason else {})
        host.out.done(f"Run {found['runId']} is {found['state']}.", found)


@dead.command("ls")
def list_messages(profile: ProfileName = "", as_json: AsJson = False, flow: OfFlow = "", limit: Limit = 50) -> None:
    """List messages that could not be processed, newest first.

    Example: headrace dead ls --flow "Morning mail"
    """
    with opened(profile, as_json) as host:
        found = host.api.get("/unprocessed-messages", limit=str(limit), **_of(host, flow))
        rows = [{**each, "error": (each.get("err") or {}).get("message")} for each in found]
        host.out.rows(("messageId", "flowId", "componentId", "attempts", "created", "error"), rows)


@dead.command("show")
def show_message(message: Message, profile: ProfileName = "", as_json: AsJson = False) -> None:
    """Show a message and what went wrong with it.

    Example: headrace dead show 5d7e…
    """
    with opened(profile, as_json) as host:
        host.out.record(host.api.get(f"/unprocessed-messages/{part(message)}"))


@dead.command("retry")
def retry_messages(
    messages: Annotated[list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="Their ids.")] = None,
    profile: ProfileName = "",
    as_json: AsJson = False,
    flow: Annotated[str, typer.Option("--flow", help="All of this flow, by id or name.")] = "",
) -> None:
    """Give messages back to their runs.

    Example: headrace dead retry --flow "Morning mail"
    """
    with opened(profile, as_json) as host:
        _retry(host, _chosen(host, messages, flow))


@dead.command("rm")
def drop_messages(
    messages: Annotated[list[str] | None, typer.Argument(metavar="[MESSAGE]...", help="Their ids.")] = None,
    profile: ProfileName = "",
    as_json: AsJson = False,
    flow: Annotated[str, typer.Option("--flow", help="All of this flow, by id or name.")] = "",
    yes: Yes = False,
) -> None:
    """Drop messages: nobody will process them.

    Example: headrace dead rm --flow "Morning mail" --yes
    """
    with opened(profile, as_json) as host:
        ids = _chosen(host, messages, flow)
        if not host.out.is_agreed(f"Drop {len(ids)} messages?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was dropped.")
        with host.out.progress("Dropping"):
            for each in ids:
                host.api.call("DELETE", f"/unprocessed-messages/{part(each)}")
        host.out.done(f"{len(ids)} dropped.", {"messageIds": ids})


def _of(host: Opened, flow: str) -> dict[str, str]:
    return {"flowId": str(named(host.api, "/flows", "flowId", flow)["flowId"])} if flow else {}


def _chosen(host: Opened, messages: list[str] | None, flow: str) -> list[str]:
    if (messages and flow) or (not messages and not flow):
        raise Failure(Status.USAGE, "Which messages?", "Give their ids, or --flow for all of a flow.")
    if messages:
        return messages
    return [str(each["messageId"]) for each in host.api.pages("/unprocessed-messages", **_of(host, flow))]


def _retry(host: Opened, ids: list[str]) -> None:
    with host.out.progress("Giving back"):
        for each in ids:
            host.api.post(f"/unprocessed-messages/{part(each)}/retry")
    host.out.done(f"{len(ids)} given back.", {"messageIds": ids})
