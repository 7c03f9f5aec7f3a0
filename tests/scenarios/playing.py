"""Carries out the commands of a transcript and says what came of them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx

from tests.scenarios.stage import Stage
from tests.scenarios.transcript import Entry, descriptor

SPANS = {"s": "seconds", "m": "minutes", "h": "hours"}
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|\+00:00)"), "<time>"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"), "<id>"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://far"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<id>"),
)
SHOWN = 90
VOLATILE = ("correlationId", "elapsed")


class Player:
    """One transcript on one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._runs: dict[str, str] = {}
        self._nodes: dict[str, list[str]] = {}
        self._told: set[tuple[str, ...]] = set()

    async def play(self, entry: Entry) -> list[str]:
        """The lines that a command prints."""
        verb, _, rest = entry.command.partition(" ")
        match verb:
            case "":
                return []
            case "flow":
                return await self._save(rest, entry.block)
            case "start" | "stop":
                path = f"/flows/{self._stage.flows[rest]}/coordinator"
                return _refusals(await self._stage.call("POST", path, json={"command": verb}))
            case "send":
                return [await self._send(rest)]
            case "far":
                self._stage.far.statuses = [int(status) for status in rest.split()]
                return []
            case "calls":
                keys = self._stage.far.keys
                return [f"{len(keys)} calls, {len(set(keys))} keys"]
            case "after":
                self._stage.clock.leap(timedelta(**{SPANS[rest[-1]]: int(rest[:-1])}))
                return []
            case "runs":
                return [line async for run in self._told_runs() for line in self._news(run)]
            case "unprocessed":
                return await self._unprocessed()
            case "retry":
                for message in (await self._stage.call("GET", "/unprocessed-messages")).json():
                    await self._stage.call("POST", f"/unprocessed-messages/{message['messageId']}")
                return []
            case "stages":
                return [f"{name} {await self._stage_of(flow_id)}" for name, flow_id in self._stage.flows.items()]
            case "logs":
                return await self._logs(self._stage.flows[rest])
        raise AssertionError(f"There is no command {verb}.")

    async def _save(self, name: str, block: list[str]) -> list[str]:
        text = json.dumps(descriptor(block)).replace("http://far/", f"http://127.0.0.1:{self._stage.far.port}/")
        for other, flow_id in self._stage.flows.items():
            text = text.replace(f"flow:{other}", flow_id)
        record = {"name": name, "flow": json.loads(text)}
        if name in self._stage.flows:
            path, force = f"/flows/{self._stage.flows[name]}", {"forceUpdate": "true"}
            answer = await self._stage.call("PUT", path, json=record, params=force)
        else:
            answer = await self._stage.call("POST", "/flows", json=record)
        if answer.status_code == 200:
            self._stage.flows[name] = answer.json()["flowId"]
            self._nodes[self._stage.flows[name]] = list(record["flow"])
        return _refusals(answer)

    async def _send(self, rest: str) -> str:
        target, _, given = rest.partition(" ")
        body, _, key = given.partition(" as ")
        name, _, node = target.partition(".")
        headers = {"Content-Type": "application/json", **({"Idempotency-Key": key} if key else {})}
        path = f"/flows/{self._stage.flows[name]}/components/{node}"
        answer = await self._stage.stranger.post(path, content=body, headers=headers)
        if answer.status_code >= 400:
            return f"{answer.status_code} {answer.json()['code']}: {_masked(answer.json()['message'])}"
        run = self._run(answer.headers["x-headrace-run-id"])
        words = answer.text if answer.headers.get("content-type", "").startswith("text") else ""
        return f"{answer.status_code} {run} {words}".rstrip()

    def _news(self, told: list[str]) -> list[str]:
        """A run as it is now, or nothing when that has been told."""
        if tuple(told) in self._told:
            return []
        self._told.add(tuple(told))
        return told

    async def _told_runs(self) -> AsyncIterator[list[str]]:
        names = {flow_id: name for name, flow_id in self._stage.flows.items()}
        for listed in await self._stage.settled():
            run = (await self._stage.call("GET", f"/runs/{listed['runId']}")).json()
            if run["triggerPort"].startswith("@"):
                continue
            version = f" of version {run['flowVersion']}" if run["flowVersion"] > 1 else ""
            error = f", {_masked(run['error'])}" if run["error"] else ""
            said = [f"{self._run(run['runId'])} {names[run['flowId']]}{version}: {run['state']}{error}"]
            order = self._nodes[run["flowId"]]
            steps = sorted(_step(step) for step in run["steps"])
            steps.sort(key=lambda line: order.index(line.split()[0]) if line.split()[0] in order else len(order))
            waits = sorted(f"{wait['componentId']} waits, {wait['kind']}: {wait['reason']}" for wait in run["waits"])
            yield [*said, *(f"  {_masked(line)}" for line in [*steps, *waits])]

    async def _unprocessed(self) -> list[str]:
        await self._stage.settled()
        messages = (await self._stage.call("GET", "/unprocessed-messages")).json()
        return sorted(
            f"{message['componentId']} of {self._run(message['runId'])}, attempts {message['attempts']}: "
            + _masked(f"{message['err']['code']}: {message['err']['message']}")
            for message in messages
        )

    async def _stage_of(self, flow_id: str) -> str:
        return str((await self._stage.call("GET", f"/flows/{flow_id}")).json()["stage"])

    async def _logs(self, flow_id: str) -> list[str]:
        async with asyncio.timeout(20):
            while True:
                hits = (await self._stage.call("GET", "/logs", params={"flowId": flow_id})).json()["hits"]
                errors = [hit for hit in hits if hit["severity"] == "error"]
                if errors:
                    return sorted(_masked(f"{hit['componentId']}: {hit['msg']}") for hit in errors)
                await asyncio.sleep(0.1)

    def _run(self, run_id: str) -> str:
        return self._runs.setdefault(run_id, f"r{len(self._runs) + 1}")


def _step(step: dict[str, Any]) -> str:
    outputs = [f"{each['port']} {_content(each)}" for each in step["outputs"][:5]]
    more = [f"… {len(step['outputs'])} in all"] if len(step["outputs"]) > 5 else []
    attempts = f" at attempt {step['attempts']}" if step["attempts"] > 1 else ""
    outcome = step["outcome"] + attempts + (f": {step['error']}" if step["error"] else "")
    return f"{step['componentId']} {step['port']} {outcome}" + "".join(f" -> {each}" for each in [*outputs, *more])


def _content(output: dict[str, Any]) -> str:
    content = output["content"]
    if isinstance(content, dict):
        if {"method", "headers"} <= content.keys():
            content = content["data"]
        elif "statusCode" in content:
            content = {"statusCode": content["statusCode"]}
        else:
            content = {name: value for name, value in content.items() if name not in VOLATILE}
    return _cut(_masked(json.dumps(content, ensure_ascii=False)))


def _refusals(answer: httpx.Response) -> list[str]:
    if answer.status_code == 200:
        return []
    said = answer.json()
    return [f"{answer.status_code} {said['code']}", *map(_problem, said.get("problems", []))]


def _problem(problem: dict[str, str]) -> str:
    places = [f"{name} {problem[name]}" for name in ("node", "port", "field") if problem.get(name)]
    return f"  {', '.join(places)}: {_masked(problem['message'])} {problem.get('fix', '')}".rstrip()


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _masked(text: str) -> str:
    for pattern, name in MASKS:
        text = pattern.sub(name, text)
    return text
