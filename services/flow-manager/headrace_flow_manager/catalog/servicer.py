"""headrace.catalog.v1: decode, call, encode."""

from headrace.catalog.v1 import catalog_service_pb2 as pb
from headrace.catalog.v1 import catalog_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.service import CatalogService
from headrace_flow_manager.servicer import json_bytes, scope_of


class CatalogServicer(grpc_pb.CatalogServiceServicer):
    """Answers headrace.catalog.v1.CatalogService. The catalog is the same for everybody."""

    def __init__(self, catalog: CatalogService) -> None:
        self._catalog = catalog

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_CatalogServiceServicer_to_server(self, server)

    async def ListComponents(self, request: pb.ListComponentsRequest, context: object) -> pb.ListComponentsResponse:
        scope_of(request.scope)
        found = self._catalog.under(request.selector, include_private=request.include_private)
        return pb.ListComponentsResponse(components=map(_component, found))

    async def GetComponent(self, request: pb.GetComponentRequest, context: object) -> pb.GetComponentResponse:
        scope_of(request.scope)
        return pb.GetComponentResponse(component=_component(self._catalog.get(request.type)))

    async def ListApps(self, request: pb.ListAppsRequest, context: object) -> pb.ListAppsResponse:
        scope_of(request.scope)
        apps = (pb.App(app_id=app.app_id, description_json=json_bytes(app.description)) for app in self._catalog.apps)
        return pb.ListAppsResponse(apps=apps)

    async def ListBundles(self, request: pb.ListBundlesRequest, context: object) -> pb.ListBundlesResponse:
        scope_of(request.scope)
        bundles = (pb.Bundle(name=bundle.name, version=bundle.version) for bundle in self._catalog.bundles)
        return pb.ListBundlesResponse(bundles=bundles)


def _component(entry: CatalogEntry) -> pb.Component:
    return pb.Component(
        type=entry.type, version=entry.version, manifest=json_bytes(entry.manifest), private=entry.is_private
    )
