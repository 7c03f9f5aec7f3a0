"""People talk to a flow on its chat page, and see its answers on it: each in its own thread, also those from before."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.conftest import open_people
from tests.api.people import People, make_running

from .playing import NODE, fields_of, node, sent_by

TALK = "talk"


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[People]:
    async with open_people(tmp_path) as made:
        yield made


def chatting(**properties: Any) -> dict[str, Any]:
    """A flow that says back what it hears."""
    answer = fields_of({"threadId": "{{{t}}}", "content": "You said {{{c}}}."})
    answer["modifiers"] = {
        "threadId": {"t": {"variable": f"$.{TALK}.out.threadId", "functions": []}},
        "content": {"c": {"variable": f"$.{TALK}.out.content", "functions": []}},
    }
    return {
        TALK: node("appmixer.utils.chat.ChatTrigger", properties=properties),
        NODE: node(
            "appmixer.utils.chat.ChatSendMessage", {"in": {TALK: ["out"]}}, transform={"in": {TALK: {"out": answer}}}
        ),
    }


def message(thread: str, content: str, **more: Any) -> dict[str, Any]:
    return {
        "threadId": thread,
        "sessionId": secrets.token_hex(16),
        "messageId": secrets.token_hex(16),
        "content": content,
        **more,
    }


async def answers(client: httpx.AsyncClient, flow_id: str, thread: str, count: int) -> list[dict[str, Any]]:
    """The first answers that the stream of the thread tells."""
    found: list[dict[str, Any]] = []
    async with (
        asyncio.timeout(30),
        client.stream("GET", f"/chat/{flow_id}/{TALK}/stream", params={"threadId": thread}) as told,
    ):
        assert told.status_code == 200 and told.headers["content-type"].startswith("text/event-stream")
        async for line in told.aiter_lines():
            found += [json.loads(line.removeprefix("data: "))] if line.startswith("data: ") else []
            if len(found) >= count:
                break
    return found


async def test_people_talk_to_a_flow_each_in_a_thread_of_their_own(people: People) -> None:
    flow_id = await make_running(people.ann, chatting())
    mine, other = secrets.token_hex(16), secrets.token_hex(16)
    async with httpx.AsyncClient(base_url=people.ann.base_url, timeout=20) as visitor:
        listening = asyncio.create_task(answers(visitor, flow_id, mine, 2))
        for thread, words in ((mine, "hello"), (other, "psst"), (mine, "bye")):
            said = message(thread, words)
            for _ in range(2):  # as a page does whose answer was lost
                sent = await visitor.post(
                    f"/flows/{flow_id}/components/{TALK}", json=said, headers={"Idempotency-Key": said["messageId"]}
                )
                assert (sent.status_code, sent.json()) == (200, {"messageId": said["messageId"]})
        heard = await listening
        again = await answers(visitor, flow_id, mine, 2)
        refused = [
            await visitor.get(f"/chat/{flow_id}/{TALK}/stream"),
            await visitor.get(f"/chat/{flow_id}/{TALK}/stream", params={"threadId": "short"}),
            await visitor.get(f"/chat/{flow_id}/{NODE}"),
            await visitor.get(f"/chat/{'0' * 24}/{TALK}"),
            await visitor.post(f"/flows/{flow_id}/components/{TALK}", json=message("short", "x")),
            await visitor.post(f"/flows/{flow_id}/components/{TALK}", json=message(mine, "")),
        ]
    sent_messages = await sent_by(people.ann, flow_id, count=3)

    assert sorted(each["content"] for each in heard) == ["You said bye.", "You said hello."]
    assert sorted(map(str, again)) == sorted(map(str, heard)), "who comes back finds what was said"
    assert [each.status_code for each in refused] == [400, 400, 404, 404, 400, 400]
    assert len(sent_messages) == 3


async def test_the_page_has_one_script_and_shows_words_as_words(people: People) -> None:
    evil = "<img src=x onerror=alert(1)>"
    flow_id = await make_running(
        people.ann,
        chatting(agentName=evil, agentMessage=evil, agentAvatar='https://a.example/"x.png', chatTheme="#123456"),
    )
    async with httpx.AsyncClient(base_url=people.ann.base_url, timeout=20) as visitor:
        page = await visitor.get(f"/chat/{flow_id}/{TALK}")
        await people.ann.post(f"/flows/{flow_id}/coordinator", json={"command": "stop"})
        stopped = await visitor.get(f"/chat/{flow_id}/{TALK}")
    asked = {"properties": {"generateInspector": True}, "flowId": flow_id, "componentId": TALK}
    form = await people.ann.post("/component/appmixer/utils/chat/ChatTrigger", params={"outPort": "out"}, json=asked)

    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    policy = page.headers["content-security-policy"]
    assert page.status_code == 200 and evil not in page.text and "&lt;img" in page.text
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in policy
    assert "unsafe" not in policy and "default-src 'none'" in policy
    assert 'data-colour="#123456"' in page.text and "&quot;x.png" in page.text
    assert stopped.status_code == 404
    assert f"/chat/{flow_id}/{TALK}" in form.json()["inputs"]["url"]["defaultValue"]


def part(value: dict[str, Any] | bytes) -> str:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


@pytest.mark.parametrize("kind", ["RS256", "ES256"])
async def test_with_a_key_only_those_count_whom_the_host_signed_for(kind: str, people: People) -> None:
    rsa_key, ec_key = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    key = (rsa_key if kind == "RS256" else ec_key).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def signed(algorithm: str, claims: dict[str, Any], by: str = kind, **head: Any) -> str:
        text = f"{part({'alg': algorithm, **head})}.{part(claims)}"
        if by == "RS256":
            return f"{text}.{part(rsa_key.sign(text.encode(), padding.PKCS1v15(), SHA256()))}"
        numbers = decode_dss_signature(ec_key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{part(b''.join(each.to_bytes(32) for each in numbers))}"

    now = time.time()
    claims = {"sub": "ada", "exp": now + 600}
    good = signed(kind, claims)
    forged: list[Any] = [
        None,
        "",
        good[:-4] + "AAAA",
        f"{part({'alg': 'none'})}.{part(claims)}.",
        signed("HS256", claims),
        signed(kind, claims, by="ES256" if kind == "RS256" else "RS256"),
        signed(kind, {**claims, "exp": now - 5}),
        signed(kind, {"sub": "ada"}),
        signed(kind, {**claims, "nbf": now + 600}),
        signed(kind, claims, crit=["exp"]),
        good.replace(good.split(".")[1], part({**claims, "sub": "eve"})),
    ]
    flow_id = await make_running(people.ann, chatting(publicKey=pem))
    async with httpx.AsyncClient(base_url=people.ann.base_url, timeout=20) as visitor:
        path = f"/flows/{flow_id}/components/{TALK}"
        thread = secrets.token_hex(16)
        refused = [await visitor.post(path, json=message(thread, "x", jwtToken=each)) for each in forged]
        accepted = await visitor.post(path, json=message(thread, "hello", jwtToken=good))
    heard = await sent_by(people.ann, flow_id, TALK)

    assert [each.status_code for each in refused] == [401] * len(forged)
    assert accepted.status_code == 200
    assert [(each["content"], each["jwtPayload"]["sub"]) for _, each in heard] == [("hello", "ada")]
