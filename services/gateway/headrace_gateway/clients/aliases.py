"""Paths that people choose for webhooks."""

from headrace.alias.v1 import alias_service_pb2 as pb
from headrace.alias.v1.alias_service_pb2_grpc import AliasServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import moment, scope_to_proto
from headrace_gateway.identity import Scope


class AliasClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = AliasServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(
        self, scope: Scope, path: str, flow_id: str, component_id: str, alias_id: str = ""
    ) -> dict[str, Json]:
        """A new alias, under a fresh id or the one given.

        Raises ValidationFailed, NotFound for somebody else's flow, AlreadyExists.
        """
        alias = pb.Alias(alias_id=alias_id, path=path, flow_id=flow_id, component_id=component_id)
        request = pb.CreateAliasRequest(scope=scope_to_proto(scope), alias=alias)
        return _shown((await self._stub.CreateAlias(request, timeout=self._timeout)).alias)

    async def update(
        self, scope: Scope, alias_id: str, path: str, flow_id: str, component_id: str, expected_tag: str = ""
    ) -> tuple[dict[str, Json], str]:
        """The alias as it is now, and its tag. Raises as `create` does, and RevisionConflict."""
        alias = pb.Alias(alias_id=alias_id, path=path, flow_id=flow_id, component_id=component_id)
        request = pb.UpdateAliasRequest(scope=scope_to_proto(scope), alias=alias, expected_tag=expected_tag)
        alias = (await self._stub.UpdateAlias(request, timeout=self._timeout)).alias
        return _shown(alias), alias.tag

    async def get(self, scope: Scope, alias_id: str) -> tuple[dict[str, Json], str]:
        """One alias and its tag. Raises NotFound."""
        request = pb.GetAliasRequest(scope=scope_to_proto(scope), alias_id=alias_id)
        alias = (await self._stub.GetAlias(request, timeout=self._timeout)).alias
        return _shown(alias), alias.tag

    async def all(self, scope: Scope) -> list[dict[str, Json]]:
        """All of them, by path."""
        request = pb.ListAliasesRequest(scope=scope_to_proto(scope))
        return [_shown(each) for each in (await self._stub.ListAliases(request, timeout=self._timeout)).aliases]

    async def delete(self, scope: Scope, alias_id: str, expected_tag: str = "") -> None:
        """Take one away. Raises NotFound, RevisionConflict."""
        request = pb.DeleteAliasRequest(scope=scope_to_proto(scope), alias_id=alias_id, expected_tag=expected_tag)
        await self._stub.DeleteAlias(request, timeout=self._timeout)

    async def resolve(self, path: str) -> tuple[str, str]:
        """The flow and the component that a path stands for. Raises NotFound."""
        answer = await self._stub.ResolveAlias(pb.ResolveAliasRequest(path=path), timeout=self._timeout)
        return answer.flow_id, answer.component_id


def _shown(alias: pb.Alias) -> dict[str, Json]:
    return {
        "id": alias.alias_id,
        "alias": alias.path,
        "flowId": alias.flow_id,
        "componentId": alias.component_id,
        "userId": alias.tenant_id,
        "mtime": moment(alias, "changed_at"),
    }
