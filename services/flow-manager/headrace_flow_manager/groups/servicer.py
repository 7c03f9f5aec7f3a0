"""headrace.group.v1: decode, call, encode."""

from headrace.group.v1 import group_service_pb2 as pb
from headrace.group.v1 import group_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.groups.service import GroupService
from headrace_flow_manager.servicer import query_of, timestamp


class GroupServicer(grpc_pb.GroupServiceServicer):
    """Answers headrace.group.v1.GroupService."""

    def __init__(self, groups: GroupService) -> None:
        self._groups = groups

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_GroupServiceServicer_to_server(self, server)

    async def CreateGroup(self, request: pb.CreateGroupRequest, context: object) -> pb.CreateGroupResponse:
        made = await self._groups.create(request.group_id, request.name, request.description, tuple(request.members))
        return pb.CreateGroupResponse(group=_group(made))

    async def GetGroup(self, request: pb.GetGroupRequest, context: object) -> pb.GetGroupResponse:
        return pb.GetGroupResponse(group=_group(await self._groups.get(request.group_id)))

    async def ListGroups(self, request: pb.ListGroupsRequest, context: object) -> pb.ListGroupsResponse:
        page = await self._groups.page(query_of(request.query))
        return pb.ListGroupsResponse(groups=map(_group, page.items), total=page.total)

    async def UpdateGroup(self, request: pb.UpdateGroupRequest, context: object) -> pb.UpdateGroupResponse:
        group = await self._groups.update(
            request.group_id,
            name=request.name if request.HasField("name") else None,
            description=request.description if request.HasField("description") else None,
            members=tuple(request.members) if request.replace_members else None,
            expected_revision=request.expected_revision,
        )
        return pb.UpdateGroupResponse(group=_group(group))

    async def DeleteGroup(self, request: pb.DeleteGroupRequest, context: object) -> pb.DeleteGroupResponse:
        await self._groups.delete(request.group_id)
        return pb.DeleteGroupResponse()

    async def JoinGroup(self, request: pb.JoinGroupRequest, context: object) -> pb.JoinGroupResponse:
        return pb.JoinGroupResponse(group=_group(await self._groups.join(request.group_id, request.user_id)))

    async def LeaveGroup(self, request: pb.LeaveGroupRequest, context: object) -> pb.LeaveGroupResponse:
        return pb.LeaveGroupResponse(group=_group(await self._groups.leave(request.group_id, request.user_id)))


def _group(group: Group) -> pb.Group:
    return pb.Group(
        group_id=group.group_id,
        name=group.name,
        description=group.description,
        members=group.members,
        created_at=timestamp(group.created_at),
        updated_at=timestamp(group.updated_at),
        revision=group.revision,
    )
