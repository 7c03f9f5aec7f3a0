"""A flow is its owner's, and others may do with it what it is shared with them for: nothing more, and nobody else."""

import pytest
from headrace.flow.v1 import flow_service_pb2 as pb
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace_core import Json
from headrace_core.errors import BadRequest, Forbidden, NotFound
from headrace_flow_manager.flows.sharing import Guest, permits

from .house import ANN, House, load, scope

GUEST = Guest("Bob@Partner.example", frozenset({"user", "beta"}), frozenset({"sales"}))


def entry(**more: Json) -> dict[str, Json]:
    return {"permissions": ["read"], **more}


@pytest.mark.parametrize(
    ("shared", "allowed"),
    [
        ([entry(email="bob@partner.example")], True),
        ([entry(domain="PARTNER.example")], True),
        ([entry(scope="beta")], True),
        ([entry(email="eve@partner.example"), entry(scope="beta")], True),
        ([entry(email="bob@partner.example", scope="gamma")], False),
        ([entry(email="bob@partner.example", domain="partner.example", scope="beta")], True),
        ([entry(email="bob@partner.example", permissions=["start", "stop"])], False),
        ([entry(email="bob@partner.example", permissions=[])], False),
        ([entry(domain="example")], False),
        ([entry(domain="sub.partner.example")], False),
        ([entry(domain="bob@partner.example")], False),
        ([entry(scope="BETA")], False),
        ([entry(group="sales")], True),
        ([entry(group="SALES")], False),
        ([entry(group="beta")], False),
        ([entry(scope="sales")], False),
        ([entry(group="sales", scope="gamma")], False),
        ([entry(email="")], False),
        ([entry(email=None)], False),
        ([entry()], False),
        ([{"email": "bob@partner.example"}], False),
        ([{"email": "bob@partner.example", "permissions": "read"}], False),
        (["bob@partner.example"], False),
        ("bob@partner.example", False),
        ([], False),
        (None, False),
    ],
)
def test_an_entry_allows_only_whom_and_what_it_names(shared: Json, allowed: bool) -> None:
    assert permits({"sharedWith": shared}, GUEST, "read") is allowed
    assert not permits({}, GUEST, "read")


@pytest.mark.parametrize("entry", [{"email": ""}, {"domain": ""}, {"email": "", "domain": ""}])
def test_who_has_no_mail_address_is_meant_by_no_mail_address(entry: dict[str, Json]) -> None:
    assert not permits({"sharedWith": [{**entry, "permissions": ["read"]}]}, Guest("", frozenset()), "read")


async def user(house: House, name: str) -> str:
    """The id of a new user of partner.example."""
    request = people_pb.SignUpRequest(username=name, email=f"{name}@partner.example", password="correct horse")
    return str((await house.people.SignUp(request)).user.user_id)


async def test_a_guest_reads_starts_and_stops_as_far_as_the_flow_is_shared(house: House) -> None:
    bob = await user(house, "bob")
    share = [{"email": "bob@partner.example", "permissions": ["read", "start", "stop"]}]
    flow = await house.create(sharedWith=share)

    assert (await house.get(flow.flow_id, bob)).tenant_id == ANN
    assert (await house.begin(flow.flow_id, bob)).tenant_id == ANN
    assert (await house.get(flow.flow_id)).running_version == 1
    await house.end(flow.flow_id, bob)
    assert house.execution.verbs == ["activate", "deactivate"]


async def test_a_reader_is_told_what_is_missing_and_a_stranger_that_there_is_nothing(house: House) -> None:
    bob, eve = await user(house, "bob"), await user(house, "eve")
    flow = await house.create(sharedWith=[{"email": "bob@partner.example", "permissions": ["read"]}])

    with pytest.raises(Forbidden, match="not to start it"):
        await house.begin(flow.flow_id, bob)
    with pytest.raises(Forbidden, match="not to stop it"):
        await house.end(flow.flow_id, bob)
    for call in (house.get, house.begin, house.end):
        with pytest.raises(NotFound):
            await call(flow.flow_id, eve)
    assert house.execution.verbs == []


