"""What can be done with flows."""

import functools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from headrace_core import Json
from headrace_core import flow as descriptors
from headrace_core.clock import Clock
from headrace_core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    HeadraceError,
    NotFound,
    Problem,
    ValidationFailed,
)
from headrace_core.ids import new_id

from headrace_flow_manager.attempts import persistently
from headrace_flow_manager.flows import cloning, model, record
from headrace_flow_manager.flows.lifecycle import Lifecycle
from headrace_flow_manager.flows.model import Flow, FlowVersion, Stage
from headrace_flow_manager.flows.sharing import Guest, Permission, permits
from headrace_flow_manager.flows.store import Components, FlowDirectory, FlowNews, FlowStore, Guests, Rights
from headrace_flow_manager.flows.waiting import Waiting
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants

log = logging.getLogger(__name__)

MAX_PAGE = 1_000
_MOST_NAMED = 5
DEFAULT_PAGE = 100
MAX_LABEL = 200


@dataclass(frozen=True, slots=True)
class CloneOptions:
    """How a copy differs from its origin."""

    prefix: str = ""
    without: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    additional: Mapping[str, Json] | None = None
    set_origin_flow_id: bool = False
    set_component_id_map: bool = False
    is_template_instance: bool = False
    connect_accounts: bool = False

    def takes(self, name: str) -> bool:
        """Whether this field of the origin is copied."""
        return name not in self.without and (not self.only or name in self.only)


