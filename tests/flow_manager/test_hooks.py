"""System webhooks: what is announced is told at least once, signed, in peace with everybody else; and to nobody twice
who took it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core import Json, webhook_signatures
from headrace_core.clock import TestClock
from headrace_core.errors import Conflict, NotFound, Unavailable, Unsupported, ValidationFailed
from headrace_core.webhook_signatures import SignedRequest
from headrace_flow_manager.happenings import Happening
from headrace_flow_manager.hooks import model
from headrace_flow_manager.hooks.book import HookBook, Wanted
from headrace_flow_manager.hooks.delivering import LEASE, Delivering
from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter, Hook
from headrace_flow_manager.hooks.service import HookService
from headrace_flow_manager.stores.bundle import Stores
from headrace_runtime.vault import Vault

from tests.contracts.flow_manager import sqlite_at

URL = "https://example.com/hook"
STOPPED = Happening("e1", "flow.stopped", "ann", datetime(2026, 1, 1, tzinfo=UTC), {"flowId": "f1"})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int = 200
    text: str = "thanks"


class Receiver:
    """Keeps `hooks.store.Sender`: answers by address, and remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: dict[str, int] = {}
        """Statuses by address; 0 where nobody is there. 200 by default."""
        self.under_way = 0
        self.most = 0

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, timeout: timedelta) -> Answer:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0)
        self.under_way -= 1
        self.told.append((url, dict(headers), body))
        status = self.answers.get(url, 200)
        if not status:
            raise Unavailable("nobody is there")
        return Answer(status)

    def bodies(self, url: str = URL) -> list[Json]:
        return [json.loads(body) for to, _, body in self.told if to == url]


class World:
    """Hooks over one store, as one process has them; `facts` are those that came true."""

    def __init__(self, stores: Stores, clock: TestClock, receiver: Receiver, keys: Sequence[bytes]) -> None:
        self.stores, self.clock, self.receiver = stores, clock, receiver
        self.configured: list[tuple[str, Json]] = []
        self.facts: set[str] = set()
        self.book = HookBook(stores.entries, Vault(keys) if keys else None, self, clock)
        self.delivering = Delivering(self.book, stores.hook_deliveries, self, receiver, clock)
        self.woken = 0
        self.hooks = HookService(self.book, stores.hook_deliveries, self.delivering, self, clock, self._wake)

    def _wake(self) -> None:
        self.woken += 1

    async def all(self) -> Sequence[tuple[str, Json]]:
        return self.configured

    async def holds(self, delivery: Delivery) -> bool:
        return delivery.about in self.facts

    async def username(self, user_id: str) -> str:
        return {"ann": "ann@example.com"}.get(user_id, "")

    async def told(self) -> list[Delivery]:
        return [*(await self.stores.hook_deliveries.page(DeliveryFilter(), 0, 100))[0]]

    async def rounds(self) -> None:
        while await self.hooks.round():
            pass


KEY, OTHER = b"k" * 32, b"o" * 32


@pytest.fixture
async def world(tmp_path: Path) -> object:
    async with sqlite_at(tmp_path) as stores:
        yield World(stores, TestClock(), Receiver(), [KEY])


async def hook(world: World, url: str = URL, *events: str, **more: object) -> tuple[Hook, str]:
    wanted = Wanted(url, events or ("flow.stopped",))
    return await world.hooks.create("admin", replace(wanted, **more))  # type: ignore[arg-type]  # fields of it


async def test_what_happens_is_told_once_to_each_who_wants_it_signed_and_with_names(world: World) -> None:
    made, secret = await hook(world)
    await hook(world, "https://example.com/other", "user.created")
    await hook(world, "https://example.com/bob", tenants=("bob",))
    await hook(world, "https://example.com/off", active=False)
    await world.hooks.announce([STOPPED])
    await world.hooks.announce([STOPPED])
    await world.rounds()
    await world.hooks.announce([STOPPED])
    await world.rounds()

    [(url, headers, body)] = world.receiver.told
    request = SignedRequest(body, [(name.lower(), value) for name, value in headers.items()])
    [delivery] = await world.told()
    assert url == URL and world.woken
    assert webhook_signatures.verify("standard", secret, request, world.clock.now()) == delivery.delivery_id
    assert json.loads(body) == {
        "type": "flow.stopped",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "data": {"flowId": "f1", "username": "ann@example.com"},
    }
    assert (delivery.hook_id, delivery.state, delivery.attempts, delivery.answer) == (
        made.hook_id,
        "delivered",
        1,
        "thanks",
    )


