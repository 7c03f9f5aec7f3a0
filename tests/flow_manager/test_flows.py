"""Flow records are saved whole or not at all, in versions, and nobody overwrites what they did not see."""

import asyncio
from typing import Any

import pytest
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as pb
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace.query.v1 import query_pb2
from headrace_core import Json
from headrace_core.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    NotFound,
    RevisionConflict,
    TooLarge,
    ValidationFailed,
)

from .house import ANN, BOB, SET, START, STARTABLE, UNKNOWN, House, dump, load, scope, where

HOSTILE = ["'; DROP TABLE flows; --", "\x00", "a\nb", "%_\\", "../../etc/passwd", "𝕏" * 100, '{"$ne": null}', "<b>"]


async def test_a_record_comes_back_as_it_was_sent(house: House) -> None:
    record: dict[str, Json] = {
        "name": "all",
        "description": "d",
        "notes": "n",
        "type": "integration-template",
        "flow": {**STARTABLE, "big": {"type": SET, "config": {"properties": {"n": 2**80, "f": 1.0, "deep": [{}]}}}},
        "thumbnail": "data:image/svg+xml;base64,AA==",
        "svg": "<svg/>",
        "customFields": {"a": {"b": [1, None, True]}},
        "sharedWith": [{"email": "x@y.z", "permissions": ["read", "start"]}],
        "wizard": {"fields": []},
        "categories": ["CRM"],
        "templateId": "t",
        "templateVersion": 3,
        "originFlowId": "o",
        "componentIdMap": {"a": "b"},
        "mode": "module",
        "logger": {"level": "none"},
    }

    made = await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), record=dump(record)))
    kept = await house.get(made.flow.flow_id)

    assert load(kept.record) == record
    assert (kept.stage, kept.version, kept.running_version, kept.revision) == (flow_pb2.FLOW_STAGE_STOPPED, 1, 0, 1)
    assert ("flow.changed", made.flow.flow_id.encode()) in house.news.published


async def test_all_problems_of_a_record_are_said_at_once_and_nothing_is_saved(house: House) -> None:
    bad: dict[str, Json] = {
        "nmae": "x",
        "name": 3,
        "type": "other",
        "customFields": [],
        "sharedWith": [{"permissions": ["fly"]}],
        "logger": {"level": "loud"},
        "flow": {"a": {"x": "left"}, "b": {"type": "two.words", "colour": "red"}},
    }

    with pytest.raises(ValidationFailed) as refused:
        await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), flow_id="f", record=dump(bad)))

    places = {problem.where for problem in refused.value.problems}
    assert places >= {
        "nmae",
        "name",
        "type",
        "customFields",
        "sharedWith",
        "logger",
        "flow.a.type",
        "flow.a.x",
        "flow.b.type",
    }
    assert any("Known fields" in problem.fix for problem in refused.value.problems if problem.where == "nmae")
    with pytest.raises(NotFound):
        await house.get("f")


async def test_a_bad_update_changes_nothing(house: House) -> None:
    flow = await house.create()

    with pytest.raises(ValidationFailed):
        await house.update(flow.flow_id, {"name": "two", "flow": {"a": {}}})

    assert await house.get(flow.flow_id) == flow


async def test_fields_that_the_service_keeps_may_be_sent_back(house: House) -> None:
    flow = await house.create()

    saved = await house.update(flow.flow_id, {"flowId": "x", "stage": "running", "btime": "never", "name": "two"})

    assert (saved.flow_id, saved.stage, load(saved.record)["name"]) == (flow.flow_id, flow.stage, "two")


async def test_null_removes_a_field_and_a_flow_always_has_a_name(house: House) -> None:
    flow = await house.create(customFields={"a": 1}, notes="n")

    saved = load((await house.update(flow.flow_id, {"customFields": None, "name": None})).record)

    assert saved == {"name": "New flow", "notes": "n", "flow": STARTABLE}


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_only_names(house: House, name: str) -> None:
    await house.create("other")
    flow = await house.create(name)

    assert load((await house.get(flow.flow_id)).record)["name"] == name
    assert await house.names(where("name", query_pb2.OPERATOR_EQUAL, name)) == [name]
    assert await house.names(query_pb2.ListQuery(pattern=name)) == [name]


