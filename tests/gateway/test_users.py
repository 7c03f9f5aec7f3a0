"""Signing in and out, users and their administration."""

import httpx
import pytest
from headrace_core import Json

from .services import ADMIN, USER, Services


async def test_a_name_and_password_are_traded_for_a_token(nobody: httpx.AsyncClient, services: Services) -> None:
    by_email = await nobody.post("/user/auth", json={"email": "ann@example.com", "password": "password"})
    by_name = await nobody.post("/user/auth", json={"username": "ann", "password": "password"})

    assert by_email.status_code == by_name.status_code == 200
    assert by_email.json()["token"] == "ann-fresh"
    assert by_email.json()["user"] == {
        "id": USER.user_id,
        "username": "ann",
        "email": "ann@example.com",
        "isActive": True,
        "scope": ["user"],
        "plan": "",
        "vendor": [],
        "metadata": {},
        "created": None,
    }
    assert services.people.addresses == ["127.0.0.1", "127.0.0.1"]


async def test_an_unknown_name_and_a_wrong_password_are_the_same_403(nobody: httpx.AsyncClient) -> None:
    unknown = await nobody.post("/user/auth", json={"email": "who@example.com", "password": "password"})
    wrong = await nobody.post("/user/auth", json={"email": "ann@example.com", "password": "wrong"})

    assert unknown.status_code == wrong.status_code == 403
    assert unknown.json()["message"] == wrong.json()["message"]


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, ""), ({"password": 1, "email": "a"}, "password"), ({"password": "x"}, "email"), ([], "")],
)
async def test_a_sign_in_that_lacks_something_names_it(body: Json, field: str, nobody: httpx.AsyncClient) -> None:
    answer = await nobody.post("/user/auth", json=body)

    assert (answer.status_code, answer.json()["code"]) == (400, "validation_failed")
    assert answer.json()["problems"][0].get("field", "") == field


async def test_the_caller_is_told_who_they_are(user: httpx.AsyncClient, admin: httpx.AsyncClient) -> None:
    assert (await user.get("/user")).json()["id"] == USER.user_id
    assert (await admin.get("/user")).json()["vendor"] == "acme"


async def test_passwords_change_by_the_old_one(user: httpx.AsyncClient) -> None:
    good = {"oldPassword": "password", "newPassword": "new password"}

    assert (await user.post("/user/change-password", json=good)).status_code == 200
    assert (await user.post("/user/change-password", json={**good, "oldPassword": "x"})).status_code == 403
    assert (await user.post("/user/change-password", json={**good, "newPassword": "short"})).status_code == 400


async def test_administrators_reset_passwords(admin: httpx.AsyncClient) -> None:
    assert (
        await admin.post("/user/reset-password", json={"email": "ann@example.com", "password": "new password"})
    ).status_code == 200
    assert (
        await admin.post("/user/reset-password", json={"email": "who@example.com", "password": "new password"})
    ).status_code == 404


async def test_signing_out_everywhere_says_how_many_ended(user: httpx.AsyncClient) -> None:
    assert (await user.post("/user/sign-out-everywhere")).json() == {"ended": 1}
    assert (await user.get("/user")).status_code == 401


async def test_administrators_list_count_read_and_change_users(admin: httpx.AsyncClient, services: Services) -> None:
    listed = await admin.get("/users", params={"filter": "scope:admin", "projection": "id", "limit": 5})
    changed = await admin.put(
        f"/users/{USER.user_id}", json={"scope": ["user", "admin"], "vendor": "acme", "metadata": {"a": 1}}
    )

    assert {"id": ADMIN.user_id} in listed.json()
    assert services.people.queries[0].filter[0].field == "scope"
    assert services.people.queries[0].limit == 5
    assert (await admin.get("/users/count")).json() == {"count": 3}
    assert (changed.json()["scope"], changed.json()["vendor"]) == (["user", "admin"], "acme")
    assert (await admin.get(f"/users/{USER.user_id}")).json()["metadata"] == {"a": 1}
    assert (await admin.get("/users/nobody")).status_code == 404


async def test_an_administrator_makes_a_user_while_sign_up_is_closed(admin: httpx.AsyncClient) -> None:
    answer = await admin.post("/user", json={"username": "cleo", "password": "long enough"})

    assert (answer.status_code, answer.json()["user"]["username"]) == (201, "cleo")


async def test_the_secret_of_a_personal_token_is_shown_once(user: httpx.AsyncClient, other: httpx.AsyncClient) -> None:
    made = await user.post("/user/tokens", json={"name": "ci", "scope": ["user"], "expiresAt": "2030-01-01"})
    listed = (await user.get("/user/tokens")).json()

    assert (made.status_code, made.json()["token"]) == (201, "secret")
    assert [(each["id"], each["name"], each["scope"]) for each in listed] == [(made.json()["id"], "ci", ["user"])]
    assert "secret" not in str(listed) and (await other.get("/user/tokens")).json() == []
    assert (await other.delete(f"/user/tokens/{made.json()['id']}")).status_code == 404
    assert (await user.delete(f"/user/tokens/{made.json()['id']}")).status_code == 200
    assert (await user.get("/user/tokens")).json() == []


@pytest.mark.parametrize("given", [{}, {"name": ""}, {"name": "x", "expiresAt": "soon"}, {"name": "x", "scope": "a"}])
async def test_a_personal_token_that_makes_no_sense_is_refused(given: Json, user: httpx.AsyncClient) -> None:
    assert (await user.post("/user/tokens", json=given)).status_code == 400
