"""Quotas in the shapes of the map, over the whole platform."""

from __future__ import annotations

import json
from typing import Any

from headrace_core.archives import write_archive

from .people import People, make_running, until
from .test_publishing import ICON, become_developer, publish

STRICT = "module.exports = {\n    rules: [{ limit: 5, window: 1000 * 60, resource: 'requests', scope: 'userId' }]\n};"


async def test_rules_of_a_quota_are_put_listed_and_set_back(people: People) -> None:
    name = f"acme:{people.mark}"
    made = await people.admin.put(f"/quota/{name}", json={"source": STRICT})
    again = await people.admin.put(
        f"/quota/{name}", json={"source": STRICT}, headers={"If-Match": made.headers["etag"]}
    )
    [listed] = [each for each in (await people.admin.get("/quota")).json() if each["id"] == name]
    late = await people.admin.put(
        f"/quota/{name}", json={"source": "module.exports = { rules: [] }"}, headers={"If-Match": '"1"'}
    )
    reset = await people.admin.delete(f"/quota/{name}")

    admin_id = (await people.admin.get("/user")).json()["id"]
    assert (made.status_code, made.headers["etag"]) == (200, '"2"')
    assert made.json() == again.json() == listed
    assert {name: listed[name] for name in ("name", "source", "defaultSource", "isCustom", "changedBy")} == {
        "name": name,
        "source": STRICT,
        "defaultSource": "",
        "isCustom": True,
        "changedBy": admin_id,
    }
    assert (late.status_code, late.json()["code"]) == (409, "revision_conflict")
    assert (reset.status_code, reset.json()["isCustom"], reset.headers["etag"]) == (200, False, '"3"')
    assert name not in [each["id"] for each in (await people.admin.get("/quota")).json()]
    assert (await people.admin.delete(f"/quota/{name}")).status_code == 404


async def test_a_source_that_would_have_to_be_run_is_refused_with_its_place(people: People) -> None:
    refused = await people.admin.put("/quota/acme:crm", json={"source": "module.exports = {\n  rules: make()\n};"})

    [problem] = refused.json()["problems"]
    assert (refused.status_code, problem["field"]) == (400, "source")
    assert problem["message"].startswith("Line 2, column 10: 'make' is a name")
    assert "module.exports = { … }" in problem["fix"]
    assert (await people.admin.put("/quota/crm", json={"source": STRICT})).json()["problems"][0]["field"] == "name"


RULES = """
from datetime import timedelta

rules = [{"limit": 1, "window": timedelta(minutes=10), "resource": "mails", "scope": "userId"}]
"""
MAILER = """
from headrace_sdk import Component


class Mailer(Component):
    async def receive(self, context):
        yield {"sent": True}
"""


async def test_rules_that_a_published_connector_brings_let_its_calls_wait(people: People) -> None:
    ann = people.ann
    await become_developer(people, ann)
    quota = {"manager": "zoo:mail", "resources": "mails", "scope": {"userId": "{{userId}}"}}
    manifest = {"name": MAILER_TYPE, "icon": ICON, "inPorts": ["in"], "outPorts": ["out"], "quota": quota}
    bad = await publish(ann, connector(manifest, RULES.replace("timedelta(", "make(")))
    told = await publish(ann, connector(manifest, RULES))
    hook = {"type": "appmixer.utils.http.WebhookTrigger", "source": {}, "config": {"properties": {}}}
    flow = {"hook": hook, "mail": {"type": MAILER_TYPE, "source": {"in": {"hook": ["request"]}}, "config": {}}}
    flow_id = await make_running(ann, flow, "Mails")

    for number in (1, 2):
        sent = await ann.post(f"/flows/{flow_id}/components/hook?enqueueOnly=true", json={"n": number})
        assert sent.status_code == 202, sent.text

    def are_settled(page: Any) -> bool:
        return sorted(run["state"] for run in page["items"]) == ["done", "waiting"]

    runs = await until(lambda: ann.get("/runs", params={"flowId": flow_id}), are_settled)
    [waiting] = [run["runId"] for run in runs["items"] if run["state"] == "waiting"]
    [wait] = (await ann.get(f"/runs/{waiting}")).json()["waits"]
    [listed] = [each for each in (await people.admin.get("/quota")).json() if each["id"] == "zoo:mail"]
    put = await people.admin.put("/quota/zoo:mail", json={"source": RULES.replace('"limit": 1', '"limit": 5')})

    assert "err" not in told, told
    assert [(each["file"], each["dataPath"]) for each in bad["data"]] == [("zoo/mail/quota.py", "")]
    assert "This is no literal: line 4" in bad["data"][0]["message"]
    assert (wait["kind"], wait["componentId"]) == ("quota", "mail") and "zoo:mail" in wait["reason"]
    assert (listed["defaultSource"], listed["isCustom"]) == (RULES, False)
    assert put.status_code == 200 and put.json()["isCustom"]
    await people.admin.delete("/quota/zoo:mail")
    await ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    await ann.delete("/components/zoo.mail", params={"force": "true"})


MAILER_TYPE = "zoo.mail.core.Mailer"


def connector(manifest: dict[str, Any], rules: str) -> bytes:
    """A connector of one component under a quota."""
    service = {"name": "zoo.mail", "label": "Mail", "category": "apps", "icon": ICON, "description": "Mails."}
    return write_archive(
        {
            "zoo/mail/service.json": json.dumps(service).encode(),
            "zoo/mail/quota.py": rules.encode(),
            "zoo/mail/core/Mailer/component.json": json.dumps(manifest).encode(),
            "zoo/mail/core/Mailer/component.py": MAILER.encode(),
        }
    )


async def test_quotas_are_for_administrators(people: People) -> None:
    assert (await people.ann.get("/quota")).status_code == 403
    assert (await people.ann.put("/quota/acme:crm", json={"source": STRICT})).status_code == 403
    assert (await people.ann.delete("/quota/acme:crm")).status_code == 403
