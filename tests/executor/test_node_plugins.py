"""Plugins in JavaScript: their routes answer as in hapi, their jobs run, and both may ask the platform."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import DeadlineExceeded, Internal, NotFound
from headrace_executor.plugins import Plugins, RouteAnswer, WebRequest
from headrace_executor.ports import PluginPlace, PublishedComponent, ServicePlugins
from headrace_executor.runners.hosting import PublishedPlugins
from headrace_executor.runners.plugins import PluginContext
from headrace_executor.runners.pool import Key
from headrace_executor.settings import RunnerSettings
from headrace_sdk.errors import CancelError, LockUnavailable

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import TENANT, HandedFlows, Platform, Rooms, platform
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
        add('GET', '/page', (req, h) => h.file(require('path').join(__dirname, 'page.html'), { confine: false }));
        add('GET', '/passwd', (req, h) => h.file('../../../../../../etc/passwd'));
        add('GET', '/broken', () => { throw new Error('broken'); });
        add('GET', '/endless', () => new Promise(() => {}));
        add('GET', '/store', async () => {
            const { storeId } = await context.store.createStore('people');
            await context.store.set(storeId, 'ada', 36);
            return context.store.get(storeId, 'ada').then(({ value }) => ({ value }));
        });
        add('GET', '/core', async () => {
            const flows = context.db.coreCollection('flows');
            const [on, off] = ['running', 'stopped'].map((stage) => ({ flowId: 'f1', stage }));
            const wanted = [on, off, { flowId: 'f2' }, { flowId: 'f3' }];
            const refused = (work) => Promise.resolve().then(work).catch(({ name }) => name);
            const legacy = context.db.coreCollection('legacy');
            const { createBase, addSelector } = context.db.queryBuilder;
            const base = createBase({ limit: '5', sort: 'c:-1', projection: '-b', filter: 'a:!x' });
            addSelector(base.selector, 'a', 1);
            return {
                flows: await Promise.all(wanted.map((each) => flows.findOne(each))),
                state: await context.db.coreCollection('serviceState').find({ key: /^st/ }).limit(5).toArray(),
                legacy: [await legacy.countDocuments({}), await refused(() => legacy.drop())],
                base
            };
        });
        add('GET', '/absent', () => context.db.coreCollection('accounts'));
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
        context.scheduleJob('fails', '* * * * *', async () => {
            context.log('info', 'about to fail');
            throw new context.CancelError('No job.');
        });
    };
    """


class Plugin:
    """One plugin in a running executor."""

    def __init__(self, here: Platform, key: Key) -> None:
        self.here = here
        self.key = key
        self.said: list[Any] = []

    @property
    def context(self) -> PluginContext:
        return PluginContext(self.here.app.doors, "t", "acme.mail", say=self.said.extend)

    async def ask(self, method: str, path: str, **more: Any) -> RouteAnswer:
        return await self.here.app.runners.call_route(self.key, FOLDER, WebRequest(method, path, **more), self.context)

    async def state(self) -> Any:
        return await self.here.store.read_state("t/service/acme.mail")


@asynccontextmanager
async def plugin(folder: Path, settings: RunnerSettings = QUICK, **files: str) -> AsyncIterator[Plugin]:
    shelf = Shelf()
    written = {"plugin": PLUGIN, "routes": ROUTES, "jobs": JOBS, **files}
    page = {f"{FOLDER}/page.html": "<p>Hi</p>"}
    bundle_id = shelf.put({f"{FOLDER}/{name}.js": text for name, text in written.items()} | page)
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
        with pytest.raises(CancelError, match="no files outside"):
            await mail.ask("GET", "/passwd")
        page = await mail.ask("GET", "/page")
        assert (page.headers["content-type"], page.body) == ("text/html; charset=utf-8", b"<p>Hi</p>")
        with pytest.raises(CancelError, match=r"context\.db\.coreCollection"):
            await mail.ask("GET", "/absent")
        own = {"own": {"type": "acme.mail.core.Send"}}
        mail.here.flows.put("f1", own)
        mail.here.flows.put("f2", {"other": {"type": "acme.other.core.Send"}})
        core = json.loads((await mail.ask("GET", "/core")).body)

    running = {"flowId": "f1", "name": "f1", "stage": "running", "userId": TENANT}
    assert core["flows"] == [running, None, None, None]
    assert core["state"] == [{"_id": "starts", "key": "starts", "value": 1}]
    assert core["legacy"] == [0, "Missing"]
    assert core["base"] == {
        "selector": {"a": {"$ne": "x"}, "$and": [{"a": 1}]}, "projection": {"b": 0}, "sort": {"c": -1}, "limit": 5,
        "offset": 0,
    }  # fmt: skip
    assert [each.status for each in answers] == [401, 400, 404, 404, 404]
    assert json.loads(answers[1].body)["message"] == 'The payload is refused: "name" is required'
    assert json.loads(answers[2].body)["message"] == "1 ready"


