"""Runs, and messages that could not be processed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from headrace_cli.api import part
from headrace_cli.editor import edited
from headrace_cli.failures import Failure, Status
from headrace_cli.opened import AsJson, Limit, Opened, ProfileName, Yes, json_value, named, opened


class Verdict(StrEnum):
    """What a person says of a step in doubt."""

    HAPPENED = "happened"
    RETRY = "retry"
    SKIP = "skip"


runs = typer.Typer(help="Runs: what came of each event.", no_args_is_help=True)
dead = typer.Typer(help="Messages that could not be processed: look, retry, drop.", no_args_is_help=True)
_NAMED = 10
Run = Annotated[str, typer.Argument(metavar="RUN", help="The run's id.")]
Message = Annotated[str, typer.Argument(metavar="MESSAGE", help="The message's id.")]
OfFlow = Annotated[str, typer.Option("--flow", help="Only of this flow, by id or name.")]
InDoubt = Annotated[
    bool, typer.Option("--in-doubt", help="Steps in doubt as well: those that happened already happen twice.")
]


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
def retry_run(run: Run, profile: ProfileName = "", as_json: AsJson = False, in_doubt: InDoubt = False) -> None:
    """Give a run all of its messages back that could not be processed.

    A step in doubt stays: nobody knows whether it happened. Decide on it with `headrace run decide`.

    Example: headrace run retry 0f8fad5b-d9cb-469f-a165-70867728950e
    """
    with opened(profile, as_json) as host:
        _retry(host, _messages_of(host, run), in_doubt=in_doubt)


@runs.command("decide")
def decide_step(
    run: Run,
    verdict: Annotated[Verdict, typer.Argument(help="What is true of it.", show_default=False)],
    profile: ProfileName = "",
    as_json: AsJson = False,
    message: Annotated[str, typer.Option("--message", "-m", help="Which, where several are in doubt.")] = "",
    outputs: Annotated[
        str,
        typer.Option("--outputs", "-o", help="What it sent where it happened, by out-port: JSON, @file or -."),
    ] = "",
) -> None:
    """Say of a step in doubt whether it happened. It counts once, and the journal keeps that it was you.

    `happened`: the run goes on with what you say it sent. `retry`: it did not happen, and is done again. `skip`:
    nothing after it is done for its message.

    Examples:

        headrace run decide 0f8fad5b-d9cb-469f-a165-70867728950e happened -o '{"out": [{"id": 7}]}'

        headrace run decide 0f8fad5b-d9cb-469f-a165-70867728950e skip
    """
    with opened(profile, as_json) as host:
        if outputs and verdict is not Verdict.HAPPENED:
            raise Failure(Status.USAGE, "Only what happened has outputs.", "Leave --outputs out, or say: happened.")
        step = part(_doubt_of(host, run, message))
        given = {"verdict": verdict.value, **({"outputs": json_value(outputs)} if outputs else {})}
        told = host.api.post(f"/runs/{part(run)}/steps/{step}/decision", given)
        host.out.done(f"It is on record. Look: headrace run show {run}", told)


@runs.command("edit")
def edit_run(
    run: Run,
    profile: ProfileName = "",
    as_json: AsJson = False,
    message: Annotated[str, typer.Option("--message", "-m", help="Which, where the run has several.")] = "",
    content: Annotated[
        str, typer.Option("--input", "-i", help="What the component gets: JSON, @file or -. Else your editor opens.")
    ] = "",
) -> None:
    """Change what a component of a failed run got, and let the run go on from there.

    With VISUAL or EDITOR you see the input and change it. A component that took several messages has an object of them:
    a list for each in-port. Secrets are shown as ***; what you leave as it is shown stays as it was.

    Examples:

        headrace run edit 0f8fad5b-d9cb-469f-a165-70867728950e

        headrace run edit 0f8fad5b-d9cb-469f-a165-70867728950e -i '{"list": [1, 2]}'
    """
    with opened(profile, as_json) as host:
        found = _one_of(host, run, message)
        messages = {port: [each.get("content") for each in there] for port, there in found["messages"].items()}
        [*ports] = messages
        alone = len(ports) == 1 and len(messages[ports[0]]) == 1
        before = messages[ports[0]][0] if alone else messages
        after = json_value(content) if content else edited(before)
        given = _by_port({ports[0]: [after]} if alone else after)
        host.api.post(f"/unprocessed-messages/{part(found['messageId'])}/retry", {"messages": given})
        told = {"messageId": found["messageId"], "runId": run, "componentId": found["componentId"]}
        host.out.done(f"{found['componentId']} gets its new input. Look: headrace run show {run}", told)


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
    in_doubt: InDoubt = False,
) -> None:
    """Give messages back to their runs. Of a flow, steps in doubt stay: decide on each with `headrace run decide`.

    Example: headrace dead retry --flow "Morning mail"
    """
    with opened(profile, as_json) as host:
        # Whoever names one means it.
        _retry(host, _chosen(host, messages, flow), in_doubt=in_doubt or bool(messages))


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
        ids = [str(each["messageId"]) for each in _chosen(host, messages, flow)]
        if not host.out.is_agreed(f"Drop {len(ids)} messages?", yes=yes):
            raise Failure(Status.FAILED, "Nothing was dropped.")
        with host.out.progress("Dropping"):
            for each in ids:
                host.api.call("DELETE", f"/unprocessed-messages/{part(each)}")
        host.out.done(f"{len(ids)} dropped.", {"messageIds": ids})


def _messages_of(host: Opened, run: str) -> list[dict[str, Any]]:
    """A run's messages that could not be processed. Raises Failure when there are none."""
    flow_id = host.api.get(f"/runs/{part(run)}", stepLimit="1")["flowId"]
    every = host.api.pages("/unprocessed-messages", flowId=flow_id)
    found = [each for each in every if each["runId"] == run]
    if not found:
        raise Failure(Status.NOT_FOUND, f"The run {run} has no message to retry.", f"Look: headrace run show {run}")
    return found


