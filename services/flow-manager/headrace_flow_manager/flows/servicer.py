"""headrace.flow.v1 and headrace.integration.v1: decode, call, encode."""

from collections.abc import Sequence

from headrace.catalog.v1 import catalog_service_pb2 as catalog_pb
from headrace.flow.v1 import flow_pb2
from headrace.flow.v1 import flow_service_pb2 as pb
from headrace.flow.v1 import flow_service_pb2_grpc as grpc_pb
from headrace.integration.v1 import integration_service_pb2 as integration_pb
from headrace.integration.v1 import integration_service_pb2_grpc as integration_grpc
from headrace_core.errors import BadRequest, Problem
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.flows.integrations import IntegrationService
from headrace_flow_manager.flows.logger import LogLevel
from headrace_flow_manager.flows.model import Component, Flow, FlowVersion, Stage
from headrace_flow_manager.flows.preview import Change, InstanceUpdate
from headrace_flow_manager.flows.publishing import Publisher
from headrace_flow_manager.flows.service import CloneOptions, FlowResolver, FlowService
from headrace_flow_manager.flows.sharing import PERMISSIONS
from headrace_flow_manager.flows.use import FlowUse
from headrace_flow_manager.flows.work import Work, WorkState
from headrace_flow_manager.servicer import LANGUAGES, json_bytes, query_of, scope_of, tenant_of, timestamp

_STAGES = {
    Stage.STOPPED: flow_pb2.FLOW_STAGE_STOPPED,
    Stage.STARTING: flow_pb2.FLOW_STAGE_STARTING,
    Stage.RUNNING: flow_pb2.FLOW_STAGE_RUNNING,
    Stage.STOPPING: flow_pb2.FLOW_STAGE_STOPPING,
}

_LOG_LEVELS = {
    LogLevel.ALL: flow_pb2.LOG_LEVEL_ALL,
    LogLevel.ERRORS: flow_pb2.LOG_LEVEL_ERRORS,
    LogLevel.NONE: flow_pb2.LOG_LEVEL_NONE,
}


_WORK_STATES = {
    WorkState.IN_PROGRESS: integration_pb.WORK_STATE_IN_PROGRESS,
    WorkState.COMPLETED: integration_pb.WORK_STATE_COMPLETED,
    WorkState.FAILED: integration_pb.WORK_STATE_FAILED,
}


_CHANGES = {
    Change.ADDED: integration_pb.COMPONENT_CHANGE_ADDED,
    Change.REMOVED: integration_pb.COMPONENT_CHANGE_REMOVED,
    Change.CHANGED: integration_pb.COMPONENT_CHANGE_CHANGED,
}