async def test_jobs_run_under_a_lock_and_say_what_they_did(tmp_path: Path) -> None:
    async with plugin(tmp_path) as mail:
        runners, within = mail.here.app.runners, 30.0
        await runners.run_job(mail.key, FOLDER, "clean-up", mail.context, within)
        with pytest.raises(CancelError, match="No job"):
            await runners.run_job(mail.key, FOLDER, "fails", mail.context, within)
        with pytest.raises(CancelError, match="no job other"):
            await runners.run_job(mail.key, FOLDER, "other", mail.context, within)
        held = await mail.here.timers.acquire_lock("t/acme.mail/clean-up", "somebody", timedelta(hours=1))
        with pytest.raises(LockUnavailable):
            await runners.run_job(mail.key, FOLDER, "clean-up", mail.context, within)

        assert held.acquired
        assert (await mail.state())["cleaned"] is True
    assert ("warning", "cleaned") in mail.said
    assert ("info", {"message": "[mail] ready", "data": {"version": 1}}) in mail.said
    assert ("info", "about to fail") in mail.said


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


COLLECTIONS = """
    module.exports = (context) => {
        const add = (path, handler) =>
            context.http.router.register({ method: 'POST', path, options: { auth: false, handler } });
        class Pet extends context.db.Model {
            static get collection() { return 'pets'; }
            static get idProperty() { return 'id'; }
            static get properties() { return ['id', 'kind', 'born', 'secret']; }
            static get protectedProperties() { return ['secret']; }
        }
        Pet.createSettersAndGetters();
        const numbers = context.db.collection('numbers');
        add('/query', async ({ payload: { filter, options } }) =>
            (await numbers.find(filter, { ...options, projection: { _id: 0, n: 1 } }).toArray()).map(({ n }) => n));
        add('/fill', async () => {
            const documents = [...Array(700).keys()].map((n) =>
                ({ _id: `d${n}`, n, even: n % 2 === 0, tags: [`t${n % 3}`] }));
            const { insertedCount } = await numbers.insertMany(documents);
            const again = await numbers.insertOne({ _id: 'd1' }).catch((error) => error.code);
            return { insertedCount, again, count: await numbers.countDocuments({ even: true }) };
        });
        add('/write', async () => {
            const set = await numbers.updateMany({ n: { $lt: 3 } }, { $set: { 'deep.er': 'x' }, $inc: { n: 1000 } });
            const made = await numbers.updateOne({ n: -1 }, { $setOnInsert: { fresh: true } }, { upsert: true });
            const after = await numbers.findOneAndUpdate(
                { _id: 'd5' }, { $addToSet: { tags: 'new' }, $unset: { even: '' } }, { returnDocument: 'after' });
            const bulk = await numbers.bulkWrite([
                { insertOne: { document: { n: 7000 } } },
                { updateOne: { filter: { n: 7000 }, update: { $set: { n: 7001 } } } },
                { deleteMany: { filter: { n: { $gte: 500, $lt: 700 } } } }
            ]);
            const { _id: { length: id } } = await numbers.findOne({ n: 7001 });
            const { fresh } = await numbers.findOne({ n: -1 });
            return { set, made: made.upsertedCount, fresh, after, bulk, id };
        });
        add('/count', async () => {
            await Promise.all([...Array(5)].map(() =>
                context.db.collection('totals').updateOne({ _id: 'all' }, { $inc: { n: 1 } }, { upsert: true })));
            return context.db.collection('totals').findOne({ _id: 'all' });
        });
        add('/pets', async () => {
            const born = new Date(Date.UTC(2020, 0, 2));
            const rex = await new Pet().populate({ id: 'rex', kind: 'dog', born, secret: 's', odd: 1 }).save();
            await (await Pet.findById('rex')).setKind('wolf').save();
            const [found] = await Pet.find({ born: { $lt: new Date() } });
            const shown = found.toJson();
            const isDate = found.getBorn() instanceof Date;
            const before = await Pet.count({});
            await Pet.deleteById('rex');
            await Pet.createIndex({ kind: 1 });
            const [after, gone] = [await Pet.count(), await Pet.findById('rex')];
            return { shown, isDate, id: rex.getId(), before, after, gone };
        });
        add('/indexes', async () => {
            const people = context.db.collection('people');
            const two = [{ _id: 'a', mail: 'x', age: 1 }, { _id: 'b', mail: 'x', age: 2 }];
            await people.insertMany([...two, { _id: 'c', age: 4 }]);
            const refused = (work) => work.then(() => 'taken', (error) => error.code);
            const early = await refused(people.createIndex({ mail: 1 }, { unique: true }));
            await people.updateOne({ _id: 'b' }, { $set: { mail: 'y' } });
            const name = await people.createIndex({ mail: 1 }, { unique: true, sparse: true });
            const later = [
                await refused(people.insertOne({ mail: 'y' })), await refused(people.insertOne({ age: 8 })),
                await refused(people.updateOne({ _id: 'a' }, { $set: { mail: 'y' } })),
                await refused(people.updateOne({ _id: 'a' }, { $set: { mail: 'x', age: 16 } })),
                await refused(people.updateOne({ mail: 'y' }, { $set: { mail: 'x' } }, { upsert: true }))
            ];
            const ages = await people.aggregate([{ $group: { _id: null, age: { $sum: '$age' } } }]).toArray();
            await people.dropIndex(name);
            return { early, name, later, ages, free: await refused(people.insertOne({ mail: 'y' })) };
        });
        add('/bad', ({ payload: { filter, update } }) => numbers.updateMany(filter, update));
    };
    """


