"""Components are called by themselves over REST, as forms do it: built in, published, private, with transforms."""

from __future__ import annotations

import json
from typing import Any

import httpx
from headrace_core.archives import read_archive, write_archive

from .people import People, caller, give_role, make_running
from .test_publishing import ICON, become_developer, publish

LISTS = "zoo.mail.core.ListFolders"
SEND = "zoo.mail.core.Send"
SECRET = "zoo.mail.core.Secret"
SOURCE = {
    "url": "/component/zoo/mail/core/ListFolders?outPort=out",
    "data": {
        "messages": {"in/box": "inputs/in/box"},
        "properties": {"all": True},
        "transform": "./transformers#options",
    },
}
CODE = """
from headrace_sdk import CancelError, Component


class {name}(Component):
    async def receive(self, context):
        if not context.content.get("box"):
            raise CancelError("Say which box.")
        yield [context.content["box"], "outbox" if context.properties.get("all") else "none"]
"""


def component(name: str, **manifest: Any) -> dict[str, str]:
    described = {"name": f"zoo.mail.core.{name}", "icon": ICON, "inPorts": ["in"], "outPorts": ["out"], **manifest}
    folder = f"zoo/mail/core/{name}"
    return {
        f"{folder}/component.json": json.dumps(described),
        f"{folder}/component.py": CODE.replace("{name}", name),
        f"{folder}/transformers.py": 'def options(found):\n    return [{"label": x, "value": x} for x in found]\n',
    }


def connector() -> bytes:
    """A component whose form and out-port are made by a private one, and another private one that nobody names."""
    send = component(
        "Send",
        inPorts=[{"name": "in", "inspector": {"inputs": {"folder": {"type": "select", "index": 1, "source": SOURCE}}}}],
        outPorts=[{"name": "out", "source": SOURCE}],
    )
    files = {
        "zoo/mail/service.json": json.dumps(
            {"name": "zoo.mail", "label": "Mail", "category": "applications", "icon": ICON, "description": "Mails."}
        ),
        **component("ListFolders", private=True),
        **component("Secret", private=True),
        **send,
    }
    return write_archive({name: content.encode() for name, content in files.items()})


async def call(client: httpx.AsyncClient, component_type: str, body: Any, **query: str) -> httpx.Response:
    place = component_type.replace(".", "/")
    return await client.post(f"/component/{place}", params=query, json=body)


async def test_a_built_in_component_answers_through_its_transform(people: People) -> None:
    ann, bob = people.ann, people.bob
    made = await ann.post("/stores", json={"name": "Pets"})
    body = {"transform": "./ListStores#toSelectArray"}

    own = await ann.post("/component/appmixer/utils/storage/ListStores?outPort=out", json=body)
    others = await bob.post("/component/headrace/utils/storage/ListStores?outPort=out", json=body)

    assert (own.status_code, own.json()) == (200, [{"content": "Pets", "value": made.json()["storeId"]}])
    assert others.json() == []


async def test_a_private_component_is_its_vendors_but_where_a_form_needs_it(people: People) -> None:
    ann, bob = people.ann, people.bob
    await become_developer(people, ann)
    told = await publish(ann, connector())
    assert "err" not in told, told
    body = {"messages": {"in/box": "in"}, "properties": {"all": True}, "transform": "./transformers#options"}

    by_vendor = await call(ann, SECRET, {"messages": {"in": {"box": "x"}}}, outPort="out")
    by_others = await call(bob, SECRET, {"messages": {"in": {"box": "x"}}}, outPort="out")
    for_form = await call(bob, LISTS, body, outPort="out")

    assert by_vendor.json() == ["x", "none"]
    assert by_others.status_code == 404
    assert for_form.json() == [{"label": "in", "value": "in"}, {"label": "outbox", "value": "outbox"}]
    assert LISTS not in (await bob.get("/components", params={"selector": "zoo"})).json()
    assert (await ann.delete("/components/zoo.mail", params={"force": "true"})).status_code == 200


async def test_what_is_wrong_with_a_call_is_said(people: People) -> None:
    ann = people.ann
    await become_developer(people, ann)
    await publish(ann, connector())
    fine = {"messages": {"in/box": "in"}}

    answers = {
        "port": await call(ann, SEND, fine, outPort="x"),
        "refused": await call(ann, SEND, {}),
        "transform": await call(ann, SEND, {**fine, "transform": "./transformers#none"}),
        "body": await call(ann, SEND, {"messages": 1}),
        "unknown": await call(ann, "zoo.mail.core.None", fine),
        "flow": await call(ann, SEND, {**fine, "flowId": "no-such-flow", "componentId": "x"}),
    }

    async with caller(ann.base_url) as nobody:
        answers["nobody"] = await call(nobody, SEND, fine)

    told = {name: (each.status_code, each.json()["code"]) for name, each in answers.items()}
    assert told == {
        "port": (400, "validation_failed"),
        "refused": (400, "bad_request"),
        "transform": (400, "bad_request"),
        "body": (400, "validation_failed"),
        "unknown": (404, "not_found"),
        "flow": (404, "not_found"),
        "nobody": (401, "unauthenticated"),
    }
    assert "Say which box" in answers["refused"].json()["message"]
    await ann.delete("/components/zoo.mail", params={"force": "true"})