def _is_in_doubt(message: dict[str, Any]) -> bool:
    return (message.get("err") or {}).get("code") == "in_doubt"


def _doubt_of(host: Opened, run: str, message: str) -> str:
    """The step of a run that is meant, which is in doubt. Raises Failure when none is, or several are."""
    doubts = [each for each in _messages_of(host, run) if _is_in_doubt(each)]
    if not doubts:
        raise Failure(Status.NOT_FOUND, f"The run {run} has no step in doubt.", f"Look: headrace run show {run}")
    return _which(run, doubts, message, "in doubt")


def _one_of(host: Opened, run: str, message: str) -> dict[str, Any]:
    """The message of a run that is meant. Raises Failure when it is none of the run, or there are several."""
    chosen = _which(run, _messages_of(host, run), message, "to retry")
    found: dict[str, Any] = host.api.get(f"/unprocessed-messages/{part(chosen)}")
    return found


def _which(run: str, there: list[dict[str, Any]], message: str, are: str) -> str:
    """The id of the message that is meant, of those that are there. Raises Failure when it is none, or unsaid."""
    ids = [str(each["messageId"]) for each in there]
    if message and message not in ids:
        said = f"The run {run} has no message {message} {are}."
        raise Failure(Status.NOT_FOUND, said, f"It has: {', '.join(ids[:_NAMED])}")
    if not message and len(ids) > 1:
        said = f"The run {run} has {len(ids)} messages {are}: {', '.join(ids[:_NAMED])}."
        raise Failure(Status.USAGE, said, "Say which: --message ID. Look: headrace dead show ID")
    return message or ids[0]


def _by_port(contents: Any) -> dict[str, Any]:
    """Contents by in-port as the API takes them. Raises Failure."""
    if not isinstance(contents, dict) or not all(isinstance(each, list) for each in contents.values()):
        raise Failure(Status.USAGE, "The component took several messages.", 'Give {"port": [input, …], …}.')
    return {port: [{"content": each} for each in there] for port, there in contents.items()}


def _of(host: Opened, flow: str) -> dict[str, str]:
    return {"flowId": str(named(host.api, "/flows", "flowId", flow)["flowId"])} if flow else {}


def _chosen(host: Opened, messages: list[str] | None, flow: str) -> list[dict[str, Any]]:
    if (messages and flow) or (not messages and not flow):
        raise Failure(Status.USAGE, "Which messages?", "Give their ids, or --flow for all of a flow.")
    if messages:
        return [{"messageId": each} for each in messages]
    return [*host.api.pages("/unprocessed-messages", **_of(host, flow))]


def _retry(host: Opened, messages: list[dict[str, Any]], *, in_doubt: bool) -> None:
    """Give them back; what is in doubt only if that is said."""
    ids: list[str] = []
    left: list[str] = []
    for each in messages:
        (left if _is_in_doubt(each) and not in_doubt else ids).append(str(each["messageId"]))
    with host.out.progress("Giving back"):
        for message_id in ids:
            host.api.post(f"/unprocessed-messages/{part(message_id)}/retry")
    said = f"{len(ids)} given back."
    if left:
        said += f" {len(left)} in doubt left for a decision: headrace run decide RUN happened|retry|skip"
    host.out.done(said, {"messageIds": ids, "inDoubt": left})
