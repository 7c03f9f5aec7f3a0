"""S11: what accounts are opened with is nowhere but in ciphertext, after everything that could write it down."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

import bson
import pytest
from pymongo import MongoClient

from tests.provider import KEY, Provider, provider
from tests.system.services import Services

from .connector import VENDOR, flow
from .people import People, make_running, until
from .test_account_tokens import runs_in, send, working
from .test_accounts import key_account, ready

pytestmark = pytest.mark.timeout(180)


def spellings(secret: str) -> set[bytes]:
    """How a secret may be written."""
    encoded = secret.encode()
    plain = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], secret.encode().hex()}
    coded = {base64.b64encode(encoded).decode().rstrip("="), base64.urlsafe_b64encode(encoded).decode().rstrip("=")}
    return {each.encode() for each in plain | coded}


def hits(content: bytes, secrets: set[str]) -> set[str]:
    return {secret for secret in secrets if any(each in content for each in spellings(secret))}


async def spend(people: People, service: Provider) -> list[bytes]:
    """Do with accounts what can be done: use, fail, log, park, renew, export. Returns what was answered."""
    ann = people.ann
    flow_id, account_id = await working(people, service)
    service.lifetime = 3600
    for n in range(3):
        await send(ann, flow_id, n)
    await runs_in(ann, flow_id, "done", 3)
    service.expire()
    await send(ann, flow_id, 3)
    await runs_in(ann, flow_id, "done", 4)
    name = await ready(people, service, "key")
    key_id = (await key_account(ann, name))["accountId"]
    key_flow = await make_running(ann, flow("key"))
    await ann.put(f"/auth/component/work/{key_id}", params={"flowId": key_flow})
    await send(ann, key_flow, 9)
    await runs_in(ann, key_flow, "done", 1)
    wrong = await ann.post("/accounts", json={"service": name, "token": {"apiKey": f"{KEY}-wrong"}})
    service.revoke()
    await send(ann, flow_id, 4)
    waiting = await runs_in(ann, flow_id, "waiting", 1)
    texts = [wrong.content.replace(f"{KEY}-wrong".encode(), b"")]
    for path in (
        "/accounts",
        f"/accounts/{account_id}",
        f"/accounts/{account_id}/flows",
        f"/accounts/flow/{flow_id}",
        f"/auth/{VENDOR}.oauth.core.Work",
        f"/flows/{flow_id}",
        f"/flows/{key_flow}",
        "/runs",
        *(f"/runs/{run['runId']}" for run in waiting),
        "/unprocessed-messages",
        "/files",
    ):
        answer = await ann.get(path)
        assert answer.status_code == 200, (path, answer.text)
        texts.append(answer.content)
    for flows in ([], [flow_id], [key_flow]):
        asked = {"size": "1000", "flowId": flows}
        found = await until(lambda asked=asked: ann.get("/logs", params=asked), lambda page: bool(page["hits"]))
        texts += [json.dumps(found).encode()]
    exported = await ann.post("/export", json={})
    assert exported.status_code == 200
    with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
        texts += [archive.read(each) for each in archive.namelist()]
    return texts


def everything_in(folder: Path) -> bytes:
    """The bytes of every file below the folder."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def everything_at(url: str, namespace: str) -> bytes:
    """Every document of every collection whose database has this name in it."""
    with MongoClient[dict[str, Any]](url) as client:
        names = [name for name in client.list_database_names() if namespace in name]
        assert names
        collections = [client[name][each] for name in names for each in client[name].list_collection_names()]
        return b"".join(bson.encode(document) for each in collections for document in each.find())


async def test_no_canary_is_in_a_file_a_document_or_an_answer(
    people: People, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with provider() as service:
        texts = await spend(people, service)
        secrets = service.secrets
    if people.app is not None:
        kept = everything_in(tmp_path)
    else:
        server: Services = request.getfixturevalue("server")
        kept = everything_in(server.folder)
        kept += everything_at(request.getfixturevalue("mongo_url"), server.given["HEADRACE_MONGO_NAMESPACE"])

    assert len(secrets) > 6 and b"key-holder" in kept, "this is where accounts are kept"
    assert [hits(text, secrets) for text in texts] == [set()] * len(texts)
    assert hits(kept, secrets) == set()
