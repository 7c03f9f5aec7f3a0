"""Join Each sends once per round, whatever the order in which messages come."""

from itertools import permutations

import pytest
from headrace_connectors.utils.controls.JoinEach.component import JoinEach
from headrace_core import Json
from headrace_sdk import CancelError, JsonObject, Message
from headrace_sdk.testing import Outcome, World, run_component


async def item(world: World, value: Json, group: str = "g", step_id: str | None = None) -> Outcome:
    return await run_component(
        JoinEach,
        content={"correlationId": group},
        messages={"in": [Message(value)]},
        world=world,
        step_id=step_id,
    )


async def count(world: World, number: Json, group: str = "g", **more: Json) -> Outcome:
    content: JsonObject = {"count": number, "correlationId": group, **more}
    return await run_component(JoinEach, port="count", content=content, world=world)


@pytest.mark.parametrize("order", list(permutations(["a", "b", "count"])))
async def test_the_last_to_come_sends_all_items(order: tuple[str, ...]) -> None:
    world = World()

    outcomes = [await (count(world, 2) if name == "count" else item(world, name)) for name in order]

    sent = [output for outcome in outcomes for output in outcome.outputs]
    items = [name for name in order if name != "count"]
    assert sent == [("out", {"items": items})]
    assert outcomes[-1].outputs == sent
    assert world.timeouts == {}


async def test_equal_items_count_apart_and_a_repeated_step_counts_once() -> None:
    world = World()
    await item(world, "same", step_id="one")
    await item(world, "same", step_id="one")
    await item(world, "same", step_id="two")

    assert (await count(world, 2)).outputs == [("out", {"items": ["same", "same"]})]


async def test_a_repeated_last_step_sends_again_what_it_sent() -> None:
    world = World()
    await count(world, 1)

    first = await item(world, "a", step_id="last")
    again = await item(world, "a", step_id="last")

    assert first.outputs == again.outputs == [("out", {"items": ["a"]})]


async def test_groups_and_runs_do_not_mix() -> None:
    world = World()
    await item(world, "a", "one")
    await item(world, "b", "two")

    assert (await count(world, 1, "two")).outputs == [("out", {"items": ["b"]})]
    other = await run_component(
        JoinEach, port="count", content={"count": 1, "correlationId": "one"}, world=world, run_id="other"
    )
    assert other.outputs == []


async def test_without_a_correlation_id_the_run_is_the_group() -> None:
    world = World()
    await run_component(JoinEach, messages={"in": [Message("a")]}, world=world)

    outcome = await run_component(JoinEach, port="count", content={"count": "1"}, world=world)

    assert outcome.outputs == [("out", {"items": ["a"]})]


async def test_a_second_round_of_a_group_begins_empty() -> None:
    world = World()
    for name in ("a", "b"):
        await item(world, name)
        assert (await count(world, 1)).outputs == [("out", {"items": [name]})]


async def test_nothing_to_wait_for_is_an_empty_list() -> None:
    assert (await count(World(), 0)).outputs == [("out", {"items": []})]


async def test_after_its_time_what_came_is_sent_and_later_items_are_not() -> None:
    world = World()
    await item(world, "a")
    waiting = await count(world, 3, timeout=True, timeoutValue=60)
    (timeout,) = waiting.timeouts

    gave_up = await run_component(JoinEach, port="timeout", content=timeout.content, world=world)
    again = await run_component(JoinEach, port="timeout", content=timeout.content, world=world)
    late = [await item(world, name) for name in ("b", "c")]

    assert (timeout.due - world.clock.now()).total_seconds() == 60
    assert gave_up.outputs == [("timeout", {"items": ["a"], "count": 3, "arrived": 1})]
    assert again.outputs == []
    assert [outcome.outputs for outcome in late] == [[], []]


async def test_a_join_has_a_deadline_unless_it_is_switched_off() -> None:
    assert len((await count(World(), 2)).timeouts) == 1
    assert (await count(World(), 2, timeout=False)).timeouts == []


async def test_a_count_that_is_missing_cancels() -> None:
    with pytest.raises(CancelError, match="count is missing"):
        await count(World(), None)
