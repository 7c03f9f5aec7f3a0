"""A component is called once, by itself: built in or published, without state, within its time."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace_core.errors import (
    BadRequest,
    DeadlineExceeded,
    NotFound,
    RateLimited,
    Unavailable,
    ValidationFailed,
)
from headrace_core.quotas import Allowance, QuotaRule
from headrace_executor.context import StaticCall
from headrace_executor.ports import PublishedComponent
from headrace_executor.settings import RunnerSettings
from headrace_executor.static_calls import AT_ONCE

from .neighbours import MemoryStoreService
from .platform import COMPONENTS, TENANT, HandedFlows, HandedQuotas, Platform, Rooms, platform, webhook
from .published import Shelf

QUICK = RunnerSettings(most=4, hang_after=timedelta(seconds=5), start_within=timedelta(seconds=60))
SECONDS = timedelta(seconds=20)

LISTS = """
    import asyncio
    from headrace_sdk import CancelError, Component, Context, Output

    def to_options(value):
        return [{"label": each, "value": each} for each in value]

    async def slowly(value):
        await asyncio.sleep(0)
        return len(value)

    class Own(Component):
        transforms = {"upper": lambda value: [each.upper() for each in value]}

        async def receive(self, context: Context):
            if context.properties.get("fails"):
                raise CancelError("Give it a word.", {"why": "none"})
            if context.properties.get("hangs"):
                await asyncio.sleep(60)
            if context.properties.get("state"):
                await context.state.set("a", 1)
            yield Output("not this one", port="other")
            yield [context.content["word"], context.properties["more"], context.node_id]
            yield ["the second is nobody's"]
    """
TRANSFORMERS = "def count(value):\n    return len(value)\n\ndef _hidden(value):\n    return value\n"


class Known:
    """A catalog of the components that come with Headrace, and of a test's."""

    def __init__(self, *published: PublishedComponent) -> None:
        self.published = {each.type: each for each in published}
        self.asked: list[tuple[str, str]] = []
        self.callers: set[str] = set()

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        self.asked.append((tenant_id, component_type))
        self.callers.add(bundle_id)
        if component_type in self.published:
            return self.published[component_type]
        for each in COMPONENTS:
            if each.type == component_type.replace("appmixer.", "headrace."):
                return PublishedComponent(each.type, each.manifest, "", "", "")
        raise NotFound("component", component_type)


def lists(shelf: Shelf, **manifest: Any) -> PublishedComponent:
    """The component `LISTS`, with transforms in a file beside it."""
    made = shelf.publish(LISTS, outPorts=["out", "other"], properties={"schema": {"properties": {}}}, **manifest)
    archive = {
        f"{made.root}/component.py": textwrap.dedent(LISTS),
        f"{made.root}/transformers.py": TRANSFORMERS,
        "acme/own/lib.py": "def double(value):\n    return value * 2\n",
    }
    return PublishedComponent(made.type, made.manifest, shelf.put(archive), made.root, "python")


async def call(here: Platform, component_type: str, *, within: timedelta = SECONDS, **asked: Any) -> Any:
    return await here.app.calls.call(StaticCall(tenant_id=TENANT, type=component_type, **asked), within)


WORD = {"in": {"word": "a"}}


async def test_the_first_message_on_the_port_is_the_answer_and_transforms_are_found_where_they_are(
    tmp_path: Path,
) -> None:
    shelf = Shelf()
    own = lists(shelf)
    asked: dict[str, Any] = {"messages": WORD, "properties": {"more": "b"}, "node_id": "n"}

    async with platform(tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=Known(own)) as here:
        plain = await call(here, own.type, **asked)
        other = await call(here, own.type, out_port="other", **asked)
        found = {
            name: await call(here, own.type, transform=name, **asked)
            for name in (
                "upper",
                "./Own#upper",
                "./component#to_options",
                "./Own#slowly",
                "./transformers#count",
                "./transformers.py#count",
                "../../lib#double",
            )
        }
        for name in ("none", "./transformers#_hidden", "./no#count", "../../../../../etc/passwd#x", "./Own#Component"):
            with pytest.raises(BadRequest, match=r"There is no|has no transform"):
                await call(here, own.type, transform=name, **asked)

    assert plain == ["a", "b", "n"]
    assert other == "not this one"
    assert found == {
        "upper": ["A", "B", "N"],
        "./Own#upper": ["A", "B", "N"],
        "./component#to_options": [{"label": each, "value": each} for each in plain],
        "./Own#slowly": 3,
        "./transformers#count": 3,
        "./transformers.py#count": 3,
        "../../lib#double": plain * 2,
    }