class FlowService:
    """Keeps flows: their records, versions and whether they run."""

    def __init__(
        self,
        store: FlowStore,
        guests: Guests,
        lifecycle: Lifecycle,
        components: Components,
        rights: Rights,
        waiting: Waiting,
        news: FlowNews,
        clock: Clock,
    ) -> None:
        self._store = store
        self._guests = guests
        self._lifecycle = lifecycle
        self._components = components
        self._rights = rights
        self._waiting = waiting
        self._news = news
        self._clock = clock

    async def create(self, tenant: str, flow_id: str, fields: Mapping[str, Json]) -> Flow:
        """Save a new, stopped flow. Raises ValidationFailed, TooLarge, or AlreadyExists when the id is taken."""
        return await self._add(tenant, record.check_flow_id(flow_id or new_id()), record.parse_changes(fields))

    async def get(self, tenants: Tenants, flow_id: str) -> Flow:
        """The flow, of the tenant or shared to be read. Raises NotFound, Forbidden."""
        return await self._reach(tenants, flow_id, "read")

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Flow]:
        """A page of flows."""
        return await self._store.page(tenants, query)

    async def count(self, tenants: Tenants, query: ListQuery) -> int:
        """How many flows the query finds."""
        return await self._store.count(tenants, query)

    async def page_shared(self, user_id: str, permissions: Sequence[Permission], query: ListQuery) -> Page[Flow]:
        """A page of others' flows that are shared with the user for one of these; none for a user there is not.

        Of a flow that may be started or stopped and not read only its name and stage are told.
        """
        guest = await self._guests.guest(user_id)
        if guest is None:
            return Page((), 0)
        page = await self._store.page_shared(user_id, guest, permissions, query)
        return replace(page, items=tuple(_outside(flow, guest) for flow in page.items))

    async def count_shared(self, user_id: str, permissions: Sequence[Permission], query: ListQuery) -> int:
        """How many of those the query finds."""
        guest = await self._guests.guest(user_id)
        return 0 if guest is None else await self._store.count_shared(user_id, guest, permissions, query)

    async def update(
        self,
        tenant: str,
        flow_id: str,
        fields: Mapping[str, Json],
        *,
        force: bool = False,
        create_if_missing: bool = False,
        expected_revision: int = 0,
        as_version: int = 0,
        brings_steps: bool = False,
    ) -> tuple[Flow, bool]:
        """Change the given fields, all or none; the flow as it is now, and whether this made it.

        A running flow takes a changed descriptor only with `force`, and only one that is fit to start. Where only
        cards were moved the version stays what it is, but for their places, and nothing that runs is touched. Raises
        RevisionConflict when `expected_revision` is given and another one is kept. What is there already is not
        saved again: the flow keeps its revision. With `as_version` the descriptor is saved as that version whatever it
        says, unless the flow has that one already; BadRequest when it is not the next one. With `brings_steps` those
        that come take accounts along; as long as one is missing the flow says so in `needsAccounts`, and what runs
        keeps the version that it has. It does so too when a flow that waits is changed meanwhile.
        """
        changes = record.parse_changes(fields)

        async def attempt() -> tuple[Flow, bool]:
            try:
                before = await self._store.get(tenant, flow_id)
            except NotFound:
                if not create_if_missing:
                    raise
                return await self._add(tenant, record.check_flow_id(flow_id), changes), True
            model.check_revision(before, expected_revision)
            if as_version and before.version >= as_version:
                return before, False
            if as_version > before.version + 1:
                raise BadRequest(
                    f"Flow {flow_id!r} has version {before.version}; version {as_version} is not the next."
                )
            after = await self._settled(before, changes, force=force, is_new=as_version > 0, settles=brings_steps)
            if after is before:
                return before, False
            if after.running_version != before.running_version:
                await self._check_rights(after)
            saved = await self._lifecycle.save(before, after)
            if saved.running_version != before.running_version:
                saved = await self._lifecycle.carry_on(saved)
            return saved, False

        async with self._lifecycle.locks.hold(flow_id):
            return await (attempt() if expected_revision else persistently(attempt))

    async def catch_up(self, tenant: str, flow_id: str) -> Flow:
        """Let a flow that waits run its newest version once all its accounts are there. No other flow is changed.

        One that its people stopped stays stopped. Where the newest version is not fit to run, the flow goes on with the
        one it has, and `stageError` says why. Raises NotFound.
        """

        async def attempt() -> Flow:
            before = await self._store.get(tenant, flow_id)
            if not before.needs_accounts:
                return before
            found = await self._waiting.take_along(before, before.descriptor)
            fields = record.parse_changes({}).waiting_for(found.missing).applied(before.record)
            if fields == before.record:
                return before
            after = replace(before, record=fields, modified_at=self._clock.now())
            is_due = before.is_behind and not found.missing
            saved = await self._lifecycle.save(before, await self._running_or_told(after) if is_due else after)
            if saved.running_version == before.running_version:
                return saved
            return await self._carried_on(saved)

        async with self._lifecycle.locks.hold(flow_id):
            return await persistently(attempt)

    async def rehearse(self, flow: Flow, fields: Mapping[str, Json]) -> Flow:
        """The flow as `update` with `force` would save it; nothing is saved. Raises what `update` would."""
        after = await self._changed(flow, record.parse_changes(fields), force=True, is_new=False)
        if after.running_version != flow.running_version:
            await self._check_rights(after)
        return after

    async def delete(self, tenant: str, flow_id: str, expected_revision: int = 0) -> None:
        """Stop the flow and remove it with its versions. Raises NotFound, RevisionConflict."""
        await self._lifecycle.remove(tenant, flow_id, expected_revision)

    async def clone(self, tenant: str, flow_id: str, options: CloneOptions) -> Flow:
        """Copy a flow, of the tenant or shared to be read, under new component ids. The copy is stopped."""
        origin = await self._reach(tenant, flow_id, "read")
        nodes = origin.descriptor if options.takes("flow") else {}
        ids = cloning.fresh_ids(nodes)
        fields = {
            name: value
            for name, value in origin.record.items()
            if options.takes(name)
            and name not in ("originFlowId", "componentIdMap", "templateId", "templateVersion")
            and not (name == "sharedWith" and origin.tenant_id != tenant)
        }
        fields["name"] = options.prefix + origin.name
        if options.set_origin_flow_id:
            fields["originFlowId"] = flow_id
        if options.set_component_id_map:
            fields["componentIdMap"] = dict(ids)
        if options.is_template_instance:
            fields |= {
                "templateId": flow_id,
                "templateVersion": origin.version,
                "type": "integration-instance",
            }
        keeps_accounts = options.connect_accounts and origin.tenant_id == tenant
        descriptor = nodes if keeps_accounts else cloning.without_accounts(nodes)
        fields["flow"] = cloning.with_ids(descriptor, ids)
        fields |= dict(options.additional or {})
        if "wizard" in fields:
            fields["wizard"] = cloning.wizard_with_ids(fields["wizard"], ids)
        return await self.create(tenant, "", fields)

    async def start(self, tenant: str, flow_id: str, *, background: bool = False) -> Flow:
        """Make the flow run, of the tenant or shared to be started; in the background it is only on its way then.

        Raises ValidationFailed with everything that keeps it from starting, NotFound, and Forbidden, also when its
        owner may not use a component of it.
        """

        async def find() -> Flow:
            flow = await self._reach(tenant, flow_id, "start")
            if not flow.is_active:
                await self._check_rights(flow)
            return flow

        return await self._lifecycle.start(flow_id, find, self._fit_to_start, background=background)

    async def stop(self, tenant: str, flow_id: str, *, background: bool = False) -> Flow:
        """Make the flow, of the tenant or shared to be stopped, take no more events. Raises NotFound, Forbidden."""
        find = functools.partial(self._reach, tenant, flow_id, "stop")
        return await self._lifecycle.stop(flow_id, find, background=background)

    async def validate(self, tenants: Tenants, flow_id: str) -> Sequence[Problem]:
        """Everything found in the newest version, errors before warnings. Raises NotFound, Forbidden."""
        flow = await self._reach(tenants, flow_id, "read")
        withheld = await self._rights.problems(flow.tenant_id, flow.descriptor)
        waits = await self._waiting.problems(flow)
        return [*withheld, *waits, *await self.validate_descriptor(flow.tenant_id, flow.descriptor)]

    async def validate_descriptor(self, tenant: str, descriptor: Mapping[str, Json]) -> Sequence[Problem]:
        """Everything found in a descriptor of the tenant's as it stands, errors before warnings."""
        try:
            problems = await self._components.problems(tenant, descriptors.parse_descriptor(dict(descriptor)))
        except ValidationFailed as failed:
            problems = failed.problems
        return sorted(problems, key=lambda problem: problem.severity != "error")

    async def pin(self, tenant: str, flow_id: str) -> Flow:
        """The flow with its newest version pinned to the components as they are published now.

        A version that ran with others keeps them: the same descriptor is saved as the next one then. A running flow
        goes on with the version it has. Raises NotFound.
        """

        async def attempt() -> Flow:
            before = await self._store.get(tenant, flow_id)
            after = await self._pinned(before)
            return before if after is before else await self._lifecycle.save(before, after)

        async with self._lifecycle.locks.hold(flow_id):
            return await persistently(attempt)

    async def versions(self, tenants: Tenants, flow_id: str, offset: int, limit: int) -> Page[FlowVersion]:
        """A page of versions, newest first; `limit` 0 means 100."""
        if offset < 0 or not 0 <= limit <= MAX_PAGE:
            raise BadRequest(f"A page begins at 0 or later and holds 1 to {MAX_PAGE} versions.")
        return await self._store.versions(tenants, flow_id, offset, limit or DEFAULT_PAGE)

    async def version(self, tenants: Tenants, flow_id: str, version: int) -> FlowVersion:
        """One version; 0 for the newest. Raises NotFound."""
        number = version or (await self._store.get(tenants, flow_id)).version
        return await self._store.version(tenants, flow_id, number)

    async def label(
        self, tenant: str, flow_id: str, version: int, label: str, *, only_if_unlabelled: bool = False
    ) -> FlowVersion:
        """Call a version by this label, 0 for the newest; "" takes its label away.

        Raises NotFound, BadRequest for a label that is too long, or Conflict when only a version without a label is
        to be named and this one has another.
        """
        if len(label) > MAX_LABEL:
            raise BadRequest(f"A label has at most {MAX_LABEL} characters, and this one has {len(label)}.")
        kept = await self.version(tenant, flow_id, version)
        if only_if_unlabelled and kept.label not in ("", label):
            raise Conflict(
                f"Version {kept.version} is called {kept.label!r} already. Rename it, or change the flow first."
            )
        return await self._store.label(tenant, flow_id, kept.version, label)

    async def restore(
        self, tenant: str, flow_id: str, version: int, *, force: bool = False, expected_revision: int = 0
    ) -> Flow:
        """Save the descriptor of a version as the newest one, as `update` would. Raises NotFound and as `update`."""
        kept = await self._store.version(tenant, flow_id, version)
        flow, _ = await self.update(
            tenant, flow_id, {"flow": dict(kept.descriptor)}, force=force, expected_revision=expected_revision
        )
        return flow

    async def _reach(self, tenants: Tenants, flow_id: str, permission: Permission) -> Flow:
        """The flow, when it is the tenant's own or shared with this permission.

        A flow that is shared with the tenant for something else is Forbidden; any other one is NotFound, as if it
        were not there.
        """
        try:
            return await self._store.get(tenants, flow_id)
        except NotFound:
            guest = await self._guests.guest(tenants) if isinstance(tenants, str) else None
            if guest is None:
                raise
        flow = await self._store.shared(guest, flow_id)
        if not permits(flow.record, guest, permission):
            raise Forbidden(f"Flow {flow_id!r} is shared with you, but not to {permission} it. Ask its owner.")
        return flow

    async def _add(self, tenant: str, flow_id: str, changes: record.Changes) -> Flow:
        now = self._clock.now()
        fields = changes.applied({})
        flow = Flow(flow_id, tenant, fields, changes.descriptor or {}, created_at=now, modified_at=now)
        await self._store.add(tenant, flow)
        await self._news.changed(flow)
        return flow

    async def _settled(
        self, before: Flow, changes: record.Changes, *, force: bool, is_new: bool, settles: bool
    ) -> Flow:
        """The flow with the changes made, parked where it waits for accounts; `before` itself when nothing changes."""
        new = changes.descriptor
        may_change = new is not None and (force or not before.is_active)
        if new is None or not (settles or (before.needs_accounts and may_change)):
            return await self._changed(before, changes, force=force, is_new=is_new)
        missing = (await self._waiting.take_along(before, new)).missing
        changes = changes.waiting_for(missing)
        return await self._changed(before, changes, force=force, is_new=is_new, is_parked=bool(missing))

    async def _changed(
        self, before: Flow, changes: record.Changes, *, force: bool, is_new: bool, is_parked: bool = False
    ) -> Flow:
        """The flow with the changes made; `before` itself when they change nothing. `is_new` makes a version anyway."""
        fields, new = changes.applied(before.record), changes.descriptor
        after = replace(before, record=fields, modified_at=self._clock.now())
        catches_up = force and not is_parked and before.is_behind
        if new is None or (not is_new and model.content_hash(new) == model.content_hash(before.descriptor)):
            if new is not None and catches_up:
                return await self._running(after)
            return before if model.content_hash(fields) == model.content_hash(before.record) else after
        if not is_new and model.does_the_same(new, before.descriptor):
            after = replace(after, descriptor=new)
            return await self._running(after) if catches_up else after
        after = replace(after, descriptor=new, version=before.version + 1, pins=())
        if not before.is_active or is_parked:
            return after
        if not force:
            raise Conflict(
                f"Flow {before.flow_id!r} is running. Stop it first, or force the update: new runs then take the "
                "new version."
            )
        return await self._running(after)

    async def _running(self, flow: Flow) -> Flow:
        """The flow with its newest version as the one that new runs take. Raises ValidationFailed."""
        fit = await self._fit_to_run(flow)
        return replace(fit, running_version=fit.version, stage_error="")

    async def _running_or_told(self, flow: Flow) -> Flow:
        """The flow with its newest version as the one that new runs take, or with what keeps it from that."""
        try:
            after = await self._running(flow)
            await self._check_rights(after)
        except HeadraceError as error:
            if error.is_temporary:
                raise
            return replace(flow, stage_error=error.message)
        return after

    async def _carried_on(self, flow: Flow) -> Flow:
        """The flow after the executor took its new version, or refused it: then it is back at the one before."""
        try:
            return await self._lifecycle.carry_on(flow)
        except HeadraceError as error:
            if error.is_temporary:
                raise
            log.warning("flow %s has its accounts, and cannot run its newest version: %s", flow.flow_id, error)
            return await self._store.get(flow.tenant_id, flow.flow_id)

    async def _fit_to_start(self, flow: Flow) -> Flow:
        """The flow fit to run, with the accounts that it waited for. Raises ValidationFailed."""
        return await self._fit_to_run(await self._waiting.fit_to_start(flow))

    async def _check_rights(self, flow: Flow) -> None:
        """Raise Forbidden when the owner of the flow may not use a component of it."""
        withheld = await self._rights.problems(flow.tenant_id, flow.descriptor)
        if withheld:
            raise Forbidden(" ".join(map(str, withheld[:_MOST_NAMED])))

    async def _fit_to_run(self, flow: Flow) -> Flow:
        """The flow pinned to the components it is going to run with. Raises ValidationFailed when it cannot run."""
        found = await self.validate_descriptor(flow.tenant_id, flow.descriptor)
        problems = [each for each in found if each.severity == "error"]
        if problems:
            raise ValidationFailed(problems)
        return await self._pinned(flow)

    async def _pinned(self, flow: Flow) -> Flow:
        pins = await self._components.pins(flow.tenant_id, model.types_of(flow.descriptor))
        after = model.pinned(flow, pins)
        return after if after.version == flow.version else replace(after, modified_at=self._clock.now())


