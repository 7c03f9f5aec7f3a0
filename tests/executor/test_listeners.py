"""Nodes hear of events of their service's plugin, and a plugin fires nodes of its own service, and no others."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import NotFound
from headrace_core.ids import derive_id
from headrace_executor.hearing import Trigger
from headrace_executor.model import RunState
from headrace_executor.plugins import WebRequest
from headrace_executor.ports import PluginPlace, PublishedComponent, ServicePlugins
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.store import RunFilter
from headrace_sdk.errors import ComponentError

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import TENANT, HandedFlows, Platform, Rooms, platform, webhook
from .published import Shelf
from .test_runners import QUICK

FOLDER, SERVICE = "acme/own", "acme.own"
HEAR = """
    module.exports = {
        start: (context) => context.addListener(context.properties.event, { mine: context.componentId, says: 'hi' }),
        stop: (context) => context.removeListener(context.properties.event),
        async receive(context) {
            const { data, method } = context.messages.webhook.content;
            if (data.calls) {
                const answers = [];
                for (const call of data.calls) {
                    answers.push(await context.callAppmixer(call).catch((error) => `${error.name}: ${error.message}`));
                }
                answers.push(await context.execOnWorker((a, b) => a + b, [1, 2]));
                return context.sendJson({ heard: answers }, 'out');
            }
            await context.sendJson({ heard: data, method }, 'out');
            await context.response({ thanks: data });
        }
    };
    """
PLUGIN = """
    module.exports = (context) => {
        context.onListenerAdded(async (listener) => {
            if (listener.eventName === 'secret') {
                throw new context.CancelError(`${listener.componentId} may not hear of it.`);
            }
            if (listener.eventName === 'narrow') {
                listener.params = { seen: [listener.params.mine, listener.flowId] };
            }
        });
        const add = (path, handler) =>
            context.http.router.register({ method: 'POST', path, options: { auth: false, handler } });
        add('/say/{event}', async ({ params, payload }) => {
            const filter = (listener) => !payload.only || listener.flowId === payload.only;
            await context.triggerListeners({ eventName: params.event, payload, filter });
            return {};
        });
        add('/tell/{what}', async ({ params, payload, query, auth }, h) => {
            const n = await context.service.stateInc('told');
            await context.service.stateAddToSet('all', params.what);
            await context.service.stateAddToSet('all', 'x');
            await context.service.stateRemoveFromSet('all', 'x');
            const all = await context.service.stateGet('all');
            const user = (await context.http.auth.getUser({ auth })).getId();
            const status = params.what === 'no' ? 409 : 200;
            return h.response({ ...params, payload, query, user, n, all, message: 'no' }).code(status);
        });
        add('/fire/{flow}/{node}', ({ params: { flow, node }, payload, query }) =>
            context.triggerComponent(flow, node, payload, query, { method: 'PUT', hostname: 'far', headers: {} }));
    };
    """


class World:
    """An executor with one published service, called as the gateway calls it."""

    def __init__(self, here: Platform) -> None:
        self.here = here

    async def ask(self, path: str, payload: Any = None, **query: Any) -> Any:
        headers = {"content-type": "application/json"}
        asked = WebRequest("POST", path, headers, query, json.dumps(payload or {}).encode())
        answer = await self.here.app.plugins.call(SERVICE, "", asked, QUICK.start_within)
        assert answer.status == 200, answer.body
        return json.loads(answer.body)

    async def heard(self, flow_id: str) -> list[Any]:
        """What the node of a flow passed on, once its runs are over."""
        runs, _ = await self.here.service.list_runs(RunFilter(TENANT, flow_id), 0, 50)
        found = [await self.here.rest(run.run_id) for run in runs]
        steps = [step for detail in found for step in detail.steps if step.port == "webhook"]
        return [content["heard"] for step in steps for _, _, content in step.outputs]

    async def start(self, flow_id: str) -> None:
        await self.here.app.activation.activate(flow_id, 1, f"{flow_id}-on")

    async def stop(self, flow_id: str) -> None:
        await self.here.app.activation.deactivate(flow_id, 1, f"{flow_id}-on")

    async def listeners(self, event: str) -> list[tuple[str, Any]]:
        found = await self.here.app.listening.of(SERVICE, event)
        return [(each.flow_id, each.params) for each in found]


class Published:
    """Keeps `ports.Catalog` for one service."""

    def __init__(self, bundle_id: str) -> None:
        self.bundle_id = bundle_id

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        raise NotFound("component", component_type)

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        if service != SERVICE:
            raise NotFound("plugin", service)
        return ServicePlugins(service, self.bundle_id, [PluginPlace(FOLDER, "javascript")], {})


@asynccontextmanager
async def world(folder: Path, **events: str) -> AsyncIterator[World]:
    """Each flow listens to an event with its node `own`."""
    shelf, flows = Shelf(), HandedFlows()
    hear = shelf.publish_javascript(HEAR, files={f"{FOLDER}/plugin.js": PLUGIN}, trigger=True, webhook=True, inPorts=[])
    for flow_id, event in events.items():
        own = {"type": hear.type, "source": {}, "config": {"properties": {"event": event}}}
        flows.put(flow_id, {"own": own, "hook": webhook()}, components=[hear])
    rooms = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore())
    catalog = Published(hear.bundle_id)
    async with platform(folder, flows, shelf=shelf, runners=QUICK, rooms=rooms, catalog=catalog) as here:
        yield World(here)


async def test_nodes_hear_of_events_while_their_flow_runs(tmp_path: Path) -> None:
    async with world(tmp_path, f1="news", f2="news", f3="other") as here:
        for flow_id in ("f1", "f2", "f3"):
            await here.start(flow_id)
        await here.ask("/say/news", {"n": 1})
        await here.ask("/say/news", {"n": 2, "only": "f2"})
        await here.ask("/say/nobody", {"n": 3})
        await here.stop("f1")
        await here.ask("/say/news", {"n": 4})

        assert await here.listeners("news") == [("f2", {"mine": "own", "says": "hi"})]
        assert await here.heard("f1") == [{"n": 1}]
        assert sorted(each["n"] for each in await here.heard("f2")) == [1, 2, 4]
        assert await here.heard("f3") == []


async def test_a_plugin_says_what_is_kept_of_a_listener_and_refuses_some(tmp_path: Path) -> None:
    async with world(tmp_path, f1="narrow", f2="secret") as here:
        await here.start("f1")
        with pytest.raises(Exception, match="own may not hear of it"):
            await here.start("f2")

        assert await here.listeners("narrow") == [("f1", {"seen": ["own", "f1"]})]
        assert await here.listeners("secret") == []


async def test_a_listener_whose_node_is_gone_is_forgotten(tmp_path: Path) -> None:
    async with world(tmp_path, f1="news", f2="news") as here:
        await here.start("f1")
        await here.start("f2")
        del here.here.flows.sources["f1"]
        here.here.app.plans.forget("f1")
        await here.ask("/say/news", {"n": 1})

        assert [flow_id for flow_id, _ in await here.listeners("news")] == ["f2"]
        assert await here.heard("f2") == [{"n": 1}]


async def test_a_plugin_fires_nodes_of_its_own_service(tmp_path: Path) -> None:
    async with world(tmp_path, f1="news") as here:
        answered = await here.ask("/fire/f1/own", {"n": 1}, correlationId="c-1")
        accepted = await here.ask("/fire/f1/own", {"n": 2}, enqueueOnly="true")
        with pytest.raises(ComponentError, match="fires its own components only"):
            await _fire(here, "f1", "hook")
        with pytest.raises(ComponentError, match="running node"):
            await _fire(here, "f1", "nowhere")

        assert (answered["statusCode"], answered["body"]) == (200, {"thanks": {"n": 1}})
        assert accepted["statusCode"] == 202
        [first] = [
            run
            for run in (await here.here.service.list_runs(RunFilter(TENANT, "f1"), 0, 50))[0]
            if run.correlation_id == "c-1"
        ]
        assert (await here.here.rest(first.run_id)).run.state is RunState.DONE


async def test_components_reach_their_own_plugin_and_stores_by_the_api_and_little_more(tmp_path: Path) -> None:
    async with world(tmp_path, f1="news") as here:
        post = {"method": "POST"}
        plugin, store = "/plugins/acme/own", derive_id("store", "mine")[:24]
        await here.ask(
            "/fire/f1/own",
            {
                "calls": [
                    {**post, "endPoint": f"{plugin}/tell/a%2Fb?x=1", "qs": {"y": "2"}, "body": {"n": 1}},
                    {**post, "endPoint": f"{plugin}/tell/no"},
                    {**post, "endPoint": "/stores", "body": {"name": "mine"}},
                    {**post, "endPoint": "/stores", "body": {"name": "mine"}},
                    {**post, "endPoint": f"/store/{store}/a", "body": [1]},
                    {"endPoint": f"/store/{store}/a"},
                    {"endPoint": f"/store/{store}/b"},
                    {"method": "DELETE", "endPoint": f"/stores/{store}"},
                    {"endPoint": "/stores"},
                    {"endPoint": "/flows/f1"},
                    {"endPoint": "/flows/other"},
                    {"endPoint": "/plugins/acme/own/../../users"},
                    {"endPoint": "/plugins/acme/others/x"},
                    {"endPoint": "/users"},
                    {"domain": "x"},
                ]
            },
            enqueueOnly="true",
        )
        [answers] = await here.heard("f1")

    told, refused, made, taken, kept, read, absent, deleted, left, flow, other, outside, *unreached, sum_ = answers
    assert told == {
        "what": "a/b", "payload": {"n": 1}, "query": {"x": "1", "y": "2"}, "user": TENANT, "n": 1, "all": ["a/b"],
        "message": "no",
    }  # fmt: skip
    assert refused == "HttpStatusError: no"
    assert made["name"] == "mine" and taken == "HttpStatusError: There is a store mine."
    assert (kept["value"], read["value"]) == ([1], [1])
    assert absent.startswith("HttpStatusError: ") and other.startswith("HttpStatusError: ")
    assert (flow["flowId"], flow["stage"], sorted(flow["flow"])) == ("f1", "running", ["hook", "own"])
    assert [each.partition(":")[0] for each in unreached] == ["CancelError"] * 3, unreached
    assert (deleted, left, sum_) == ({}, [], 3)
    assert outside == "HttpStatusError: There is no GET /../../users in acme/own."


async def _fire(here: World, flow_id: str, node_id: str) -> None:
    """What the plugin itself is told; whoever calls its route hears only that it failed."""
    context = PluginContext(here.here.app.doors, "plugin:acme.own", SERVICE)
    await context.trigger(Trigger(flow_id, node_id, {}, "", "", False))


SIGNALS = """
    module.exports = {
        async receive(context) {
            if (context.messages.in.content.n) {
                await context.sendSignal({ told: context.messages.in.content.n });
            }
            await context.sendJson({ sent: true }, 'out');
        },
        async signal(context) {
            await context.sendJson({ heard: context.signal.content, messages: Object.keys(context.messages) }, 'out');
        }
    };
    """


async def test_nodes_of_a_flow_hear_signals_once_each(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    speak = shelf.publish_javascript(SIGNALS)
    variable = {"n": {"v": {"variable": "$.hook.request.data.n", "functions": []}}}
    filled = {"type": "json2new", "lambda": {"n": "{{{v}}}"}, "modifiers": variable}
    first, second = (
        {
            "type": speak.type,
            "source": {"in": {source: [port]}},
            "config": {"transform": {"in": {source: {port: filled if source == "hook" else {"type": "json2new"}}}}},
        }
        for source, port in (("hook", "request"), ("first", "out"))
    )
    flows.put("f1", {"hook": webhook(), "first": first, "second": second}, components=[speak])
    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST", "data": {"n": 7}})
        await here.rest(run_id)
        runs, _ = await here.service.list_runs(RunFilter(TENANT, "f1"), 0, 50)
        found = [await here.rest(run.run_id) for run in runs if run.port == "signal"]

    heard = sorted(
        (step.node_id, json.dumps(content))
        for detail in found
        for step in detail.steps
        for _, _, content in step.outputs
        if step.port == "signal"
    )
    said = json.dumps({"heard": {"told": 7}, "messages": []})
    assert heard == [("first", said), ("second", said)]
