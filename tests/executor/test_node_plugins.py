"""Plugins in JavaScript: their routes answer as in hapi, their jobs run, and both may ask the platform."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import DeadlineExceeded
from headrace_executor.plugins import RouteAnswer, WebRequest
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.pool import Key
from headrace_executor.settings import RunnerSettings
from headrace_sdk.errors import CancelError, LockUnavailable

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import HandedFlows, Platform, Rooms, platform
from .published import Shelf
from .test_runners import QUICK

FOLDER = "acme/mail"
PLUGIN = """
    'use strict';
    module.exports = async (context) => {
        const lock = await context.lock('init', { maxRetryCount: 0 });
        await context.service.stateSet('starts', (await context.service.stateGet('starts') ?? 0) + 1);
        await lock.unlock();
        require('./routes')(context);
        require('./jobs')(context);
        context.log('info', '[mail] ready', { version: 1 });
    };
    """
ROUTES = """
    'use strict';
    const schema = {
        validate: (value) => {
            const isFine = Boolean(value && value.name);
            return isFine ? { value: { ...value, checked: true } } : { error: new Error('"name" is required') };
        }
    };
    module.exports = (context) => {
        const { HttpError, router, auth } = context.http;
        const add = (method, path, handler, options = { auth: false }) =>
            router.register({ method, path, options: { ...options, handler } });
        add('GET', '/people/{id}', async (req, h) => {
            const { params: { id }, query, info: { hostname: host } } = req;
            const user = (await auth.getUser(req)).getEmail();
            const starts = await context.service.stateGet('starts');
            const own = router.getPluginEndpoint('/people');
            return h.response({ id, query, user, host, starts, own }).code(201).header('X-Mine', 'yes');
        }, {});
        add('GET', '/people/all', () => ['a', 'b']);
        add('POST', '/people', async (req) => ({ ...req.payload, who: (await auth.getUser(req)).getId() }), {
            auth: { strategies: ['jwt-strategy', 'public'] }, validate: { payload: schema }
        });
        add('POST', '/raw', (req) => ({ size: req.payload.length }), { auth: false, payload: { parse: false } });
        add('DELETE', '/people/{id}', (req) => { throw HttpError.notFound(`${req.params.id} ${req.pre.state}`); }, {
            auth: false, pre: [{ method: () => 'ready', assign: 'state' }]
        });
        add('*', '/files/{path*}', (req) => req.params.path);
        add('GET', '/broken', () => { throw new Error('broken'); });
        add('GET', '/endless', () => new Promise(() => {}));
        add('GET', '/store', async () => {
            const { storeId } = await context.store.createStore('people');
            await context.store.set(storeId, 'ada', 36);
            return context.store.get(storeId, 'ada').then(({ value }) => ({ value }));
        });
        add('GET', '/absent', () => context.db.collection('a'));
    };
    """
JOBS = """
    'use strict';
    module.exports = (context) => {
        context.scheduleJob('clean-up', '0 3 * * *', async () => {
            const lock = await context.job.lock('clean-up');
            await context.service.stateSet('cleaned', true);
            context.log('warn', 'cleaned');
            await lock.unlock();
        });
        context.scheduleJob('fails', '* * * * *', async () => { throw new context.CancelError('No job.'); });
    };
    """


class Plugin:
    """One plugin in a running executor."""

    def __init__(self, here: Platform, key: Key) -> None:
        self.here = here
        self.key = key

    @property
    def context(self) -> PluginContext:
        return PluginContext(self.here.app.doors, "t", "acme.mail")

    async def ask(self, method: str, path: str, **more: Any) -> RouteAnswer:
        answer, _ = await self.here.app.runners.call_route(
            self.key, FOLDER, WebRequest(method, path, **more), self.context
        )
        return answer

    async def state(self) -> Any:
        return await self.here.store.read_state("t/service/acme.mail")


@asynccontextmanager
async def plugin(folder: Path, settings: RunnerSettings = QUICK, **files: str) -> AsyncIterator[Plugin]:
    shelf = Shelf()
    written = {"plugin": PLUGIN, "routes": ROUTES, "jobs": JOBS, **files}
    bundle_id = shelf.put({f"{FOLDER}/{name}.js": text for name, text in written.items()})
    rooms = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore())
    async with platform(folder, HandedFlows(), shelf=shelf, runners=settings, rooms=rooms) as here:
        yield Plugin(here, Key("t", bundle_id, language="javascript"))


async def test_a_plugin_is_described_by_what_it_registers(tmp_path: Path) -> None:
    async with plugin(tmp_path) as mail:
        described = await mail.here.app.runners.describe_folder(mail.key, FOLDER, mail.context)
        without = await mail.here.app.runners.describe_folder(mail.key, FOLDER)

    assert described.plugin is not None
    assert described.plugin["jobs"] == [{"id": "clean-up", "cron": "0 3 * * *"}, {"id": "fails", "cron": "* * * * *"}]
    routes = {(each["method"], each["path"]): each["auth"] for each in described.plugin["routes"]}
    assert routes["GET", "/people/{id}"] == "default"
    assert routes["GET", "/people/all"] is False
    assert routes["POST", "/people"] == {"strategies": ["jwt-strategy", "public"]}
    assert without.plugin is None


async def test_routes_answer_as_their_handlers_say(tmp_path: Path) -> None:
    ann = {"id": "u1", "email": "ann@example.com"}
    async with plugin(tmp_path) as mail:
        one = await mail.ask("GET", "/people/a%20b", query={"q": "1"}, user=ann, hostname="here")
        fixed = await mail.ask("GET", "/people/all")
        made = await mail.ask("POST", "/people", body=b'{"name": "Eve"}', headers={"Content-Type": "application/json"})
        raw = await mail.ask("POST", "/raw", body=bytes(300))
        path = await mail.ask("PUT", "/files/a/b.txt")
        store = await mail.ask("GET", "/store")
        await mail.ask("GET", "/people/all")
        assert await mail.state() == {"starts": 1}, "it is started once"

    assert (one.status, one.headers["x-mine"]) == (201, "yes")
    assert one.headers["content-type"].startswith("application/json")
    assert json.loads(one.body) == {
        "id": "a b", "query": {"q": "1"}, "user": "ann@example.com", "host": "here", "starts": 1,
        "own": "/plugins/acme/mail/people",
    }  # fmt: skip
    assert json.loads(fixed.body) == ["a", "b"]
    assert json.loads(made.body) == {"name": "Eve", "checked": True, "who": "public"}
    assert json.loads(raw.body) == {"size": 300}
    assert (path.body, path.headers["content-type"]) == (b"a/b.txt", "text/html; charset=utf-8")
    assert json.loads(store.body) == {"value": 36}


async def test_what_a_route_refuses_has_its_status(tmp_path: Path) -> None:
    async with plugin(tmp_path) as mail:
        answers = [
            await mail.ask("GET", "/people/1"),
            await mail.ask("POST", "/people", body=b"{}"),
            await mail.ask("DELETE", "/people/1"),
            await mail.ask("GET", "/nowhere"),
            await mail.ask("PATCH", "/people"),
        ]
        with pytest.raises(Exception, match="broken"):
            await mail.ask("GET", "/broken")
        with pytest.raises(CancelError, match=r"context\.db"):
            await mail.ask("GET", "/absent")

    assert [each.status for each in answers] == [401, 400, 404, 404, 404]
    assert json.loads(answers[1].body)["message"] == 'The payload is refused: "name" is required'
    assert json.loads(answers[2].body)["message"] == "1 ready"


async def test_jobs_run_under_a_lock_and_say_what_they_did(tmp_path: Path) -> None:
    async with plugin(tmp_path) as mail:
        runners, within = mail.here.app.runners, 30.0
        logs = await runners.run_job(mail.key, FOLDER, "clean-up", mail.context, within)
        with pytest.raises(CancelError, match="No job"):
            await runners.run_job(mail.key, FOLDER, "fails", mail.context, within)
        with pytest.raises(CancelError, match="no job other"):
            await runners.run_job(mail.key, FOLDER, "other", mail.context, within)
        held = await mail.here.timers.acquire_lock("t/acme.mail/clean-up", "somebody", timedelta(hours=1))
        with pytest.raises(LockUnavailable):
            await runners.run_job(mail.key, FOLDER, "clean-up", mail.context, within)

        assert held.acquired
        assert (await mail.state())["cleaned"] is True
    assert ("warning", "cleaned") in logs
    assert ("info", {"message": "[mail] ready", "data": {"version": 1}}) in logs


async def test_a_plugin_that_cannot_start_is_named_and_tried_again(tmp_path: Path) -> None:
    broken = """
        let tries = 0;
        module.exports = async (context) => {
            tries += 1;
            if (tries === 1) {
                throw new Error('not yet');
            }
            context.http.router.register({ method: 'GET', path: '/a', options: { auth: false, handler: () => 'a' } });
        };
        """
    async with plugin(tmp_path, plugin=broken) as mail:
        described = await mail.here.app.runners.describe_folder(mail.key, FOLDER, mail.context)
        answer = await mail.ask("GET", "/a")

    assert described.failures["plugin.js"].message == "not yet"
    assert answer.body == b"a"


async def test_a_route_that_never_answers_is_given_up(tmp_path: Path) -> None:
    patient = replace(QUICK, cancel_within=timedelta(seconds=30))
    async with plugin(tmp_path, patient) as mail:
        await mail.ask("GET", "/people/all")
        before = dict(mail.here.app.runners.pids)
        with pytest.raises((TimeoutError, DeadlineExceeded)):
            async with asyncio.timeout(0.5):
                await mail.ask("GET", "/endless")
        assert (await mail.ask("GET", "/people/all")).status == 200
        await asyncio.sleep(0.3)  # the time that is given to let go
        assert mail.here.app.runners.pids == before
