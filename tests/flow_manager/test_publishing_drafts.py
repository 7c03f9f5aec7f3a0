"""A draft and its template: one template for each draft, whose components keep their ids, so that instances follow."""

import asyncio
from typing import Any

import pytest
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.integration.v1 import integration_service_pb2 as pb
from headrace_core import Json
from headrace_core.errors import BadRequest, Conflict, NotFound, ValidationFailed

from .house import ANN, House, dump, load, scope
from .test_integrations import MAIL, SHARED, descriptor, fill_in, id_of, instance, node, progress, update


async def draft(house: House, **more: Json) -> flow_pb2.Flow:
    nodes: Any = descriptor(limit=1)
    nodes["mail"]["config"]["auth"] = {"account": "mine"}
    return await house.create("offer", flow=nodes, type="integration-draft", **more)


async def publish(house: House, flow_id: str, *, shared_with: Json = None, force: bool = False) -> Any:
    shared = None if shared_with is None else dump(shared_with)
    return await house.integrations.PublishDraft(
        pb.PublishDraftRequest(scope=scope(ANN), flow_id=flow_id, shared_with=shared, force=force)
    )


def record(answer: Any) -> dict[str, Json]:
    return load(answer.template.record)


async def test_a_draft_becomes_a_template_under_ids_of_its_own_and_without_accounts(house: House) -> None:
    made = await draft(house, description="d", sharedWith=SHARED)

    answer = await publish(house, made.flow_id)

    kept = record(answer)
    assert (answer.created, answer.changed, answer.template.version) == (True, True, 1)
    assert (kept["type"], kept["originFlowId"], kept["description"]) == ("integration-template", made.flow_id, "d")
    assert kept["sharedWith"] == SHARED
    assert set(kept["componentIdMap"]) == {"go", "mail"} and not {"go", "mail"} & set(kept["flow"])  # type: ignore[arg-type]  # objects
    mail = node(answer.template, "mail")
    assert mail["source"] == {"in": {id_of(answer.template, "go"): ["out"]}}
    assert mail["config"] == {"properties": {"to": "", "limit": 1}}
    assert load((await house.get(made.flow_id)).record)["type"] == "integration-draft"


async def test_publishing_again_changes_the_template_only_where_the_draft_changed(house: House) -> None:
    made = await draft(house, description="d", sharedWith=SHARED)
    first = await publish(house, made.flow_id)
    again = await publish(house, made.flow_id)
    await house.update(made.flow_id, {"description": None, "flow": {**descriptor(limit=2), "more": {"type": MAIL}}})

    third = await publish(house, made.flow_id, shared_with=[])

    assert (again.created, again.changed, again.template.revision) == (False, False, first.template.revision)
    assert (third.template.flow_id, third.created, third.changed) == (first.template.flow_id, False, True)
    assert third.template.version == 2
    assert id_of(third.template, "mail") == id_of(first.template, "mail")
    assert node(third.template, "mail")["config"]["properties"]["limit"] == 2
    assert ("description" in record(third), record(third)["sharedWith"]) == (False, [])
    assert id_of(third.template, "more") in record(third)["flow"]  # type: ignore[operator]  # an object


async def test_a_template_that_was_cloned_of_the_draft_is_the_one_that_is_published_to(house: House) -> None:
    made = await draft(house)
    request = flow_pb.CloneFlowRequest(
        scope=scope(ANN),
        flow_id=made.flow_id,
        set_origin_flow_id=True,
        set_component_id_map=True,
        additional=dump({"type": "integration-template"}),
    )
    cloned = (await house.flows.CloneFlow(request)).flow

    answer = await publish(house, made.flow_id)

    assert (answer.template.flow_id, answer.created, answer.changed) == (cloned.flow_id, False, False)
    await house.update(cloned.flow_id, {"componentIdMap": None})
    with pytest.raises(Conflict, match="componentIdMap"):
        await publish(house, made.flow_id)


async def test_instances_follow_what_is_published(house: House) -> None:
    made = await draft(house)
    template = (await publish(house, made.flow_id)).template
    theirs = await instance(house, template.flow_id)
    await fill_in(house, theirs, id_of(template, "mail"), to="me")
    await house.update(made.flow_id, {"flow": descriptor(limit=5)})

    await publish(house, made.flow_id)
    ticket = await update(house, template.flow_id)
    await house.app.integrations.round()

    assert (await progress(house, ticket)).state == pb.WORK_STATE_COMPLETED
    ids: Any = load((await house.get(theirs.flow_id)).record)
    mail = ids["flow"][ids["componentIdMap"][id_of(template, "mail")]]
    assert mail["config"]["properties"] == {"to": "me", "limit": 5}


async def test_several_who_publish_at_once_make_one_template(house: House) -> None:
    made = await draft(house)

    answers = await asyncio.gather(*(publish(house, made.flow_id) for _ in range(5)))

    assert len({each.template.flow_id for each in answers}) == 1
    assert [each.created for each in answers].count(True) == 1


async def test_who_took_the_templates_id_before_does_not_stop_it(house: House) -> None:
    made = await draft(house)
    taken = (await publish(house, made.flow_id)).template.flow_id
    await house.update(taken, {"originFlowId": None})

    answer = await publish(house, made.flow_id)

    assert answer.created and answer.template.flow_id != taken
    assert (await publish(house, made.flow_id)).template.flow_id == answer.template.flow_id


async def test_what_is_no_draft_is_not_published_and_what_runs_only_by_force(house: House) -> None:
    plain = await house.create("plain")
    with pytest.raises(Conflict, match="no draft"):
        await publish(house, plain.flow_id)
    with pytest.raises(NotFound):
        await publish(house, "none")
    made = await house.create("offer", type="integration-draft")
    template = (await publish(house, made.flow_id)).template
    await house.begin(template.flow_id)
    await house.update(made.flow_id, {"flow": {}})
    with pytest.raises(Conflict, match="running"):
        await publish(house, made.flow_id)
    for wrong, error in (({}, BadRequest), ([{"permissions": ["fly"]}], ValidationFailed)):
        with pytest.raises(error):
            await publish(house, made.flow_id, shared_with=wrong, force=True)
    assert (await publish(house, made.flow_id, force=True)).template.running_version == 2
