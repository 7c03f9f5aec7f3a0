"""People and administration over the whole platform: real services, real SQLite, a real socket."""

import asyncio
from pathlib import Path

import httpx
from headrace_core import Json

from .conftest import PASSWORD, speak_with

TICKING: dict[str, Json] = {
    "t": {
        "type": "appmixer.utils.timers.Timer",
        "source": {},
        "x": 0,
        "y": 0,
        "config": {"properties": {"interval": 5}},
    }
}


def on_disk(folder: Path) -> bytes:
    return b"".join(each.read_bytes() for each in folder.rglob("*") if each.is_file())


async def test_a_program_works_with_a_personal_token_until_it_is_revoked(admin: httpx.AsyncClient) -> None:
    made = (await admin.post("/user/tokens", json={"name": "ci", "scope": ["user"]})).json()
    async with httpx.AsyncClient(base_url=admin.base_url) as program:
        speak_with(program, made["token"])

        assert (await program.get("/flows")).status_code == 200
        assert (await program.get("/users")).status_code == 403
        assert (await program.post("/user/tokens", json={"name": "x", "scope": ["admin"]})).status_code == 400
        assert (await admin.delete(f"/user/tokens/{made['id']}")).status_code == 200
        assert (await program.get("/flows")).status_code == 401


async def test_users_are_filtered_sorted_and_paged(admin: httpx.AsyncClient, ann: httpx.AsyncClient) -> None:
    async def names(**parameters: str | int) -> list[str]:
        return [each["username"] for each in (await admin.get("/users", params=parameters)).json()]

    assert await names(sort="username:-1") == ["ann@example.com", "admin@example.com"]
    assert await names(filter="scope:admin") == ["admin@example.com"]
    assert await names(filter="scope:!admin") == await names(pattern="ann@") == ["ann@example.com"]
    assert await names(sort="username:1", offset=1, limit=1) == ["ann@example.com"]
    assert (await admin.get("/users/count", params={"filter": "scope:admin"})).json() == {"count": 1}


async def test_a_user_is_changed_field_by_field(admin: httpx.AsyncClient, ann: httpx.AsyncClient) -> None:
    user_id = (await ann.get("/user")).json()["id"]

    changes = {"scope": ["user", "developer"], "vendor": ["acme", "other"], "metadata": {"a": 1}, "email": "x@y.zz"}
    for field, value in changes.items():
        changed = (await admin.put(f"/users/{user_id}", json={field: value})).json()
        assert changed[field] == value

    assert {field: changed[field] for field in changes} == changes
    assert (await ann.put(f"/users/{user_id}", json={"scope": ["admin"]})).status_code == 403
    assert (await admin.put(f"/users/{user_id}", json={"vendor": "acme"})).json()["vendor"] == "acme"
    assert (await admin.put(f"/users/{user_id}", json={"email": "admin@example.com"})).status_code == 409


async def test_a_user_is_removed_with_everything_of_theirs(admin: httpx.AsyncClient, ann: httpx.AsyncClient) -> None:
    user_id = (await ann.get("/user")).json()["id"]
    flow_id = (await ann.post("/flows", json={"name": "Ticks", "flow": TICKING})).json()["flowId"]
    started = await ann.post(f"/flows/{flow_id}/coordinator", json={"command": "start"})
    store_id = (await ann.post("/stores", json={"name": "s"})).json()["storeId"]
    assert started.status_code == 200 and (await ann.post(f"/store/{store_id}/k", json=1)).status_code == 200
    everywhere = {"allTenants": "true"}

    ticket = (await admin.delete(f"/users/{user_id}")).json()["ticket"]
    assert (await ann.get("/user")).status_code == 401
    async with asyncio.timeout(20):
        while (status := (await admin.get(f"/users/{user_id}/delete-status/{ticket}")).json())["stepsDone"] < 13:
            assert status["status"] == "in-progress"

    assert status == {"status": "completed", "stepsDone": 13, "stepsTotal": 13}
    assert (await admin.get(f"/users/{user_id}")).status_code == 404
    for path in ("/flows", "/stores"):
        assert (await admin.get(path, params=everywhere)).json() == [], path
    assert (await admin.get("/runs", params=everywhere)).json()["totalCount"] == 0
    assert (await admin.delete(f"/users/{user_id}")).status_code == 404
    assert (await admin.delete(f"/users/{(await admin.get('/user')).json()['id']}")).status_code == 409


async def test_without_a_mail_server_a_forgotten_password_is_answered_clearly(admin: httpx.AsyncClient) -> None:
    async with httpx.AsyncClient(base_url=admin.base_url) as nobody:
        asked = await nobody.post("/user/forgot-password", json={"email": "admin@example.com"})
        redeemed = await nobody.post("/forgot-password/reset", json={"password": PASSWORD, "code": "x"})

    assert (asked.status_code, asked.json()["code"]) == (400, "unsupported")
    assert redeemed.status_code == 403


async def test_configuration_is_kept_sealed_and_shown_to_administrators_alone(
    admin: httpx.AsyncClient, ann: httpx.AsyncClient, tmp_path: Path
) -> None:
    secret = "canary-7f3a9c"
    service = {"serviceId": "acme:mail", "clientId": "id", "clientSecret": secret, "deep": {"list": [1, secret]}}

    assert (await admin.post("/service-config", json=service)).json() == service
    assert (await admin.get("/service-config/acme:mail")).json() == service
    assert (await admin.get("/service-config")).json() == [service]
    replaced = (await admin.put("/service-config/acme:mail", json={"clientSecret": secret})).json()
    assert replaced == {"serviceId": "acme:mail", "clientSecret": secret}
    assert (await admin.post("/config", json={"key": "K", "value": secret})).status_code == 200
    assert (await admin.get("/config")).json() == [{"key": "K", "value": secret}]

    for path in ("/service-config", "/service-config/acme:mail", "/config"):
        assert (await ann.get(path)).status_code == 403
    kept = on_disk(tmp_path)
    assert secret.encode() not in kept and b"clientSecret" in kept

    assert (await admin.delete("/service-config/acme:mail")).status_code == 200
    assert (await admin.delete("/service-config/acme:mail")).status_code == 404
    assert (await admin.get("/service-config/acme:mail")).status_code == 404
    assert [(await admin.delete("/config/K")).status_code for _ in range(2)] == [200, 404]
    assert (await admin.post("/service-config", json={"clientId": "x"})).status_code == 400
