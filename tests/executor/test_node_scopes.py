"""What goes with messages of JavaScript components besides their contents, and what their designers' members say."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from headrace_executor.model import RunState

from .neighbours import MemoryFileStore, MemoryLocks, MemoryStoreService
from .platform import HandedFlows, Rooms, platform
from .published import Shelf
from .test_runners import QUICK, run, sent, webhook

SENDER = """
    module.exports = {
        async receive(context) {
            const { scope, headers } = context.messages.in;
            await context.sendJson({ n: 1 }, 'out');
            await context.sendJson({ n: 2 }, 'out', {
                scope: { elsewhere: { out: { word: 'kept' } } }, headers: { shade: 'red' }
            });
            await context.sendArray([{ n: 3 }], 'out', { headers: { shade: 'blue' } });
            const told = [context.scope === scope, Object.keys(scope).sort(), scope._walkthrough.length, headers];
            const odd = await context.sendJson({}, 'out', { scope: 'text' }).catch((error) => error.name);
            context.log({ told, odd });
        }
    };
    """
READER = """
    module.exports = {
        receive(context) {
            const { content, headers, scope } = context.messages.in;
            const { _walkthrough: way, ...nodes } = scope;
            const [{ sourceId, sourceOut, targetIn }] = way[way.length - 1].links;
            return context.sendJson({ content, headers, nodes, last: [sourceId, sourceOut, targetIn] }, 'out');
        }
    };
    """


async def test_a_message_carries_the_scope_and_the_headers_that_its_sender_gives(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    ports: Any = [{"name": "out", "options": [{"label": "N", "value": "n"}]}]
    one = shelf.publish_javascript(SENDER, "Sender", outPorts=ports)
    two = shelf.publish_javascript(READER, "Reader")
    variables = {
        "word": {"v": {"variable": "$.elsewhere.out.word"}},
        "data": {"v": {"variable": "$.hook.request.data"}},
    }
    flow = {
        "hook": webhook(),
        "own": {"type": one.type, "source": {"in": {"hook": ["request"]}}},
        "read": {
            "type": two.type,
            "source": {"in": {"own": ["out"]}},
            "config": {"transform": {"in": {"own": {"out": {
                "type": "json2new",
                "modifiers": variables,
                "lambda": {"word": "{{{v}}}", "data": "{{{v}}}"},
            }}}}},
        },
    }  # fmt: skip
    flows.put("f1", flow, components=[one, two])

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK) as here:
        detail = await run(here, content="Ada")

    assert detail.run.state is RunState.DONE, detail.steps
    found = {each["headers"].get("shade", "none"): each for each in sent(detail, "read")}
    hook = {"hook": {"request": sent(detail, "hook")[0]}}
    assert found["none"]["content"] == {"data": "Ada"}
    assert found["none"]["nodes"] == {"own": {"out": {"n": 1}}, **hook}
    assert found["red"]["content"] == {"word": "kept"}, "its own scope counts, and no other"
    assert found["red"]["nodes"] == {"own": {"out": {"n": 2}}, "elsewhere": {"out": {"word": "kept"}}}
    assert found["blue"]["nodes"] == {"own": {"out": {"n": 3}}, **hook}
    assert {tuple(each["last"]) for each in found.values()} == {("own", "out", "in")}
    [said] = [line["message"] for step in detail.steps if step.node_id == "own" for line in step.logs]
    assert said == {"told": [True, ["_walkthrough", "hook"], 1, {}], "odd": "CancelError"}


DESIGNER = """
    module.exports = {
        async receive(context) {
            const variables = await context.loadVariables();
            const properties = await context.loadOutputSchemaProperties('own');
            const unknown = await context.loadOutputSchemaProperties('nowhere').catch((error) => error.message);
            const one = await context.saveFileStream('../a.txt', 'one');
            const two = await context.saveFileStream('a.txt', 'two '.repeat(100_000));
            const both = await context.archiveFile([one.fileId, two.fileId], 'both.zip');
            await context.archiveFile(one.fileId);
            return context.sendJson({ variables, properties, unknown, both, one: one.fileId }, 'out');
        }
    };
    """


async def test_a_component_asks_for_variables_and_packs_files(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    schema = {"type": "object", "properties": {"list": {"type": "array", "title": "All of them"}}}
    own = shelf.publish_javascript(DESIGNER, outPorts=[{"name": "out", "schema": schema}])
    flows.put(
        "f1",
        {"hook": webhook(), "own": {"type": own.type, "source": {"in": {"hook": ["request"]}}}},
        components=[own],
    )
    files = MemoryFileStore()

    rooms = Rooms(MemoryLocks(), MemoryStoreService(), files)
    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, rooms=rooms) as here:
        detail = await run(here, content="Ada")
        [found] = sent(detail)
        packed = [await here.app.doors.files.load("t1", each) for each in (found["both"]["fileId"], found["one"])]

    assert {(each["componentId"], each["port"]) for each in found["variables"]} == {("hook", "request")}
    assert "{{{$.hook.request.data}}}" in {each["value"] for each in found["variables"]}
    assert found["properties"] == {"out": [{"path": "out.list", "type": "array", "label": "All of them"}]}
    assert found["unknown"] == "The flow has no component nowhere."
    names = []
    for each in packed:
        with zipfile.ZipFile(io.BytesIO(each)) as archive:
            assert archive.testzip() is None
            names.append({name: archive.getinfo(name).file_size for name in archive.namelist()})
    assert names == [{"a.txt": 3, "a 2.txt": 400_000}, {"a.txt": 3}]
    assert (found["both"]["filename"], found["both"]["contentType"]) == ("both.zip", "application/zip")
