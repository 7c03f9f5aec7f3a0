"""What a webhook's headers hold is the flow's to use and nobody's to read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from headrace_core.errors import HeadraceError
from headrace_executor.model import RunState
from headrace_executor.redaction import Redaction
from headrace_executor.store import RunFilter
from headrace_runtime import logs
from headrace_sdk import Component, Context

from .platform import TENANT, HandedFlows, OwnComponent, node, platform, set_variables, webhook
from .test_fleet import until
from .test_keeping import own_node
from .test_runs import HOOK, event

_LONG = timedelta(hours=1)
TOKEN = "canary-bearer-1"
PASSWORD = "canary-basic-2"
SESSION = "canary-cookie-3"
KEY = "canary-key-4"
SIGNATURE = "canary5f5f5f5f"
HEADERS = {
    "authorization": f"Bearer {TOKEN}",
    "proxy-authorization": "Basic dXNlcjpjYW5hcnktYmFzaWMtMg==",
    "cookie": f"theme=dark; sid={SESSION}",
    "x-api-key": KEY,
    "x-hub-signature-256": f"sha256={SIGNATURE}",
    "content-type": "application/json",
    "idempotency-key": "order-17",
}


class Careless(Component):
    """Logs what it is given and fails with it in its words."""

    async def receive(self, context: Context) -> None:
        given = orjson.dumps(context.messages["in"][0].content).decode()
        context.log(f"I was given {given}")
        raise HeadraceError(f"The far side refused {TOKEN} and {PASSWORD}.")


def careless_flow() -> dict:
    return {
        HOOK: webhook(),
        "copy": set_variables({HOOK: "request"}, token="$.hook.request.headers.authorization"),
        "reply": node(
            "http.Response",
            {"copy": "out"},
            {
                "modifiers": {"body": {"b": {"variable": "$.copy.out.token", "functions": []}}},
                "lambda": {"body": "{{{b}}}"},
            },
        ),
        "own": own_node(),
    }


def held(shown: object) -> list[str]:
    text = shown if isinstance(shown, str) else repr(shown)
    return [secret for secret in (TOKEN, PASSWORD, SESSION, KEY, SIGNATURE, "dXNlcjpj") if secret in text]


async def test_secrets_of_an_event_reach_its_flow_and_no_reader(tmp_path: Path) -> None:
    flows = HandedFlows()
    flows.put("careless", careless_flow())
    seen: list[Mapping] = []
    async with platform(tmp_path, flows, own=[OwnComponent(Careless)]) as made:

        async def watch() -> None:
            async for batch, _ in made.app.watching.watch("careless"):
                seen.extend(batch)

        watcher = asyncio.create_task(watch())
        await asyncio.sleep(0)
        run, answer = await made.send("careless", HOOK, {**event("ada"), "headers": HEADERS}, wait=True)
        detail = await made.rest(run)
        listed, _ = await made.service.list_runs(RunFilter(TENANT), 0, 10)
        messages, _ = await made.service.list_unprocessed(TENANT, "careless", "", 0, 10)
        message = await made.service.get_unprocessed(TENANT, messages[0].message_id)
        async with asyncio.timeout(5):
            await until(lambda: len(made.logs.entries) >= 8)
        watcher.cancel()

        assert answer.body == f"Bearer {TOKEN}".encode()
        assert detail.run.state is RunState.FAILED
        assert {step.node_id for step in detail.steps} == {HOOK, "copy", "reply", "own"}
        assert held(detail.steps) == held(detail.run.error) == held(detail.waits) == []
        assert held(listed[0].error) == held([messages, message]) == []
        assert held(list(made.logs.entries.values())) == []
        assert len(seen) >= 5 and held(seen) == []
        assert "order-17" in repr(detail.steps) and "application/json" in repr(seen)


async def test_a_reason_to_wait_is_told_without_secrets(tmp_path: Path) -> None:
    class Impatient(Component):
        async def receive(self, context: Context) -> None:
            raise ConnectionError(f"No way with {TOKEN}.")

    flows = HandedFlows()
    flows.put("careless", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    async with platform(tmp_path, flows, own=[OwnComponent(Impatient)], retry_first=_LONG) as made:
        run, _ = await made.send("careless", HOOK, {**event("ada"), "headers": HEADERS})
        detail = await made.until(run, RunState.WAITING)

        [(_, parked)] = detail.waits
        assert "No way with ***." in parked.reason
        assert held(detail.run.error) == []


async def test_process_logs_of_a_step_hide_the_secrets_of_its_event(tmp_path: Path) -> None:
    said: list[str] = []

    class Talker(Component):
        async def receive(self, context: Context) -> None:
            said.append(logs.redact(f"talking about {TOKEN}"))

    flows = HandedFlows()
    flows.put("careless", {HOOK: webhook(immediateResponse=True), "own": own_node()})
    async with platform(tmp_path, flows, own=[OwnComponent(Talker)]) as made:
        run, _ = await made.send("careless", HOOK, {**event("ada"), "headers": HEADERS})
        await made.rest(run)

    assert said == ["talking about ***"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"Authorization": "x1"}, {"Authorization": "***"}),
        (
            {"headers": {"X-GitLab-Token": ["abcd", "efgh"], "host": "h"}},
            {"headers": {"X-GitLab-Token": "***", "host": "h"}},
        ),
        (
            {"headers": {"authorization": "Bearer tok-12345"}, "url": "/?t=tok-12345"},
            {"headers": {"authorization": "***"}, "url": "/?t=***"},
        ),
        ({"headers": '{"Authorization": "Bearer tok-12345"}'}, {"headers": '{"Authorization": "***"}'}),
        ({"said": "sent Authorization: Bearer tok-12345, then"}, {"said": "sent Authorization: ***, then"}),
        ({"said": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"}, {"said": "Bearer ***"}),
        (
            {"headers": {"authorization": "true"}, "ok": True, "n": None},
            {"headers": {"authorization": "***"}, "ok": True, "n": None},
        ),
    ],
)
def test_headers_that_hold_secrets_are_hidden_by_name_and_their_values_everywhere(value: dict, shown: dict) -> None:
    assert Redaction().json(value) == shown


@pytest.mark.parametrize(
    "value",
    [
        {"cookies": 3, "token": "abc", "headers": {"accept": "text/plain", "idempotency-key": "k-12345678"}},
        {"said": "A basic authentication scheme; the bearer of good news"},
        [1, "x", None, True, {"a": {"b": []}}],
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(value: object) -> None:
    assert Redaction.of_event(orjson.dumps({"headers": {"accept": "text/plain"}})).json(value) == value  # type: ignore[arg-type]


@pytest.mark.parametrize("spelling", ['a b/c+d"e', "a%20b%2Fc%2Bd%22e", "YSBiL2MrZCJl"])
def test_a_secret_is_hidden_however_it_is_spelled(spelling: str) -> None:
    redaction = Redaction.of_event(orjson.dumps({"headers": {"x-api-key": 'a b/c+d"e'}}))

    assert redaction.json({"copy": f"<{spelling}>"}) == {"copy": "<***>"}
    assert redaction.text(spelling) == "***"


def test_a_value_the_journal_writes_as_null_is_no_obstacle() -> None:
    assert Redaction().json({"headers": {"cookie": "sid=1"}, "gone": object()})["headers"] == {"cookie": "***"}  # type: ignore[index,call-overload,arg-type,dict-item]
