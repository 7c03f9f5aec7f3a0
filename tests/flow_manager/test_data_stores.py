"""Records are written once, found exactly, and every change reaches each trigger that wants it, once."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from headrace.query.v1 import query_pb2
from headrace.store.v1 import store_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import AlreadyExists, BadRequest, NotFound, TooLarge, Unavailable, ValidationFailed
from headrace_flow_manager.data_stores.relay import LONGEST_DELAY, delay_after

from .house import ANN, BOB, House, dump, load, open_house, scope, where

HOSTILE = ["'; DROP TABLE stores; --", "\x00", "a\x00b", "%", "_", "../x", "*", "𝕏", " ", "\n", "k" * 1024]


async def new_store(house: House, name: str = "people", tenant: str = ANN) -> str:
    answer = await house.stores.CreateStore(pb.CreateStoreRequest(scope=scope(tenant), name=name))
    store_id: str = answer.store.store_id
    return store_id


async def put(house: House, store_id: str, key: str, value: Json, tenant: str = ANN, **more: Any) -> Any:
    request = pb.PutRecordRequest(scope=scope(tenant), store_id=store_id, key=key, value=dump(value), **more)
    return await house.stores.PutRecord(request)


async def get(house: House, store_id: str, key: str, tenant: str = ANN) -> Any:
    return (await house.stores.GetRecord(pb.GetRecordRequest(scope=scope(tenant), store_id=store_id, key=key))).record


async def delete(house: House, store_id: str, *keys: str, every: bool = False) -> int:
    request = pb.DeleteRecordsRequest(scope=scope(ANN), store_id=store_id, keys=keys, all=every)
    deleted: int = (await house.stores.DeleteRecords(request)).deleted
    return deleted


async def keys_of(house: House, store_id: str, query: query_pb2.ListQuery | None = None) -> list[str]:
    request = pb.ListRecordsRequest(scope=scope(ANN), store_id=store_id, query=query or query_pb2.ListQuery())
    return [record.key for record in (await house.stores.ListRecords(request)).records]


async def listen(house: House, store_id: str, flow: str = "flow", *events: str, tenant: str = ANN) -> None:
    listener = pb.StoreListener(flow_id=flow, node_id="node", events=events or ("insert", "update", "delete"))
    await house.stores.Listen(pb.ListenRequest(scope=scope(tenant), store_id=store_id, listener=listener))


async def relay(house: House, after: timedelta = timedelta()) -> None:
    """What the relay does when so much time has passed."""
    house.clock.advance(after)
    while await house.app.relay.round():
        pass


def heard(house: House) -> list[tuple[Json, ...]]:
    contents = [load(event.content) for event in house.execution.events]
    return [(each["type"], each["key"], each["value"], each["oldValue"]) for each in contents]


async def test_store_names_are_unique_per_tenant(house: House) -> None:
    store_id = await new_store(house, "a")
    await new_store(house, "b")
    await new_store(house, "a", tenant=BOB)

    with pytest.raises(AlreadyExists):
        await new_store(house, "a")
    with pytest.raises(AlreadyExists):
        await house.stores.RenameStore(pb.RenameStoreRequest(scope=scope(ANN), store_id=store_id, name="b"))
    renamed = await house.stores.RenameStore(pb.RenameStoreRequest(scope=scope(ANN), store_id=store_id, name="c"))

    assert (renamed.store.name, renamed.old_name) == ("c", "a")
    listed = await house.stores.ListStores(pb.ListStoresRequest(scope=scope(ANN)))
    assert [store.name for store in listed.stores] == ["b", "c"]


@pytest.mark.parametrize("name", ["", " ", "x" * 256])
async def test_a_store_has_a_name_that_can_be_read(house: House, name: str) -> None:
    with pytest.raises(ValidationFailed):
        await new_store(house, name)


@pytest.mark.parametrize("key", HOSTILE)
async def test_hostile_keys_and_names_are_only_keys_and_names(house: House, key: str) -> None:
    store_id = await new_store(house, f"s{key}"[:200])
    await put(house, store_id, "other", 1)
    await put(house, store_id, key, {"key": key})

    assert load((await get(house, store_id, key)).value) == {"key": key}
    assert await keys_of(house, store_id, where("key", query_pb2.OPERATOR_EQUAL, key)) == [key]
    assert await delete(house, store_id, key, key) == 1
    assert await keys_of(house, store_id) == ["other"]


async def test_values_come_back_whole_and_tell_what_stood_there(house: House) -> None:
    store_id = await new_store(house)

    first = await put(house, store_id, "k", [2**80, 1.0, None])
    house.clock.advance(1)
    second = await put(house, store_id, "k", "two")

    assert not first.HasField("old_value")
    assert second.old_value == dump([2**80, 1.0, None])
    assert second.record.created_at == first.record.created_at != second.record.updated_at
    assert await get(house, store_id, "k") == second.record


async def test_bad_keys_values_and_stores_are_refused(house: House) -> None:
    store_id = await new_store(house)

    for key in ("", "k" * 1025):
        with pytest.raises(ValidationFailed):
            await put(house, store_id, key, 1)
    with pytest.raises(TooLarge):
        await put(house, store_id, "k", "x" * 1024 * 1024)
    with pytest.raises(BadRequest):
        await house.stores.PutRecord(
            pb.PutRecordRequest(scope=scope(ANN), store_id=store_id, key="k", value=b"not json")
        )
    with pytest.raises(NotFound):
        await put(house, "no such store", "k", 1)
    with pytest.raises(NotFound):
        await get(house, store_id, "k")


async def test_a_request_that_is_sent_again_is_written_once(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id)
    await put(house, store_id, "k", "before")

    first = await put(house, store_id, "k", "mine", request_id="step-1")
    await put(house, store_id, "k", "somebody else's")
    again = await put(house, store_id, "k", "mine", request_id="step-1")
    other_key = await put(house, store_id, "k2", "mine", request_id="step-1")
    await relay(house)

    assert again == first and not other_key.HasField("old_value")
    assert (await get(house, store_id, "k")).value == dump("somebody else's")
    assert len(heard(house)) == 4


async def test_a_key_that_must_be_absent_is_not_overwritten(house: House) -> None:
    store_id = await new_store(house)
    results = await asyncio.gather(
        *(put(house, store_id, "k", number, only_if_absent=True) for number in range(5)), return_exceptions=True
    )

    assert sum(isinstance(each, AlreadyExists) for each in results) == 4
    assert await keys_of(house, store_id) == ["k"]


async def test_a_record_moves_to_a_free_place(house: House) -> None:
    here, there = await new_store(house, "here"), await new_store(house, "there")
    await put(house, here, "k", 1)
    await put(house, there, "taken", 2)

    def request(store_id: str, **to: str) -> pb.MoveRecordRequest:
        return pb.MoveRecordRequest(scope=scope(ANN), store_id=store_id, key="k", **to)

    with pytest.raises(AlreadyExists):
        await house.stores.MoveRecord(request(here, new_store_id=there, new_key="taken"))
    same = (await house.stores.MoveRecord(request(here))).record
    moved = (await house.stores.MoveRecord(request(here, new_store_id=there))).record

    assert same.store_id == here
    assert (moved.store_id, moved.key, moved.value) == (there, "k", b"1")
    assert (await keys_of(house, here), await keys_of(house, there)) == ([], ["k", "taken"])
    with pytest.raises(NotFound):
        await house.stores.MoveRecord(request(here))


async def test_records_are_filtered_ordered_and_counted(house: House) -> None:
    store_id = await new_store(house)
    values: list[tuple[str, Json]] = [
        ("b", {"age": 30, "tags": ["x"]}),
        ("a", {"age": 20}),
        ("c", "plain text"),
        ("d", 30),
    ]
    for key, value in values:
        await put(house, store_id, key, value)
        house.clock.advance(1)

    def order(field: str, descending: bool = False, **more: Any) -> query_pb2.ListQuery:
        return query_pb2.ListQuery(sort=[query_pb2.SortKey(field=field, descending=descending)], **more)

    assert await keys_of(house, store_id) == ["a", "b", "c", "d"]
    assert await keys_of(house, store_id, order("createdAt", True, limit=2)) == ["d", "c"]
    assert await keys_of(house, store_id, order("value.age", True, limit=2)) == ["b", "a"]
    assert await keys_of(house, store_id, where("value.age", query_pb2.OPERATOR_GREATER, 25)) == ["b"]
    assert await keys_of(house, store_id, where("value", query_pb2.OPERATOR_EQUAL, 30)) == ["d"]
    assert await keys_of(house, store_id, where("value.tags", query_pb2.OPERATOR_EQUAL, "x")) == ["b"]
    assert await keys_of(house, store_id, query_pb2.ListQuery(pattern="PLAIN")) == ["c"]
    assert await keys_of(house, store_id, query_pb2.ListQuery(pattern='"age":2')) == ["a"]
    for query, total in [(query_pb2.ListQuery(), 4), (where("value.age", query_pb2.OPERATOR_EMPTY), 2)]:
        request = pb.ListRecordsRequest(scope=scope(ANN), store_id=store_id, query=query, count_only=True)
        assert (await house.stores.ListRecords(request)).total == total


async def test_deleting_by_key_by_none_and_all(house: House) -> None:
    store_id = await new_store(house)
    for key in "abc":
        await put(house, store_id, key, 1)

    assert await delete(house, store_id) == 0
    assert await delete(house, store_id, "a", "no such key") == 1
    assert await delete(house, store_id, every=True) == 2
    await house.stores.DeleteStore(pb.DeleteStoreRequest(scope=scope(ANN), store_id=store_id))
    with pytest.raises(NotFound):
        await delete(house, store_id, every=True)


async def test_every_change_reaches_its_listeners(house: House) -> None:
    here, there = await new_store(house, "here"), await new_store(house, "there")
    await listen(house, here)
    await listen(house, here, "inserts only", "insert")

    await put(house, here, "k", 1)
    await put(house, here, "k", 2)
    await put(house, there, "unheard", 1)
    await house.stores.MoveRecord(pb.MoveRecordRequest(scope=scope(ANN), store_id=here, key="k", new_key="l"))
    await delete(house, here, every=True)
    await relay(house)

    by_flow: dict[str, list[tuple[Json, ...]]] = {"flow": [], "inserts only": []}
    for event, what in zip(house.execution.events, heard(house), strict=True):
        by_flow[event.flow_id].append(what)
    changes: list[tuple[Json, ...]] = [
        ("insert", "k", 1, None), ("update", "k", 2, 1), ("delete", "k", 2, 2), ("insert", "l", 2, None),
        ("delete", "l", 2, 2),
    ]  # fmt: skip
    assert by_flow == {"flow": changes, "inserts only": [each for each in changes if each[0] == "insert"]}
    assert {(event.node_id, event.port) for event in house.execution.events} == {("node", "store")}
    assert len({event.event_id for event in house.execution.events}) == 5


async def test_listening_again_replaces_and_unlistening_ends(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id)
    await listen(house, store_id, "flow", "delete")
    await put(house, store_id, "k", 1)
    request = pb.UnlistenRequest(scope=scope(ANN), flow_id="flow", node_id="node")
    for _ in range(2):
        await house.stores.Unlisten(request)
    await delete(house, store_id, "k")
    await relay(house)

    assert heard(house) == []
    with pytest.raises(ValidationFailed):
        await listen(house, store_id, "flow", "explode")
    with pytest.raises(BadRequest):
        await listen(house, store_id, "")


async def test_changes_wait_for_an_executor_that_is_away_and_for_a_restart(tmp_path: Path) -> None:
    async with open_house(tmp_path) as house:
        store_id = await new_store(house)
        await listen(house, store_id)
        house.execution.failures += [Unavailable("away")] * 3
        await put(house, store_id, "k", 1)
        for _ in range(3):
            await relay(house, LONGEST_DELAY)
        assert heard(house) == []

    async with open_house(tmp_path) as house:
        await relay(house, 4 * LONGEST_DELAY)
        assert heard(house) == [("insert", "k", 1, None)]
        await relay(house, LONGEST_DELAY)
        assert len(heard(house)) == 1


async def test_a_write_wakes_the_relay(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id)
    await house.app.start()

    await put(house, store_id, "k", 1)
    await asyncio.wait_for(house.execution.called.wait(), 10)
    await house.app.drain()

    assert heard(house) == [("insert", "k", 1, None)]


async def test_many_changes_go_in_batches_in_their_order(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id)
    for number in range(250):
        await put(house, store_id, "k", number)

    await relay(house)

    assert [each[2] for each in heard(house)] == list(range(250))


async def test_a_change_that_nobody_takes_is_dropped_and_told(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id, "gone")
    await listen(house, store_id, "there")
    house.execution.refusals["gone"] = "not_found"

    await put(house, store_id, "k", 1)
    await relay(house)
    house.execution.refusals.clear()
    await relay(house, LONGEST_DELAY)

    assert [event.flow_id for event in house.execution.events] == ["there"]
    (record,) = house.log.records
    assert record.tenant_id == ANN and load(record.fields)["flowId"] == "gone"


async def test_a_change_that_is_refused_for_now_is_tried_again(house: House) -> None:
    store_id = await new_store(house)
    await listen(house, store_id)
    house.execution.refusals["flow"] = "unavailable"

    await put(house, store_id, "k", 1)
    await relay(house)
    assert heard(house) == []
    house.execution.refusals.clear()
    await relay(house, LONGEST_DELAY)

    assert len(heard(house)) == 1 and house.log.records == []


async def test_a_deleted_flow_listens_no_more(house: House) -> None:
    store_id, flow = await new_store(house), await house.create()
    await listen(house, store_id, flow.flow_id)

    await house.delete(flow.flow_id)
    await put(house, store_id, "k", 1)
    await relay(house)

    assert heard(house) == []


async def test_request_ids_are_forgotten_after_their_time(house: House) -> None:
    store_id = await new_store(house)
    await put(house, store_id, "k", 1, request_id="r")
    await house.app.data_stores.prune()
    assert not (await put(house, store_id, "k", 2, request_id="r")).HasField("old_value")

    house.clock.advance(timedelta(days=36))
    await house.app.data_stores.prune()

    assert (await put(house, store_id, "k", 3, request_id="r")).old_value == b"1"


def test_delays_double_up_to_a_limit() -> None:
    assert [delay_after(attempts).total_seconds() for attempts in (0, 1, 2, 3)] == [1, 2, 4, 8]
    assert delay_after(10_000) == LONGEST_DELAY