async def test_components_in_javascript_answer_and_call_others(tmp_path: Path) -> None:
    shelf = Shelf()
    own = lists(shelf)
    script = shelf.publish_javascript(
        """
        module.exports = {
            async receive(context) {
                const { word } = context.messages.in.content;
                const asked = { messages: { in: { word } }, properties: { more: 'js' }, transform: 'upper' };
                await context.sendJson(await context.componentStaticCall('acme.own.core.Own', 'out', asked), 'out');
            },
            toOptions(found) {
                return found.map(value => ({ label: value, value }));
            }
        };
        """,
        name="Script",
        files={"acme/own/core/Script/transformers.js": "module.exports.first = found => found[0];"},
    )
    async with platform(tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=Known(own, script)) as here:
        plain = await call(here, script.type, messages=WORD)
        options = await call(here, script.type, messages=WORD, transform="./Script#toOptions")
        first = await call(here, script.type, messages=WORD, transform="./transformers#first")

    assert plain == ["A", "JS", ""]
    assert options == [{"label": each, "value": each} for each in plain]
    assert first == "A"


async def test_built_in_components_answer_in_either_spelling(tmp_path: Path) -> None:
    rooms = Rooms(stores=MemoryStoreService())
    async with platform(tmp_path, HandedFlows(), rooms=rooms, catalog=Known()) as here:
        made = await rooms.stores.create_store(TENANT, "People")
        stores = await call(here, "appmixer.utils.storage.ListStores", transform="./ListStores#toSelectArray")
        options = await call(
            here,
            "headrace.utils.controls.SetVariable",
            messages={"in": {"variables": {"ADD": [{"type": "number", "name": "n"}]}}},
            properties={"generateOutputPortOptions": True},
        )
        with pytest.raises(ValidationFailed, match="no transform"):
            await call(here, "headrace.utils.storage.ListStores", transform="./ListStores#none")

    assert stores == [{"content": "People", "value": made["storeId"]}]
    assert options == [{"label": "n", "value": "n", "schema": {"type": "number"}}]


async def test_what_goes_wrong_is_told_in_the_errors_of_the_house(tmp_path: Path) -> None:
    shelf = Shelf()
    own = lists(shelf)
    broken = shelf.publish("1 / 0", name="Broken")
    passing = shelf.publish(
        """
        from headrace_sdk import Component, TransientError

        class Passing(Component):
            async def receive(self, context):
                raise TransientError("It is away.")
        """,
        name="Passing",
    )
    silent = shelf.publish(
        """
        from headrace_sdk import Component

        class Silent(Component):
            pass
        """,
        name="Silent",
    )
    known = Known(own, broken, passing, silent)
    async with platform(tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=known) as here:
        with pytest.raises(NotFound):
            await call(here, "acme.no.such.Thing")
        with pytest.raises(ValidationFailed, match="no out-port 'x'"):
            await call(here, own.type, out_port="x")
        with pytest.raises(BadRequest, match="Give it a word") as refused:
            await call(here, own.type, properties={"fails": True})
        with pytest.raises(BadRequest, match="no state"):
            await call(here, own.type, messages=WORD, properties={"more": "b", "state": True})
        with pytest.raises(BadRequest, match="division by zero"):
            await call(here, broken.type)
        with pytest.raises(Unavailable, match="It is away"):
            await call(here, passing.type)
        with pytest.raises(BadRequest, match="sent nothing to its out-port out"):
            await call(here, silent.type)
        with pytest.raises(DeadlineExceeded, match="did not answer within"):
            await call(here, own.type, properties={"hangs": True}, within=timedelta(milliseconds=300))

    assert refused.value.details == {"component": own.type, "name": "CancelError", "data": {"why": "none"}}


async def test_a_tenant_has_so_many_calls_under_way_and_no_more(tmp_path: Path) -> None:
    shelf = Shelf()
    own = lists(shelf)
    async with platform(tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=Known(own)) as here:
        await call(here, own.type, messages=WORD, properties={"more": "b"})
        hanging = [asyncio.ensure_future(call(here, own.type, properties={"hangs": True})) for _ in range(AT_ONCE)]
        await asyncio.sleep(0.05)
        with pytest.raises(RateLimited, match="at once already"):
            await call(here, own.type, messages=WORD, properties={"more": "b"})
        for each in hanging:
            each.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        assert await call(here, own.type, messages=WORD, properties={"more": "b"}) == ["a", "b", ""]


