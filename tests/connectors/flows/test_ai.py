"""Nodes that ask models, each in a running flow, against a server that speaks the API of OpenAI."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import AsyncIterator, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import open_people
from tests.api.people import People, make_running, until

from .playing import NODE, address, flow_of, play

KEY = "sk-canary-of-the-models-4711"
PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=")
SCHEMA = json.dumps({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})


class Models(BaseHTTPRequestHandler):
    """A server of models: it reads requests as strictly as the real ones, and answers in their form."""

    protocol_version = "HTTP/1.1"
    asked: list[tuple[str, Any]]
    says: list[str]
    url: str

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Authorization"] != f"Bearer {KEY}":
            return self.answer(401, {"error": {"message": f"Incorrect API key: {self.headers['Authorization']}"}})
        path, kind = self.path.removeprefix("/v1/"), self.headers["Content-Type"]
        if kind == "application/json":
            given: Any = json.loads(body)
        else:
            message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            parts: Any = message.get_payload()
            given = {
                each.get_param("name", header="content-disposition"): each.get_payload(decode=True) for each in parts
            }
        self.asked.append((path, given))
        if path == "chat/completions":
            said = {"role": "assistant", "content": self.says.pop(0)}
            return self.answer(200, {"choices": [{"index": 0, "message": said, "finish_reason": "stop"}]})
        if path == "moderations":
            flagged = "harm" in given["input"]
            return self.answer(200, {"results": [{"flagged": flagged, "categories": {"violence": flagged}}]})
        if path == "audio/speech":
            return self.answer(200, f"{given['voice']}: {given['input']}".encode(), "audio/mpeg")
        if path == "audio/transcriptions":
            return self.answer(200, given["file"].upper(), "text/plain")
        if path == "images/generations":
            return self.answer(200, {"data": [{"b64_json": base64.b64encode(PIXEL).decode()}]})
        return self.answer(404, {"error": {"message": "Unknown request URL."}})

    def answer(self, status: int, content: Any, kind: str = "application/json") -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def models() -> Iterator[type[Models]]:
    Models.asked, Models.says = [], []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Models)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Models.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    yield Models
    server.shutdown()
    server.server_close()


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    async with open_people(tmp_path) as made:
        yield made


async def set_up(people: People, models: type[Models], key: str = KEY) -> None:
    given = {"serviceId": "headrace:utils:ai", "apiKey": key, "baseUrl": models.url, "chatModel": "own-model"}
    stored = await people.admin.post("/service-config", json=given)
    assert stored.status_code == 200, stored.text


async def saved(ann: httpx.AsyncClient, name: str, kind: str, content: bytes) -> str:
    given = {"filename": name, "mimetype": kind, "content": content.hex(), "contentEncoding": "hex"}
    [(_, file)] = await play(ann, "appmixer.utils.files.SaveFile", given)
    return str(file["fileId"])


async def test_models_are_asked_for_text_images_and_speech(people: People, models: type[Models]) -> None:
    ann = people.ann
    await set_up(people, models)
    image = await saved(ann, "dot.png", "image/png", PIXEL)
    sound = await saved(ann, "said.mp3", "audio/mpeg", b"hello")
    images = {"ADD": [{"fileId": image}]}
    models.says += ["A greeting.", "A dot.", '{"age": 7}']

    prompted = await play(ann, "appmixer.utils.ai.SendPrompt", {"prompt": "Say hello."})
    seen = await play(ann, "appmixer.utils.ai.DescribeImages", {"prompt": "What is it?", "images": images})
    read = await play(ann, "appmixer.utils.ai.TransformTextToJSON", {"text": "Rex is seven.", "jsonSchema": SCHEMA})
    judged = [
        *await play(ann, "appmixer.utils.ai.Moderate", {"input": "harm"}),
        *await play(ann, "appmixer.utils.ai.Moderate", {"input": "peace"}),
    ]
    [(_, spoken)] = await play(ann, "appmixer.utils.ai.CreateSpeech", {"input": "Hello.", "voice": "nova"})
    heard = await play(ann, "appmixer.utils.ai.CreateTranscription", {"fileId": sound})
    [(_, drawn)] = await play(ann, "appmixer.utils.ai.GenerateImage", {"prompt": "A dot.", "size": "1024x1024"})

    assert prompted == [("out", {"answer": "A greeting.", "prompt": "Say hello."})]
    assert seen == [("out", {"answer": "A dot.", "prompt": "What is it?"})]
    assert read == [("out", {"age": 7})]
    assert [(port, each["moderation"]["flagged"]) for port, each in judged] == [
        ("IsFlagged", True),
        ("NotFlagged", False),
    ]
    assert (spoken["input"], (await ann.get(f"/files/{spoken['fileId']}")).content) == ("Hello.", b"nova: Hello.")
    assert spoken["fileSize"] == len(b"nova: Hello.")
    assert heard == [("out", {"text": "HELLO"})]
    assert (await ann.get(f"/files/{drawn['fileId']}")).content == PIXEL
    asked = dict(models.asked)
    assert [path for path, _ in models.asked[:3]] == ["chat/completions"] * 3
    assert models.asked[0][1] == {"model": "own-model", "messages": [{"role": "user", "content": "Say hello."}]}
    picture = models.asked[1][1]["messages"][0]["content"][1]["image_url"]["url"]
    assert base64.b64decode(picture.removeprefix("data:image/png;base64,")) == PIXEL
    assert models.asked[2][1]["response_format"]["json_schema"]["schema"] == json.loads(SCHEMA)
    assert asked["audio/speech"]["model"] == "tts-1" and asked["audio/transcriptions"]["model"] == b"whisper-1"
    assert (asked["images/generations"]["size"], asked["images/generations"]["n"]) == ("1024x1024", 1)


async def failure_of(ann: httpx.AsyncClient, name: str, values: dict[str, Any]) -> str:
    """What a node of this component fails with, as everything that is shown of its run has it."""
    flow_id = await make_running(ann, flow_of(f"appmixer.utils.ai.{name}", "in", values))
    assert (await ann.post(address(ann, flow_id), json={})).status_code == 200
    listed = await until(lambda: ann.get(f"/runs?flowId={flow_id}"), lambda page: page["items"][0]["state"] == "done")
    shown = await ann.get(f"/runs/{listed['items'][0]['runId']}")
    assert KEY not in shown.text
    [step] = [each for each in shown.json()["steps"] if each["componentId"] == NODE]
    return str(step["error"])


async def test_what_a_service_refuses_or_a_model_gets_wrong_is_said(people: People, models: type[Models]) -> None:
    ann, prompt = people.ann, {"prompt": "Say hello."}
    nobody = await failure_of(ann, "SendPrompt", prompt)
    await set_up(people, models, key=f"{KEY}-old")
    refused = await failure_of(ann, "SendPrompt", prompt)
    await set_up(people, models)
    models.says += ["seven", '{"age": "seven"}']
    fields = {"text": "Rex is seven.", "jsonSchema": SCHEMA}
    wrong = [await failure_of(ann, "TransformTextToJSON", fields) for _ in range(2)]
    text = await failure_of(ann, "DescribeImages", {"prompt": "?", "images": {"ADD": []}})

    assert "An administrator stores apiKey or baseUrl" in nobody
    assert "answers 401: Incorrect API key" in refused
    assert "no JSON: seven" in wrong[0] and "the schema does not allow" in wrong[1]
    assert "give 1 to 10" in text


async def test_a_form_offers_the_fields_of_the_schema(people: People) -> None:
    given = {
        "messages": {"in": {"text": "dummy", "jsonSchema": SCHEMA}},
        "properties": {"generateOutputPortOptions": True},
    }
    offered = await people.ann.post(
        "/component/appmixer/utils/ai/TransformTextToJSON", params={"outPort": "out"}, json=given
    )

    assert offered.json() == [{"label": "age", "value": "age", "schema": {"type": "integer"}}]
