"""Users and sign-in in the shapes of the map, over the whole platform."""

from __future__ import annotations

from .people import ADMIN, PASSWORD, People, email_of

PROFILE = {"id", "username", "email", "isActive", "scope", "plan", "vendor", "metadata"}


async def test_signing_in_and_up_answers_a_token_and_who_it_is_for(people: People) -> None:
    signed_in = await people.admin.post("/user/auth", json={"username": ADMIN, "password": PASSWORD})
    unknown = await people.admin.post("/user/auth", json={"email": "who@example.com", "password": "x"})
    new = {
        "username": f"cleo-{people.mark}",
        "email": email_of("cleo", people.mark),
        "password": PASSWORD,
        "metadata": {"a": 1},
    }
    made = await people.admin.post("/user", json=new)

    assert set(signed_in.json()) >= {"user", "token"}
    assert set(signed_in.json()["user"]) >= PROFILE - {"scope", "metadata"}
    assert unknown.status_code == 403
    assert (made.status_code, bool(made.json()["token"])) == (201, True)


async def test_who_am_i_answers_a_profile_and_tells_a_bad_token_from_a_missing_user(people: People) -> None:
    me = (await people.ann.get("/user")).json()
    garbage = await people.ann.get("/user", headers={"Authorization": "Bearer garbage"})

    assert set(me) >= PROFILE
    assert isinstance(me["scope"], list)
    assert me["isActive"] is True
    assert (garbage.status_code, garbage.json()["statusCode"], garbage.json()["error"]) == (401, 401, "Unauthorized")


async def test_a_changed_password_is_the_one_that_signs_in(people: People) -> None:
    changed = await people.ann.post(
        "/user/change-password", json={"oldPassword": PASSWORD, "newPassword": "a new password"}
    )
    reset = await people.admin.post(
        "/user/reset-password", json={"email": people.email_of("bob"), "password": "another password"}
    )

    assert (changed.status_code, reset.status_code) == (200, 200)
    for name, password, status in (
        ("ann", PASSWORD, 403),
        ("ann", "a new password", 200),
        ("bob", "another password", 200),
    ):
        answer = await people.admin.post("/user/auth", json={"email": people.email_of(name), "password": password})
        assert answer.status_code == status, (name, password)


async def test_users_are_listed_filtered_counted_and_changed_by_administrators(people: People) -> None:
    admin = people.admin
    query = {"filter": "scope:admin", "sort": "username:-1", "limit": "10", "offset": "0", "pattern": ADMIN}
    listed = (await admin.get("/users", params=query)).json()
    counted = (await admin.get("/users/count", params={"pattern": people.mark})).json()
    ann = (await admin.get("/users", params={"pattern": people.email_of("ann")})).json()[0]
    changed = await admin.put(
        f"/users/{ann['id']}", json={"scope": ["user", "acme"], "vendor": ["acme"], "metadata": {"team": "blue"}}
    )
    read = (await admin.get(f"/users/{ann['id']}")).json()

    assert [each["username"] for each in listed] == [ADMIN]
    assert counted == {"count": 2}
    assert changed.status_code == 200
    assert (read["scope"], read["vendor"], read["metadata"]) == (["user", "acme"], "acme", {"team": "blue"})


async def test_tokens_end_when_their_owner_says_so(people: People) -> None:
    assert (await people.bob.post("/user/sign-out-everywhere")).json() == {"ended": 1}
    assert (await people.ann.post("/user/sign-out")).status_code == 200

    assert (await people.ann.get("/user")).status_code == 401
    assert (await people.bob.get("/user")).status_code == 401
