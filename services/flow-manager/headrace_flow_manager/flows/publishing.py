"""A draft is published: the first time as a new template, later as the next version of the same one.

A template's components keep their ids from one publication to the next (`componentIdMap`), since by them its instances
follow it. Which template is a draft's own is told by `originFlowId`, wherever it was published before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from headrace_core import Json
from headrace_core.errors import AlreadyExists, Conflict
from headrace_core.ids import derive_id, new_id

from headrace_flow_manager.flows import cloning
from headrace_flow_manager.flows.model import Flow
from headrace_flow_manager.flows.service import FlowService
from headrace_flow_manager.flows.store import FlowStore
from headrace_flow_manager.query import Condition, ListQuery

DRAFT: Final = "integration-draft"
TEMPLATE: Final = "integration-template"
_ATTEMPTS: Final = 3
_OWN: Final = ("type", "originFlowId", "componentIdMap", "templateId", "templateVersion", "sharedWith", "logger")
"""Fields that a draft and its template each have for themselves."""


@dataclass(frozen=True, slots=True)
class Published:
    """The template as it is now, whether this made it, and whether it changed anything."""

    template: Flow
    created: bool
    changed: bool


class Publisher:
    """Publishes drafts."""

    def __init__(self, flows: FlowService, store: FlowStore) -> None:
        self._flows = flows
        self._store = store

    async def publish(
        self, tenant: str, draft_id: str, *, shared_with: list[Json] | None = None, force: bool = False
    ) -> Published:
        """Make the draft's template say what the draft says, shared as given, or as it was (at first as the draft is).

        Publishing what is published already changes nothing. A template that runs changes with `force` only. Raises
        NotFound, Conflict when the flow is no draft, and as `FlowService.update`.
        """
        draft = await self._store.get(tenant, draft_id)
        if draft.record.get("type") != DRAFT:
            raise Conflict(f"Flow {draft_id!r} is no draft. Make its type {DRAFT!r} first.")
        template_id = str(UUID(derive_id("template", tenant, draft_id)))
        for _ in range(_ATTEMPTS):
            template = await self._find(tenant, draft_id)
            if template is not None:
                return await self._update(draft, template, shared_with, force=force)
            shared = draft.record.get("sharedWith") if shared_with is None else shared_with
            fields = _fields(draft, _ids(draft, template_id, {})) | ({} if shared is None else {"sharedWith": shared})
            try:
                return Published(await self._flows.create(tenant, template_id, fields), created=True, changed=True)
            except AlreadyExists:  # published by somebody else just now; or the id is taken by another flow
                template_id = new_id()
        raise Conflict(f"Draft {draft_id!r} is being published by others. Try again.")

    async def _find(self, tenant: str, draft_id: str) -> Flow | None:
        """The oldest template that was published of the draft."""
        own = (Condition("originFlowId", "equal", draft_id), Condition("type", "equal", TEMPLATE))
        return next(iter((await self._store.page(tenant, ListQuery(own, limit=1))).items), None)

    async def _update(self, draft: Flow, template: Flow, shared_with: list[Json] | None, *, force: bool) -> Published:
        known = template.record.get("componentIdMap")
        if not isinstance(known, dict):
            raise Conflict(
                f"Template {template.flow_id!r} has no componentIdMap, so its components cannot be told from others."
            )
        fields = _fields(draft, _ids(draft, template.flow_id, known))
        gone: dict[str, Json] = {name: None for name in template.record if name not in fields and name not in _OWN}
        shared: dict[str, Json] = {} if shared_with is None else {"sharedWith": shared_with}
        changes = gone | fields | shared
        saved, _ = await self._flows.update(draft.tenant_id, template.flow_id, changes, force=force)
        return Published(saved, created=False, changed=saved.revision != template.revision)


def _ids(draft: Flow, template_id: str, known: Mapping[str, Json]) -> dict[str, str]:
    """The template's id for each component of the draft: the one it has, else the same whenever it is asked for."""
    return {
        node_id: str(known[node_id]) if node_id in known else str(UUID(derive_id("template", template_id, node_id)))
        for node_id in draft.descriptor
    }


def _fields(draft: Flow, ids: Mapping[str, str]) -> dict[str, Json]:
    """What the template says of itself, with nobody's accounts."""
    fields = {name: value for name, value in draft.record.items() if name not in _OWN}
    if "wizard" in fields:
        fields["wizard"] = cloning.wizard_with_ids(fields["wizard"], ids)
    return fields | {
        "type": TEMPLATE,
        "originFlowId": draft.flow_id,
        "componentIdMap": dict(ids),
        "flow": cloning.with_ids(cloning.without_accounts(draft.descriptor), ids),
    }
