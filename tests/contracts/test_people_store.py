"""What every PeopleStore and TokenLookup promises."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import AlreadyExists, Conflict, NotFound
from headrace_flow_manager.people.model import AttemptKey, Personal, Token, User, UserChange
from headrace_flow_manager.query import Condition, ListQuery, SortKey
from headrace_flow_manager.stores.bundle import Stores

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def stores(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(tmp_path) as opened:
        yield opened


def user(name: str = "ann", **more: object) -> User:
    return replace(User(f"{name:0>24}", name, f"{name}@example.com", NOW), **more)  # type: ignore[arg-type]  # a test's own words


def token(owner: User, content: bytes = b"t", at: datetime = NOW) -> Token:
    return Token(content, owner.user_id, at, at + timedelta(days=1))


async def test_of_users_who_want_one_name_one_gets_it(stores: Stores) -> None:
    same = [replace(user(), user_id=f"{number:0>24}", email="") for number in range(5)]

    results = await asyncio.gather(
        *(stores.people.add(each, "hash", token(each, each.user_id.encode())) for each in same), return_exceptions=True
    )

    assert sum(isinstance(each, AlreadyExists) for each in results) == 4
    assert (await stores.people.page(ListQuery())).total == 1


async def test_of_first_administrators_one_is_made(stores: Stores) -> None:
    assert await stores.people.is_empty()

    made = await asyncio.gather(*(stores.people.add_first(user(name), "hash") for name in ("ann", "bob", "carl")))

    assert sorted(made) == [False, False, True]
    assert not await stores.people.is_empty()


async def test_a_token_is_found_with_its_user_until_it_ends(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "hash", token(ann))

    assert await stores.tokens.find(b"t") == (replace(ann, metadata={}), token(ann))
    await stores.people.remove_token(b"t")
    assert await stores.tokens.find(b"t") is None


async def test_a_new_password_ends_all_tokens_but_one(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "old", token(ann, b"1"))
    for content in (b"2", b"3"):
        await stores.people.add_token(token(ann, content), 10)

    await stores.people.set_password(ann.user_id, "new", b"2")
    assert [await stores.tokens.find(content) is not None for content in (b"1", b"2", b"3")] == [False, True, False]
    await stores.people.set_password(ann.user_id, "newer", None)
    assert await stores.tokens.find(b"2") is None
    await stores.people.renew_hash(ann.user_id, "new", "too late")
    assert (await stores.people.credentials(ann.user_id)).password_hash == "newer"


async def test_attempts_at_once_never_pass_the_limit(stores: Stores) -> None:
    keys = [AttemptKey("login", "ann", 5), AttemptKey("address", "here", 100)]
    window = timedelta(minutes=1)

    claims = await asyncio.gather(*(stores.people.claim_attempt(keys, NOW, window) for _ in range(20)))

    assert claims.count(None) == 5
    assert {each for each in claims if each is not None} == {NOW + window}
    assert await stores.people.claim_attempt(keys[1:], NOW, window) is None
    assert await stores.people.claim_attempt(keys, NOW + window, window) is None


async def test_two_administrators_cannot_both_leave(stores: Stores) -> None:
    admins = [user(name, scopes=("admin",)) for name in ("ann", "bob")]
    for each in admins:
        await stores.people.add(each, "hash", token(each, each.user_id.encode()))

    results = await asyncio.gather(
        *(stores.people.update(each.user_id, UserChange(active=False)) for each in admins), return_exceptions=True
    )

    assert sum(isinstance(each, Conflict) for each in results) == 1


async def test_only_the_newest_tokens_of_a_user_are_kept(stores: Stores) -> None:
    ann, bob = user(), user("bob")
    for each in (ann, bob):
        await stores.people.add(each, "hash", token(each, each.username.encode()))
    for number in range(4):
        await stores.people.add_token(token(ann, bytes([number]), NOW + timedelta(seconds=number)), 3)

    found = [await stores.tokens.find(each) is not None for each in (b"ann", b"\0", b"\1", b"\2", b"\3", b"bob")]

    assert found == [False, False, True, True, True, True]
    assert await stores.people.remove_tokens(ann.user_id) == 3
    assert await stores.people.remove_tokens(ann.user_id) == 0
    assert await stores.tokens.find(b"bob") is not None


async def test_a_user_who_is_put_out_loses_all_tokens(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "hash", token(ann))

    out = await stores.people.update(ann.user_id, UserChange(active=False, metadata={"$set.x": 1}))

    assert out == await stores.people.get(ann.user_id) == replace(ann, active=False, metadata={"$set.x": 1})
    assert await stores.tokens.find(b"t") is None


async def test_a_mail_address_signs_in_its_user_and_nobody_else(stores: Stores) -> None:
    ann, bob = user(), user("bob")
    for each in (ann, bob):
        await stores.people.add(each, "hash", token(each, each.username.encode()))

    with pytest.raises(AlreadyExists):
        await stores.people.update(bob.user_id, UserChange(email="ANN@example.com"))
    await stores.people.update(ann.user_id, UserChange(email="new@example.com"))
    await stores.people.update(bob.user_id, UserChange(email="ann@example.com"))

    logins = ("ann", "new@example.com", "bob", "ann@example.com", "bob@example.com")
    found = [await stores.people.credentials_of_login(each) for each in logins]
    assert [each and each.user.username for each in found] == ["ann", "ann", "bob", "bob", None]
    with pytest.raises(NotFound):
        await stores.people.update("nobody", UserChange())


async def test_changes_of_one_user_at_once_are_all_made(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "hash", token(ann))
    changes = [
        UserChange(email="a@b"),
        UserChange(vendors=("v",)),
        UserChange(metadata={"a": 1}),
        UserChange(scopes=("x",)),
    ]

    await asyncio.gather(*(stores.people.update(ann.user_id, each) for each in changes))

    changed = await stores.people.get(ann.user_id)
    assert (changed.email, changed.vendors, changed.metadata, changed.scopes) == ("a@b", ("v",), {"a": 1}, ("x",))


async def test_users_are_listed_by_their_public_fields(stores: Stores) -> None:
    for number, name in enumerate(("carl", "ann", "bob")):
        each = user(name, created_at=NOW + timedelta(seconds=number), metadata={"$k": number % 2})
        await stores.people.add(each, "hash", token(each, name.encode()))

    async def names(query: ListQuery) -> list[str]:
        return [each.username for each in (await stores.people.page(query)).items]

    assert await names(ListQuery()) == ["carl", "ann", "bob"]
    assert await names(ListQuery(sort=(SortKey("username"),), offset=1)) == ["bob", "carl"]
    assert await names(ListQuery((Condition("metadata.$k", "equal", 0),))) == ["carl", "bob"]
    assert await names(ListQuery(pattern="BOB@")) == ["bob"]
    assert await names(ListQuery((Condition("username", "equal", {"$gt": ""}),))) == []
    assert await names(ListQuery((Condition("password_hash", "equal", "hash"),))) == []


async def test_what_expired_is_taken_away(stores: Stores) -> None:
    ann, keys, window = user(), [AttemptKey("login", "ann", 1)], timedelta(minutes=1)
    await stores.people.add(ann, "hash", token(ann, b"old"))
    await stores.people.add_token(token(ann, b"new", NOW + timedelta(hours=1)), 10)
    await stores.people.claim_attempt(keys, NOW, window)

    await stores.people.prune(NOW + timedelta(days=1), window)

    assert [await stores.tokens.find(each) is not None for each in (b"old", b"new")] == [False, True]
    assert await stores.people.claim_attempt(keys, NOW, window) is None


async def test_who_signs_in_gives_back_one_attempt_of_the_address_and_all_of_the_name(stores: Stores) -> None:
    name, address, window = AttemptKey("login", "ann", 2), AttemptKey("address", "here", 3), timedelta(minutes=1)
    for _ in range(2):
        await stores.people.claim_attempt([name, address], NOW, window)
    refused = await stores.people.claim_attempt([name, address], NOW, window)

    await stores.people.forgive([name, address])
    again = [await stores.people.claim_attempt([name, address], NOW, window) for _ in range(3)]

    assert refused == NOW + window and again == [None, None, NOW + window]


def personal(owner: User, content: bytes, at: datetime = NOW, *scopes: str) -> Token:
    return replace(token(owner, content, at), personal=Personal(f"id {content!r}", f"name {content!r}", scopes))


async def test_a_personal_token_is_found_and_listed_until_its_own_user_ends_it(stores: Stores) -> None:
    ann, bob = user(), user("bob")
    for each in (ann, bob):
        await stores.people.add(each, "hash", token(each, each.username.encode()))
    first, second = personal(ann, b"1", NOW, "user"), personal(ann, b"2", NOW + timedelta(seconds=1))
    for each_token in (first, second):
        await stores.people.add_personal(each_token, 5)

    found = await stores.tokens.find(b"1")
    assert found == (replace(ann, metadata={}), first)
    assert list(await stores.people.personal_tokens(ann.user_id)) == [first, second]
    assert list(await stores.people.personal_tokens(bob.user_id)) == []
    assert not await stores.people.remove_personal(bob.user_id, "id b'1'")
    assert [await stores.people.remove_personal(ann.user_id, "id b'1'") for _ in range(2)] == [True, False]
    assert await stores.tokens.find(b"1") is None and await stores.tokens.find(b"2") is not None
    with pytest.raises(NotFound):
        await stores.people.add_personal(personal(user("carl"), b"3"), 5)


async def test_signing_in_ends_no_personal_token_and_they_have_a_limit_of_their_own(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "hash", token(ann, b"0"))
    asked = [stores.people.add_personal(personal(ann, bytes([65 + number])), 3) for number in range(6)]

    made = await asyncio.gather(*asked, return_exceptions=True)
    for number in range(4):
        await stores.people.add_token(token(ann, bytes([number]), NOW + timedelta(hours=number)), 2)

    assert sum(isinstance(each, Conflict) for each in made) == 3
    assert len(await stores.people.personal_tokens(ann.user_id)) == 3


async def test_personal_tokens_end_with_all_others(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "hash", token(ann, b"0"))

    await stores.people.add_personal(personal(ann, b"1"), 5)
    await stores.people.set_password(ann.user_id, "new", b"1")
    assert await stores.tokens.find(b"1") is not None
    await stores.people.set_password(ann.user_id, "new", None)
    assert await stores.tokens.find(b"1") is None

    await stores.people.add_personal(personal(ann, b"2"), 5)
    assert await stores.people.remove_tokens(ann.user_id) == 1
    await stores.people.add_personal(personal(ann, b"3"), 5)
    await stores.people.remove_token(b"3")
    await stores.people.add_personal(personal(ann, b"4"), 5)
    await stores.people.prune(NOW + timedelta(days=1), timedelta(minutes=1))
    await stores.people.add_personal(personal(ann, b"5"), 5)
    await stores.people.update(ann.user_id, UserChange(active=False))
    assert [await stores.tokens.find(each) for each in (b"2", b"3", b"4", b"5")] == [None] * 4
    assert list(await stores.people.personal_tokens(ann.user_id)) == []


async def test_a_code_sets_a_password_once_and_ends_all_tokens(stores: Stores) -> None:
    ann, bob = user(), user("bob")
    for each in (ann, bob):
        await stores.people.add(each, "old", token(each, each.username.encode()))
    await stores.people.put_code(ann.user_id, b"first", NOW + timedelta(hours=1))
    await stores.people.put_code(ann.user_id, b"code", NOW + timedelta(hours=1))
    await stores.people.put_code("nobody", b"stray", NOW + timedelta(hours=1))

    redeemed = await asyncio.gather(*(stores.people.redeem(b"code", f"new {n}", NOW) for n in range(4)))

    assert [each for each in redeemed if each is not None] == [replace(ann, metadata={})]
    assert (await stores.people.credentials(ann.user_id)).password_hash.startswith("new")
    assert (await stores.people.credentials(bob.user_id)).password_hash == "old"
    assert [await stores.tokens.find(each) is not None for each in (b"ann", b"bob")] == [False, True]
    assert [await stores.people.redeem(each, "x", NOW) for each in (b"first", b"stray", b"code")] == [None] * 3


async def test_a_code_that_is_too_old_sets_nothing(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "old", token(ann))
    await stores.people.put_code(ann.user_id, b"code", NOW + timedelta(hours=1))

    assert await stores.people.redeem(b"code", "new", NOW + timedelta(hours=1)) is None
    assert (await stores.people.credentials(ann.user_id)).password_hash == "old"


async def test_a_user_who_is_erased_leaves_names_and_tokens_free(stores: Stores) -> None:
    ann = user()
    await stores.people.add(ann, "old", token(ann))

    for _ in range(2):
        await stores.people.erase(ann.user_id)

    assert await stores.tokens.find(b"t") is None
    await stores.people.add(replace(ann, user_id="b" * 24), "new", token(replace(ann, user_id="b" * 24)))
    with pytest.raises(NotFound):
        await stores.people.get(ann.user_id)
