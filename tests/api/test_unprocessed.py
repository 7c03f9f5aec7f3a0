"""Messages that could not be processed, when they are large and many."""

from __future__ import annotations

import httpx

from .people import FAILING, HOOK, failing_flow, make_running, until

SIZE = 1_000_000
MESSAGES = 12
"""Together more than a page holds."""


async def test_a_page_of_large_messages_names_all_and_holds_the_first(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, failing_flow())
    for _ in range(MESSAGES):
        sent = await user.post(f"/flows/{flow_id}/components/{HOOK}", json={"list": {"a": "x" * SIZE}})
        assert sent.status_code in (200, 202), sent.text

    where = f"/unprocessed-messages?flowId={flow_id}"
    page = await until(lambda: user.get(where), lambda listed: len(listed) == MESSAGES)

    assert (await user.get(where)).headers["x-total-count"] == str(MESSAGES)
    cut = [each for each in page if each.get("isCut")]
    assert 0 < len(cut) < MESSAGES
    assert page[-len(cut) :] == cut, "the first are whole"
    assert all(each["messages"] == each["err"] == {} for each in cut)
    read = (await user.get(f"/unprocessed-messages/{cut[-1]['messageId']}")).json()
    assert "isCut" not in read and "x" * SIZE in str(read["messages"])


async def test_a_message_goes_on_with_an_edited_input_and_keeps_its_secrets(user: httpx.AsyncClient) -> None:
    flow = failing_flow()
    [(source, transform)] = flow[FAILING]["config"]["transform"]["in"].items()
    key = {"variable": f"$.{HOOK}.request.headers.x-api-key", "functions": []}
    filled = transform["request"]
    filled["modifiers"]["key"] = {"k": key}
    filled["lambda"]["key"] = "{{{k}}}"
    flow_id = await make_running(user, flow)
    sent = await user.post(
        f"/flows/{flow_id}/components/{source}", json={"list": 5}, headers={"X-Api-Key": "canary-77"}
    )
    assert sent.status_code in (200, 202), sent.text
    where = f"/unprocessed-messages?flowId={flow_id}"
    [message] = await until(lambda: user.get(where), bool)
    retry = f"/unprocessed-messages/{message['messageId']}/retry"

    assert message["messages"]["in"][0]["content"] == {"list": 5, "key": "***"}
    nowhere = await user.post(retry, json={"messages": {"out": [{"content": {}}]}})
    shapeless = await user.post(retry, json={"messages": {"in": 5}})
    message["messages"]["in"][0]["content"]["list"] = ["first"]
    done = await user.post(retry, json={"messages": message["messages"]})
    run = await until(lambda: user.get(f"/runs/{message['runId']}"), lambda told: bool(told["state"] == "done"))

    assert (nowhere.status_code, shapeless.status_code) == (400, 400), (nowhere.text, shapeless.text)
    assert "only at: in" in nowhere.json()["message"]
    assert done.json() == {"messageId": message["messageId"]}
    assert run["steps"][-1]["input"] == {"list": ["first"], "key": "***"}
    assert (await user.get(where)).json() == []
    assert (await user.post(retry, json={"messages": {}})).status_code == 404