async def test_no_permission_changes_deletes_or_lists_the_versions_of_somebody_elses_flow(house: House) -> None:
    bob = await user(house, "bob")
    flow = await house.create(sharedWith=[{"scope": "user", "permissions": ["read", "start", "stop"]}])

    with pytest.raises(NotFound):
        await house.update(flow.flow_id, {"name": "mine"}, bob)
    with pytest.raises(NotFound):
        await house.delete(flow.flow_id, bob)
    with pytest.raises(NotFound):
        await house.flows.ListFlowVersions(pb.ListFlowVersionsRequest(scope=scope(bob), flow_id=flow.flow_id))
    assert load((await house.get(flow.flow_id)).record)["name"] == "one"


async def test_a_reader_may_copy_a_flow_and_the_copy_is_shared_with_nobody(house: House) -> None:
    bob, eve = await user(house, "bob"), await user(house, "eve")
    flow = await house.create(sharedWith=[{"domain": "partner.example", "permissions": ["read"]}])

    answer = await house.flows.CloneFlow(pb.CloneFlowRequest(scope=scope(bob), flow_id=flow.flow_id))

    assert answer.flow.tenant_id == bob
    assert "sharedWith" not in load(answer.flow.record)
    with pytest.raises(NotFound):
        await house.get(answer.flow.flow_id, eve)


async def test_a_share_ends_with_the_entry_with_the_user_and_with_the_flow(house: House) -> None:
    bob, eve = await user(house, "bob"), await user(house, "eve")
    flow = await house.create(sharedWith=[{"domain": "partner.example", "permissions": ["read"]}])
    await house.get(flow.flow_id, bob)

    await house.people.UpdateUser(people_pb.UpdateUserRequest(user_id=eve, email="eve@elsewhere.example"))
    with pytest.raises(NotFound):
        await house.get(flow.flow_id, eve)
    await house.update(flow.flow_id, {"sharedWith": []})
    with pytest.raises(NotFound):
        await house.get(flow.flow_id, bob)
    await house.update(flow.flow_id, {"sharedWith": [{"scope": "user", "permissions": ["read"]}]})
    await house.get(flow.flow_id, bob)
    await house.delete(flow.flow_id)
    with pytest.raises(NotFound):
        await house.get(flow.flow_id, bob)


async def listed(house: House, user_id: str, *permissions: str) -> list[tuple[str, dict[str, Json]]]:
    request = pb.ListFlowsRequest(scope=scope(user_id), shared_permissions=permissions)
    answer = await house.flows.ListFlows(request)
    counted = pb.ListFlowsRequest(scope=scope(user_id), shared_permissions=permissions, count_only=True)
    assert (await house.flows.ListFlows(counted)).total == answer.total == len(answer.flows)
    return [(flow.flow_id, load(flow.record)) for flow in answer.flows]


async def test_a_guest_lists_what_is_shared_and_reads_only_what_is_shared_to_be_read(house: House) -> None:
    bob, eve = await user(house, "bob"), await user(house, "eve")
    read = await house.create("read", sharedWith=[{"email": "bob@partner.example", "permissions": ["read"]}])
    start = await house.create("start", sharedWith=[{"domain": "partner.example", "permissions": ["start"]}])
    own = await house.create("own", bob, sharedWith=[{"scope": "user", "permissions": ["read"]}])
    await house.create("nobody's")

    (found,) = await listed(house, bob, "read")
    assert (found[0], found[1]["name"], "flow" in found[1]) == (read.flow_id, "read", True)
    assert await listed(house, bob, "start") == [(start.flow_id, {"name": "start", "flow": {}})]
    assert {each for each, _ in await listed(house, eve, "read", "start")} == {start.flow_id, own.flow_id}
    assert await listed(house, "f" * 24, "read") == []
    with pytest.raises(BadRequest, match="'write'"):
        await listed(house, bob, "read", "write")
