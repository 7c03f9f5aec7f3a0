"""Messages that could not be processed, when they are large and many."""

from __future__ import annotations

import httpx

from .people import HOOK, failing_flow, make_running, until

SIZE = 1_000_000
MESSAGES = 40
"""Together more than a page holds and than services send each other at once."""


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
