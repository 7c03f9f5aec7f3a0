"""Components, apps and bundles, and how they are published."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from headrace.catalog.v1 import catalog_service_pb2
from headrace.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, moment, scope_to_proto
from headrace_gateway.identity import Scope

PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Removal:
    """Which components are gone; none where flows are in the way: the caller's by id and name, and those of others."""

    types: list[str]
    flows: list[tuple[str, str]]
    flows_of_others: int


class CatalogClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = CatalogServiceStub(channel)
        self._timeout = timeout_seconds

    async def components(
        self, scope: Scope, selector: str, *, include_private: bool
    ) -> list[tuple[str, dict[str, Json]]]:
        """Type and manifest of every component under a selector."""
        request = catalog_service_pb2.ListComponentsRequest(
            scope=scope_to_proto(scope), selector=selector, include_private=include_private
        )
        return await self._listed(request)

    async def builtin_components(self, selector: str) -> list[tuple[str, dict[str, Json]]]:
        """As `components`, of what comes with Headrace and is not private. It is the same for everybody."""
        return await self._listed(catalog_service_pb2.ListComponentsRequest(selector=selector, builtin=True))

    async def _listed(self, request: catalog_service_pb2.ListComponentsRequest) -> list[tuple[str, dict[str, Json]]]:
        answer = await self._stub.ListComponents(request, timeout=self._timeout)
        return [(each.type, json_object(each.manifest)) for each in answer.components]

    async def apps(self, scope: Scope) -> dict[str, Json]:
        """What the designer shows of each service and module, by id."""
        request = catalog_service_pb2.ListAppsRequest(scope=scope_to_proto(scope))
        answer = await self._stub.ListApps(request, timeout=self._timeout)
        return {each.app_id: json_object(each.description_json) for each in answer.apps}

    async def bundles(self, scope: Scope) -> dict[str, Json]:
        """The version of each installed bundle, by name."""
        request = catalog_service_pb2.ListBundlesRequest(scope=scope_to_proto(scope))
        answer = await self._stub.ListBundles(request, timeout=self._timeout)
        return {each.name: {"version": each.version, "bundleVersion": each.version} for each in answer.bundles}

    async def users(self, scope: Scope, selector: str, limit: int) -> list[dict[str, Json]]:
        """The flows of all tenants that use what is under a selector, some at most."""
        request = catalog_service_pb2.ListUsersRequest(scope=scope_to_proto(scope), selector=selector, limit=limit)
        answer = await self._stub.ListUsers(request, timeout=self._timeout)
        return [{"flowId": each.flow_id, "userId": each.tenant_id, "name": each.name} for each in answer.flows]

    async def publish(self, scope: Scope, archive: bytes) -> str:
        """Hand an archive in; the ticket. Raises Forbidden for who is no developer, TooLarge, RateLimited."""
        whose = scope_to_proto(scope)
        opening = catalog_service_pb2.OpenPublicationRequest(scope=whose)
        ticket = (await self._stub.OpenPublication(opening, timeout=self._timeout)).ticket
        for start in range(0, len(archive), PIECE_BYTES):
            piece = catalog_service_pb2.WritePublicationRequest(
                scope=whose, ticket=ticket, offset=start, data=archive[start : start + PIECE_BYTES]
            )
            await self._stub.WritePublication(piece, timeout=self._timeout)
        submitting = catalog_service_pb2.SubmitPublicationRequest(scope=whose, ticket=ticket)
        await self._stub.SubmitPublication(submitting, timeout=self._timeout)
        return ticket

    async def publication(self, scope: Scope, ticket: str) -> dict[str, Json]:
        """What became of an archive; nothing as long as it is not finished. Raises NotFound."""
        request = catalog_service_pb2.GetPublicationRequest(scope=scope_to_proto(scope), ticket=ticket)
        found = (await self._stub.GetPublication(request, timeout=self._timeout)).publication
        if not found.finished:
            return {}
        told: dict[str, Json] = {"finished": moment(found, "finished_at"), "components": list(found.types)}
        if found.error:
            told["err"] = found.error
            told["data"] = [
                {"file": each.file, "dataPath": each.data_path, "message": each.message, "fix": each.fix}
                for each in found.findings
            ]
        return told

    async def remove(self, scope: Scope, selector: str, *, force: bool) -> Removal:
        """Take published components away. Raises Forbidden for who is not of their vendor, NotFound."""
        request = catalog_service_pb2.RemoveComponentsRequest(
            scope=scope_to_proto(scope), selector=selector, force=force
        )
        answer = await self._stub.RemoveComponents(request, timeout=self._timeout)
        flows = [(each.flow_id, each.name) for each in answer.flows]
        return Removal(list(answer.types), flows, answer.flows_of_others)

    async def archive(self, scope: Scope, selector: str) -> AsyncGenerator[bytes, None]:
        """What was published under a selector, as a zip archive in pieces. Raises as `remove` does."""
        request = catalog_service_pb2.ReadComponentsRequest(scope=scope_to_proto(scope), selector=selector)
        stream = self._stub.ReadComponents(request, timeout=self._timeout)
        try:
            async for answer in stream:
                yield answer.data
        finally:
            stream.cancel()
