"""python -m tests.connectors.public.flows FOLDER [--only utils …]: plays test flows of public connectors.

A test flow begins by itself and ends at a component that files its result: among those that passed, or those that
failed. Both are data stores of whoever plays it, so the ids in the file are replaced. Only flows of components that
come with Headrace are played: the others need an account.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx

from tests.api.conftest import open_people

WITHIN = 60.0


async def play(client: httpx.AsyncClient, name: str, text: str) -> str:
    """What became of one flow: `success`, or what is in its way."""
    passed, failed = [await _store(client, f"{name} {kind}") for kind in ("passed", "failed")]
    text = re.sub(r'("successStoreId": ?)"\w*"', rf'\1"{passed}"', text)
    text = re.sub(r'("failedStoreId": ?)"\w*"', rf'\1"{failed}"', text)
    document = json.loads(text)
    flow = document.get("flow", document)
    unknown = await _unknown(client, {str(node["type"]) for node in flow.values()})
    if unknown:
        return f"needs {', '.join(sorted(unknown))}"
    made = await client.post("/flows", json={"name": str(document.get("name", name)), "flow": flow})
    if made.status_code != 200:
        return f"is refused: {made.text[:500]}"
    flow_id = made.json()["flowId"]
    started = await client.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    if started.status_code != 200:
        return f"does not start: {started.text[:500]}"
    try:
        async with asyncio.timeout(WITHIN):
            return await _result(client, passed, failed)
    except TimeoutError:
        return f"has no result within {WITHIN:g} s: {await _steps(client, flow_id)}"
    finally:
        await client.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})


async def _store(client: httpx.AsyncClient, name: str) -> str:
    return str((await client.post("/stores", json={"name": name})).json()["storeId"])


async def _unknown(client: httpx.AsyncClient, types: set[str]) -> set[str]:
    missing = set()
    for each in types:
        found = await client.get("/components", params={"selector": each, "private": "yes"})
        if found.status_code != 200 or not found.json():
            missing.add(each)
    return missing


async def _result(client: httpx.AsyncClient, passed: str, failed: str) -> str:
    while True:
        for store_id, is_success in ((passed, True), (failed, False)):
            records = (await client.get(f"/store/{store_id}")).json()
            if records:
                return "success" if is_success else f"failed: {json.dumps(records)[:1000]}"
        await asyncio.sleep(0.2)


async def _steps(client: httpx.AsyncClient, flow_id: str) -> str:
    runs = (await client.get("/runs", params={"flowId": flow_id})).json()
    shown = ("state", "stepCount", "failedCount", "error")
    return json.dumps([{name: run.get(name) for name in shown} for run in runs])


def flows_in(folder: Path, only: list[str]) -> dict[str, str]:
    """The test flows below a folder whose path names one of `only`."""
    files = [each for each in sorted(folder.rglob("test-flow*.json")) if "node_modules" not in each.parts]
    return {str(each.relative_to(folder)): each.read_text() for each in files if set(only) & set(each.parts)}


async def played(flows: dict[str, str]) -> AsyncIterator[tuple[str, str]]:
    """Every flow with what became of it."""
    with tempfile.TemporaryDirectory(prefix="headrace-flows-") as work:
        async with open_people(Path(work)) as people:
            for name, text in flows.items():
                yield name, await play(people.ann, name, text)


def main() -> None:
    """Play them and say what became of each."""
    given = argparse.ArgumentParser(prog="python -m tests.connectors.public.flows")
    given.add_argument("folder", type=Path)
    given.add_argument("--only", nargs="*", default=["utils"])
    arguments = given.parse_args()
    asyncio.run(_report(flows_in(arguments.folder, arguments.only)))


async def _report(flows: dict[str, str]) -> None:
    results: list[str] = []
    async for name, became in played(flows):
        results.append(became)
        print(f"{name}: {became}")
    print(f"{results.count('success')} of {len(results)} end with success")


if __name__ == "__main__":
    main()
