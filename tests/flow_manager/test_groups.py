"""Groups have users there are as members; shares and whoever asks for a token's owner know them at once."""

import asyncio
from typing import Any

import pytest
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.group.v1 import group_service_pb2 as pb
from headrace.people.v1 import people_service_pb2 as people_pb
from headrace_core.errors import AlreadyExists, Forbidden, NotFound, RevisionConflict, ValidationFailed

from .house import House, scope
from .test_people import sign_up


async def create(house: House, group_id: str, *members: str, name: str = "") -> Any:
    request = pb.CreateGroupRequest(group_id=group_id, name=name or group_id, members=members)
    return (await house.groups.CreateGroup(request)).group


async def join(house: House, group_id: str, user_id: str) -> Any:
    return (await house.groups.JoinGroup(pb.JoinGroupRequest(group_id=group_id, user_id=user_id))).group


async def leave(house: House, group_id: str, user_id: str) -> Any:
    return (await house.groups.LeaveGroup(pb.LeaveGroupRequest(group_id=group_id, user_id=user_id))).group


async def groups_of(house: House, token: str) -> list[str]:
    return list((await house.people.Authenticate(people_pb.AuthenticateRequest(token=token))).groups)


async def test_members_come_and_go_and_nobody_is_lost_who_came_at_once(house: House) -> None:
    users = [(await sign_up(house, f"user{number}")).user.user_id for number in range(4)]
    made = await create(house, "sales", users[0])

    await asyncio.gather(*(join(house, "sales", each) for each in users[1:]))
    again = await join(house, "sales", users[0])
    rest = await leave(house, "sales", users[3])
    gone = await leave(house, "sales", users[3])

    assert list(made.members) == users[:1]
    assert sorted(again.members) == sorted(users) and again.revision == 4
    assert sorted(rest.members) == sorted(users[:3]) and gone.revision == rest.revision == 5


async def test_only_users_are_members_and_what_cannot_be_kept_is_named(house: House) -> None:
    ann = await sign_up(house)
    await create(house, "sales")
    for group_id, name, members in (
        ("a b", "x", ()),
        ("a", " x", ()),
        ("a", "", ()),
        ("a", "x", ("none",)),
        ("a", "x", ("",)),
    ):
        with pytest.raises(ValidationFailed):
            await house.groups.CreateGroup(pb.CreateGroupRequest(group_id=group_id, name=name, members=members))
    with pytest.raises(ValidationFailed, match="none"):
        await join(house, "sales", "none")
    with pytest.raises(NotFound):
        await join(house, "none", ann.user.user_id)
    with pytest.raises(AlreadyExists):
        await create(house, "SALES", name="Sales")
    with pytest.raises(ValidationFailed):
        await create(house, "many", *(f"u{number}" for number in range(1001)))


async def test_a_group_is_changed_by_the_fields_that_are_given_and_by_revision(house: House) -> None:
    ann = await sign_up(house)
    await create(house, "sales", ann.user.user_id)

    async def change(**more: Any) -> Any:
        return (await house.groups.UpdateGroup(pb.UpdateGroupRequest(group_id="sales", **more))).group

    described = await change(description="They sell")
    same = await change(description="They sell", expected_revision=described.revision)
    with pytest.raises(RevisionConflict):
        await change(name="Law", expected_revision=1)
    emptied = await change(replace_members=True)

    assert (described.name, list(described.members), described.revision) == ("sales", [ann.user.user_id], 2)
    assert same == described
    assert (list(emptied.members), emptied.description) == ([], "They sell")


async def test_who_speaks_with_a_token_comes_with_their_groups(house: House) -> None:
    ann = await sign_up(house)
    assert await groups_of(house, ann.token) == []

    for group_id in ("sales", "law"):
        await create(house, group_id, ann.user.user_id)
    assert await groups_of(house, ann.token) == ["law", "sales"]
    personal = await house.people.CreatePersonalToken(
        people_pb.CreatePersonalTokenRequest(user_id=ann.user.user_id, name="less", caller_scopes=[])
    )
    assert await groups_of(house, personal.secret) == ["law", "sales"]
    await house.groups.DeleteGroup(pb.DeleteGroupRequest(group_id="law"))
    await leave(house, "sales", ann.user.user_id)
    assert await groups_of(house, ann.token) == []


async def test_a_flow_that_is_shared_with_a_group_is_shared_with_its_members_of_now(house: House) -> None:
    ann, bob = await sign_up(house), (await sign_up(house, "bob")).user.user_id
    await create(house, "sales")
    share = [{"group": "sales", "permissions": ["read", "start"]}]
    flow = await house.create(tenant=ann.user.user_id, sharedWith=share)

    with pytest.raises(NotFound):
        await house.get(flow.flow_id, bob)
    await join(house, "sales", bob)
    assert (await house.get(flow.flow_id, bob)).tenant_id == ann.user.user_id
    await house.begin(flow.flow_id, bob)
    with pytest.raises(Forbidden):
        await house.end(flow.flow_id, bob)
    shared = flow_pb.ListFlowsRequest(scope=scope(bob), shared_permissions=["read"])
    assert [each.flow_id for each in (await house.flows.ListFlows(shared)).flows] == [flow.flow_id]
    await leave(house, "sales", bob)
    with pytest.raises(NotFound):
        await house.get(flow.flow_id, bob)
    assert (await house.flows.ListFlows(shared)).total == 0


async def test_who_is_removed_is_in_no_group(house: House) -> None:
    ann, bob = await sign_up(house), await sign_up(house, "bob")
    await create(house, "sales", ann.user.user_id, bob.user.user_id)

    await house.people.DeleteUser(people_pb.DeleteUserRequest(user_id=ann.user.user_id))
    await house.app.removal.round()

    group = (await house.groups.GetGroup(pb.GetGroupRequest(group_id="sales"))).group
    assert list(group.members) == [bob.user.user_id]
