"""Components, apps and bundles."""

from headrace.catalog.v1 import catalog_service_pb2
from headrace.catalog.v1.catalog_service_pb2_grpc import CatalogServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_object, scope_to_proto
from headrace_gateway.identity import Scope


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
