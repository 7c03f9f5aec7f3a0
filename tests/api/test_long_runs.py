"""Runs whose steps hold more than services send each other at once."""

from __future__ import annotations

from typing import Any

import httpx

from .people import HOOK, echo_flow, make_running, until

SIZE = 1_000_000
STEPS = 20
"""Each has the size as its input and as its output."""


def copying_flow() -> dict[str, Any]:
    """The echo, and beside it nodes that each keep the name that came."""
    value = {"variable": f"$.{HOOK}.request.data.name", "functions": []}
    rows = {"ADD": [{"type": "text", "name": "copy", "text": "{{{v}}}"}]}
    transform = {"type": "json2new", "modifiers": {"variables": {"v": value}}, "lambda": {"variables": rows}}
    copying = {
        "type": "appmixer.utils.controls.SetVariable",
        "x": 0,
        "y": 0,
        "source": {"in": {HOOK: ["request"]}},
        "config": {"transform": {"in": {HOOK: {"request": transform}}}},
    }
    return {**echo_flow(), **{f"copy-{number}": copying for number in range(STEPS)}}


async def test_a_run_with_large_steps_names_all_and_holds_the_first(user: httpx.AsyncClient) -> None:
    flow_id = await make_running(user, copying_flow())
    sent = await user.post(f"/flows/{flow_id}/components/{HOOK}", json={"name": "x" * SIZE})
    assert sent.text == "x" * SIZE
    where = f"/runs/{sent.headers['x-headrace-run-id']}"

    run = await until(lambda: user.get(where, params={"stepLimit": 1}), lambda run: run["state"] == "done")
    assert len(run["steps"]) == 1

    steps = (await user.get(where)).json()["steps"]
    cut = [step for step in steps if step.get("isCut")]
    assert len(steps) == run["stepCount"] == STEPS + 2
    assert 0 < len(cut) < len(steps) and steps[-len(cut) :] == cut, "the first are whole"
    assert all(step["componentId"] and step["outcome"] == "done" and step["input"] is None for step in cut)

    place = len(steps) - len(cut)
    [alone] = (await user.get(where, params={"stepOffset": place, "stepLimit": 1})).json()["steps"]
    assert alone["stepId"] == cut[0]["stepId"] and "isCut" not in alone
    assert "x" * SIZE in str(alone["input"])