def _outside(flow: Flow, guest: Guest) -> Flow:
    """The flow as the guest may see it."""
    if permits(flow.record, guest, "read"):
        return flow
    return replace(flow, record={"name": flow.name}, descriptor={}, stage_error="")


@dataclass(frozen=True, slots=True)
class Resolved:
    """What an executor needs of a flow. `version` is None when the flow is stopped and no version was named."""

    stage: Stage
    tenant_id: str
    version: FlowVersion | None


class FlowResolver:
    """Finds any tenant's flows, for the services that execute them."""

    def __init__(self, directory: FlowDirectory, components: Components) -> None:
        self._directory = directory
        self._components = components

    async def resolve(self, flow_id: str, version: int = 0) -> Resolved:
        """The flow by id alone, with the version named or else the one that new runs take. Raises NotFound."""
        found = await self._directory.executable(flow_id, version)
        if found.removed and not version:
            raise NotFound("flow", flow_id)
        kept = None if found.version is None else await self._with_components(found.version)
        return Resolved(Stage.STOPPED if found.removed else found.stage, found.tenant_id, kept)

    async def active(self, after_flow_id: str, limit: int) -> Sequence[FlowVersion]:
        """A page of running and starting flows, by flow id; `limit` 0 means 100."""
        if not 0 <= limit <= MAX_PAGE:
            raise BadRequest(f"A page holds 1 to {MAX_PAGE} flows.")
        found = await self._directory.active(after_flow_id, limit or DEFAULT_PAGE)
        return [await self._with_components(each) for each in found]

    async def _with_components(self, version: FlowVersion) -> FlowVersion:
        """The version with its published components, pinned now where it never ran before."""
        types = model.types_of(version.descriptor)
        pins = version.pins or await self._components.pins(version.tenant_id, types)
        if pins and not version.pins:
            pins = await self._directory.pin(version.flow_id, version.version, pins)
        if not pins:
            return version
        return replace(version, pins=pins, components=tuple(await self._components.pinned(types, pins)))