async def test_a_plugin_keeps_documents_in_collections(tmp_path: Path) -> None:
    async with plugin(tmp_path, plugin=COLLECTIONS) as mail:

        async def ask(path: str, **payload: Any) -> Any:
            headers = {"content-type": "application/json"}
            answer = await mail.ask("POST", path, body=json.dumps(payload).encode(), headers=headers)
            assert answer.status == 200, answer.body
            return json.loads(answer.body)

        async def found(filter_: Any, **options: Any) -> Any:
            return await ask("/query", filter=filter_, options=options)

        assert await ask("/fill") == {"insertedCount": 700, "again": 11000, "count": 350}
        assert await found({"n": {"$in": [3, 699, 7]}}, sort={"n": -1}) == [699, 7, 3]
        assert await found({"even": True, "n": {"$gt": 10}}, sort={"n": 1}, skip=1, limit=2) == [14, 16]
        assert await found({"$or": [{"n": 4}, {"$and": [{"tags": "t2"}, {"n": {"$lte": 2}}]}]}) == [2, 4]
        assert await found({"n": {"$not": {"$gte": 1}}}) == [0]
        assert await found({"absent": {"$exists": True}}) == []
        assert await found({"_id": {"$regex": "^D69\\d$", "$options": "i"}}, limit=2, sort={"n": 1}) == [690, 691]

        written = await ask("/write")
        assert (written["set"]["matchedCount"], written["set"]["modifiedCount"]) == (3, 3)
        assert (written["made"], written["fresh"], written["id"]) == (1, True, 24)
        assert written["after"] == {"_id": "d5", "n": 5, "tags": ["t2", "new"]}
        assert {name: written["bulk"][name] for name in ("insertedCount", "modifiedCount", "deletedCount")} == {
            "insertedCount": 1, "modifiedCount": 1, "deletedCount": 200,
        }  # fmt: skip
        assert await found({"deep.er": "x"}, sort={"n": 1}) == [1000, 1001, 1002]
        assert await ask("/count") == {"_id": "all", "n": 5}
        assert await ask("/pets") == {
            "shown": {"id": "rex", "kind": "wolf", "born": "2020-01-02T00:00:00.000Z"},
            "isDate": True, "id": "rex", "before": 1, "after": 0, "gone": None,
        }  # fmt: skip
        assert await ask("/indexes") == {
            "early": 11000, "name": "mail_1", "later": [11000, "taken", 11000, "taken", 11000],
            "ages": [{"_id": None, "age": 30}], "free": "taken",
        }  # fmt: skip
        for filter_, update in (({"n": {"$where": "1"}}, {"$set": {"a": 1}}), ({}, {"$rename": {"a": "b"}})):
            with pytest.raises(CancelError, match=r"know no \$(where|rename)"):
                await ask("/bad", filter=filter_, update=update)
        with pytest.raises(CancelError, match="no field __proto__"):
            await ask("/bad", filter={}, update={"$set": {"__proto__.x": 1}})