async def test_nothing_is_written_where_nobody_wants_it(world: World) -> None:
    await hook(world, URL, "user.created")
    await world.hooks.announce([STOPPED])

    assert await world.told() == [] and not world.woken


async def test_it_is_tried_again_for_hours_and_then_given_up(world: World) -> None:
    await hook(world)
    world.receiver.answers[URL] = 500
    await world.hooks.announce([STOPPED])
    began, tries = world.clock.now(), []
    for _ in range(model.TRIES):
        await world.rounds()
        [delivery] = await world.told()
        tries.append(delivery.attempts)
        await world.rounds()  # nothing is due
        world.clock.advance(max(timedelta(), delivery.due - world.clock.now()))

    [ended] = await world.told()
    assert tries == [*range(1, 21)] and len(world.receiver.told) == 20
    assert len({headers["webhook-id"] for _, headers, _ in world.receiver.told}) == 1
    assert timedelta(hours=5) < world.clock.now() - began < timedelta(hours=6)
    assert (ended.state, ended.status, ended.error) == ("failed", 500, "It answered 500.")

    world.receiver.answers[URL] = 204
    await world.hooks.deliver_again(ended.delivery_id)
    await world.rounds()
    assert [(each.state, each.attempts) for each in await world.told()] == [("delivered", 1)]


async def test_who_dies_in_the_middle_leaves_it_to_the_next(world: World) -> None:
    await hook(world)
    await world.hooks.announce([STOPPED])
    await world.stores.hook_deliveries.claim(world.clock.now(), world.clock.now() + LEASE, 10, [])  # and dies
    await world.rounds()
    assert world.receiver.told == []

    world.clock.advance(LEASE)
    another = World(world.stores, world.clock, world.receiver, [KEY])
    await another.rounds()
    assert len(world.receiver.told) == 1


async def test_an_address_that_is_away_holds_up_nobody_and_is_probed_by_one(world: World) -> None:
    away = "https://example.com/away"
    await hook(world)
    await hook(world, away)
    world.receiver.answers[away] = 0
    await world.hooks.announce([replace(STOPPED, event_id="first")])
    await world.rounds()
    await world.hooks.announce([replace(STOPPED, event_id=f"e{number}") for number in range(100)])
    await world.rounds()
    assert (len(world.receiver.bodies()), len(world.receiver.bodies(away))) == (101, 1)

    world.clock.advance(model.FIRST_PAUSE)
    await world.rounds()
    assert len(world.receiver.bodies(away)) == 2, "a probe, and the others wait"

    world.receiver.answers[away] = 200
    world.clock.advance(model.pause_after(2))
    await world.rounds()
    assert len({json.dumps(each) for each in world.receiver.bodies(away)}) == 1
    assert {each.state for each in await world.told()} == {"delivered"}
    assert world.receiver.most <= 8


async def test_what_did_not_come_true_is_not_told_and_what_comes_late_is(world: World) -> None:
    await hook(world, URL, "user.created")
    created = replace(STOPPED, event="user.created", fact="user exists")
    await world.hooks.announce([replace(created, event_id=each, about=each) for each in ("never", "late")])
    await world.rounds()
    world.clock.advance(timedelta(seconds=3))
    await world.rounds()
    assert world.receiver.told == []

    world.facts.add("late")
    for _ in range(15):
        world.clock.advance(timedelta(seconds=5))
        await world.rounds()
    assert [each.about for each in await world.told()] == ["late"]
    assert len(world.receiver.told) == 1


async def test_a_new_secret_signs_beside_the_old_one_for_a_day_and_keys_change(world: World) -> None:
    made, first = await hook(world)
    _, second = await world.book.renew_secret("admin", made.hook_id)
    assert await world.book.secrets(made.hook_id) == [second, first]

    both = World(world.stores, world.clock, world.receiver, [OTHER, KEY])
    assert (await both.book.reseal(), await both.book.reseal()) == (1, 0)
    later = World(world.stores, world.clock, world.receiver, [OTHER])
    assert await later.book.secrets(made.hook_id) == [second, first]
    world.clock.advance(model.OVERLAP)
    assert await later.book.secrets(made.hook_id) == [second]
    kept = json.dumps([dict(each.value) for each in await world.stores.entries.all("system_hook", "")])
    assert first not in kept and second not in kept


