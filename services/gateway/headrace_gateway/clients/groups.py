"""Groups of users."""

from collections.abc import Sequence

from headrace.group.v1 import group_service_pb2 as pb
from headrace.group.v1.group_service_pb2_grpc import GroupServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import moment, query_to_proto
from headrace_gateway.queries import ListQuery


class GroupClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = GroupServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(self, group_id: str, name: str, description: str, members: Sequence[str]) -> dict[str, Json]:
        """Keep a new group. Raises ValidationFailed, AlreadyExists and Conflict."""
        request = pb.CreateGroupRequest(group_id=group_id, name=name, description=description, members=members)
        return _group_to_json((await self._stub.CreateGroup(request, timeout=self._timeout)).group)

    async def get(self, group_id: str) -> dict[str, Json]:
        """The group. Raises NotFound."""
        request = pb.GetGroupRequest(group_id=group_id)
        return _group_to_json((await self._stub.GetGroup(request, timeout=self._timeout)).group)

    async def page(self, query: ListQuery) -> list[dict[str, Json]]:
        """A page of groups."""
        request = pb.ListGroupsRequest(query=query_to_proto(query))
        answer = await self._stub.ListGroups(request, timeout=self._timeout)
        return [_group_to_json(each) for each in answer.groups]

    async def update(
        self,
        group_id: str,
        *,
        name: str | None,
        description: str | None,
        members: Sequence[str] | None,
        expected_revision: int,
    ) -> dict[str, Json]:
        """The group with the changes; None leaves as it is.

        Raises NotFound, ValidationFailed, AlreadyExists and RevisionConflict.
        """
        request = pb.UpdateGroupRequest(
            group_id=group_id,
            name=name,
            description=description,
            replace_members=members is not None,
            members=members or (),
            expected_revision=expected_revision,
        )
        return _group_to_json((await self._stub.UpdateGroup(request, timeout=self._timeout)).group)

    async def delete(self, group_id: str) -> None:
        """Take the group away. Raises NotFound."""
        await self._stub.DeleteGroup(pb.DeleteGroupRequest(group_id=group_id), timeout=self._timeout)

    async def join(self, group_id: str, user_id: str) -> dict[str, Json]:
        """The group with this member. Raises NotFound, or ValidationFailed for somebody who is no user."""
        request = pb.JoinGroupRequest(group_id=group_id, user_id=user_id)
        return _group_to_json((await self._stub.JoinGroup(request, timeout=self._timeout)).group)

    async def leave(self, group_id: str, user_id: str) -> dict[str, Json]:
        """The group without this member. Raises NotFound."""
        request = pb.LeaveGroupRequest(group_id=group_id, user_id=user_id)
        return _group_to_json((await self._stub.LeaveGroup(request, timeout=self._timeout)).group)


def _group_to_json(group: pb.Group) -> dict[str, Json]:
    return {
        "groupId": group.group_id,
        "name": group.name,
        "description": group.description,
        "members": list(group.members),
        "created": moment(group, "created_at"),
        "mtime": moment(group, "updated_at"),
        "revision": group.revision,
    }
