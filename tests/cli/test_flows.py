"""Flows by command: as files for Git, and as what runs."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from headrace_cli.failures import Status
from headrace_cli.flow_files import text_of

from tests.api.connector import VENDOR
from tests.api.people import FAILING, HOOK, echo_flow, failing_flow
from tests.system.process import PASSWORD, as_json
from tests.ui.doubting import in_doubt

from .shell import PATIENCE_SECONDS, Shell


def test_a_new_flow_goes_from_a_file_to_the_host_and_nothing_is_done_twice(shell: Shell) -> None:
    shell.run("flow", "new", "Morning mail", "-o", "flows/mail.json")
    flow_id = json.loads((shell.home / "flows" / "mail.json").read_text())["flowId"]

    dry = shell.run("flow", "apply", "-f", "flows", "--dry-run")
    before = shell.client.get(f"/flows/{flow_id}").status_code
    first = shell.json("flow", "apply", "-f", "flows", "--yes")
    revision = shell.ask(f"/flows/{flow_id}")["revision"]
    second = shell.json("flow", "apply", "-f", "flows", "--yes")

    assert "create" in dry and before == 404
    assert [(step["action"], step["flowId"]) for step in first] == [("create", flow_id)]
    assert [step["action"] for step in second] == ["keep"]
    assert shell.ask(f"/flows/{flow_id}")["revision"] == revision
    assert (shell.home / "flows" / "mail.json").read_text() == shell.run("flow", "get", "Morning mail")


def test_what_differs_is_shown_and_applied(shell: Shell) -> None:
    shell.run("flow", "new", "Mail")
    shell.run("flow", "apply", "-f", "mail.json", "--yes")
    told = json.loads((shell.home / "mail.json").read_text())
    shell.write("mail.json", {**told, "description": "Every morning."})

    differs = shell.run("flow", "diff", "mail.json", status=Status.FAILED)
    applied = shell.run("flow", "apply", "-f", "mail.json", "--yes")
    same = shell.run("flow", "diff", "mail.json")
    shell.write("mail.json", told)
    shell.run("flow", "apply", "-f", "mail.json", "--yes")

    assert '+  "description": "Every morning.",' in differs.splitlines()
    assert "change" in applied and "1 applied" in applied
    assert same == ""
    assert not shell.ask(f"/flows/{told['flowId']}").get("description")


def test_nobody_is_asked_where_nobody_answers_and_nothing_is_done(shell: Shell) -> None:
    shell.run("flow", "new", "Mail")

    said = shell.run("flow", "apply", "-f", "mail.json", status=Status.USAGE)

    assert "--yes" in said
    assert shell.json("flow", "ls") == []


def test_a_running_flow_is_changed_by_force_alone(shell: Shell) -> None:
    flow_id = shell.make_running(echo_flow(), "Echo")
    shell.run("flow", "get", flow_id, "-o", "echo.json")
    told = json.loads((shell.home / "echo.json").read_text())
    told["flow"]["reply"]["x"] = 500
    shell.write("echo.json", told)

    refused = shell.run("flow", "apply", "-f", "echo.json", "--yes", status=Status.CONFLICT)
    before = shell.ask(f"/flows/{flow_id}")["flow"]["reply"]["x"]
    shell.run("flow", "apply", "-f", "echo.json", "--yes", "--force")

    assert "--force" in refused and flow_id in refused
    assert (before, shell.ask(f"/flows/{flow_id}")["flow"]["reply"]["x"]) == (0, 500)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(shell: Shell) -> None:
    """The plan is asked about; while it waits for the answer, the flow is changed."""
    shell.run("flow", "new", "Mail")
    shell.run("flow", "apply", "-f", "mail.json", "--yes")
    told = json.loads((shell.home / "mail.json").read_text())
    shell.write("mail.json", {**told, "name": "Mine"})

    said = Conflicted(shell, told["flowId"]).apply()

    assert "headrace flow diff" in said and "mail.json" in said
    assert shell.ask(f"/flows/{told['flowId']}")["name"] == "Theirs"


def test_files_that_are_no_flows_are_named(shell: Shell) -> None:
    shell.write("flows/list.json", [])
    said = shell.run("flow", "apply", "-f", "flows", status=Status.FAILED)
    shell.write("flows/list.json", {"flow": {}})
    nameless = shell.run("flow", "apply", "-f", "flows", status=Status.FAILED)
    missing = shell.run("flow", "diff", "nowhere.json", status=Status.NOT_FOUND)

    assert "flows/list.json" in said
    assert "flowId" in nameless and "headrace flow import" in nameless
    assert "nowhere.json" in missing


def test_flows_are_exported_imported_and_removed(shell: Shell) -> None:
    flow_id = shell.make_running(echo_flow(), "Echo")

    exported = shell.json("flow", "export", "-o", "out")
    file = f"out/{flow_id}.json"
    made = shell.json("flow", "import", file, "--name", "Copy")
    names = {each["name"] for each in shell.json("flow", "ls")}
    shell.run("flow", "rm", "Copy", "--yes")

    assert exported == [{"flowId": flow_id, "file": file}]
    assert names == {"Echo", "Copy"} and made["flowId"] != flow_id
    assert [each["flowId"] for each in shell.json("flow", "ls")] == [flow_id]
    shell.run("flow", "get", "Copy", status=Status.NOT_FOUND)


def test_a_flow_is_started_run_replayed_and_stopped(shell: Shell) -> None:
    shell.write("flow.json", {"name": "Echo", "flow": echo_flow()})
    shell.run("flow", "import", "flow.json")

    started = shell.json("flow", "start", "Echo")
    sent = {"method": "POST", "data": {"name": "Ada"}, "query": {}, "headers": {}}
    run = shell.json("flow", "run", "Echo", "--data", json.dumps(sent), "--wait")
    again = shell.json("flow", "replay", run["runId"], "--wait")
    stopped = shell.run("flow", "stop", "Echo")

    assert started["stage"] == "running"
    assert (run["state"], run["triggerId"]) == ("done", HOOK)
    assert again["runId"] != run["runId"] and again["state"] == "done"
    assert again["steps"][0]["input"] == run["steps"][0]["input"]
    assert "stopped" in stopped


def test_logs_are_shown_and_followed(shell: Shell) -> None:
    flow_id = shell.make_running(echo_flow(), "Echo")
    shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "Ada"})
    shell.until(f"/logs?flowId={flow_id}", lambda told: len(told["hits"]) > 1)

    shown = shell.run("flow", "logs", "Echo")
    with shell.start("flow", "logs", "Echo", "--limit", "1", "--follow", "--json") as following:
        assert following.stdout is not None
        following.stdout.readline()
        seen = _records_of_new_calls(shell, flow_id, following.stdout)
        following.send_signal(signal.SIGINT)
        ended = following.wait(20)

    assert f"{HOOK} →" in shown, "what came in and what went out are told apart"
    assert seen["flowId"] == flow_id
    assert ended == 0


def test_runs_are_listed_shown_and_cancelled(shell: Shell) -> None:
    flow_id = shell.make_running(echo_flow(), "Echo")
    shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "Ada"})

    listed = shell.json("run", "ls", "--flow", "Echo", "--state", "done")
    run_id = listed[0]["runId"]
    shown = shell.run("run", "show", run_id)
    cancelled = shell.json("run", "cancel", run_id, "--reason", "enough")
    wrong = shell.run("run", "ls", "--state", "asleep", status=Status.FAILED)

    assert [each["flowId"] for each in listed] == [flow_id]
    assert run_id in shown and "reply" in shown
    assert cancelled["state"] == "done"
    assert "asleep" in wrong and "waiting" in wrong
    shell.run("run", "show", "nothing", status=Status.NOT_FOUND)


def test_dead_messages_are_listed_shown_retried_and_dropped(shell: Shell) -> None:
    flow_id = shell.make_running(failing_flow(), "Fails")
    shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    one = f"/unprocessed-messages?flowId={flow_id}"
    [message] = shell.until(one, lambda told: len(told) == 1)

    listed = shell.run("dead", "ls", "--flow", "Fails")
    shown = shell.json("dead", "show", message["messageId"])
    retried = shell.json("dead", "retry", message["messageId"])
    [again] = shell.until(one, lambda told: len(told) == 1 and told[0]["created"] != message["created"])
    of_run = shell.json("run", "retry", message["runId"])
    shell.until(one, lambda told: len(told) == 1 and told[0]["created"] != again["created"])
    dropped = shell.json("dead", "rm", "--flow", "Fails", "--yes")

    assert message["messageId"] in listed
    assert shown["err"]
    assert retried == {"messageIds": [message["messageId"]], "inDoubt": []} and len(of_run["messageIds"]) == 1
    assert len(dropped["messageIds"]) == 1
    assert shell.json("dead", "ls") == []
    shell.run("dead", "rm", status=Status.USAGE)


def test_a_failed_run_goes_on_with_what_its_component_gets_instead(shell: Shell) -> None:
    flow_id = shell.make_running(failing_flow(), "Fails")
    hook = f"/flows/{flow_id}/components/{HOOK}"
    one = f"/unprocessed-messages?flowId={flow_id}"
    shell.client.post(hook, json={"list": 5})
    [message] = shell.until(one, lambda told: len(told) == 1)
    run_id = message["runId"]

    wrong = shell.run("run", "edit", run_id, "-m", "nothing", "-i", "{}", status=Status.NOT_FOUND)
    nobody = shell.run("run", "edit", run_id, status=Status.USAGE)
    edited = shell.json("run", "edit", run_id, "-i", '{"list": ["a", "b"]}')
    run = shell.until(f"/runs/{run_id}", lambda told: told["state"] == "done")
    over = shell.run("run", "edit", run_id, "-i", "{}", status=Status.NOT_FOUND)

    assert message["messageId"] in wrong and "--input" in nobody and run_id in over
    assert edited == {"messageId": message["messageId"], "runId": run_id, "componentId": message["componentId"]}
    assert run["steps"][-1]["input"] == {"list": ["a", "b"]}


def test_of_several_messages_of_a_run_one_is_named(shell: Shell) -> None:
    flow = failing_flow()
    flow_id = shell.make_running({**flow, "other": flow[FAILING]}, "Fails twice")
    shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    both = shell.until(f"/unprocessed-messages?flowId={flow_id}", lambda told: len(told) == 2)
    [one] = [each for each in both if each["componentId"] == "other"]
    run_id = one["runId"]

    which = shell.run("run", "edit", run_id, "-i", '{"list": []}', status=Status.USAGE)
    shell.run("run", "edit", run_id, "-m", one["messageId"], "-i", '{"list": []}')
    left = shell.until(f"/unprocessed-messages?flowId={flow_id}", lambda told: len(told) == 1)

    assert all(each["messageId"] in which for each in both) and "--message" in which
    assert [each["componentId"] for each in left] == [FAILING]


def test_the_editor_of_the_terminal_opens_and_what_it_saves_is_what_goes_on(shell: Shell) -> None:
    flow_id = shell.make_running(failing_flow(), "Fails")
    shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": 5})
    [message] = shell.until(f"/unprocessed-messages?flowId={flow_id}", lambda told: len(told) == 1)
    run_id = message["runId"]

    unchanged = at_terminal(shell, "run", "edit", run_id, EDITOR="true", status=Status.FAILED)
    broken = at_terminal(shell, "run", "edit", run_id, EDITOR="sed -i s/5/oops/", status=Status.USAGE)
    missing = at_terminal(shell, "run", "edit", run_id, EDITOR="/nowhere/editor", status=Status.FAILED)
    done = at_terminal(shell, "run", "edit", run_id, EDITOR="sed -i s/5/[7]/")
    run = shell.until(f"/runs/{run_id}", lambda told: told["state"] == "done")

    assert "Nothing was changed" in unchanged and "/nowhere/editor" in missing
    kept = Path(broken.rpartition("--input @")[2].strip())
    assert '"list": oops' in kept.read_text() and kept.stat().st_mode & 0o777 == 0o600
    assert message["componentId"] in done
    assert run["steps"][-1]["input"] == {"list": [7]}
    assert [*shell.home.glob("headrace-*.json")] == [kept]


def at_terminal(shell: Shell, *words: str, status: int = 0, **environ: str) -> str:
    """What a command prints where its standard input is a terminal, as for who sits there."""
    outside, inside = pty.openpty()
    try:
        ended = subprocess.run(
            shell.command(*words),
            stdin=inside,
            env={**shell.environ, "TMPDIR": str(shell.home), **environ},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )
    finally:
        os.close(inside)
        os.close(outside)
    assert ended.returncode == status, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_one_flow_has_one_text() -> None:
    flow = {"flowId": "f", "name": "Ünï", "flow": {"b": {"type": "x"}, "a": {}}, "mtime": "now", "description": ""}

    text = text_of(flow)

    assert text == text_of(dict(reversed([*json.loads(text).items()])))
    assert text.endswith("}\n") and "Ünï" in text and "mtime" not in text and "description" not in text


class Conflicted:
    """Applies a file at a terminal, and changes the flow behind it before saying yes."""

    def __init__(self, shell: Shell, flow_id: str) -> None:
        self.shell = shell
        self.flow_id = flow_id

    def apply(self) -> str:
        outside, inside = pty.openpty()
        try:
            child = subprocess.Popen(
                self.shell.command("flow", "apply", "-f", "mail.json"),
                cwd=self.shell.home,
                env=self.shell.environ,
                stdin=inside,
                stdout=inside,
                stderr=inside,
                start_new_session=True,
            )
            os.close(inside)
            said = ""
            while "[y/N]" not in said:
                said += os.read(outside, 4096).decode(errors="replace")
            theirs = as_json({"name": "Theirs"})
            answer = self.shell.client.call("PUT", f"/flows/{self.flow_id}", theirs, {})
            assert answer.status_code == 200, answer.text
            os.write(outside, b"y\n")
            said += _rest(outside)
            assert child.wait(30) == Status.CONFLICT, said
        finally:
            os.close(outside)
        return said


def _rest(terminal: int) -> str:
    said = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            return said.decode(errors="replace")
        if not read:
            return said.decode(errors="replace")
        said += read


def _records_of_new_calls(shell: Shell, flow_id: str, lines: Any) -> Any:
    """The first record that comes while calls go on: when following begins, nobody outside can see."""
    stopping = threading.Event()

    def call() -> None:
        while not stopping.wait(0.3):
            shell.client.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "Ada"})

    calling = threading.Thread(target=call)
    calling.start()
    try:
        return json.loads(lines.readline())
    finally:
        stopping.set()
        calling.join(20)


def test_a_step_in_doubt_is_decided_and_never_done_again_with_many(shell: Shell, admin: Shell) -> None:
    admin.run("user", "set", shell.email, "--vendor", VENDOR)
    first, second = asyncio.run(in_doubt(shell.url, shell.email, PASSWORD, 2))
    flow_id = shell.ask(f"/runs/{first}")["flowId"]

    left = shell.json("dead", "retry", "--flow", flow_id)
    of_run = shell.run("run", "retry", first)
    unread = shell.run("run", "decide", first, "happened", "-o", "[", status=Status.USAGE)
    shell.run("run", "decide", first, "skip", "-o", "{}", status=Status.USAGE)
    shell.run("run", "decide", first, "perhaps", status=Status.USAGE)
    shell.run("run", "decide", first, "skip", "-m", "none", status=Status.NOT_FOUND)
    happened = shell.json("run", "decide", first, "happened", "-o", '{"out": [{"id": 7}]}')
    shell.until(f"/runs/{first}", lambda told: told["state"] == "done")
    nothing = shell.run("run", "decide", first, "skip", status=Status.NOT_FOUND)
    of_flow = f"/unprocessed-messages?flowId={flow_id}"
    [waits] = shell.ask(of_flow)
    again = shell.json("run", "retry", second, "--in-doubt")
    shell.until(of_flow, lambda told: told and told[0]["created"] > waits["created"])
    skipped = shell.run("run", "decide", second, "skip")
    shell.until(f"/runs/{second}", lambda told: told["state"] == "done")

    assert (left["messageIds"], len(left["inDoubt"])) == ([], 2)
    assert "0 given back. 1 in doubt left for a decision: headrace run decide" in of_run
    assert "JSON" in unread and first in nothing
    assert happened["verdict"] == "happened" and "It is on record." in skipped
    assert again["inDoubt"] == [] and len(again["messageIds"]) == 1