class FlowServicer(grpc_pb.FlowServiceServicer):
    """Answers headrace.flow.v1.FlowService."""

    def __init__(self, flows: FlowService, resolver: FlowResolver, use: FlowUse) -> None:
        self._flows = flows
        self._use = use
        self._resolver = resolver

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_FlowServiceServicer_to_server(self, server)

    async def CreateFlow(self, request: pb.CreateFlowRequest, context: object) -> pb.CreateFlowResponse:
        tenant, fields = tenant_of(request.scope), json_text.decode_object(request.record, "flow record")
        return pb.CreateFlowResponse(flow=_flow(await self._flows.create(tenant, request.flow_id, fields)))

    async def GetFlow(self, request: pb.GetFlowRequest, context: object) -> pb.GetFlowResponse:
        return pb.GetFlowResponse(flow=_flow(await self._flows.get(scope_of(request.scope).readable, request.flow_id)))

    async def GetFlowUse(self, request: pb.GetFlowUseRequest, context: object) -> pb.GetFlowUseResponse:
        use = await self._use.of(tenant_of(request.scope))
        return pb.GetFlowUseResponse(
            running_flows=use.running_flows, running_apps=use.running_apps, used_apps=use.used_apps
        )

    async def ListFlows(self, request: pb.ListFlowsRequest, context: object) -> pb.ListFlowsResponse:
        if request.shared_permissions:
            return await self._shared(request)
        tenants, query = scope_of(request.scope).readable, query_of(request.query)
        if request.count_only:
            return pb.ListFlowsResponse(total=await self._flows.count(tenants, query))
        page = await self._flows.page(tenants, query)
        return pb.ListFlowsResponse(flows=map(_flow, page.items), total=page.total)

    async def UpdateFlow(self, request: pb.UpdateFlowRequest, context: object) -> pb.UpdateFlowResponse:
        flow, created = await self._flows.update(
            tenant_of(request.scope),
            request.flow_id,
            json_text.decode_object(request.changes, "flow record"),
            force=request.force,
            create_if_missing=request.create_if_missing,
            expected_revision=request.expected_revision,
            as_version=request.as_version,
        )
        return pb.UpdateFlowResponse(flow=_flow(flow), created=created)

    async def DeleteFlow(self, request: pb.DeleteFlowRequest, context: object) -> pb.DeleteFlowResponse:
        await self._flows.delete(tenant_of(request.scope), request.flow_id, request.expected_revision)
        return pb.DeleteFlowResponse()

    async def CloneFlow(self, request: pb.CloneFlowRequest, context: object) -> pb.CloneFlowResponse:
        options = CloneOptions(
            prefix=request.prefix,
            without=tuple(request.without),
            only=tuple(request.only),
            additional=json_text.decode_object(request.additional, "additional fields"),
            set_origin_flow_id=request.set_origin_flow_id,
            set_component_id_map=request.set_component_id_map,
            is_template_instance=request.is_template_instance,
            connect_accounts=request.connect_accounts,
        )
        return pb.CloneFlowResponse(
            flow=_flow(await self._flows.clone(tenant_of(request.scope), request.flow_id, options))
        )

    async def StartFlow(self, request: pb.StartFlowRequest, context: object) -> pb.StartFlowResponse:
        tenant = tenant_of(request.scope)
        flow = await self._flows.start(tenant, request.flow_id, background=request.background)
        return pb.StartFlowResponse(flow=_flow(flow))

    async def StopFlow(self, request: pb.StopFlowRequest, context: object) -> pb.StopFlowResponse:
        tenant = tenant_of(request.scope)
        flow = await self._flows.stop(tenant, request.flow_id, background=request.background)
        return pb.StopFlowResponse(flow=_flow(flow))

    async def ValidateFlow(self, request: pb.ValidateFlowRequest, context: object) -> pb.ValidateFlowResponse:
        return pb.ValidateFlowResponse(problems=map(_problem, await self._problems(request)))

    async def ListFlowVersions(
        self, request: pb.ListFlowVersionsRequest, context: object
    ) -> pb.ListFlowVersionsResponse:
        page = await self._flows.versions(
            scope_of(request.scope).readable, request.flow_id, request.offset, request.limit
        )
        return pb.ListFlowVersionsResponse(versions=map(_version, page.items), total=page.total)

    async def GetFlowVersion(self, request: pb.GetFlowVersionRequest, context: object) -> pb.GetFlowVersionResponse:
        found = await self._flows.version(scope_of(request.scope).readable, request.flow_id, request.version)
        return pb.GetFlowVersionResponse(version=_version(found))

    async def LabelFlowVersion(
        self, request: pb.LabelFlowVersionRequest, context: object
    ) -> pb.LabelFlowVersionResponse:
        labelled = await self._flows.label(
            tenant_of(request.scope),
            request.flow_id,
            request.version,
            request.label,
            only_if_unlabelled=request.only_if_unlabelled,
        )
        return pb.LabelFlowVersionResponse(version=_version(labelled))

    async def RestoreFlowVersion(
        self, request: pb.RestoreFlowVersionRequest, context: object
    ) -> pb.RestoreFlowVersionResponse:
        restored = await self._flows.restore(
            tenant_of(request.scope),
            request.flow_id,
            request.version,
            force=request.force,
            expected_revision=request.expected_revision,
        )
        return pb.RestoreFlowVersionResponse(flow=_flow(restored))

    async def PinFlow(self, request: pb.PinFlowRequest, context: object) -> pb.PinFlowResponse:
        return pb.PinFlowResponse(flow=_flow(await self._flows.pin(tenant_of(request.scope), request.flow_id)))

    async def ResolveFlow(self, request: pb.ResolveFlowRequest, context: object) -> pb.ResolveFlowResponse:
        found = await self._resolver.resolve(request.flow_id, request.version)
        return pb.ResolveFlowResponse(
            stage=_STAGES[found.stage],
            version=None if found.version is None else _version(found.version),
            tenant_id=found.tenant_id,
        )

    async def ListActiveFlows(self, request: pb.ListActiveFlowsRequest, context: object) -> pb.ListActiveFlowsResponse:
        return pb.ListActiveFlowsResponse(
            flows=map(_version, await self._resolver.active(request.after_flow_id, request.limit))
        )

    async def _shared(self, request: pb.ListFlowsRequest) -> pb.ListFlowsResponse:
        tenant, query = tenant_of(request.scope), query_of(request.query)
        permissions = [each for each in PERMISSIONS if each in request.shared_permissions]
        if unknown := set(request.shared_permissions).difference(permissions):
            raise BadRequest(f"There is no permission {min(unknown)[:100]!r}, only {', '.join(PERMISSIONS)}.")
        if request.count_only:
            return pb.ListFlowsResponse(total=await self._flows.count_shared(tenant, permissions, query))
        page = await self._flows.page_shared(tenant, permissions, query)
        return pb.ListFlowsResponse(flows=map(_flow, page.items), total=page.total)

    async def _problems(self, request: pb.ValidateFlowRequest) -> Sequence[Problem]:
        scope = scope_of(request.scope)
        if request.descriptor_json:
            descriptor = json_text.decode_object(request.descriptor_json, "descriptor")
            return await self._flows.validate_descriptor(scope.tenant_id, descriptor)
        if not request.flow_id:
            raise BadRequest("There is nothing to validate. Send flow_id or descriptor_json.")
        return await self._flows.validate(scope.readable, request.flow_id)


