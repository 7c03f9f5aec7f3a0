"""A plugin in Python has what one in JavaScript has: events, jobs, collections, and nodes that hear and are fired."""

from __future__ import annotations

import asyncio
import json
import logging
import textwrap
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import Internal, NotFound
from headrace_executor.plugins import WebRequest
from headrace_executor.ports import PluginPlace, PublishedComponent, ServicePlugins
from headrace_executor.store import RunFilter
from headrace_executor.timing import Fire

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import TENANT, HandedFlows, Platform, Rooms, platform, webhook
from .published import Shelf
from .test_runners import QUICK

FOLDER, SERVICE = "acme/own", "acme.own"
HEAR = """
    from headrace_sdk import Component, Context

    class Own(Component):
        answers_caller = True

        async def start(self, context: Context) -> None:
            await context.listen(context.properties["event"], {"mine": context.node_id})

        async def stop(self, context: Context) -> None:
            await context.unlisten(context.properties["event"])

        async def receive(self, context: Context) -> None:
            data = context.content["data"]
            if "ask" in data:
                data = await context.call_api("POST", "/plugins/acme/own/people", body={"name": "Eve", "mail": "e"})
            await context.send_json({"heard": data})
            await context.response({"thanks": data})
    """
ROUTES = """
    from headrace_sdk import CancelError, Context
    from headrace_sdk.collections import DuplicateKey
    from headrace_sdk.plugins import accepts_listeners, job
    from headrace_sdk.routes import Reply, route

    @accepts_listeners
    async def accept(listener, context):
        if listener.event == "secret":
            raise CancelError(f"{listener.node_id} may not hear of it.")
        return {**listener.params, "flow": listener.flow_id}

    @job("count", "*/10 * * * * *")
    async def count(context):
        await context.collection("counts").update_one({"_id": "all"}, {"$inc": {"n": 1}}, upsert=True)
        context.log("counted")

    @route("POST", "/say/{event}", public=True)
    async def say(request):
        told = request.json()
        only = told.get("only")
        heard = await request.context.trigger_listeners(
            request.params["event"], told, lambda each: only in (None, each.flow_id)
        )
        return {"heard": heard}

    @route("POST", "/fire/{flow}/{node}", public=True)
    async def fire(request):
        waits = "enqueueOnly" not in request.query
        flow, node = request.params["flow"], request.params["node"]
        answer = await request.context.trigger(flow, node, request.json(), waits=waits)
        return {"status": answer.status, "body": answer.body}

    @route("POST", "/people")
    async def people(request):
        found = request.context.collection("people")
        await found.create_index({"mail": 1}, unique=True)
        await found.insert_one({"_id": request.json()["name"], **request.json()})
        return {"user": request.user["id"], "count": await found.count()}

    @route("POST", "/counts", public=True)
    async def counts(request):
        context = request.context
        try:
            await context.collection("people").insert_one({"mail": "e"})
        except DuplicateKey as error:
            context.log(str(error))
            return await context.collection("counts").aggregate([{"$project": {"_id": 0, "n": {"$add": ["$n", 1]}}}])
        raise RuntimeError("It should have been there already.")
    """


class Published:
    """Keeps `ports.Catalog` for one service."""

    def __init__(self, bundle_id: str) -> None:
        self.bundle_id = bundle_id

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        raise NotFound("component", component_type)

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        if service != SERVICE:
            raise NotFound("plugin", service)
        return ServicePlugins(service, self.bundle_id, [PluginPlace(FOLDER, "python")], {})


async def ask(here: Platform, path: str, payload: Any = None, user: str = "", **query: Any) -> Any:
    asked = WebRequest("POST", path, {}, query, json.dumps(payload or {}).encode(), {"id": user} if user else None)
    answer = await here.app.plugins.call(SERVICE, "", asked, QUICK.start_within)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


async def heard(here: Platform, flow_id: str) -> list[Any]:
    runs, _ = await here.service.list_runs(RunFilter(TENANT, flow_id), 0, 50)
    details = [await here.rest(run.run_id) for run in runs]
    steps = [step for detail in details for step in detail.steps if step.port == "webhook"]
    return [content["heard"] for step in steps for _, _, content in step.outputs]


async def test_a_plugin_in_python_has_events_jobs_and_collections(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shelf, flows = Shelf(), HandedFlows()
    root = "acme/own/core/Own"
    files = {f"{root}/component.py": textwrap.dedent(HEAR), f"{FOLDER}/routes.py": textwrap.dedent(ROUTES)}
    manifest: dict[str, Any] = {
        "name": "acme.own.core.Own", "trigger": True, "webhook": True, "inPorts": [], "outPorts": [{"name": "out"}],
    }  # fmt: skip
    own = PublishedComponent("acme.own.core.Own", manifest, shelf.put(files), root, "python")
    for flow_id, event in {"f1": "news", "f2": "news", "f3": "secret"}.items():
        node = {"type": own.type, "source": {}, "config": {"properties": {"event": event}}}
        flows.put(flow_id, {"own": node, "hook": webhook()}, components=[own])
    rooms, catalog = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore()), Published(own.bundle_id)
    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, rooms=rooms, catalog=catalog) as here:
        for flow_id in ("f1", "f2"):
            await here.app.activation.activate(flow_id, 1, f"{flow_id}-on")
        listening = await here.app.listening.of(SERVICE, "news")
        with pytest.raises(Exception, match="own may not hear of it"):
            await here.app.activation.activate("f3", 1, "f3-on")

        assert await ask(here, "/say/news", {"n": 1}) == {"heard": 2}
        assert await ask(here, "/say/news", {"n": 2, "only": "f2"}) == {"heard": 1}
        assert await heard(here, "f1") == [{"n": 1}]
        assert sorted(each["n"] for each in await heard(here, "f2")) == [1, 2]
        assert await ask(here, "/fire/f1/own", {"n": 3}) == {"status": 200, "body": {"thanks": {"n": 3}}}
        assert (await ask(here, "/fire/f1/own", {"n": 4}, enqueueOnly="1"))["status"] == 202
        with pytest.raises(Internal):
            await ask(here, "/fire/f1/hook", {"n": 5})
        answer = await ask(here, "/fire/f2/own", {"ask": True})
        assert answer["body"] == {"thanks": {"user": TENANT, "count": 1}}
        await here.app.activation.deactivate("f1", 1, "f1-on")
        assert await ask(here, "/say/news", {"n": 6}) == {"heard": 1}

        await here.app.jobs.refresh(SERVICE)
        [timer] = rooms.timers.timers[f"plugin:{SERVICE}"]
        at = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
        due = Fire(f"plugin:{SERVICE}/{timer.node_id}", at, None, None, f"plugin:{SERVICE}", timer.node_id, "job")
        async with asyncio.timeout(30):
            while not (await here.app.timing.fire_timers([due]))[0].is_recorded:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)
        assert await ask(here, "/counts") == [{"n": 2}]

    assert [(each.flow_id, each.params) for each in listening] == [
        ("f1", {"mine": "own", "flow": "f1"}),
        ("f2", {"mine": "own", "flow": "f2"}),
    ]
    said = [record.getMessage() for record in caplog.records if record.name == "headrace_executor.plugins"]
    assert "plugin of acme.own: counted" in said
    assert "plugin of acme.own: people has two documents with the same mail." in said
