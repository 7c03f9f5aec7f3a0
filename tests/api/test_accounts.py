"""Accounts in the shapes of the map, over the whole platform and against a service that is strict."""

from __future__ import annotations

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from headrace_runtime.logs import HIDDEN

from tests.provider import CLIENT, CLIENT_SECRET, KEY, PASSWORD, Provider, provider

from .connector import JS_AUTH, VENDOR, connector, flow, javascript
from .people import People, caller, make_running, until
from .test_publishing import become_developer, publish


@pytest.fixture
async def service() -> AsyncIterator[Provider]:
    async with provider() as made:
        yield made


async def ready(people: People, service: Provider, kind: str) -> str:
    """Publish the connector of this kind and configure its service; returns the service's name."""
    await become_developer(people, people.ann, VENDOR)
    content = javascript(kind, service.url) if kind in JS_AUTH else connector(kind, service.url)
    told = await publish(people.ann, content)
    assert "err" not in told, told
    name = f"{VENDOR}:{kind}"
    stored = await people.admin.post(
        "/service-config",
        json={"serviceId": name, "clientId": CLIENT, "clientSecret": CLIENT_SECRET}
        if kind.endswith("oauth")
        else {"serviceId": name, "consumerKey": CLIENT, "consumerSecret": CLIENT_SECRET},
    )
    assert stored.status_code == 200, stored.text
    return name