class IntegrationServicer(integration_grpc.IntegrationServiceServicer):
    """Answers headrace.integration.v1.IntegrationService."""

    def __init__(self, integrations: IntegrationService, publisher: Publisher) -> None:
        self._integrations = integrations
        self._publisher = publisher

    def register(self, server: Server) -> None:
        """Answer at this server."""
        integration_grpc.add_IntegrationServiceServicer_to_server(self, server)

    async def UpdateInstances(
        self, request: integration_pb.UpdateInstancesRequest, context: object
    ) -> integration_pb.UpdateInstancesResponse:
        tenant, template_id = tenant_of(request.scope), request.template_id
        made = await self._integrations.update_instances(tenant, template_id, cancel_runs=request.cancel_runs)
        return integration_pb.UpdateInstancesResponse(work=_work(made))

    async def PreviewUpdate(
        self, request: integration_pb.PreviewUpdateRequest, context: object
    ) -> integration_pb.PreviewUpdateResponse:
        version, instances, total = await self._integrations.preview(
            tenant_of(request.scope), request.template_id, request.after_flow_id, request.limit
        )
        return integration_pb.PreviewUpdateResponse(
            version=version, instances=map(_instance_update, instances), total=total
        )

    async def DeleteIntegration(
        self, request: integration_pb.DeleteIntegrationRequest, context: object
    ) -> integration_pb.DeleteIntegrationResponse:
        made = await self._integrations.delete(tenant_of(request.scope), request.flow_id)
        return integration_pb.DeleteIntegrationResponse(work=_work(made))

    async def PublishDraft(
        self, request: integration_pb.PublishDraftRequest, context: object
    ) -> integration_pb.PublishDraftResponse:
        shared = json_text.decode(request.shared_with, "sharedWith") if request.HasField("shared_with") else None
        if shared is not None and not isinstance(shared, list):
            raise BadRequest("sharedWith is no list. Send a list of entries.")
        done = await self._publisher.publish(
            tenant_of(request.scope), request.flow_id, shared_with=shared, force=request.force
        )
        return integration_pb.PublishDraftResponse(
            template=_flow(done.template), created=done.created, changed=done.changed
        )

    async def GetIntegrationWork(
        self, request: integration_pb.GetIntegrationWorkRequest, context: object
    ) -> integration_pb.GetIntegrationWorkResponse:
        found = await self._integrations.progress(tenant_of(request.scope), request.ticket)
        return integration_pb.GetIntegrationWorkResponse(work=_work(found))


def _work(work: Work) -> integration_pb.IntegrationWork:
    return integration_pb.IntegrationWork(
        ticket=work.ticket,
        flow_id=work.flow_id,
        state=_WORK_STATES[work.state],
        steps_total=work.total,
        steps_done=work.done,
        steps_failed=work.failed,
        steps_waiting=work.waiting,
        error=work.error,
    )


def _instance_update(update: InstanceUpdate) -> integration_pb.InstanceUpdate:
    return integration_pb.InstanceUpdate(
        flow_id=update.flow_id,
        stage=_STAGES[update.stage],
        template_version=update.template_version,
        components=[
            integration_pb.ComponentUpdate(
                component_id=each.component_id,
                type=each.type,
                label=each.label,
                change=_CHANGES[each.change],
                fields=each.fields,
                kept=each.kept,
            )
            for each in update.components
        ],
        links_added=update.links_added,
        links_removed=update.links_removed,
        error=update.error,
        needs_accounts=update.needs_accounts,
    )


def _flow(flow: Flow) -> flow_pb2.Flow:
    return flow_pb2.Flow(
        flow_id=flow.flow_id,
        tenant_id=flow.tenant_id,
        stage=_STAGES[flow.stage],
        version=flow.version,
        running_version=flow.running_version,
        revision=flow.revision,
        record=json_bytes({**flow.record, "flow": dict(flow.descriptor)}),
        created_at=timestamp(flow.created_at),
        modified_at=timestamp(flow.modified_at),
        started_at=timestamp(flow.started_at),
        stopped_at=timestamp(flow.stopped_at),
        stage_error=flow.stage_error,
        transition_id=flow.activation_id,
    )


def _version(version: FlowVersion) -> flow_pb2.FlowVersion:
    return flow_pb2.FlowVersion(
        flow_id=version.flow_id,
        version=version.version,
        tenant_id=version.tenant_id,
        name=version.name,
        descriptor_json=json_bytes(version.descriptor),
        custom_fields=json_bytes(version.custom_fields),
        created_at=timestamp(version.created_at),
        label=version.label,
        log_level=_LOG_LEVELS[version.log_level],
        components=map(_component, version.components),
    )


def _component(component: Component) -> catalog_pb.Component:
    return catalog_pb.Component(
        type=component.type,
        version=str(component.manifest.get("version", "")),
        manifest=json_bytes(component.manifest),
        private=component.manifest.get("private") is True,
        bundle_id=component.bundle_id,
        root=component.root,
        language=LANGUAGES[component.language],
    )


def _problem(problem: Problem) -> flow_pb2.Problem:
    return flow_pb2.Problem(
        where=problem.where,
        message=problem.message,
        fix=problem.fix,
        node_id=problem.node,
        port=problem.port,
        field=problem.field,
        warning=problem.severity == "warning",
    )
