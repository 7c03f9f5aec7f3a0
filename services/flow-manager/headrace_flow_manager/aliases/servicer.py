"""headrace.alias.v1: decode, call, encode."""

from headrace.alias.v1 import alias_service_pb2 as pb
from headrace.alias.v1 import alias_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager.aliases.model import Alias, Target
from headrace_flow_manager.aliases.service import AliasService
from headrace_flow_manager.servicer import scope_of, tenant_of, timestamp


class AliasServicer(grpc_pb.AliasServiceServicer):
    """Answers headrace.alias.v1.AliasService."""

    def __init__(self, aliases: AliasService) -> None:
        self._aliases = aliases

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_AliasServiceServicer_to_server(self, server)

    async def CreateAlias(self, request: pb.CreateAliasRequest, context: object) -> pb.CreateAliasResponse:
        given = request.alias
        made = await self._aliases.create(tenant_of(request.scope), given.path, _target(given), given.alias_id)
        return pb.CreateAliasResponse(alias=_shown(made))

    async def UpdateAlias(self, request: pb.UpdateAliasRequest, context: object) -> pb.UpdateAliasResponse:
        given = request.alias
        saved = await self._aliases.update(
            tenant_of(request.scope), given.alias_id, given.path, _target(given), request.expected_tag
        )
        return pb.UpdateAliasResponse(alias=_shown(saved))

    async def GetAlias(self, request: pb.GetAliasRequest, context: object) -> pb.GetAliasResponse:
        found = await self._aliases.get(scope_of(request.scope).readable, request.alias_id)
        return pb.GetAliasResponse(alias=_shown(found))

    async def ListAliases(self, request: pb.ListAliasesRequest, context: object) -> pb.ListAliasesResponse:
        return pb.ListAliasesResponse(aliases=map(_shown, await self._aliases.all(scope_of(request.scope).readable)))

    async def DeleteAlias(self, request: pb.DeleteAliasRequest, context: object) -> pb.DeleteAliasResponse:
        await self._aliases.delete(tenant_of(request.scope), request.alias_id, request.expected_tag)
        return pb.DeleteAliasResponse()

    async def ResolveAlias(self, request: pb.ResolveAliasRequest, context: object) -> pb.ResolveAliasResponse:
        target = await self._aliases.resolve(request.path)
        return pb.ResolveAliasResponse(flow_id=target.flow_id, component_id=target.component_id)


def _target(alias: pb.Alias) -> Target:
    return Target(alias.flow_id, alias.component_id)


def _shown(alias: Alias) -> pb.Alias:
    return pb.Alias(
        alias_id=alias.alias_id,
        path=alias.path,
        flow_id=alias.target.flow_id,
        component_id=alias.target.component_id,
        tenant_id=alias.tenant_id,
        changed_at=timestamp(alias.changed_at),
        tag=alias.tag,
    )