class Metering:
    """Grants so many calls, and says when to come back."""

    def __init__(self, grants: int, wait: timedelta) -> None:
        self.left = grants
        self.wait = wait
        self.asked: list[tuple[list[str], str]] = []

    async def acquire_quota(
        self, asked: list[Allowance], request_id: str, party: str, learned_names: Sequence[str]
    ) -> timedelta | datetime:
        self.asked.append(([each.name for each in asked], request_id))
        if self.left > 0:
            self.left -= 1
            return timedelta()
        self.left = 1  # granted the next time
        return datetime.now().astimezone() + self.wait


async def test_a_call_counts_against_the_quota_waits_its_turn_and_not_longer(tmp_path: Path) -> None:
    shelf, quotas, rooms = Shelf(), HandedQuotas(), Rooms()
    quotas.known["acme:own"] = [QuotaRule(5, timedelta(minutes=1), ("reads",), ("userId",))]
    quota: Mapping[str, Any] = {"manager": "acme:own", "resources": "reads", "scope": {"userId": "{{userId}}"}}
    own = lists(shelf, quota={**quota, "maxWait": 1_000})
    asked: dict[str, Any] = {"messages": WORD, "properties": {"more": "b"}}
    metering: Any = Metering(1, timedelta(milliseconds=100))
    rooms.timers.metering = metering

    async with platform(
        tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=Known(own), quotas=quotas, rooms=rooms
    ) as here:
        await call(here, own.type, **asked)
        assert await call(here, own.type, **asked) == ["a", "b", ""]
        metering.left, metering.wait = 0, timedelta(seconds=30)
        with pytest.raises(RateLimited) as refused:
            await call(here, own.type, **asked)

    assert refused.value.retry_after > timedelta(seconds=20)
    first, second, again, *_ = metering.asked
    assert first[1] != second[1] == again[1]  # a call that waited asks under its own id


async def test_components_call_each_other_as_their_user_in_a_runner_and_built_in(tmp_path: Path) -> None:
    shelf, flows = Shelf(), HandedFlows()
    own = lists(shelf)
    caller = shelf.publish(
        """
        from headrace_sdk import CancelError, Component, Context

        class Caller(Component):
            async def receive(self, context: Context):
                got = await context.call(
                    "acme.own.core.Own", messages={"in": {"word": "x"}}, properties={"more": "y"}, transform="upper"
                )
                zones = await context.call("headrace.utils.timers.ListTimeZones")
                try:
                    await context.call("acme.no.such.Thing")
                except CancelError as error:
                    yield {"got": got, "zones": bool(zones), "error": str(error)}
        """,
        name="Caller",
    )
    node = {"type": caller.type, "x": 0, "y": 0, "source": {"in": {"hook": ["request"]}}, "config": {}}
    flows.put("f", {"hook": webhook(), "own": node}, components=[caller])
    known = Known(own, caller)

    async with platform(tmp_path, flows, shelf=shelf, runners=QUICK, catalog=known) as here:
        run_id, _ = await here.send("f", "hook", {})
        detail = await here.rest(run_id)
        static = await call(here, caller.type)

    [(_, _, seen)] = [output for step in detail.steps if step.node_id == "own" for output in step.outputs]
    assert seen == {"got": ["X", "Y", "OWN"], "zones": True, "error": seen["error"]}
    assert "acme.no.such.Thing" in seen["error"]
    assert static["got"] == ["X", "Y", ""]
    assert {tenant for tenant, _ in known.asked} == {TENANT}
    assert known.callers == {"", caller.bundle_id}  # a caller's own content is told, for what lies beside it


async def test_components_that_call_themselves_come_to_an_end(tmp_path: Path) -> None:
    shelf = Shelf()
    own = shelf.publish(
        """
        from headrace_sdk import Component

        class Own(Component):
            async def receive(self, context):
                yield await context.call("acme.own.core.Own")
        """
    )
    async with platform(tmp_path, HandedFlows(), shelf=shelf, runners=QUICK, catalog=Known(own)) as here:
        with pytest.raises(BadRequest, match="call each other in a row"):
            await call(here, own.type)
