"""Who signs in is known, who guesses is slowed, and a token is worth nothing once it has ended."""

import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.people.v1 import people_service_pb2 as pb
from headrace.query.v1 import query_pb2
from headrace_core.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    NotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    ValidationFailed,
)
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.people.passwords import Passwords

from .house import House, dump, open_house, where

PASSWORD = "correct horse"


async def sign_up(house: House, name: str = "ann", email: str = "", **more: Any) -> Any:
    request = pb.SignUpRequest(username=name, email=email, password=PASSWORD, **more)
    return await house.people.SignUp(request)


async def sign_in(house: House, login: str = "ann", password: str = PASSWORD, address: str = "192.0.2.1") -> Any:
    return await house.people.SignIn(pb.SignInRequest(login=login, password=password, address=address))


async def whose(house: House, token: str) -> Any:
    return await house.people.Authenticate(pb.AuthenticateRequest(token=token))


async def test_who_signs_up_is_signed_in_and_is_a_tenant(house: House) -> None:
    made = await sign_up(house, "Ann", "ann@example.com", metadata=dump({"a": [1]}))

    found = await whose(house, made.token)

    assert found.user == made.user
    assert len(made.user.user_id) == 24 and int(made.user.user_id, 16) >= 0
    assert (made.user.username, made.user.email, list(made.user.scopes)) == ("Ann", "ann@example.com", ["user"])
    assert made.user.metadata == dump({"a": [1]}) and made.user.active


@pytest.mark.parametrize("login", ["ann", "ANN", "Ann@Example.COM", "ａｎｎ"])
async def test_names_are_compared_without_regard_to_case_and_writing(house: House, login: str) -> None:
    made = await sign_up(house, "Ann", "ann@example.com")

    assert (await sign_in(house, login)).user == made.user


@pytest.mark.parametrize(("name", "email"), [("ANN", ""), ("x", "ann@example.com"), ("ANN@example.com", "")])
async def test_a_sign_in_name_belongs_to_one_user(house: House, name: str, email: str) -> None:
    await sign_up(house, "ann", "ann@example.com")

    with pytest.raises(AlreadyExists):
        await sign_up(house, name, email)

    assert (await house.people.ListUsers(pb.ListUsersRequest())).total == 1


@pytest.mark.parametrize(
    ("name", "email", "password"),
    [("", "", PASSWORD), ("a\x00b", "", PASSWORD), (" a", "", PASSWORD), ("a\u202eb", "", PASSWORD),
     ("x" * 300, "", PASSWORD), ("a", "no mail", PASSWORD), ("a", "", "short"), ("a", "", "x" * 1025)],
)  # fmt: skip
async def test_what_no_one_can_type_or_remember_is_no_name(house: House, name: str, email: str, password: str) -> None:
    with pytest.raises(ValidationFailed):
        await house.people.SignUp(pb.SignUpRequest(username=name, email=email, password=password))


@pytest.mark.parametrize("name", ["'; DROP TABLE users; --", "a%", "_", "<script>", "../x"])
async def test_hostile_names_are_only_names(house: House, name: str) -> None:
    made = await sign_up(house, name)

    assert (await sign_in(house, name)).user == made.user
    with pytest.raises(Unauthenticated):
        await sign_in(house, "' OR '1'='1")


async def test_a_wrong_password_an_unknown_name_and_a_barred_user_look_alike(house: House) -> None:
    made = await sign_up(house)
    said = set()
    await house.people.UpdateUser(
        pb.UpdateUserRequest(user_id=(await sign_up(house, "bob")).user.user_id, active=False)
    )

    for login, password in [("ann", "wrong password"), ("nobody", PASSWORD), ("bob", PASSWORD), ("ann", "x" * 5000)]:
        with pytest.raises(Unauthenticated) as refused:
            await sign_in(house, login, password)
        said.add(str(refused.value))

    assert len(said) == 1
    assert (await whose(house, made.token)).user.username == "ann"