@pytest.mark.parametrize("flow_id", ["a b", "../x", "x" * 65, "é", "a'b", "a\n"])
async def test_ids_that_clients_choose_are_plain(house: House, flow_id: str) -> None:
    with pytest.raises(BadRequest):
        await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), flow_id=flow_id, record=b"{}"))
    with pytest.raises(BadRequest):
        await house.update(flow_id, {}, create_if_missing=True)


async def test_an_id_is_taken_once_for_all_tenants(house: House) -> None:
    await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(ANN), flow_id="mine", record=b"{}"))

    for tenant in (ANN, BOB):
        with pytest.raises(AlreadyExists):
            await house.flows.CreateFlow(pb.CreateFlowRequest(scope=scope(tenant), flow_id="mine", record=b"{}"))
    with pytest.raises(AlreadyExists):
        await house.update("mine", {}, tenant=BOB, create_if_missing=True)


async def test_an_update_of_an_unknown_flow_makes_it_only_when_asked(house: House) -> None:
    with pytest.raises(NotFound):
        await house.update("new", {"name": "x"})

    request = pb.UpdateFlowRequest(scope=scope(ANN), flow_id="new", changes=dump({"name": "x"}), create_if_missing=True)

    assert [(await house.flows.UpdateFlow(request)).created for _ in range(2)] == [True, False]


async def test_only_a_changed_descriptor_is_a_new_version(house: House) -> None:
    flow = await house.create()

    same = await house.update(flow.flow_id, {"flow": {"go": {"y": 2, "x": 1, "source": {}, "type": START}}})
    renamed = await house.update(flow.flow_id, {"name": "two"})
    changed = await house.update(flow.flow_id, {"flow": {"go": {"type": START, "label": "Begin", "source": {}}}})

    assert [each.version for each in (flow, same, renamed, changed)] == [1, 1, 1, 2]
    assert [each.revision for each in (flow, same, renamed, changed)] == [1, 1, 2, 3]
    page = await house.flows.ListFlowVersions(pb.ListFlowVersionsRequest(scope=scope(ANN), flow_id=flow.flow_id))
    assert [each.version for each in page.versions] == [2, 1]
    assert load(page.versions[1].descriptor_json) == STARTABLE


async def label(house: House, flow_id: str, text: str, version: int = 0, **more: Any) -> flow_pb2.FlowVersion:
    request = pb.LabelFlowVersionRequest(scope=scope(ANN), flow_id=flow_id, version=version, label=text, **more)
    labelled: flow_pb2.FlowVersion = (await house.flows.LabelFlowVersion(request)).version
    return labelled


async def test_a_version_is_labelled_and_the_flow_stays_as_it_is(house: House) -> None:
    flow = await house.create()
    changed = await house.update(flow.flow_id, {"flow": {}})

    first = await label(house, flow.flow_id, "June", 1)
    newest = await label(house, flow.flow_id, "July", only_if_unlabelled=True)
    again = await label(house, flow.flow_id, "July", only_if_unlabelled=True)

    assert [(each.version, each.label) for each in (first, newest, again)] == [(1, "June"), (2, "July"), (2, "July")]
    assert await house.get(flow.flow_id) == changed
    with pytest.raises(Conflict, match="July"):
        await label(house, flow.flow_id, "August", only_if_unlabelled=True)
    with pytest.raises(BadRequest, match="200"):
        await label(house, flow.flow_id, "x" * 201)
    with pytest.raises(NotFound):
        await label(house, flow.flow_id, "x", 3)


async def test_restoring_saves_an_older_version_as_the_newest(house: House) -> None:
    flow = await house.create()
    await house.update(flow.flow_id, {"flow": {}})
    request = pb.RestoreFlowVersionRequest(scope=scope(ANN), flow_id=flow.flow_id, version=1)

    restored = (await house.flows.RestoreFlowVersion(request)).flow
    again = (await house.flows.RestoreFlowVersion(request)).flow

    assert (restored.version, load(restored.record)["flow"]) == (3, STARTABLE)
    assert again == restored
    request.expected_revision = 1
    with pytest.raises(RevisionConflict):
        await house.flows.RestoreFlowVersion(request)
    request.version = 4
    with pytest.raises(NotFound):
        await house.flows.RestoreFlowVersion(request)


