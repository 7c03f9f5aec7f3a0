"""Every built-in component does its work in a running flow, on a whole platform: rows of what it gets and sends.

What those do that wait for people, feeds, files and the application is played in files of their own.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import headrace_connectors
import httpx
import pytest

from tests.api.conftest import open_people
from tests.api.people import make_running, until

from .playing import HOOK, NODE, address, flow_of, node, play, sent_by

FOLDER = Path(__file__).parent
ELSEWHERE = (
    *(FOLDER.glob("*.py")),
    *(FOLDER.parents[1] / "api").glob("test_*.py"),
    *(FOLDER.parents[1] / "scenarios").glob("*.txt"),
)
CSV = "name,age\nRex,3\nAda,5\n"
TABLE = "<table><tr><th>name<th>age<tr><td>Rex<td>3</table>"
REX = {"AND": [{"OR": [{"column": "name", "operator": "=", "value": "Rex"}]}]}
NAMES = {"withHeaders": True}


@pytest.fixture
async def ann(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with open_people(tmp_path, HEADRACE_TICK_EVERY="500ms") as people:
        yield people.ann


def holds(operator: str, value: str) -> dict[str, Any]:
    return {"AND": [{"OR": [{"input": "5", "operator": operator, "value": value}]}]}


def named(text: str) -> str:
    return f"appmixer.utils.{text}"


CONTROLS: list[tuple[str, str, dict[str, Any], dict[str, Any], list[tuple[str, Any]]]] = [
    ("controls.Condition", "in", {"expression": holds("=", "5")}, {}, [("true", {})]),
    ("controls.Condition", "in", {"expression": holds(">", "5")}, {}, [("false", {})]),
    ("controls.Counter", "item", {}, {"count": 7, "increment": 2}, [("count", {"count": 9})]),
    ("controls.Digest", "in", {"entry": "a"}, {"threshold": 1}, [("out", {"entries": ["a"], "count": 1})]),
    ("controls.ListTimeZones", "in", {}, {}, []),
    ("controls.MockValue", "in", {"value": "x"}, {}, [("out", {"outvalue": "x"})]),
    ("controls.Switch5", "in", {"expression2": holds("=", "5")}, {}, [("out2", {})]),
    ("controls.Testing", "in", {"in1": 1}, {}, []),
    ("filters.Identity", "in", {"a": 1}, {}, [("out", {"a": 1})]),
    ("filters.Modulo", "in", {"sourceData": 14, "value": 4}, {}, [("modulo", 2)]),
    ("timers.ListTimeZones", "in", {}, {}, []),
    ("xml.JsonToXml", "in", {"json": '{"a": {"b": 1}}'}, {}, [("out", {"xml": "<a><b>1</b></a>"})]),
    ("xml.ValidateXml", "in", {"xml": "<a/>"}, {}, [("out", {"isValid": True})]),
    ("xml.XPath", "in", {"xml": "<a><b>1</b></a>", "xpath": "//b"}, {}, [("out", {"result": ["<b>1</b>"]})]),
    ("xml.XmlToJson", "in", {"xml": "<a><b>1</b></a>"}, {}, [("out", {"json": {"a": {"b": 1}}})]),
    ("test.BeforeAll", "in", {}, {}, []),
    ("test.CallCount", "in", {"callCount": 1}, {}, []),
    ("test.AfterAll", "in", {}, {"timeout": 9}, []),
    ("controls.Join", "in", {}, {}, []),
]
"""Component, in-port, fields, properties, and what leaves it; an empty list where only its out-port is looked at."""

PASSING = [
    ("filters.Contains", {"sourceData": "abc", "value": "b"}, "contains"),
    ("filters.Contains", {"sourceData": "abc", "value": "x"}, "notContains"),
    ("filters.Equal", {"sourceData": "1", "value": "1"}, "equals"),
    ("filters.GreaterThan", {"sourceData": "1", "greaterThan": "2"}, "notGreater"),
    ("filters.IsNotEmpty", {"sourceData": ""}, "empty"),
    ("filters.LessThan", {"sourceData": "1", "lessThan": "2"}, "less"),
    ("filters.NotEqual", {"sourceData": "1", "value": "2"}, "notEquals"),
    ("filters.Range", {"sourceData": "9", "rangeMin": "1", "rangeMax": "3"}, "notInRange"),
]
"""Filters send on what they got, by the port that is named."""


async def test_controls_filters_and_xml(ann: httpx.AsyncClient) -> None:
    for type, in_port, values, properties, expected in CONTROLS:
        sent = await play(ann, named(type), values, in_port=in_port, properties=properties)
        assert len(sent) == 1, type
        assert not expected or sent == expected, type
    for type, values, port in PASSING:
        [(left, message)] = await play(ann, named(type), values)
        assert (left, message["method"]) == (port, "POST"), type


async def saved(ann: httpx.AsyncClient, name: str, content: str) -> str:
    given = {"filename": name, "mimetype": "text/plain", "content": content, "contentEncoding": "utf8"}
    [(_, file)] = await play(ann, named("files.SaveFile"), given)
    return str(file["fileId"])


async def text_of(ann: httpx.AsyncClient, file_id: str) -> str:
    return (await ann.get(f"/files/{file_id}")).text


async def test_converters(ann: httpx.AsyncClient) -> None:
    sources = {"CSV": "name,age\nRex,3\n", "HTML": TABLE, "JSON": '[{"name": "Rex", "age": 3}]'}
    files = {form: await saved(ann, f"pets.{form.lower()}", content) for form, content in sources.items()}
    made = {
        "CSV": "name,age\nRex,3\n",
        "JSON": '{"name": "Rex", "age": 3}',
        "HTML": "<tr><th>name</th><th>age</th></tr>\n<tr><td>Rex</td><td>3</td></tr>",
    }
    for type in ("CSV2HTML", "CSV2JSON", "HTML2CSV", "HTML2JSON", "JSON2CSV", "JSON2HTML"):
        source, _, form = type.partition("2")
        [(_, file)] = await play(ann, named(f"converters.{type}"), {"fileId": files[source]})
        assert file["fileName"] == f"pets.{form.lower()}"
        assert made[form] in await text_of(ann, file["fileId"]), type

    packed = {"outputFormat": "tar", "fileName": "all.tar", "files": {"AND": [{"fileId": files["CSV"]}]}}
    [(_, archive)] = await play(ann, named("converters.Archive"), packed)
    [(_, plain)] = await play(ann, named("converters.DataUri2File"), {"dataUri": "data:,hi%21", "fileName": "x"})
    assert "Rex,3" in await text_of(ann, archive["fileId"])
    assert (plain["fileName"], await text_of(ann, plain["fileId"])) == ("x.txt", "hi!")


EDITS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    ("AddRow", {"rowWithColumns": {"AND": [{"column": "name", "value": "Bo"}]}}, NAMES, f"{CSV}Bo,\n"),
    ("AddRows", {"rows": '[["Cy", 2]]', "delimiter": ",", "withHeaders": True}, {}, f"{CSV}Bo,\nCy,2\n"),
    ("DeleteRows", {"filters": REX}, NAMES, "name,age\nAda,5\nBo,\nCy,2\n"),
    (
        "AddColumn",
        {"columnName": "id", "positioningColumn": "name", "insertMode": "beforeColumn", "defaultValue": "0"},
        NAMES,
        "id,name,age\n0,Ada,5\n0,Bo,\n0,Cy,2\n",
    ),
    (
        "RenameColumn",
        {"columnName": "age", "newColumnName": "years", "delimiter": ","},
        {},
        "id,name,years\n0,Ada,5\n0,Bo,\n0,Cy,2\n",
    ),
    ("DeleteColumns", {"columns": ["id"]}, NAMES, "name,years\nAda,5\nBo,\nCy,2\n"),
    (
        "UpdateRows",
        {"filters": {}, "values": {"AND": [{"column": "years", "value": "1"}]}},
        NAMES,
        "name,years\nAda,1\nBo,1\nCy,1\n",
    ),
]
"""One after the other, on one file."""


async def test_tables(ann: httpx.AsyncClient) -> None:
    file_id = await saved(ann, "pets.csv", CSV)
    found = {"fileId": file_id, "filters": REX, "rowFormat": "object"}

    [(_, cell)] = await play(ann, named("csv.GetCell"), {**found, "column": "age"}, properties=NAMES)
    [(_, row)] = await play(ann, named("csv.GetRow"), found, properties=NAMES)
    [(_, rows)] = await play(ann, named("csv.GetRows"), found, properties={**NAMES, "filterRows": True})
    [(_, text)] = await play(ann, named("csv.ExportCSV"), {"fileId": file_id})
    [(_, new)] = await play(ann, named("csv.CreateCSV"), {"filename": "n.csv", "initialContent": CSV, "delimiter": ","})
    [(_, taken)] = await play(ann, named("csv.ImportCSV"), {"filename": "q.csv", "content": CSV, "delimiter": ","})
    for type, values, properties, after in EDITS:
        sent = await play(ann, named(f"csv.{type}"), {"fileId": file_id, **values}, properties=properties)
        assert sent == [("fileId", {"fileId": file_id})], type
        assert await text_of(ann, file_id) == after, type

    assert cell["cell"] == 3
    assert row["row"] == {"name": "Rex", "age": 3}
    assert rows["rows"] == [{"name": "Rex", "age": 3}]
    assert text == {"content": CSV}
    assert [await text_of(ann, each["fileId"]) for each in (new, taken)] == [CSV] * 2


async def test_forms_of_tables_and_stores_are_filled(ann: httpx.AsyncClient) -> None:
    file_id = await saved(ann, "pets.csv", CSV)

    async def asked(path: str, **data: Any) -> Any:
        answer = await ann.post(f"/component/appmixer/utils/{path}?outPort=out", json=data)
        assert answer.status_code == 200, answer.text
        return answer.json()

    assert "name" in str(await asked("csv/GenerateOutputPort", properties={"fileId": file_id}))
    shown = await asked(
        "csv/CreateInspector", properties={"withHeaders": True}, transform="./CreateInspector#getRowInspector"
    )
    assert "inputs" in shown
    await play(ann, named("storage.CreateStore"), {"name": "Mine"})
    assert "Mine" in str(await asked("storage/ListStores"))


async def test_data_stores(ann: httpx.AsyncClient) -> None:
    [(_, made)] = await play(ann, named("storage.CreateStore"), {"name": "S"})
    store = {"storeId": made["storeId"]}
    watching = {
        event: await make_running(ann, {NODE: node(named(f"storage.OnItem{event}"), properties=store)})
        for event in ("Added", "Updated", "Removed")
    }

    async def sent(type: str, **values: Any) -> tuple[str, Any]:
        [only] = await play(ann, named(f"storage.{type}"), {**store, **values})
        return only

    assert (await sent("Set", key="k", value="v"))[1]["newValue"] == "v"
    pairs = {"AND": [{"key": "n", "value": "1"}, {"key": "m", "value": "2"}]}
    assert len((await sent("SetMany", keyValuePairs=pairs))[1]["results"]) == 2
    assert (await sent("Get", key="k"))[1]["value"] == "v"
    assert (await sent("Get", key="none"))[0] == "notFound"
    assert "'n'" in str(await sent("GetMany", keys={"AND": [{"key": "n"}]}))
    assert [each["key"] for each in (await sent("Find", pattern="k"))[1]["items"]] == ["k"]
    await sent("Modify", key="n", operator="Add", value="4")
    assert float((await sent("Get", key="n"))[1]["value"]) == 5
    [port, file] = await sent("SaveToFile", fileName="s.csv")
    assert (port, file["nRecords"], "k" in await text_of(ann, file["fileId"])) == ("out", 3, True)
    assert (await sent("Remove", key="k"))[0] == "removed"
    assert (await sent("Clear"))[1]["deletedCount"] == 2
    for event, count in {"Added": 3, "Updated": 1, "Removed": 1}.items():
        heard = await sent_by(ann, watching[event], count=count)
        assert {port for port, _ in heard} == {"item"}, event
    flow_id = await make_running(ann, flow_of(named("storage.Store"), "add", {"key": "a"}))
    for _ in range(2):
        await ann.post(address(ann, flow_id), json={})
    assert [port for port, _ in await sent_by(ann, flow_id, count=2)] == ["new", "updated"]


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """A server that answers with the method it was asked by, and what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            asked.append(f"{self.command} {self.path}")
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"method": "%s"}' % self.command.encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer

        def log_message(self, format: str, *args: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


async def test_requests_and_webhooks(ann: httpx.AsyncClient, site: tuple[str, list[str]]) -> None:
    url, asked = site
    for type in ("Get", "Post", "Put", "Patch", "Delete"):
        [(port, answer)] = await play(ann, named(f"http.{type}"), {"url": f"{url}/{type}"})
        assert (port, answer["statusCode"], answer["body"]) == ("response", 200, {"method": type.upper()})
    up = await make_running(ann, {NODE: node(named("http.Uptime"), properties={"target": url})})
    assert [port for port, _ in await sent_by(ann, up)] == ["up"]
    web = {NODE: node(named("http.Webhook"), properties={"immediateResponse": True})}
    hooked = await make_running(ann, web)
    assert (await ann.get(address(ann, hooked, NODE))).status_code == 200
    assert [port for port, _ in await sent_by(ann, hooked)] == ["trigger"]
    hooks = {
        "onStartRequestUrl": f"{url}/register",
        "onStartRequestMethod": "POST",
        "onStartRequestBody": '{"target": "{{webhookUrl}}"}',
        "onStopRequestUrl": f"{url}/leave",
        "onStopRequestMethod": "DELETE",
        "immediateResponse": True,
    }
    flow_id = await make_running(ann, {NODE: node(named("http.DynamicWebhook"), properties=hooks)})
    assert (await ann.post(address(ann, flow_id, NODE), json={"a": 1})).status_code == 200
    assert [(port, said["data"]) for port, said in await sent_by(ann, flow_id)] == [("request", {"a": 1})]
    stopped = await ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
    assert stopped.status_code == 200
    assert {"POST /register", "DELETE /leave"} <= set(asked)


STARTING: Mapping[str, dict[str, Any]] = {
    "controls.OnStart": {},
    "timers.Timer": {"interval": 5},
    "timers.Scheduler": {"minute": "0", "hour": "0", "dayMonth": "*", "dayWeek": "*", "immediate": True},
    "timers.SchedulerTrigger": {
        "scheduleType": "custom", "customIntervalUnit": "hours", "customIntervalValue": 1, "immediate": True,
    },
    "test.Tick": {},
}  # fmt: skip
"""They begin runs by themselves."""


async def test_triggers_begin_runs(ann: httpx.AsyncClient) -> None:
    for type, properties in STARTING.items():
        flow_id = await make_running(ann, {NODE: node(named(type), properties=properties)})
        assert (await sent_by(ann, flow_id))[0][0] == "out", type


async def test_a_failure_is_heard_of_and_a_flow_stops_itself(ann: httpx.AsyncClient) -> None:
    flow = {
        **flow_of(named("controls.Each"), "in", {"list": 5}),
        "heard": node(named("controls.OnError"), properties={"limit": 9}),
        "end": node(named("controls.StopFlow"), {"in": {"heard": ["out"]}}),
    }
    flow_id = await make_running(ann, flow)
    await ann.post(address(ann, flow_id), json={})

    [(_, failure)] = await sent_by(ann, flow_id, "heard")
    stopped = await until(lambda: ann.get(f"/flows/{flow_id}"), lambda said: said["stage"] == "stopped")

    assert failure["componentId"] == NODE and stopped["flowId"] == flow_id


async def test_a_test_flow_checks_joins_and_files_its_result(ann: httpx.AsyncClient) -> None:
    [(_, passed)] = await play(ann, named("storage.CreateStore"), {"name": "passed"})
    [(_, failed)] = await play(ann, named("storage.CreateStore"), {"name": "failed"})
    stores = {"successStoreId": passed["storeId"], "failedStoreId": failed["storeId"]}
    check = {"AND": [{"field": "a", "assertion": "equal", "expected": "a"}]}
    [(_, result)] = await play(ann, named("test.Assert"), {"expression": check})
    filing = {"recipients": "a@example.com", "testCase": "mine", "result": json.dumps([result])}
    flow_id = await make_running(ann, flow_of(named("test.ProcessE2EResults"), "in", filing, stores))
    await ann.post(address(ann, flow_id), json={})
    await until(lambda: ann.get(f"/runs?flowId={flow_id}"), lambda said: said["items"][0]["state"] == "done")
    [(kept, _)] = await play(ann, named("storage.Get"), {"storeId": passed["storeId"], "key": "mine"})
    both = {
        HOOK: node(named("http.WebhookTrigger"), properties={"immediateResponse": True}),
        NODE: node(named("test.Join"), {"join": {HOOK: ["request"]}, "in": {HOOK: ["request"]}}),
    }
    joining = await make_running(ann, both)
    await ann.post(address(ann, joining), json={"x": 1})
    [(_, joined)] = await sent_by(ann, joining)

    assert (result["success"], kept) == (["a equals a"], "out")
    assert joined["join"]["data"] == joined["in"]["data"] == {"x": 1}


def test_every_component_is_played_in_a_flow() -> None:
    written = "\n".join(path.read_text("utf-8") for path in ELSEWHERE)
    known = {each.type.removeprefix("headrace.utils.") for each in headrace_connectors.load_builtin()}
    by_parts = {f"http.{name}" for name in ("Get", "Post", "Put", "Patch", "Delete")}
    by_parts |= {f"storage.{name}" for name in re.findall(r'sent\("(\w+)"', written)}
    by_parts |= {f"storage.OnItem{event}" for event in ("Added", "Updated", "Removed")}
    by_parts |= {f"csv.{type}" for type, *_ in EDITS}
    by_parts |= {f"ftp.{name}" for name in re.findall(r'played\(ann, account, "(\w+)"', written)}
    forms = ("CSV", "JSON", "HTML", "XLSX")
    by_parts |= {f"converters.{source}2{form}" for source in forms for form in forms}

    played = {name for name in known if re.search(rf"\b{re.escape(name)}\b|\b{name.replace('.', '/')}\b", written)}

    assert sorted(known - played - by_parts) == []