async def test_passwords_are_argon2id_and_tokens_are_hashed(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        token = (await sign_up(house)).token

    with sqlite3.connect(tmp_path / "flow_manager.db") as connection:
        kept = "\n".join(connection.iterdump())
        (password_hash,) = connection.execute("SELECT password_hash FROM users").fetchone()
    connection.close()

    assert password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert PASSWORD not in kept and token not in kept


async def test_an_unknown_name_costs_a_hash_as_well() -> None:
    passwords = Passwords()
    calls = []
    verify = passwords._verify
    passwords._verify = lambda kept, password: (calls.append(kept), verify(kept, password))[1]  # type: ignore[method-assign,func-returns-value]  # counts

    assert await passwords.fits("x", None) is False
    passwords.close()

    assert len(calls) == 1 and calls[0].startswith("$argon2id$")


async def test_guessing_one_name_is_stopped_and_the_right_password_does_not_help(house: House) -> None:
    await sign_up(house)
    for number in range(10):
        with pytest.raises(Unauthenticated):
            await sign_in(house, password="wrong password", address=f"192.0.2.{number}")

    with pytest.raises(RateLimited) as refused:
        await sign_in(house, address="192.0.2.99")
    assert refused.value.retry_after == timedelta(minutes=15)
    house.clock.advance(timedelta(minutes=15))

    assert (await sign_in(house)).user.username == "ann"


async def test_guessing_many_names_from_one_address_is_stopped(tmp_path: Path) -> None:
    async with open_house(tmp_path, FlowManagerSettings(attempts_per_address=3)) as house:
        await sign_up(house)
        for number in range(3):
            with pytest.raises(Unauthenticated):
                await sign_in(house, f"name{number}", "wrong password")

        with pytest.raises(RateLimited):
            await sign_in(house)
        assert (await sign_in(house, address="192.0.2.2")).user.username == "ann"


async def test_the_count_of_attempts_outlives_a_restart(tmp_path: Path) -> None:
    settings = FlowManagerSettings(attempts_per_login=2)
    async with open_house(tmp_path, settings) as house:
        await sign_up(house)
        for _ in range(2):
            with pytest.raises(Unauthenticated):
                await sign_in(house, password="wrong password")

    async with open_house(tmp_path, settings) as house:
        with pytest.raises(RateLimited):
            await sign_in(house)


async def test_signing_in_well_starts_the_count_anew(house: House) -> None:
    await sign_up(house)
    for _ in range(3):
        for _ in range(9):
            with pytest.raises(Unauthenticated):
                await sign_in(house, password="wrong password")
        await sign_in(house)


async def test_a_token_ends_by_itself(house: House) -> None:
    signed_in = await sign_up(house)
    house.clock.advance(timedelta(days=30) - timedelta(seconds=1))
    await whose(house, signed_in.token)
    house.clock.advance(1)

    with pytest.raises(Unauthenticated):
        await whose(house, signed_in.token)


@pytest.mark.parametrize("token", ["", "x", "\x00", "' OR 1=1 --", "x" * 100_000])
async def test_what_was_never_given_is_no_token(house: House, token: str) -> None:
    await sign_up(house)

    with pytest.raises(Unauthenticated):
        await whose(house, token)
    await house.people.SignOut(pb.SignOutRequest(token=token))


async def test_signing_out_ends_one_token_or_all(house: House) -> None:
    first = await sign_up(house)
    second, third = await sign_in(house), await sign_in(house)

    for _ in range(2):
        await house.people.SignOut(pb.SignOutRequest(token=first.token))
    with pytest.raises(Unauthenticated):
        await whose(house, first.token)
    await whose(house, second.token)
    request = pb.SignOutEverywhereRequest(user_id=first.user.user_id)
    ended = [(await house.people.SignOutEverywhere(request)).ended for _ in range(2)]

    assert ended == [2, 0]
    with pytest.raises(Unauthenticated):
        await whose(house, third.token)


async def test_a_user_has_so_many_tokens_and_the_oldest_go(tmp_path: Path) -> None:
    async with open_house(tmp_path, FlowManagerSettings(tokens_per_user=2)) as house:
        tokens = [(await sign_up(house)).token]
        for _ in range(2):
            house.clock.advance(1)
            tokens.append((await sign_in(house)).token)

        with pytest.raises(Unauthenticated):
            await whose(house, tokens[0])
        for token in tokens[1:]:
            await whose(house, token)


async def test_changing_a_password_needs_the_old_one_and_ends_other_tokens(house: House) -> None:
    mine = await sign_up(house)
    other = await sign_in(house)

    def request(old: str, new: str = "battery staple") -> pb.ChangePasswordRequest:
        return pb.ChangePasswordRequest(
            user_id=mine.user.user_id, old_password=old, new_password=new, keep_token=mine.token
        )

    with pytest.raises(Forbidden):
        await house.people.ChangePassword(request("wrong password"))
    with pytest.raises(ValidationFailed):
        await house.people.ChangePassword(request(PASSWORD, "short"))
    await house.people.ChangePassword(request(PASSWORD))

    await whose(house, mine.token)
    with pytest.raises(Unauthenticated):
        await whose(house, other.token)
    with pytest.raises(Unauthenticated):
        await sign_in(house)
    await sign_in(house, password="battery staple")


async def test_guessing_an_old_password_is_stopped(house: House) -> None:
    mine = await sign_up(house)
    request = pb.ChangePasswordRequest(user_id=mine.user.user_id, old_password="x", new_password="battery staple")
    for _ in range(10):
        with pytest.raises(Forbidden):
            await house.people.ChangePassword(request)

    with pytest.raises(RateLimited):
        await house.people.ChangePassword(request)


async def test_a_reset_sets_the_password_ends_all_tokens_and_lifts_the_limit(house: House) -> None:
    mine = await sign_up(house)
    for _ in range(10):
        with pytest.raises(Unauthenticated):
            await sign_in(house, password="wrong password")

    await house.people.ResetPassword(pb.ResetPasswordRequest(login="ANN", password="battery staple"))

    with pytest.raises(Unauthenticated):
        await whose(house, mine.token)
    await sign_in(house, password="battery staple")
    with pytest.raises(NotFound):
        await house.people.ResetPassword(pb.ResetPasswordRequest(login="nobody", password="battery staple"))


async def test_only_given_fields_of_a_user_change(house: House) -> None:
    user = (await sign_up(house, "ann", "ann@example.com")).user

    changed = (
        await house.people.UpdateUser(
            pb.UpdateUserRequest(user_id=user.user_id, vendors=["acme"], replace_vendors=True, metadata=dump({"x": 1}))
        )
    ).user

    user.vendors.append("acme")
    user.metadata = dump({"x": 1})
    assert changed.tag != user.tag
    user.tag = changed.tag
    assert changed == user
    assert (await house.people.GetUser(pb.GetUserRequest(user_id=user.user_id))).user == user
    with pytest.raises(NotFound):
        await house.people.UpdateUser(pb.UpdateUserRequest(user_id="0" * 24))
    with pytest.raises(TooLarge):
        await house.people.UpdateUser(pb.UpdateUserRequest(user_id=user.user_id, metadata=dump({"x": "x" * 70_000})))


async def test_a_new_mail_address_is_a_new_sign_in_name_and_the_old_one_is_free(house: House) -> None:
    user = (await sign_up(house, "ann", "old@example.com")).user
    await sign_up(house, "bob", "bob@example.com")

    with pytest.raises(AlreadyExists):
        await house.people.UpdateUser(pb.UpdateUserRequest(user_id=user.user_id, email="Bob@example.com"))
    await house.people.UpdateUser(pb.UpdateUserRequest(user_id=user.user_id, email="new@example.com"))

    assert (await sign_in(house, "new@example.com")).user.user_id == user.user_id
    await sign_up(house, "carl", "old@example.com")


async def test_a_user_who_is_barred_loses_all_tokens_at_once(house: House) -> None:
    mine = await sign_up(house)

    await house.people.UpdateUser(pb.UpdateUserRequest(user_id=mine.user.user_id, active=False))

    with pytest.raises(Unauthenticated):
        await whose(house, mine.token)


async def test_the_first_administrator_is_made_once(house: House) -> None:
    request = pb.EnsureAdministratorRequest(email="admin@example.com", password=PASSWORD)

    first, second = [await house.people.EnsureAdministrator(request) for _ in range(2)]

    assert first.created and list(first.user.scopes) == ["user", "admin"]
    assert not second.created and not second.HasField("user")
    assert (await sign_in(house, "admin@example.com")).user == first.user


async def test_there_is_no_administrator_by_default_once_somebody_is_there(house: House) -> None:
    await sign_up(house)

    request = pb.EnsureAdministratorRequest(email="admin@example.com", password=PASSWORD)

    assert not (await house.people.EnsureAdministrator(request)).created


async def test_the_last_administrator_stays_one(house: House) -> None:
    request = pb.EnsureAdministratorRequest(email="admin@example.com", password=PASSWORD)
    admin = (await house.people.EnsureAdministrator(request)).user
    other = (await sign_up(house)).user
    demote = pb.UpdateUserRequest(user_id=admin.user_id, scopes=["user"], replace_scopes=True)

    for change in (demote, pb.UpdateUserRequest(user_id=admin.user_id, active=False)):
        with pytest.raises(Conflict, match="last administrator"):
            await house.people.UpdateUser(change)
    await house.people.UpdateUser(pb.UpdateUserRequest(user_id=other.user_id, scopes=["admin"], replace_scopes=True))

    assert list((await house.people.UpdateUser(demote)).user.scopes) == ["user"]


async def test_users_are_found_by_public_fields(house: House) -> None:
    for name in ("ann", "bob", "carl"):
        await sign_up(house, name, f"{name}@example.com")
        house.clock.advance(1)

    async def names(query: query_pb2.ListQuery) -> list[str]:
        return [user.username for user in (await house.people.ListUsers(pb.ListUsersRequest(query=query))).users]

    assert await names(query_pb2.ListQuery(limit=2)) == ["ann", "bob"]
    assert await names(query_pb2.ListQuery(pattern="ARL@")) == ["carl"]
    assert await names(where("scope", query_pb2.OPERATOR_EQUAL, "user")) == ["ann", "bob", "carl"]
    assert await names(query_pb2.ListQuery(sort=[query_pb2.SortKey(field="username", descending=True)], limit=1)) == [
        "carl"
    ]
    assert await names(where("password_hash", query_pb2.OPERATOR_MATCH, "argon")) == []


async def test_what_has_expired_is_taken_away(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        await sign_up(house)
        with pytest.raises(Unauthenticated):
            await sign_in(house, password="wrong password")
        house.clock.advance(timedelta(days=31))
        await house.app.people.prune()

    with sqlite3.connect(tmp_path / "flow_manager.db") as connection:
        left = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("tokens", "attempts")]
    connection.close()

    assert left == [0, 0]


async def create_token(house: House, user: Any, caller: tuple[str, ...] = ("user",), **more: Any) -> Any:
    request = pb.CreatePersonalTokenRequest(user_id=user.user_id, name="ci", caller_scopes=caller, **more)
    return await house.people.CreatePersonalToken(request)


async def test_a_personal_token_speaks_for_its_user_until_it_is_revoked(house: House) -> None:
    ann = (await sign_up(house)).user

    made = await create_token(house, ann)

    assert made.secret.startswith("hr_pat_") and (await whose(house, made.secret)).user == ann
    request = pb.RevokePersonalTokenRequest(user_id=ann.user_id, token_id=made.token.token_id)
    await house.people.RevokePersonalToken(request)
    with pytest.raises(Unauthenticated):
        await whose(house, made.secret)
    with pytest.raises(NotFound):
        await house.people.RevokePersonalToken(request)


async def test_a_personal_token_carries_no_more_than_its_maker_spoke_with(house: House) -> None:
    both = ("user", "admin")
    ann, bob = (await sign_up(house)).user, (await sign_up(house, "bob")).user
    for each in (ann, bob):
        await house.people.UpdateUser(pb.UpdateUserRequest(user_id=each.user_id, scopes=both, replace_scopes=True))

    async def scopes_of(made: Any) -> tuple[str, ...]:
        return tuple((await whose(house, made.secret)).user.scopes)

    small = await create_token(house, ann, both, scopes=["user"])
    whole = await create_token(house, ann, both)
    of_small = await create_token(house, ann, ("user",))
    assert [await scopes_of(each) for each in (small, whole, of_small)] == [("user",), both, ("user",)]
    with pytest.raises(ValidationFailed):
        await create_token(house, ann, ("user",), scopes=["admin"])

    await house.people.UpdateUser(pb.UpdateUserRequest(user_id=ann.user_id, scopes=["user"], replace_scopes=True))
    assert await scopes_of(whole) == ("user",)


async def test_a_personal_token_ends_by_itself_and_is_listed_no_more(house: House) -> None:
    ann = (await sign_up(house)).user
    soon = pb.CreatePersonalTokenRequest().expires_at
    soon.FromDatetime(house.clock.now() + timedelta(hours=1))
    made, lasting = await create_token(house, ann, expires_at=soon), await create_token(house, ann)

    house.clock.advance(3601)

    listed = await house.people.ListPersonalTokens(pb.ListPersonalTokensRequest(user_id=ann.user_id))
    assert list(listed.tokens) == [lasting.token]
    with pytest.raises(Unauthenticated):
        await whose(house, made.secret)
    with pytest.raises(ValidationFailed):
        await create_token(house, ann, expires_at=soon)
