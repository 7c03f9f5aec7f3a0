"""headrace.catalog.v1: decode, call, encode."""

from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from headrace.catalog.v1 import catalog_service_pb2 as pb
from headrace.catalog.v1 import catalog_service_pb2_grpc as grpc_pb
from headrace.scope.v1 import scope_pb2
from headrace_core import Json
from headrace_core.errors import BadRequest
from headrace_runtime.rpc import Server

from headrace_flow_manager.catalog.model import CatalogEntry
from headrace_flow_manager.catalog.publication import PIECE_BYTES, Publication, PublicationState
from headrace_flow_manager.catalog.publishing import PublishingService
from headrace_flow_manager.catalog.service import Catalog, CatalogService
from headrace_flow_manager.servicer import LANGUAGES, json_bytes, scope_of, tenant_of, timestamp

MAX_USERS = 1_000


class Rights(Protocol):
    """Knows what the rules withhold."""

    async def check(self, user_id: str, component_type: str) -> None:
        """Raise Forbidden where this user may not use the component."""
        ...


class Configs(Protocol):
    """Knows what administrators stored for services."""

    async def config(self, service: str) -> Mapping[str, Json]:
        """The configuration of a service, or of the one that it is a module of; empty where nothing is stored."""
        ...


class CatalogServicer(grpc_pb.CatalogServiceServicer):
    """Answers headrace.catalog.v1.CatalogService."""

    def __init__(
        self, catalog: CatalogService, publishing: PublishingService, rights: Rights, configs: Configs
    ) -> None:
        self._configs = configs
        self._catalog = catalog
        self._publishing = publishing
        self._rights = rights

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_CatalogServiceServicer_to_server(self, server)

    async def _seen(self, scope: scope_pb2.TenantScope) -> Catalog:
        """What who asks may see: everything for an administrator who asks across tenants."""
        asked = scope_of(scope)
        return await self._catalog.now() if asked.all_tenants else await self._catalog.seen_by(asked.tenant_id)

    async def ListComponents(self, request: pb.ListComponentsRequest, context: object) -> pb.ListComponentsResponse:
        if request.builtin:
            found = self._catalog.builtin.under(request.selector)
        else:
            catalog = await self._seen(request.scope)
            found = catalog.under(request.selector, include_private=request.include_private)
        return pb.ListComponentsResponse(components=map(_component, found))

    async def GetComponent(self, request: pb.GetComponentRequest, context: object) -> pb.GetComponentResponse:
        user_id = scope_of(request.scope).tenant_id
        if request.to_call:
            entry = await self._catalog.to_call(user_id, request.type, request.bundle_id)
            await self._rights.check(user_id, entry.type)
        else:
            entry = (await self._catalog.seen_by(user_id)).get(request.type)
        return pb.GetComponentResponse(component=_component(entry))

    async def ListApps(self, request: pb.ListAppsRequest, context: object) -> pb.ListAppsResponse:
        catalog = await self._seen(request.scope)
        apps = (pb.App(app_id=app.app_id, description_json=json_bytes(app.description)) for app in catalog.apps)
        return pb.ListAppsResponse(apps=apps)

    async def ListBundles(self, request: pb.ListBundlesRequest, context: object) -> pb.ListBundlesResponse:
        catalog = await self._seen(request.scope)
        bundles = (pb.Bundle(name=bundle.name, version=bundle.version) for bundle in catalog.bundles)
        return pb.ListBundlesResponse(bundles=bundles)

    async def ListUsers(self, request: pb.ListUsersRequest, context: object) -> pb.ListUsersResponse:
        if not scope_of(request.scope).all_tenants or not 1 <= request.limit <= MAX_USERS or not request.selector:
            raise BadRequest(f"Name a component, and a limit from 1 to {MAX_USERS}; the answer is for administrators.")
        found = await self._publishing.users(request.selector, request.limit)
        flows = (pb.UsingFlow(flow_id=each.flow_id, tenant_id=each.tenant_id, name=each.name) for each in found)
        return pb.ListUsersResponse(flows=flows)

    async def OpenPublication(self, request: pb.OpenPublicationRequest, context: object) -> pb.OpenPublicationResponse:
        return pb.OpenPublicationResponse(ticket=await self._publishing.open(tenant_of(request.scope)))

    async def WritePublication(
        self, request: pb.WritePublicationRequest, context: object
    ) -> pb.WritePublicationResponse:
        await self._publishing.write(tenant_of(request.scope), request.ticket, request.offset, request.data)
        return pb.WritePublicationResponse()

    async def SubmitPublication(
        self, request: pb.SubmitPublicationRequest, context: object
    ) -> pb.SubmitPublicationResponse:
        await self._publishing.submit(tenant_of(request.scope), request.ticket)
        return pb.SubmitPublicationResponse()

    async def GetPublication(self, request: pb.GetPublicationRequest, context: object) -> pb.GetPublicationResponse:
        found = await self._publishing.get(tenant_of(request.scope), request.ticket)
        return pb.GetPublicationResponse(publication=_publication(found))

    async def RemoveComponents(
        self, request: pb.RemoveComponentsRequest, context: object
    ) -> pb.RemoveComponentsResponse:
        removed = await self._publishing.remove(tenant_of(request.scope), request.selector, force=request.force)
        return pb.RemoveComponentsResponse(
            types=removed.types,
            flows=(pb.FlowUse(flow_id=each.flow_id, name=each.name) for each in removed.flows),
            flows_of_others=removed.flows_of_others,
        )

    async def ReadComponents(
        self, request: pb.ReadComponentsRequest, context: object
    ) -> AsyncIterator[pb.ReadComponentsResponse]:
        archive = await self._publishing.read(tenant_of(request.scope), request.selector)
        for start in range(0, len(archive), PIECE_BYTES):
            yield pb.ReadComponentsResponse(data=archive[start : start + PIECE_BYTES])

    async def GetBundle(self, request: pb.GetBundleRequest, context: object) -> AsyncIterator[pb.GetBundleResponse]:
        async for data in self._publishing.bundle(request.bundle_id):
            yield pb.GetBundleResponse(data=data)

    async def FindPlugins(self, request: pb.FindPluginsRequest, context: object) -> pb.FindPluginsResponse:
        user_id = None if request.for_platform else request.scope.tenant_id
        found = await self._catalog.plugins(request.service, user_id)
        return pb.FindPluginsResponse(
            bundle_id=found[0].bundle_id,
            plugins=(pb.Plugin(folder=each.folder, language=LANGUAGES[each.language]) for each in found),
            config=json_bytes(await self._configs.config(request.service.replace(".", ":"))),
        )


def _component(entry: CatalogEntry) -> pb.Component:
    return pb.Component(
        type=entry.type,
        version=entry.version,
        manifest=json_bytes(entry.manifest),
        private=entry.is_private,
        bundle_id=entry.bundle_id,
        root=entry.root,
        language=LANGUAGES[entry.language or ""],
    )


def _publication(found: Publication) -> pb.Publication:
    is_finished = found.state is PublicationState.FINISHED
    return pb.Publication(
        ticket=found.ticket,
        finished=is_finished,
        error=found.error,
        findings=(
            pb.Finding(file=each.file, data_path=each.data_path, message=each.message, fix=each.fix)
            for each in found.findings
        ),
        submitted_at=timestamp(None if found.state is PublicationState.UPLOADING else found.created_at),
        finished_at=timestamp(found.changed_at if is_finished else None),
        types=found.types,
    )
