"""Work at templates and their instances."""

import orjson
from headrace.integration.v1 import integration_service_pb2 as pb
from headrace.integration.v1.integration_service_pb2_grpc import IntegrationServiceStub
from headrace_core import Json
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.flows import STAGES, flow_to_json
from headrace_gateway.clients.wire import scope_to_proto
from headrace_gateway.identity import Scope

_STATES = {
    pb.WORK_STATE_IN_PROGRESS: "in-progress",
    pb.WORK_STATE_COMPLETED: "completed",
    pb.WORK_STATE_FAILED: "failed",
}

_CHANGES = {
    pb.COMPONENT_CHANGE_ADDED: "added",
    pb.COMPONENT_CHANGE_REMOVED: "removed",
    pb.COMPONENT_CHANGE_CHANGED: "changed",
}


class IntegrationClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = IntegrationServiceStub(channel)
        self._timeout = timeout_seconds

    async def update_instances(self, scope: Scope, template_id: str, *, cancel_runs: bool) -> str:
        """The ticket of bringing every instance to the template's newest version. Raises NotFound, Conflict."""
        request = pb.UpdateInstancesRequest(
            scope=scope_to_proto(scope), template_id=template_id, cancel_runs=cancel_runs
        )
        return (await self._stub.UpdateInstances(request, timeout=self._timeout)).work.ticket

    async def preview(self, scope: Scope, template_id: str, after: str, limit: int) -> dict[str, Json]:
        """What updating would do to a page of instances. Raises NotFound, Conflict."""
        request = pb.PreviewUpdateRequest(
            scope=scope_to_proto(scope), template_id=template_id, after_flow_id=after, limit=limit
        )
        found = await self._stub.PreviewUpdate(request, timeout=self._timeout)
        return {
            "version": found.version,
            "totalCount": found.total,
            "instances": [_update_to_json(each) for each in found.instances],
        }

    async def publish(
        self, scope: Scope, draft_id: str, shared_with: Json, *, force: bool
    ) -> tuple[dict[str, Json], str]:
        """The template of a draft after it was published, and whether that `created`, `updated` or left it `unchanged`.

        `shared_with` None leaves it shared as it is. Raises NotFound, Conflict, ValidationFailed.
        """
        request = pb.PublishDraftRequest(
            scope=scope_to_proto(scope),
            flow_id=draft_id,
            shared_with=None if shared_with is None else orjson.dumps(shared_with),
            force=force,
        )
        answer = await self._stub.PublishDraft(request, timeout=self._timeout)
        result = "created" if answer.created else "updated" if answer.changed else "unchanged"
        return flow_to_json(answer.template), result

    async def delete(self, scope: Scope, flow_id: str) -> str:
        """The ticket of removing the flow with all instances that were made of it. Raises NotFound."""
        request = pb.DeleteIntegrationRequest(scope=scope_to_proto(scope), flow_id=flow_id)
        return (await self._stub.DeleteIntegration(request, timeout=self._timeout)).work.ticket

    async def progress(self, scope: Scope, ticket: str) -> dict[str, Json]:
        """How far the work of a ticket is. Raises NotFound."""
        request = pb.GetIntegrationWorkRequest(scope=scope_to_proto(scope), ticket=ticket)
        return _work_to_json((await self._stub.GetIntegrationWork(request, timeout=self._timeout)).work)


def _update_to_json(update: pb.InstanceUpdate) -> dict[str, Json]:
    differs = bool(update.links_added or update.links_removed or any(_differs(each) for each in update.components))
    said: dict[str, Json] = {
        "flowId": update.flow_id,
        "stage": STAGES.get(update.stage, "stopped"),
        "templateVersion": update.template_version,
        "result": "failed" if update.error else "updated" if differs else "unchanged",
        "components": [
            {
                "componentId": each.component_id,
                "type": each.type,
                "label": each.label,
                "change": _CHANGES.get(each.change, "changed"),
                "fields": [*each.fields],
                "kept": [*each.kept],
            }
            for each in update.components
        ],
        "linksAdded": update.links_added,
        "linksRemoved": update.links_removed,
        "needsAccounts": [*update.needs_accounts],
    }
    return said | ({"error": update.error} if update.error else {})


def _differs(component: pb.ComponentUpdate) -> bool:
    return bool(component.fields) or component.change != pb.COMPONENT_CHANGE_CHANGED


def _work_to_json(work: pb.IntegrationWork) -> dict[str, Json]:
    """Clients of the public API look for the state under either name."""
    state = _STATES.get(work.state, "in-progress")
    said: dict[str, Json] = {
        "ticket": work.ticket,
        "flowId": work.flow_id,
        "status": state,
        "state": state,
        "stepsTotal": work.steps_total,
        "stepsCompleted": work.steps_done,
        "stepsFailed": work.steps_failed,
        "stepsWaiting": work.steps_waiting,
    }
    return said | ({"error": work.error} if work.error else {})