async def key_account(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    made = await client.post("/accounts", json={"service": name, "token": {"apiKey": KEY}})
    assert made.status_code == 200, made.text
    found: dict[str, Any] = made.json()
    return found


@asynccontextmanager
async def browser(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody's browser: it keeps cookies and has not signed in to the API."""
    async with caller(people.ann.base_url) as made:
        yield made


async def done(client: httpx.AsyncClient, flow_id: str) -> httpx.Response:
    """The only run of the flow, once it is done."""
    runs = await until(
        lambda: client.get("/runs", params={"flowId": flow_id}), lambda page: page["items"][0]["state"] == "done"
    )
    return await client.get(f"/runs/{runs['items'][0]['runId']}")


async def begin(client: httpx.AsyncClient, subject: str, **parameters: str) -> tuple[str, str]:
    """A ticket and the page to open for it."""
    opened = await client.post("/auth/ticket")
    assert opened.status_code == 200, opened.text
    ticket = opened.json()["ticket"]
    begun = await client.get(f"/auth/{subject}/auth-url/{ticket}", params=parameters)
    assert begun.status_code == 200, begun.text
    return ticket, begun.json()["authUrl"]


async def enter(visitor: httpx.AsyncClient, url: str) -> str:
    """Open a connection's page and press its button; returns the address at the service."""
    page = await visitor.get(url)
    assert page.status_code == 200, page.text
    found = re.search(r'action="([^"]+)"', page.text)
    assert found is not None, page.text
    answer = await visitor.post(urljoin(url, html.unescape(found[1])), data={})
    assert answer.status_code == 302, answer.text
    return str(answer.headers["location"])


async def go(visitor: httpx.AsyncClient, url: str) -> httpx.Response:
    """Go through a connection until a page says what came of it."""
    answer = await visitor.get(await enter(visitor, url))
    while answer.status_code == 302:
        answer = await visitor.get(answer.headers["location"])
    return answer


async def connect(people: People, subject: str, **parameters: str) -> dict[str, Any]:
    """Connect an account as a person does; what the ticket says in the end."""
    ticket, url = await begin(people.ann, subject, **parameters)
    async with browser(people) as visitor:
        page = await go(visitor, url)
    assert page.status_code == 200, page.text
    status: dict[str, Any] = (await people.ann.get(f"/auth/status/{ticket}")).json()
    assert status["finished"], status
    return status


async def test_an_account_of_a_key_is_checked_named_listed_renamed_tested_and_removed(
    people: People, service: Provider
) -> None:
    ann, bob = people.ann, people.bob
    name = await ready(people, service, "key")
    described = (await ann.get(f"/auth/{VENDOR}.key.core.Work")).json()["auth"]

    wrong = await ann.post("/accounts", json={"service": name, "token": {"apiKey": "wrong-key"}})
    empty = await ann.post("/accounts", json={"service": name, "token": {}})
    made = await key_account(ann, name)
    again = await key_account(ann, name)
    account_id = made["accountId"]
    renamed = await ann.put(f"/accounts/{account_id}", json={"displayName": "Mine"})
    [listed] = (await ann.get("/accounts", params={"filter": f"service:{name}"})).json()
    tested = await ann.post(f"/accounts/{account_id}/test")
    service.key_is_valid = False
    refused = await ann.post(f"/accounts/{account_id}/test")
    read = (await ann.get(f"/accounts/{account_id}")).json()

    assert (described["type"], list(described["auth"]), described["accounts"]) == ("apiKey", ["apiKey"], {})
    assert wrong.status_code == 400 and wrong.json()["problems"][0]["field"] == "token"
    assert empty.status_code == 400 and empty.json()["problems"][0]["field"] == "token.apiKey"
    assert (made["name"], made["service"], made["accessTokenValid"]) == ("key-holder", name, True)
    assert made["profileInfo"] == {"name": "key-holder", "email": "key-holder@example.com"}
    assert again["accountId"] == account_id and again["tokenId"] != made["tokenId"]
    assert (renamed.status_code, listed["label"], listed["icon"]) == (200, "Mine", "data:image/png;base64,AA==")
    assert tested.json() == {again["tokenId"]: "valid"}
    assert refused.json() == {again["tokenId"]: "invalid"}
    assert (read["state"], read["accessTokenValid"], bool(read["reason"])) == ("invalid", False, True)
    assert (await ann.get("/accounts/count", params={"filter": f"service:{name}"})).json() == {"count": 1}
    assert (await ann.get("/accounts", params={"filter": "service:other"})).json() == []
    assert (await ann.post("/accounts", json={"service": f"{VENDOR}:none", "token": {"a": "b"}})).status_code == 404
    for method, path in (
        ("GET", f"/accounts/{account_id}"),
        ("PUT", f"/accounts/{account_id}"),
        ("POST", f"/accounts/{account_id}/test"),
        ("GET", f"/accounts/{account_id}/flows"),
        ("DELETE", f"/accounts/{account_id}"),
    ):
        body = {"displayName": "Bob's"} if method == "PUT" else None
        assert (await bob.request(method, path, json=body)).status_code == 404, path
    assert (await bob.get("/accounts")).json() == []
    assert (await ann.delete(f"/accounts/{account_id}")).json() == {"accountId": account_id}
    assert (await ann.get(f"/accounts/{account_id}")).status_code == 404


async def test_a_component_acts_with_the_account_that_is_assigned_to_it(people: People, service: Provider) -> None:
    ann = people.ann
    name = await ready(people, service, "key")
    other = await ready(people, service, "pwd")
    account = await key_account(ann, name)
    account_id = account["accountId"]
    foreign = await ann.post("/accounts", json={"service": other, "token": {"username": "ada", "password": PASSWORD}})
    flow_id = await make_running(ann, flow("key"))

    missing = (await ann.get(f"/accounts/flow/{flow_id}")).json()
    mismatch = await ann.put(f"/auth/component/work/{foreign.json()['accountId']}", params={"flowId": flow_id})
    assigned = await ann.put(f"/auth/component/work/{account_id}", params={"flowId": flow_id})
    sent = await ann.post(f"/flows/{flow_id}/components/hook", json={"n": 1})
    assert sent.status_code < 300, sent.text
    detail = await done(ann, flow_id)
    bound = (await ann.get(f"/auth/flow/{flow_id}")).json()
    chosen = await ann.get(f"/auth/{VENDOR}.key.core.Work", params={"componentId": "work", "flowId": flow_id})
    profile = await ann.get("/accounts/profile-info/email", params={"componentId": "work", "flowId": flow_id})
    used = (await ann.get(f"/accounts/{account_id}/flows")).json()

    assert service.worked == ["1"]
    assert missing["components"]["work"]["accountId"] is None and missing["services"] == {name: []}
    assert mismatch.status_code == 409
    assert assigned.json()["accountId"] == account_id
    assert bound["components"]["work"]["account"]["accountId"] == account_id
    assert [each["accountId"] for each in bound["services"][name]] == [account_id]
    assert chosen.json()["auth"]["accounts"][account_id]["componentAssigned"] is True
    assert profile.json() == {"email": "key-holder@example.com"}
    assert used == [{"flowId": flow_id, "name": "A flow", "stage": "running", "components": ["work"]}]
    assert KEY not in detail.text and HIDDEN in detail.text

    called = await ann.post(
        f"/component/{VENDOR}/key/core/Work",
        params={"outPort": "out"},
        json={"messages": {"in": {"n": 5}}, "componentId": "work"},
    )
    nobody = await people.bob.post(
        f"/component/{VENDOR}/key/core/Work",
        params={"outPort": "out"},
        json={"messages": {"in": {"n": 6}}, "componentId": "work"},
    )
    assert called.status_code == 200 and called.json()["done"] == "5" and KEY not in called.text
    assert nobody.status_code == 400 and "Assign one" in nobody.json()["message"]
    assert service.worked == ["1", "5"]

    freed = await ann.delete("/auth/component/work", params={"flowId": flow_id})
    assert freed.json()["accountId"] is None
    await ann.put(f"/auth/component/work/{account_id}", params={"flowId": flow_id})
    assert (await ann.delete(f"/accounts/{account_id}")).status_code == 200
    assert (await ann.get(f"/flows/{flow_id}")).json()["stage"] == "stopped"


async def test_an_account_of_oauth_2_is_connected_in_a_browser(people: People, service: Provider) -> None:
    ann = people.ann
    name = await ready(people, service, "oauth")
    flow_id = await make_running(ann, flow("oauth"))
    status = await connect(people, f"{VENDOR}.oauth.core.Work", componentId="work", flowId=flow_id)
    account = (await ann.get(f"/accounts/{status['accountId']}")).json()
    sent = await ann.post(f"/flows/{flow_id}/components/hook", json={"n": 7})
    assert sent.status_code < 300
    await done(ann, flow_id)
    auth = (await ann.get(f"/auth/{VENDOR}.oauth.core.Work", params={"componentId": "work"})).json()["auth"]

    assert (account["name"], account["service"], account["type"]) == ("ada@example.com", name, "oauth2")
    assert (account["tokenId"], sorted(account["scope"])) == (status["tokenId"], ["read", "work"])
    assert auth["accounts"][account["accountId"]]["scopeValid"] is True
    assert service.worked == ["7"]
    assert service.asked["token authorization_code"] == 1


async def test_a_connector_in_javascript_acts_with_accounts_of_keys_and_of_oauth_2(
    people: People, service: Provider
) -> None:
    ann = people.ann
    service.lifetime = 1
    await ready(people, service, "jsoauth")
    flow_id = await make_running(ann, flow("jsoauth"))
    status = await connect(people, f"{VENDOR}.jsoauth.core.Work", componentId="work", flowId=flow_id)
    service.lifetime = 3600
    await asyncio.sleep(1.1)  # the service's own clock says when a token ends
    await ann.post(f"/flows/{flow_id}/components/hook", json={"n": 1})
    detail = await done(ann, flow_id)
    account = await key_account(ann, await ready(people, service, "jskey"))
    other_id = await make_running(ann, flow("jskey"))
    await ann.put(f"/auth/component/work/{account['accountId']}", params={"flowId": other_id})
    await ann.post(f"/flows/{other_id}/components/hook", json={"n": 2})
    other = await done(ann, other_id)

    assert (await ann.get(f"/accounts/{status['accountId']}")).json()["name"] == "ada@example.com"
    assert service.worked == ["1", "2"]
    assert service.asked["token refresh_token"] == 1
    assert not any(secret in detail.text + other.text for secret in service.secrets)


async def test_an_account_of_oauth_1_is_connected_in_a_browser(people: People, service: Provider) -> None:
    await ready(people, service, "old")
    status = await connect(people, f"{VENDOR}:old")
    account = (await people.ann.get(f"/accounts/{status['accountId']}")).json()

    assert (account["name"], account["type"]) == ("ada@example.com", "oauth")
    assert (await people.ann.post(f"/accounts/{account['accountId']}/test")).json() == {account["tokenId"]: "valid"}
    assert service.asked["access token"] == 1


async def test_a_form_connects_an_account_of_a_key(people: People, service: Provider) -> None:
    await ready(people, service, "key")
    ticket, url = await begin(people.ann, f"{VENDOR}:key")
    async with browser(people) as visitor:
        form = await visitor.get(url)
        done = await visitor.post("/auth/process-auth-data", params={"ticket": ticket}, data={"apiKey": KEY})
        twice = await visitor.post("/auth/process-auth-data", params={"ticket": ticket}, data={"apiKey": KEY})

    assert 'name="apiKey"' in form.text and form.headers["content-type"].startswith("text/html")
    assert "appmixer.auth.success" in done.text and f'data-ticket="{ticket}"' in done.text
    assert twice.status_code == 401
    assert (await people.ann.get(f"/auth/status/{ticket}")).json()["accountId"]
    assert KEY not in form.text + done.text


async def test_answers_of_others_are_refused(people: People, service: Provider) -> None:
    """S10: a state that is absent, made up, of another ticket, of another browser, of another service, or spent."""
    await ready(people, service, "oauth")
    ticket, url = await begin(people.ann, f"{VENDOR}:oauth")
    async with browser(people) as visitor, browser(people) as thief:
        there = await enter(visitor, url)
        again = await thief.get(url)
        back = (await visitor.get(there)).headers["location"]
        state = parse_qs(urlsplit(back).query)["state"][0]
        code = parse_qs(urlsplit(back).query)["code"][0]
        path = urlsplit(back).path
        other_ticket, other_url = await begin(people.bob, f"{VENDOR}:oauth")
        await enter(thief, other_url)
        refused = [
            await visitor.get("/auth/oauth/callback", params={"code": code}),
            await visitor.get("/auth/oauth/start", params={"key": "nobody~guess"}),
            await visitor.get("/auth/key/start", params={"key": f"{other_ticket}~guess"}),
            await visitor.get(path, params={"code": code, "state": ""}),
            await visitor.get(path, params={"code": code, "state": ticket}),
            await visitor.get(path, params={"code": code, "state": f"{ticket}~guess"}),
            await visitor.get(path, params={"code": code, "state": f"{other_ticket}~{state.rpartition('~')[2]}"}),
            await visitor.get(path.replace("oauth", "key"), params={"code": code, "state": state}),
            await thief.get(path, params={"code": code, "state": state}),
        ]
        asked_before = service.asked["token authorization_code"]
        accepted = await visitor.get(back)
        spent = await visitor.get(back)

    challenge = parse_qs(urlsplit(there).query)
    assert challenge["code_challenge_method"] == ["S256"] and len(challenge["code_challenge"][0]) == 43
    assert again.status_code == 401
    assert [each.status_code for each in refused] == [401] * len(refused)
    assert asked_before == 0
    assert "appmixer.auth.success" in accepted.text
    assert spent.status_code == 401
    assert service.asked["token authorization_code"] == 1
    assert (await people.ann.get(f"/auth/status/{ticket}")).json()["accountId"]
    assert (await people.bob.get(f"/auth/status/{ticket}")).status_code == 404
    assert (await people.bob.get("/accounts")).json() == []
    assert (await people.bob.get(f"/auth/{VENDOR}:oauth/auth-url/{ticket}")).status_code == 404
    assert (await people.ann.get(f"/auth/{VENDOR}:oauth/auth-url/{ticket}")).status_code == 409


async def test_nobody_is_sent_on_before_they_know_whose_account_it_becomes(people: People, service: Provider) -> None:
    """S10: Bob is lured to the page that Ann began."""
    await ready(people, service, "oauth")
    email = (await people.ann.get("/user")).json()["email"]
    ticket, url = await begin(people.ann, f"{VENDOR}:oauth")
    form = {"params": {"ticket": ticket}, "data": {}}
    async with browser(people) as lured, browser(people) as other:
        page = await lured.get(url)
        elsewhere = await lured.post("/auth/process-auth-data", headers={"sec-fetch-site": "cross-site"}, **form)
        without = await other.post("/auth/process-auth-data", **form)

    assert page.status_code == 200 and "location" not in page.headers
    assert email in page.text and "Close this page" in page.text
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    [cookie] = [each.lower() for each in page.headers.get_list("set-cookie")]
    assert "httponly" in cookie and "samesite=lax" in cookie
    assert (elsewhere.status_code, without.status_code) == (403, 401)
    assert not service.asked, "the service was not asked for anything"


async def test_two_connections_of_one_browser_do_not_disturb_each_other(people: People, service: Provider) -> None:
    await ready(people, service, "oauth")
    async with browser(people) as visitor:
        begun = [await begin(people.ann, f"{VENDOR}:oauth") for _ in range(2)]
        backs = [await enter(visitor, url) for _, url in begun]
        pages = [await visitor.get((await visitor.get(there)).headers["location"]) for there in backs]

    assert [("appmixer.auth.success" in page.text) for page in pages] == [True, True]


async def test_who_says_no_leaves_a_ticket_that_says_so(people: People, service: Provider) -> None:
    await ready(people, service, "oauth")
    service.denies = True
    status = await connect(people, f"{VENDOR}:oauth")

    assert status["accountId"] is None and "access_denied" in status["error"]
    assert (await people.ann.get("/accounts")).json() == []


async def test_a_service_that_is_not_configured_says_what_to_do(people: People, service: Provider) -> None:
    name = await ready(people, service, "oauth")
    assert (await people.admin.delete(f"/service-config/{name}")).status_code == 200
    ticket = (await people.ann.post("/auth/ticket")).json()["ticket"]
    refused = await people.ann.get(f"/auth/{name}/auth-url/{ticket}")

    assert refused.status_code == 409 and "clientId" in refused.json()["message"]


async def test_an_account_is_shared_used_by_others_and_taken_back(people: People, service: Provider) -> None:
    ann, bob = people.ann, people.bob
    name = await ready(people, service, "key")
    account_id = (await key_account(ann, name))["accountId"]
    kind, bobs = f"{VENDOR}.key.core.Work", (await bob.get("/user")).json()["email"]
    flow_id = await make_running(bob, flow("key"))

    async def seen() -> Any:
        return (await bob.get(f"/auth/{kind}")).json()["auth"]["accounts"]

    async def use() -> int:
        assigned = await bob.put(f"/auth/component/work/{account_id}", params={"flowId": flow_id})
        return assigned.status_code

    async def worked() -> Any:
        before = (await bob.get("/runs", params={"flowId": flow_id})).json()["totalCount"]
        await bob.post(f"/flows/{flow_id}/components/hook", json={"n": before})
        found = await until(
            lambda: bob.get("/runs", params={"flowId": flow_id}),
            lambda page: page["totalCount"] > before and page["items"][0]["state"] in ("done", "failed"),
        )
        return found["items"][0]["state"], (await bob.get(f"/runs/{found['items'][0]['runId']}")).json()

    [lacks] = (await bob.get(f"/flows/{flow_id}/validate")).json()["warnings"]
    assert (lacks["node"], lacks["field"]) == ("work", "config.auth.accountId") and name in lacks["message"]
    assert (await seen(), await use()) == ({}, 404)
    wrong = await ann.put(f"/accounts/{account_id}", json={"sharedWith": [{"permissions": ["use"]}]})
    shared = await ann.put(f"/accounts/{account_id}", json={"sharedWith": [{"email": bobs.upper()}]})
    lent = (await seen())[account_id]
    assert await use() == 200
    assert (await bob.get(f"/flows/{flow_id}/validate")).json() == {"errors": [], "warnings": []}
    state, done_run = await worked()
    of_flow = (await bob.get(f"/accounts/flow/{flow_id}")).json()["services"][name]
    refused = [
        (await bob.get(f"/accounts/{account_id}")).status_code,
        (await bob.put(f"/accounts/{account_id}", json={"displayName": "Mine"})).status_code,
        (await bob.put(f"/accounts/{account_id}", json={"sharedWith": []})).status_code,
        (await bob.delete(f"/accounts/{account_id}")).status_code,
        (await bob.post(f"/accounts/{account_id}/test")).status_code,
    ]

    assert wrong.status_code == 400 and wrong.json()["problems"][0]["field"] == "sharedWith.0"
    assert shared.json()["sharedWith"] == [{"email": bobs.upper(), "permissions": ["use"]}]
    assert (lent["isShared"], lent["profileInfo"], lent["accessTokenValid"]) == (True, {}, True)
    assert state == "done" and KEY not in str(done_run)
    assert [(each["accountId"], each["profileInfo"], each["sharedWith"]) for each in of_flow] == [(account_id, {}, [])]
    assert refused == [404] * 5
    assert (await bob.get("/accounts")).json() == []

    await ann.put(f"/accounts/{account_id}", json={"sharedWith": []})
    state, failed_run = await worked()
    assert (await seen(), await use(), state) == ({}, 404, "failed")
    assert "no longer shared" in str(failed_run["steps"])


async def test_an_account_that_is_removed_stops_the_flows_of_those_it_was_shared_with(
    people: People, service: Provider
) -> None:
    ann, bob = people.ann, people.bob
    account_id = (await key_account(ann, await ready(people, service, "key")))["accountId"]
    domain = (await bob.get("/user")).json()["email"].rpartition("@")[2]
    await ann.put(f"/accounts/{account_id}", json={"sharedWith": [{"domain": domain}]})
    flow_id = await make_running(bob, flow("key"))
    assert (await bob.put(f"/auth/component/work/{account_id}", params={"flowId": flow_id})).status_code == 200

    assert (await ann.delete(f"/accounts/{account_id}")).status_code == 200

    assert (await bob.get(f"/flows/{flow_id}")).json()["stage"] == "stopped"
    assert (await bob.get(f"/accounts/flow/{flow_id}")).json()["components"]["work"]["accountId"] is None


async def test_a_version_with_new_steps_takes_accounts_along_and_waits_for_those_that_are_missing(
    people: People, service: Provider
) -> None:
    ann, bob = people.ann, people.bob
    key, pwd = await ready(people, service, "key"), await ready(people, service, "pwd")
    shared = [{"domain": people.domain, "permissions": ["read"]}]
    offer = {"name": "Offer", "type": "integration-template", "flow": flow("key"), "sharedWith": shared}
    template_id = (await ann.post("/flows", json=offer)).json()["flowId"]
    clone = {"isTemplateInstance": True, "setComponentIdMap": True, "projection": "-sharedWith"}
    instance_id = (await bob.post(f"/flows/{template_id}/clone", json=clone)).json()["cloneId"]
    paused_id = (await bob.post(f"/flows/{template_id}/clone", json=clone)).json()["cloneId"]
    held = (await key_account(bob, key))["accountId"]
    work = await node_of(bob, instance_id, "work")
    await bob.put(f"/auth/component/{work}/{held}", params={"flowId": instance_id})
    await bob.post(f"/flows/{instance_id}/coordinator", json={"command": "start"})
    await until(lambda: bob.get(f"/flows/{instance_id}"), lambda found: found["stage"] == "running")
    after = {"work": ["out"]}
    more = {
        **flow("key"),
        "same": {"type": f"{VENDOR}.key.core.Work", "source": {"in": after}},
        "other": {"type": f"{VENDOR}.pwd.core.Work", "source": {"in": after}},
    }

    async def roll_out() -> dict[str, Any]:
        ordered = await ann.post(f"/integrations/{template_id}/update-integration-instances")
        ticket = ordered.json()["ticket"]
        await until(lambda: ann.get(f"/integrations/status/{ticket}"), lambda said: said["status"] == "completed")
        found: dict[str, Any] = (await bob.get(f"/flows/{instance_id}")).json()
        return found

    assert (await ann.put(f"/flows/{template_id}", json={"flow": more})).status_code == 200
    previewed = (await ann.get(f"/integrations/{template_id}/update-preview")).json()["instances"]
    told = next(each for each in previewed if each["flowId"] == instance_id)
    waiting = await roll_out()
    bound = (await bob.get(f"/accounts/flow/{instance_id}")).json()["components"]
    same, other = await node_of(bob, instance_id, "same"), await node_of(bob, instance_id, "other")
    other_of_paused = await node_of(bob, paused_id, "other")
    still_waiting = await roll_out()
    await bob.put(f"/flows/{instance_id}", json={"needsAccounts": None})
    claimed = (await bob.get(f"/flows/{instance_id}")).json()
    refused = await bob.post(f"/flows/{paused_id}/coordinator", json={"command": "start"})
    found = (await bob.get(f"/flows/{paused_id}/validate")).json()
    made = await bob.post("/accounts", json={"service": pwd, "token": {"username": "ada", "password": PASSWORD}})
    await bob.put(f"/auth/component/{other}/{made.json()['accountId']}", params={"flowId": instance_id})
    caught_up = (await bob.get(f"/flows/{instance_id}")).json()
    await roll_out()

    assert (told["result"], told["needsAccounts"]) == ("updated", [pwd])
    assert (waiting["needsAccounts"], waiting["stage"]) == ([pwd], "running")
    assert (waiting["runningVersion"], waiting["version"]) == (1, 2)
    assert (bound[same]["accountId"], bound[other]["accountId"]) == (held, None)
    assert (still_waiting["runningVersion"], still_waiting["needsAccounts"]) == (1, [pwd])
    assert claimed["needsAccounts"] == [pwd]
    assert refused.status_code == 400 and pwd in refused.text and other_of_paused in refused.text
    assert "PUT /auth/component/" in refused.text
    assert other_of_paused in str(found["errors"]) and other_of_paused not in str(found["warnings"])
    assert (caught_up["runningVersion"], caught_up["version"], "needsAccounts" in caught_up) == (2, 2, False)
    sent = await bob.post(f"/flows/{instance_id}/components/{await node_of(bob, instance_id, 'hook')}", json={"n": 1})
    assert sent.status_code < 300, sent.text


async def node_of(client: httpx.AsyncClient, instance_id: str, node_id: str) -> str:
    """What an instance calls the template's node."""
    return str((await client.get(f"/flows/{instance_id}")).json()["componentIdMap"][node_id])
