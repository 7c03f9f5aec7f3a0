"""Steps that act with accounts: what becomes of them where there is none, or nobody to ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import Unavailable
from headrace_executor import accounts
from headrace_executor.model import RunState
from headrace_executor.ports import Credentials
from headrace_sdk import Component, Context
from headrace_sdk.errors import HttpStatusError

from .neighbours import MemoryLocks
from .platform import TENANT, HandedFlows, Platform, Rooms, platform, webhook

TYPE = "acme.own.test.Acting"
SECRET = "canary-secret-of-the-step"
ACCOUNT = "a" * 36


@dataclass
class HandedAccounts:
    """Accounts as the test wants them."""

    answer: Credentials
    away: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    is_usable: bool = False

    async def credentials(self, tenant_id: str, flow_id: str, node_id: str, service: str, chosen: str) -> Credentials:
        assert (tenant_id, service) == (TENANT, "acme:own")
        if self.away:
            self.away -= 1
            raise Unavailable("The flow manager is away.")
        return self.answer

    async def rejected(self, tenant_id: str, account_id: str, token_id: str, reason: str) -> bool:
        self.refused.append((token_id, reason))
        return False

    async def usable(self, account_ids: Sequence[str]) -> Sequence[str]:
        return account_ids if self.is_usable else []


class Acting(Component):
    """Works with its account, and says too much about it."""

    called: list[Any] = []  # noqa: RUF012 - read by the tests, emptied by `acting`
    fails_with: list[Exception] = []  # noqa: RUF012 - as above

    async def receive(self, context: Context) -> None:
        self.called.append(context.auth)
        if self.fails_with:
            raise self.fails_with.pop()
        context.log({"secret": context.auth["key"]})
        await context.state.set("kept", f"<{context.auth['key']}>")
        await context.send_json({"said": context.auth["key"], "n": context.config["n"]})

    async def tick(self, context: Context) -> None:
        await self.receive(context)


@dataclass(frozen=True)
class Own:
    type: str = TYPE
    component: type[Component] = Acting

    @property
    def manifest(self) -> Mapping[str, Any]:
        return {
            "name": TYPE,
            "auth": {"service": "acme:own"},
            "tick": True,
            "inPorts": [{"name": "in"}],
            "outPorts": [{"name": "out"}],
            "effect": "pure",
        }


def opened(**auth: Any) -> Credentials:
    return Credentials(ACCOUNT, "t1", auth or {"key": SECRET}, {"n": 5}, (SECRET,), "")


def closed(reason: str, account_id: str = ACCOUNT) -> Credentials:
    return Credentials(account_id, "t1", None, {}, (), reason)


def files_in(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.glob("executor.db*")]


@asynccontextmanager
async def acting(folder: Path, handed: HandedAccounts) -> AsyncIterator[Platform]:
    Acting.called.clear()
    Acting.fails_with.clear()
    flows = HandedFlows()
    flows.put(
        "f",
        {"hook": webhook(immediateResponse=True), "act": {"type": TYPE, "source": {"in": {"hook": ["request"]}}}},
    )
    async with platform(folder, flows, own=[Own()], rooms=Rooms(MemoryLocks(), accounts=handed)) as made:
        yield made


async def test_a_step_acts_with_its_account_and_nothing_of_it_is_written_down(tmp_path: Path) -> None:
    async with acting(tmp_path, HandedAccounts(opened())) as made:
        run_id, _ = await made.send("f", "hook", {})
        detail = await made.rest(run_id)

    [step] = [each for each in detail.steps if each.node_id == "act"]
    assert Acting.called == [{"key": SECRET}]
    assert step.outputs[0][2] == {"said": "***", "n": 5}
    assert SECRET not in repr(detail)
    assert not any(SECRET.encode() in content for content in files_in(tmp_path))


async def test_a_step_without_an_account_fails_and_can_be_retried(tmp_path: Path) -> None:
    handed = HandedAccounts(closed("No account is assigned to it.", account_id=""))
    async with acting(tmp_path, handed) as made:
        run_id, _ = await made.send("f", "hook", {})
        detail = await made.rest(run_id)
        [message], _ = await made.store.list_unprocessed(TENANT, "f", "", 0, 10)

    assert detail.run.state is RunState.FAILED and Acting.called == []
    assert b"no_account" in message.error and b"No account is assigned" in message.error


async def test_a_step_waits_while_nobody_can_say_what_it_acts_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "ASK_AGAIN", timedelta(milliseconds=20))
    async with acting(tmp_path, HandedAccounts(opened(), away=3)) as made:
        run_id, _ = await made.send("f", "hook", {})
        detail = await made.rest(run_id)

    assert detail.run.state is RunState.DONE and len(Acting.called) == 1


async def test_a_service_that_refuses_parks_the_step_without_counting_a_try(tmp_path: Path) -> None:
    handed = HandedAccounts(opened())
    async with acting(tmp_path, handed) as made:
        Acting.fails_with.append(HttpStatusError(401, f"no {SECRET}"))
        run_id, _ = await made.send("f", "hook", {})
        detail = await made.until(run_id, RunState.WAITING)
        waited_for = await made.store.waited_for(10)
        [(delivery, parked)] = detail.waits
        handed.is_usable = True
        made.app.reconnecting.hear()
        done = await made.rest(run_id)

    assert (delivery.attempts, parked.kind, parked.due, waited_for) == (0, "account", None, [ACCOUNT])
    assert handed.refused == [("t1", "no ***")] and SECRET not in repr(detail)
    assert done.run.state is RunState.DONE and len(Acting.called) == 2


async def test_a_tick_that_may_not_look_is_skipped(tmp_path: Path) -> None:
    async with acting(tmp_path, HandedAccounts(closed("It was revoked."))) as made:
        run_id, _ = await made.send("f", "act", {}, port="tick")
        detail = await made.rest(run_id)

    assert (detail.run.state, [step.outcome for step in detail.steps]) == (RunState.DONE, ["skipped"])
    assert Acting.called == []
