"""Flows that wait for people: a run goes on where it waited, with everything that it knew, and once."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from tests.connectors.flows.playing import HOOK, NODE, address, flow_of, node, play, sent_by
from tests.mailbox import open_mailbox

from .conftest import open_people
from .people import People, make_running, until

AFTER = "after"
FIELDS = {
    "ADD": [
        {"label": "Age", "type": "number", "index": 2},
        {"label": "Name <b>", "type": "text", "description": "Yours", "defaultValue": '"x"', "index": 1},
        {"label": "Agree", "type": "checkbox"},
    ]
}


def task_of(people: People, **more: Any) -> dict[str, Any]:
    until_then = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="seconds")
    return {
        "title": "Pay <b>it</b>?",
        "description": "100 & more",
        "requester": people.email_of("ann"),
        "approver": people.email_of("bob"),
        "decisionBy": until_then,
        **more,
    }


def waiting_flow(type: str, in_port: str, values: dict[str, Any], *out_ports: str, said: str) -> Any:
    """A node that waits, and behind it one that keeps a file of what the webhook was sent and what the node said."""
    flow = flow_of(type, in_port, values)
    variables = {
        port: {
            "type": "json2new",
            "modifiers": {
                "content": {
                    "name": {"variable": f"$.{HOOK}.request.data.name", "functions": []},
                    "said": {"variable": f"$.{NODE}.{port}.{said}", "functions": []},
                }
            },
            "lambda": {
                **{"filename": "x.txt", "mimetype": "text/plain", "contentEncoding": "utf8"},
                "content": "{{{name}}} {{{said}}}",
            },
        }
        for port in out_ports
    }
    source, transform = {"in": {NODE: list(out_ports)}}, {"in": {NODE: variables}}
    flow[AFTER] = node("appmixer.utils.files.SaveFile", source, transform=transform)
    return flow


async def kept_by(client: httpx.AsyncClient, flow_id: str) -> str:
    [(_, saved)] = await sent_by(client, flow_id, AFTER)
    return (await client.get(f"/files/{saved['fileId']}")).text


async def test_a_run_goes_on_when_its_task_is_decided(people: People) -> None:
    flow = waiting_flow(
        "appmixer.utils.tasks.RequestApproval", "task", task_of(people), "approved", "rejected", said="status"
    )
    flow_id = await make_running(people.ann, flow)
    await people.ann.post(address(people.ann, flow_id), json={"name": "Rex"})
    [(port, created)] = await sent_by(people.ann, flow_id)
    [run] = (await people.ann.get(f"/runs?flowId={flow_id}")).json()["items"]
    shown = await until(lambda: people.ann.get(f"/runs/{run['runId']}"), lambda said: said["state"] == "waiting")
    listed = await people.ann.get(f"/runs?flowId={flow_id}&waits=true")
    assert [each["waits"] for each in listed.json()["items"]] == [shown["waits"]]
    assert [each["componentId"] for each in shown["waits"]] == [NODE]
    assert (await people.ann.get("/runs?waits=true&limit=101")).status_code == 400

    forged = {"taskId": created["id"], "status": "approved"}
    assert (await people.ann.post(address(people.ann, flow_id, NODE), json=forged)).status_code == 200
    decided = await people.bob.put(f"/people-task/tasks/{created['id']}/reject")

    assert (port, created["status"], decided.status_code) == ("created", "pending", 200)
    assert set(created) == {
        *("id", "title", "description", "status", "approver", "requester", "decisionBy", "decisionMade"),
        *("approverSecret", "requesterSecret"),
    }
    sent = await sent_by(people.ann, flow_id, count=2)
    assert [each for each, _ in sent] == ["created", "rejected"], "who calls the webhook decides nothing"
    assert sent[1][1]["decisionMade"] and "approverSecret" not in sent[1][1]
    assert await kept_by(people.ann, flow_id) == "Rex rejected"
    await until(lambda: people.ann.get(f"/runs/{run['runId']}"), lambda said: said["state"] == "done")


async def test_a_form_is_made_for_each_message_and_filled_in_once(people: People) -> None:
    asked = {"title": "Who <i>?", "fields": FIELDS, "thanksMessage": "Bye & thanks"}
    flow_id = await make_running(
        people.ann, waiting_flow("appmixer.utils.forms.FormAction", "in", asked, "entry", said="Age")
    )
    await people.ann.post(address(people.ann, flow_id), json={"name": "Rex"})
    [(_, made)] = await sent_by(people.ann, flow_id)

    async with stranger(people) as nobody:
        shown = await nobody.get(place_of(made["weblink"]))
        form = filled(shown, {"f0": "<script>", "f1": "7"})
        wrong = await nobody.post(form.action, data={**form.data, "f1": "seven"})
        thanks = await asyncio.gather(*(nobody.post(form.action, data=form.data) for _ in range(3)))
        assert await kept_by(people.ann, flow_id) == "Rex 7"
        again = await nobody.post(form.action, data=form.data)
        gone = await nobody.get(place_of(made["weblink"]))

    policy = shown.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "form-action 'self'" in policy and "allow-scripts" not in policy
    assert "<i>" not in shown.text and "Name &lt;b&gt;" in shown.text and "&quot;x&quot;" in shown.text
    assert shown.text.index("Name") < shown.text.index("Age") < shown.text.index("Agree")
    assert (wrong.status_code, "Age is no number" in wrong.text) == (400, True)
    assert sorted(each.status_code for each in thanks)[0] == 200
    assert {each.status_code for each in (again, gone)} == {404}
    sent = await sent_by(people.ann, flow_id, count=2)
    assert [port for port, _ in sent] == ["form", "entry"]
    assert sent[1][1] == {"Name <b>": "<script>", "Age": 7, "Agree": False}


async def test_a_form_begins_a_run_for_everybody_who_fills_it_in(people: People) -> None:
    properties = {"title": "Sign up", "fields": FIELDS, "cta": "Go", "stylesheet": "body{}</style><script>x</script>"}
    flow = {NODE: node("appmixer.utils.forms.FormTrigger", properties=properties)}
    flow_id = await make_running(people.ann, flow)
    place = address(people.ann, flow_id, NODE)

    async with stranger(people) as nobody:
        shown = await nobody.get(place)
        form = filled(shown, {"f0": "Rex", "f2": "on"})
        thanks = await nobody.post(form.action, data=form.data)
    sent = await sent_by(people.ann, flow_id)

    assert "</style><script>" not in shown.text
    assert (thanks.status_code, "Thank you!" in thanks.text) == (200, True)
    assert sent == [("entry", {"Name <b>": "Rex", "Age": None, "Agree": True})]


async def test_a_form_that_makes_no_sense_keeps_its_flow_from_starting(people: People) -> None:
    properties = {"fields": {"ADD": [{"label": "A", "type": "file"}]}}
    flow = {NODE: node("appmixer.utils.forms.FormTrigger", properties=properties)}
    made = (await people.ann.post("/flows", json={"name": "x", "flow": flow})).json()

    started = await people.ann.post(f"/flows/{made['flowId']}/coordinator", json={"command": "start"})

    assert started.status_code >= 400
    assert "'file'" in started.text


async def test_a_task_that_nobody_decides_goes_on_as_due(people: People) -> None:
    soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()

    sent = await play(
        people.ann,
        "appmixer.utils.tasks.RequestApproval",
        task_of(people, decisionBy=soon),
        in_port="task",
        count=2,
    )

    assert [(port, said["status"]) for port, said in sent] == [("created", "pending"), ("due", "due")]


async def test_a_mailed_link_shows_what_is_asked_and_decides_when_its_button_is_pressed(tmp_path: Path) -> None:
    async with open_mailbox() as mailbox, open_people(tmp_path, HEADRACE_SMTP_URL=mailbox.url) as people:
        values = task_of(people, approver="eve@example.org")
        flow = waiting_flow(
            "appmixer.utils.tasks.RequestApprovalEmail", "task", values, "approved", "rejected", said="status"
        )
        flow_id = await make_running(people.ann, flow)
        await people.ann.post(address(people.ann, flow_id), json={"name": "Rex"})
        async with asyncio.timeout(20):
            letter = await mailbox.letters.get()
        [link] = re.findall(r"https?://\S+", letter.get_content())

        async with stranger(people) as eve:
            shown = [await eve.get(place_of(link)) for _ in range(3)]
            form = filled(shown[0], {"decision": "approve"})
            forged = await eve.post(form.action, data={**form.data, "secret": "made up"})
            decided = await eve.post(form.action, data=form.data)
            later = await eve.post(form.action, data={**form.data, "decision": "reject"})
        kept = await kept_by(people.ann, flow_id)
        sent = await sent_by(people.ann, flow_id)

    assert (letter["To"], letter["Subject"]) == ("eve@example.org", "Pay <b>it</b>?")
    assert "100 & more" in letter.get_content()
    assert all("Approve" in each.text and "<b>it" not in each.text for each in shown)
    assert shown[0].headers["referrer-policy"] == "no-referrer"
    assert forged.status_code == 404
    assert "This is approved" in decided.text and "This is approved" in later.text
    assert (kept, [port for port, _ in sent]) == ("Rex approved", ["approved"])
    assert parse_qs(urlsplit(link).query)["secret"][0] not in str(sent)


async def test_without_a_mail_server_the_message_says_what_is_missing(tmp_path: Path) -> None:
    async with open_people(tmp_path) as people:
        values = task_of(people)
        flow_id = await make_running(people.ann, flow_of("appmixer.utils.tasks.RequestApprovalEmail", "task", values))
        await people.ann.post(address(people.ann, flow_id), json={})
        runs = await until(lambda: people.ann.get(f"/runs?flowId={flow_id}"), lambda said: bool(said["items"]))
        run_id = runs["items"][0]["runId"]
        run = await until(lambda: people.ann.get(f"/runs/{run_id}"), lambda said: len(said["steps"]) > 1)

    assert "HEADRACE_SMTP_URL" in run["steps"][1]["error"]


def place_of(url: str) -> str:
    """The path and query of an address of this installation: its port was unknown when it was set up."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def stranger(people: People) -> httpx.AsyncClient:
    """Somebody without an account."""
    return httpx.AsyncClient(base_url=people.ann.base_url)


class filled:
    """The form of a page, filled in: where it goes, and its data."""

    def __init__(self, page: httpx.Response, data: dict[str, str]) -> None:
        [action] = re.findall(r'<form method="post" action="([^"]*)">', page.text)
        self.action = urljoin(str(page.url), unescape(action))
        hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
        self.data = {**{name: unescape(value) for name, value in hidden}, **data}