async def test_rules_that_withhold_a_component_withhold_its_calls(people: People) -> None:
    role = await give_role(people, people.ann)
    before = await people.admin.get("/acl/components")
    rule = {"role": role, "resource": "appmixer.utils.storage.ListStores", "action": ["!read"], "attributes": []}
    await people.admin.post("/acl/components", json=[*before.json(), rule])

    async def refused() -> int:
        return (await people.ann.post("/component/headrace/utils/storage/ListStores", json={})).status_code

    assert await refused() == 403
    assert (await people.bob.post("/component/headrace/utils/storage/ListStores", json={})).status_code == 200
    await people.admin.post("/acl/components", json=before.json())


async def test_variables_have_what_calls_of_components_give(people: People) -> None:
    ann = people.ann
    await become_developer(people, ann)
    await publish(ann, connector())
    hook = {"type": "appmixer.utils.http.WebhookTrigger", "source": {}, "config": {"properties": {}}}
    fields = {"type": "json2new", "modifiers": {"box": {}}, "lambda": {"box": "in"}}
    send = {
        "type": SEND,
        "source": {"in": {"hook": ["request"]}},
        "config": {"transform": {"in": {"hook": {"request": fields}}}},
    }
    names = {"ADD": [{"type": "text", "name": "who", "text": "x"}]}
    after = {
        "type": "appmixer.utils.controls.SetVariable",
        "source": {"in": {"send": ["out"]}},
        "config": {
            "transform": {
                "in": {"send": {"out": {"type": "json2new", "modifiers": {}, "lambda": {"variables": names}}}}
            }
        },
    }
    last = {"type": "appmixer.utils.csv.GetRows", "source": {"in": {"after": ["out"]}}, "config": {}}
    flow = {"hook": hook, "send": send, "after": after, "last": last}
    flow_id = (await ann.post("/flows", json={"name": "Forms", "flow": flow})).json()["flowId"]

    found = (await ann.post(f"/variables/{flow_id}/fetch", json={"components": {"IDs": ["last"]}})).json()
    broken = {**flow, "send": {**send, "config": {"transform": {}}}}
    await ann.put(f"/flows/{flow_id}", json={"flow": broken})
    again = (await ann.post(f"/variables/{flow_id}/fetch", json={"components": {"IDs": ["last"]}})).json()

    link = found["components"]["last"]["links"]["in"]["after"]["out"]
    offered = {each["value"] for each in link["variables"]["static"]}
    assert {"{{{$.send.out.in}}}", "{{{$.send.out.outbox}}}", "{{{$.after.out.who}}}"} <= offered
    assert "fileId" in link["inspector"]["inputs"]
    assert "problems" not in found
    [problem] = again["problems"]
    assert (problem["componentId"], problem["port"]) == ("send", "out") and "Say which box" in problem["message"]
    await ann.delete("/components/zoo.mail", params={"force": "true"})


async def test_components_without_a_module_are_called_too(people: People) -> None:
    refused = await people.ann.post("/component/zoo/mail/Nothing", json={})

    assert refused.status_code == 404


ASKING = """
from headrace_sdk import CancelError, Component


class Asking(Component):
    async def receive(self, context):
        try:
            found = await context.call("zoo.mail.core.Secret", messages={"in": {"box": context.content["data"]["box"]}})
        except CancelError as error:
            found = str(error)
        await context.response({"found": found})
"""


async def test_code_calls_what_lies_beside_it_as_it_was_when_its_flow_began(people: People) -> None:
    """Private or not, for whoever runs the flow; an update of the connector changes the next start."""
    ann, bob = people.ann, people.bob
    await become_developer(people, ann)
    asking = {"name": "zoo.mail.core.Asking", "icon": ICON, "inPorts": ["in"], "outPorts": ["out"]}
    more = {
        "zoo/mail/core/Asking/component.json": json.dumps(asking).encode(),
        "zoo/mail/core/Asking/component.py": ASKING.encode(),
    }
    files = {**read_archive(connector()), **more}
    secret = "zoo/mail/core/Secret/component.py"
    assert "err" not in await publish(ann, write_archive(files))
    hook = {
        "type": "appmixer.utils.http.WebhookTrigger",
        "source": {},
        "config": {"properties": {"immediateResponse": False}},
    }
    flow = {
        "hook": hook,
        "ask": {"type": "zoo.mail.core.Asking", "source": {"in": {"hook": ["request"]}}, "config": {}},
    }
    flow_id = await make_running(bob, flow, "Asks")

    async def found() -> Any:
        return (await bob.post(f"/flows/{flow_id}/components/hook", json={"box": "a"})).json()["found"]

    first = await found()
    updated = files[secret].replace(b'"none"', b'"updated"')
    assert "err" not in await publish(ann, write_archive({**files, secret: updated}))
    second = await found()
    for command in ("stop", "start"):
        await bob.post(f"/flows/{flow_id}/coordinator", json={"command": command})
    third = await found()

    assert (first, second, third) == (["a", "none"], ["a", "none"], ["a", "updated"])
    await bob.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    await ann.delete("/components/zoo.mail", params={"force": "true"})