async def test_a_key_of_the_configuration_is_told_the_data_alone(world: World) -> None:
    world.configured = [("WEBHOOK_FLOW_STOPPED", URL), ("WEBHOOK_USER_CREATED", "no address"), ("OTHER", URL)]
    await world.hooks.announce([STOPPED])
    await world.rounds()

    [(_, headers, body)] = world.receiver.told
    [configured] = await world.book.all()
    assert json.loads(body) == {"flowId": "f1", "username": "ann@example.com"}
    assert not [name for name in headers if name.startswith("webhook-")]
    assert (configured.hook_id, configured.is_plain) == ("key:WEBHOOK_FLOW_STOPPED", True)
    with pytest.raises(Conflict, match="WEBHOOK_FLOW_STOPPED"):
        await world.hooks.delete(configured.hook_id)


async def test_a_test_tells_an_example_once_whatever_comes_of_it(world: World) -> None:
    made, _ = await hook(world, active=False)
    world.receiver.answers[URL] = 503
    refused = await world.hooks.test(made.hook_id, "component.error")
    world.receiver.answers[URL] = 200
    taken = await world.hooks.test(made.hook_id, "user.created")
    await world.rounds()

    assert [(each.state, each.status, each.attempts) for each in (refused, taken)] == [
        ("failed", 503, 1),
        ("delivered", 200, 1),
    ]
    assert [each["type"] for each in world.receiver.bodies() if isinstance(each, dict)] == [
        "component.error",
        "user.created",
    ]
    assert all(json.loads(body)["data"]["isTest"] for _, _, body in world.receiver.told)
    with pytest.raises(ValidationFailed, match=r"flow\.walked"):
        await world.hooks.test(made.hook_id, "flow.walked")


async def test_what_is_for_a_hook_goes_with_it_and_a_switched_off_one_is_told_nothing_more(world: World) -> None:
    gone, _ = await hook(world, "https://example.com/gone")
    off, _ = await hook(world)
    await world.hooks.announce([STOPPED])
    await world.hooks.delete(gone.hook_id)
    await world.hooks.update("admin", off.hook_id, Wanted(URL, ("flow.stopped",), active=False), off.tag)
    await world.rounds()

    assert world.receiver.told == []
    assert [(each.state, each.error) for each in await world.told()] == [("failed", "The webhook was switched off.")]
    with pytest.raises(NotFound):
        await world.book.get(gone.hook_id)


async def test_what_waits_for_an_address_has_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(model, "MAX_WAITING", 3)
    await hook(world)
    world.receiver.answers[URL] = 0
    for number in range(5):
        await world.hooks.announce([replace(STOPPED, event_id=f"e{number}")])
        world.clock.advance(timedelta(seconds=2))
    assert len(await world.told()) == 3 and "3 things wait to be told" in caplog.text

    world.receiver.answers[URL] = 200
    await world.rounds()
    world.clock.advance(timedelta(seconds=2))
    await world.hooks.announce([replace(STOPPED, event_id="later")])
    await world.rounds()
    assert len(world.receiver.bodies()) == 4


async def test_a_body_that_is_too_large_is_cut_and_says_so(world: World) -> None:
    await hook(world)
    much: dict[str, Json] = {"flowId": "f1", "inputMessages": "x" * model.MAX_BODY}
    more: dict[str, Json] = {"flowId": "f1", "err": {"message": "x" * model.MAX_BODY}}
    await world.hooks.announce([replace(STOPPED, data=much), replace(STOPPED, event_id="e2", data=more)])
    await world.rounds()

    told = [each["data"] for each in world.receiver.bodies() if isinstance(each, dict)]
    named = {"flowId": "f1", "username": "ann@example.com", "isCut": True}
    assert sorted(told, key=len) == [named, {**named, "inputMessages": None}]


@pytest.mark.parametrize(
    ("url", "events", "words"),
    [
        ("ftp://example.com", ("flow.stopped",), "no address"),
        ("https://ann:secret@example.com", ("flow.stopped",), "leave them out"),
        ("https://example.com/a b", ("flow.stopped",), "no address"),
        (URL, (), "told nothing"),
        (URL, ("flow.walked",), r"flow\.walked"),
    ],
)
async def test_what_is_wrong_with_a_hook_is_said(world: World, url: str, events: tuple[str, ...], words: str) -> None:
    with pytest.raises(ValidationFailed, match=words):
        await world.hooks.create("admin", Wanted(url, events))


async def test_without_a_vault_no_hook_is_made(world: World) -> None:
    bare = World(world.stores, world.clock, world.receiver, [])

    with pytest.raises(Unsupported, match="HEADRACE_VAULT_KEYS"):
        await bare.hooks.create("admin", Wanted(URL, ("flow.stopped",)))