async def test_a_running_flow_is_restored_by_force_and_new_runs_take_it(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    changed: Json = {"go": {"type": START, "label": "Begin", "source": {}}}
    await house.update(flow.flow_id, {"flow": changed}, force=True)
    request = pb.RestoreFlowVersionRequest(scope=scope(ANN), flow_id=flow.flow_id, version=1)

    with pytest.raises(Conflict, match="running"):
        await house.flows.RestoreFlowVersion(request)
    request.force = True
    restored = (await house.flows.RestoreFlowVersion(request)).flow

    assert (restored.version, restored.running_version) == (3, 3)
    assert [call[2] for call in house.execution.calls] == [1, 2, 3]


async def test_who_saves_from_an_old_revision_is_refused(house: House) -> None:
    flow = await house.create()
    await house.update(flow.flow_id, {"name": "first"}, expected_revision=flow.revision)

    with pytest.raises(RevisionConflict):
        await house.update(flow.flow_id, {"name": "second"}, expected_revision=flow.revision)

    assert load((await house.get(flow.flow_id)).record)["name"] == "first"


async def test_a_flow_that_is_sent_back_as_it_was_read_does_not_change(house: House) -> None:
    flow = await house.create(customFields={"b": 1, "a": [True, 1.0]}, notes="n")
    house.clock.advance(60)

    sent = {**load(flow.record), "flowId": flow.flow_id, "revision": flow.revision, "stage": "stopped", "version": 1}
    saved = await house.update(flow.flow_id, sent, expected_revision=flow.revision)
    kept = await house.get(flow.flow_id)
    changed = await house.update(flow.flow_id, {"customFields": {"b": 1, "a": [1, 1.0]}})

    assert saved == kept == flow
    assert changed.revision == 2 and load(changed.record)["customFields"] == {"b": 1, "a": [1, 1.0]}


async def test_who_deletes_an_old_revision_is_refused(house: House) -> None:
    flow = await house.create()
    await house.update(flow.flow_id, {"name": "changed"})

    request = pb.DeleteFlowRequest(scope=scope(ANN), flow_id=flow.flow_id, expected_revision=flow.revision)
    with pytest.raises(RevisionConflict):
        await house.flows.DeleteFlow(request)

    assert (await house.get(flow.flow_id)).revision == 2
    request.expected_revision = 2
    await house.flows.DeleteFlow(request)
    with pytest.raises(NotFound):
        await house.get(flow.flow_id)


async def test_updates_at_once_lose_nothing(house: House) -> None:
    flow = await house.create()
    fields = ["description", "notes", "mode", "templateId", "originFlowId"]

    await asyncio.gather(*(house.update(flow.flow_id, {field: field}) for field in fields))

    kept = await house.get(flow.flow_id)
    assert {field: load(kept.record)[field] for field in fields} == {field: field for field in fields}
    assert kept.revision == 6


async def test_sizes_are_limited(house: House) -> None:
    with pytest.raises(TooLarge):
        await house.create(flow={"go": {"type": START, "config": {"properties": {"x": "x" * 2_200_000}}}})
    with pytest.raises(TooLarge):
        await house.create(customFields={"x": "x" * 4_200_000})


async def test_lists_are_filtered_ordered_and_cut(house: House) -> None:
    for name, kind, rank in [("a", "draft", 3), ("b", "live", 1), ("c", "live", 2), ("d", None, 4)]:
        await house.create(name, customFields={"kind": kind, "rank": rank})
        house.clock.advance(1)

    def order(*keys: tuple[str, bool], **more: Any) -> query_pb2.ListQuery:
        sort = [query_pb2.SortKey(field=field, descending=descending) for field, descending in keys]
        return query_pb2.ListQuery(sort=sort, **more)

    assert await house.names(query_pb2.ListQuery()) == ["a", "b", "c", "d"]
    assert await house.names(where("customFields.kind", query_pb2.OPERATOR_EQUAL, "live")) == ["b", "c"]
    assert await house.names(where("customFields.kind", query_pb2.OPERATOR_EMPTY)) == ["d"]
    assert await house.names(where("customFields.rank", query_pb2.OPERATOR_GREATER, 2)) == ["a", "d"]
    assert await house.names(where("flow.go.type", query_pb2.OPERATOR_MATCH, "OnStart$")) == ["a", "b", "c", "d"]
    assert await house.names(order(("customFields.rank", True), limit=2)) == ["d", "a"]
    assert await house.names(order(("btime", True), offset=1, limit=2)) == ["c", "b"]
    request = pb.ListFlowsRequest(scope=scope(ANN), query=query_pb2.ListQuery(limit=1), count_only=True)
    counted = await house.flows.ListFlows(request)
    assert (counted.total, len(counted.flows)) == (4, 0)


async def test_an_operator_that_is_not_given_is_refused(house: House) -> None:
    with pytest.raises(ValidationFailed):
        await house.names(where("name", query_pb2.OPERATOR_UNSPECIFIED, "x"))


async def test_a_call_without_a_tenant_does_nothing(house: House) -> None:
    with pytest.raises(BadRequest, match="tenant"):
        await house.create(tenant="")


async def test_validation_says_what_keeps_a_flow_from_starting(house: House) -> None:
    flow = await house.create(flow=UNKNOWN)

    by_id = await house.flows.ValidateFlow(pb.ValidateFlowRequest(scope=scope(ANN), flow_id=flow.flow_id))
    as_given = await house.flows.ValidateFlow(
        pb.ValidateFlowRequest(scope=scope(ANN), descriptor_json=dump({"a": {"type": 1}}))
    )

    assert by_id.problems[0].node_id == "go" and not by_id.problems[0].warning
    assert [problem.warning for problem in by_id.problems] == sorted(problem.warning for problem in by_id.problems)
    assert as_given.problems[0].where == "flow.a.type"
    with pytest.raises(BadRequest):
        await house.flows.ValidateFlow(pb.ValidateFlowRequest(scope=scope(ANN)))


async def test_a_clone_is_a_stopped_copy_with_what_was_asked(house: House) -> None:
    flow = await house.create("origin", customFields={"a": 1}, sharedWith=[], componentIdMap={"x": "y"})
    request = pb.CloneFlowRequest(
        scope=scope(ANN),
        flow_id=flow.flow_id,
        prefix="Copy of ",
        without=["sharedWith"],
        additional=dump({"customFields": {"b": 2}}),
        set_origin_flow_id=True,
        set_component_id_map=True,
        is_template_instance=True,
    )
    await house.begin(flow.flow_id)

    copy = (await house.flows.CloneFlow(request)).flow
    record = load(copy.record)

    assert copy.stage == flow_pb2.FLOW_STAGE_STOPPED and copy.flow_id != flow.flow_id
    new_id = str(record["componentIdMap"]["go"])  # type: ignore[index,call-overload]  # a map, asserted below
    assert record == {
        "name": "Copy of origin",
        "customFields": {"b": 2},
        "originFlowId": flow.flow_id,
        "templateId": flow.flow_id,
        "templateVersion": 1,
        "type": "integration-instance",
        "componentIdMap": {"go": new_id},
        "flow": {new_id: STARTABLE["go"]},
    }


async def test_a_copy_uses_the_accounts_of_its_origin_only_when_asked(house: House) -> None:
    entry: Json = {"email": "bob@example.com", "permissions": ["read"]}
    config: Json = {"auth": {"accountId": "a1"}, "properties": {"p": 1}}
    flow = await house.create(flow={"go": {"type": START, "config": config}}, sharedWith=[entry])
    bob = await house.people.SignUp(
        people_pb.SignUpRequest(username="bob@example.com", email="bob@example.com", password="long enough")
    )

    async def config_of(tenant: str, *, connect: bool) -> Json:
        request = pb.CloneFlowRequest(scope=scope(tenant), flow_id=flow.flow_id, connect_accounts=connect)
        (node,) = load((await house.flows.CloneFlow(request)).flow.record)["flow"].values()  # type: ignore[union-attr]
        return node["config"]  # type: ignore[index,call-overload,no-any-return]  # a descriptor

    assert await config_of(ANN, connect=True) == config
    assert await config_of(ANN, connect=False) == {"properties": {"p": 1}}
    assert await config_of(bob.user.user_id, connect=True) == {"properties": {"p": 1}}


async def test_a_wizard_that_comes_with_the_clone_names_its_components(house: House) -> None:
    node_id = "0b5d0f0e-6a1a-4d5c-9a54-0f5f2f7d1a01"
    flow = await house.create(flow={node_id: {"type": START}})
    request = pb.CloneFlowRequest(
        scope=scope(ANN),
        flow_id=flow.flow_id,
        set_component_id_map=True,
        additional=dump({"type": "integration-template", "wizard": {"fields": [{"componentId": node_id}]}}),
    )

    record = load((await house.flows.CloneFlow(request)).flow.record)

    (new_id,) = record["componentIdMap"].values()  # type: ignore[union-attr]  # a map
    assert record["wizard"] == {"fields": [{"componentId": new_id}]} and record["type"] == "integration-template"


async def test_a_clone_without_wishes_carries_no_bookkeeping_of_its_origin(house: House) -> None:
    flow = await house.create(originFlowId="o", componentIdMap={"x": "y"})

    copy = (await house.flows.CloneFlow(pb.CloneFlowRequest(scope=scope(ANN), flow_id=flow.flow_id))).flow

    assert load(copy.record).keys() == {"name", "flow"}


async def test_a_running_flow_takes_a_new_descriptor_only_by_force(house: House) -> None:
    flow = await house.create()
    await house.begin(flow.flow_id)
    changed: dict[str, Json] = {"flow": {"go": {"type": START, "label": "Begin", "source": {}}}}

    with pytest.raises(Conflict, match="running"):
        await house.update(flow.flow_id, changed)
    renamed = await house.update(flow.flow_id, {"name": "still fine"})
    forced = await house.update(flow.flow_id, changed, force=True)

    assert (renamed.version, forced.version, forced.running_version) == (1, 2, 2)
    (first, _, _, started), (second, _, version, again) = house.execution.calls
    assert (first, second, version, again) == ("activate", "activate", 2, started)


async def test_moving_cards_keeps_the_version_and_touches_nothing_that_runs(house: House) -> None:
    flow = await house.create()
    running = await house.begin(flow.flow_id)
    moved: dict[str, Json] = {"go": {"type": START, "x": 900, "y": -2.5, "source": {}}}

    saved = await house.update(flow.flow_id, {"flow": moved}, expected_revision=running.revision)

    assert (saved.version, saved.running_version, saved.revision) == (1, 1, running.revision + 1)
    assert load((await house.get(flow.flow_id)).record)["flow"] == moved
    assert [call[0] for call in house.execution.calls] == ["activate"]
    with pytest.raises(RevisionConflict):
        await house.update(flow.flow_id, {"flow": STARTABLE}, expected_revision=running.revision)


async def test_a_version_that_is_asked_for_is_made_once_whatever_it_says(house: House) -> None:
    flow = await house.create()
    request = pb.UpdateFlowRequest(
        scope=scope(ANN), flow_id=flow.flow_id, changes=dump({"flow": STARTABLE}), as_version=2
    )

    versions = [(await house.flows.UpdateFlow(request)).flow.version for _ in range(2)]
    request.as_version = 4
    with pytest.raises(BadRequest, match="version 4 is not the next"):
        await house.flows.UpdateFlow(request)

    assert versions == [2, 2]


async def test_a_forced_update_must_be_fit_to_run(house: House) -> None:
    flow = await house.create()
    running = await house.begin(flow.flow_id)

    with pytest.raises(ValidationFailed):
        await house.update(flow.flow_id, {"flow": UNKNOWN}, force=True)

    assert await house.get(flow.flow_id) == running