async def test_what_an_answer_may_not_be_is_the_plugin_s_failure(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    odd = """
        module.exports = (context) => {
            const add = (path, handler) =>
                context.http.router.register({ method: 'GET', path, options: { auth: false, handler } });
            add('/large', () => Buffer.alloc(17 * 1024 * 1024));
            add('/odd', (req, h) => h.response('x').code(99));
            add('/fails', () => {
                context.log('warn', 'it will fail');
                throw new Error(`no ${context.config.key}`);
            });
            add('/says', () => { context.log('info', `my key is ${context.config.key}`); return 'said'; });
            add('/far', () => { throw Object.assign(new Error('away'), { code: 'ECONNREFUSED' }); });
        };
        """
    caplog.set_level(logging.INFO)
    async with plugin(tmp_path, plugin=odd) as mail:
        catalog = OnePlugin(mail.key.bundle_id)
        plugins = Plugins(catalog, PublishedPlugins(mail.here.app.runners, mail.here.app.doors))

        async def ask(path: str) -> RouteAnswer:
            return await plugins.call("acme.mail", "", WebRequest("GET", path), timedelta(seconds=30))

        for path in ("/large", "/odd", "/fails", "/far"):
            with pytest.raises(Internal):
                await ask(path)
        with pytest.raises(NotFound):
            await plugins.call("acme.other", "", WebRequest("GET", "/says"), timedelta(seconds=30))
        assert (await ask("/says")).body == b"said"

    said = [record.getMessage() for record in caplog.records if record.name == "headrace_executor.plugins"]
    assert said.index("plugin of acme.mail: it will fail") < said.index(
        "plugin of acme.mail: GET /fails failed: no ***"
    )
    assert "plugin of acme.mail: my key is ***" in said and "plugin of acme.mail: GET /fails failed: no ***" in said
    assert "plugin of acme.mail: GET /large failed: An answer has at most 16777216 bytes." in said
    assert not [each for each in said if "top-secret" in each]


class OnePlugin:
    """Keeps `ports.Catalog` for the plugin of one service."""

    def __init__(self, bundle_id: str) -> None:
        self.bundle_id = bundle_id

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        raise NotFound("component", component_type)

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        if service != "acme.mail":
            raise NotFound("plugin", service)
        return ServicePlugins(service, self.bundle_id, [PluginPlace(FOLDER, "javascript")], {"key": "top-secret"})


async def test_a_large_answer_keeps_no_sign_of_life_back(tmp_path: Path) -> None:
    """What waits to be sent to the executor is much: the connection takes new calls all the same."""
    large = """
        module.exports = (context) => {
            const handler = () => Buffer.alloc(15 * 1024 * 1024, 'x');
            context.http.router.register({ method: 'GET', path: '/large', options: { auth: false, handler } });
        };
        """
    async with plugin(tmp_path, plugin=large) as mail:
        many = await asyncio.gather(*(mail.ask("GET", "/large") for _ in range(6)))
        assert {len(each.body) for each in many} == {15 * 1024 * 1024}
        assert len(mail.here.app.runners.pids) == 1
