"""A digest sends every entry once: by number, by the clock, or when it is called."""

import pytest
from headrace_connectors.utils.controls.Digest.component import Digest
from headrace_core import Json
from headrace_core.schedules import Cron
from headrace_sdk import CancelError, JsonObject
from headrace_sdk.reading import as_list, as_object
from headrace_sdk.testing import Outcome, World, run_component


async def add(world: World, entry: Json, step_id: str | None = None, **properties: Json) -> Outcome:
    return await run_component(
        Digest, content={"entry": entry}, properties=properties, world=world, step_id=step_id, run_id=f"run {entry}"
    )


async def drain(world: World, port: str, **properties: Json) -> Outcome:
    return await run_component(Digest, port=port, properties=properties, world=world)


async def test_the_threshold_sends_and_begins_anew() -> None:
    world = World()

    sent = [(await add(world, number, threshold=2)).outputs for number in range(5)]

    assert sent == [
        [],
        [("out", {"entries": [0, 1], "count": 2})],
        [],
        [("out", {"entries": [2, 3], "count": 2})],
        [],
    ]


async def test_a_repeated_step_adds_once_and_sends_the_same() -> None:
    world = World()
    await add(world, "a", "one", threshold=2)
    await add(world, "a", "one", threshold=2)

    outcome = await add(world, "b", "two", threshold=2)

    assert outcome.outputs == [("out", {"entries": ["a", "b"], "count": 2})]


async def test_the_webhook_sends_what_there_is_and_answers() -> None:
    world = World()
    await add(world, "a")

    outcome = await drain(world, "webhook")

    assert outcome.outputs == [("out", {"entries": ["a"], "count": 1})]
    assert [answer.status for answer in outcome.responses] == [200]
    assert (await drain(world, "webhook")).outputs == [("out", {"entries": [], "count": 0})]


async def test_the_clock_sends_only_what_is_worth_it() -> None:
    world = World()

    assert (await drain(world, "schedule")).outputs == []
    await add(world, "a", threshold=3)
    assert (await drain(world, "schedule", threshold=3)).outputs == []
    assert (await drain(world, "schedule")).outputs == [("out", {"entries": ["a"], "count": 1})]


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("first", [{"entry": "a", "index": 0, "count": 2}]),
        ("object", [{"entry": "a", "index": 0, "count": 2}, {"entry": "b", "index": 1, "count": 2}]),
        ("array", [{"entries": ["a", "b"], "count": 2}]),
    ],
)
async def test_entries_leave_as_the_output_type_says(kind: str, sent: list[Json]) -> None:
    world = World()
    await add(world, "a", outputType=kind)
    await add(world, "b", outputType=kind)

    assert (await drain(world, "webhook", outputType=kind)).on("out") == sent


async def test_a_file_has_a_line_for_every_entry() -> None:
    world = World()
    entries: list[JsonObject] = [{"a": 1, "b": 'say "x", y'}, {"a": 2, "c": None}]
    for entry in entries:
        await add(world, entry, outputType="file")

    outcome = await drain(world, "webhook", outputType="file")

    sent = as_object(outcome.on("out")[0])
    assert sent["count"] == 2
    content = await world.files.load(str(sent["fileId"]))
    assert content.decode() == 'a,b,c\n1,"say ""x"", y",\n2,,\n'


@pytest.mark.parametrize(
    ("properties", "schedule"),
    [
        ({}, None),
        ({"minute": "5"}, Cron("5", "*", "*", "*", "*")),
        ({"hour": "8", "timezone": "Europe/Prague"}, Cron("0", "8", "*", "*", "*", "Europe/Prague")),
        ({"dayWeek": "MON"}, Cron("0", "*", "*", "*", "MON")),
    ],
)
def test_fields_left_empty_leave_the_schedule_open(properties: JsonObject, schedule: Cron | None) -> None:
    assert Digest().schedule(properties) == schedule


@pytest.mark.parametrize("properties", [{"minute": "99"}, {"hour": "1", "timezone": "Nowhere"}])
def test_a_schedule_that_makes_no_sense_is_refused(properties: JsonObject) -> None:
    with pytest.raises(CancelError, match="makes no sense"):
        Digest().schedule(properties)


async def test_forms_are_answered() -> None:
    url = as_object((await run_component(Digest, properties={"getWebhookUrl": True})).on("out")[0])
    offered = await run_component(Digest, properties={"generateOutputPortOptions": True, "outputType": "file"})

    assert "https://" in str(url)
    assert [as_object(each)["value"] for each in as_list(offered.on("out")[0])] == ["count", "fileId"]
    with pytest.raises(CancelError, match="no output type"):
        await run_component(Digest, properties={"generateOutputPortOptions": True, "outputType": "stone"})
