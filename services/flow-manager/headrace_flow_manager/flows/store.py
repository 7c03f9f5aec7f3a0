"""Where flows are kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from headrace_core import Json
from headrace_core import flow as descriptors
from headrace_core.errors import Problem

from headrace_flow_manager.flows.model import Component, Executable, Flow, FlowVersion, Instance, Turn, UsingFlow
from headrace_flow_manager.flows.sharing import Guest, Permission
from headrace_flow_manager.flows.work import Work
from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.scope import Tenants


class FlowStore(Protocol):
    """Flows of one tenant at a time. A flow that is being removed is not seen here."""

    async def add(self, tenant: str, flow: Flow) -> None:
        """Keep a new flow with its first version. Raises AlreadyExists when any tenant has that id."""
        ...

    async def get(self, tenants: Tenants, flow_id: str) -> Flow:
        """The flow. Raises NotFound when the tenant has none of that id."""
        ...

    async def shared(self, guest: Guest, flow_id: str) -> Flow:
        """The flow of whatever tenant, as long as it grants the guest something. Raises NotFound when it does not."""
        ...

    async def page(self, tenants: Tenants, query: ListQuery) -> Page[Flow]:
        """A page of flows, oldest first where the query names no order. Fields are those of the public record."""
        ...

    async def count(self, tenants: Tenants, query: ListQuery) -> int:
        """How many flows the query finds in all."""
        ...

    async def page_shared(
        self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery
    ) -> Page[Flow]:
        """A page of other tenants' flows that grant the guest one of these permissions, ordered as in `page`.

        The query sees of each flow what `sharing.visible` leaves of it.
        """
        ...

    async def count_shared(self, tenant: str, guest: Guest, permissions: Sequence[Permission], query: ListQuery) -> int:
        """How many of those the query finds in all."""
        ...

    async def save(self, tenant: str, before: Flow, after: Flow) -> Flow:
        """Replace `before` by `after` under the next revision, and keep a new version where `after` has one.

        Another descriptor under the same version, which only moves cards, takes the place of the one kept.
        Pins of a version are set once: `after` has those of `before`, or `before` has none, or the version is new.
        Returns it as saved. Raises RevisionConflict when `before` is no longer what is kept, NotFound when it is gone.
        """
        ...

    async def versions(self, tenants: Tenants, flow_id: str, offset: int, limit: int) -> Page[FlowVersion]:
        """A page of the flow's versions, newest first. Raises NotFound when the tenant has no such flow."""
        ...

    async def version(self, tenants: Tenants, flow_id: str, version: int) -> FlowVersion:
        """One version of the flow. Raises NotFound when the tenant has no such flow, or the flow no such version."""
        ...

    async def label(self, tenant: str, flow_id: str, version: int, label: str) -> FlowVersion:
        """Call a version by this label from now on; the flow keeps its revision. Returns the version as it is then.

        Raises NotFound as `version` does. Of several at once one is the last; saving the flow at the same time
        loses no label.
        """
        ...

    async def erase(self, tenant: str, flow_id: str) -> None:
        """Take away a removed flow with its versions and triggers. Erasing it again changes nothing."""
        ...


class FlowDirectory(Protocol):
    """Flows of all tenants, for those who execute them and for the reconciler. Nobody else gets one of these."""

    async def find(self, flow_id: str) -> Flow:
        """The flow, also while it is being removed. Raises NotFound."""
        ...

    async def executable(self, flow_id: str, version: int) -> Executable:
        """The flow with the version named, or with the one that new runs take when it is 0; also while it is removed.

        Raises NotFound. Executors ask this for every run that they have no plan for: one round trip.
        """
        ...

    async def active(self, after_flow_id: str, limit: int) -> Sequence[FlowVersion]:
        """The running versions of running and starting flows, by flow id, after the given one."""
        ...

    async def instances(self, template_id: str, after_flow_id: str, limit: int) -> Sequence[Instance]:
        """The flows whose `templateId` is this one, by flow id, after the given one; those being removed are not."""
        ...

    async def pin(self, flow_id: str, version: int, pins: tuple[str, ...]) -> tuple[str, ...]:
        """Pin a version to contents of bundles if it has no pins yet; the pins that it has then.

        The flow keeps its revision. Raises NotFound when there is no such version.
        """
        ...

    async def pinned(self, content_ids: Collection[str]) -> Collection[str]:
        """Those of the contents that any version of any flow is pinned to."""
        ...

    async def using(self, selector: str, limit: int) -> Sequence[UsingFlow]:
        """Flows whose newest version has a component of this type or under this selector, by flow id."""
        ...

    async def unfinished(self, after_flow_id: str, limit: int) -> Sequence[Flow]:
        """Flows with a start, stop, update or removal under way, by flow id, after the given one."""
        ...


class WorkStore(Protocol):
    """Work at templates and their instances, until a while after its end."""

    async def add(self, work: Work) -> None:
        """Keep new work."""
        ...

    async def get(self, tenant: str, ticket: str) -> Work:
        """The work. Raises NotFound when the tenant has none of that ticket."""
        ...

    async def save(self, work: Work) -> None:
        """Put down how far work is that was added. Who saves holds the turn at its ticket."""
        ...

    async def unfinished(self, limit: int) -> Sequence[Work]:
        """Work of all tenants that is in progress, longest untouched first."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget work that ended before then."""
        ...


class TurnStore(Protocol):
    """Whose turn it is at a flow. Turns know no time: who waits for one says when it was given up."""

    async def take(self, flow_id: str, turn: Turn, instead_of: Turn | None) -> Turn | None:
        """Note the turn where the flow has none, or still has exactly the given one.

        Returns the turn that is in the way, None when this one was noted. Of several who ask at once one gets it.
        """
        ...

    async def renew(self, flow_id: str, holder: str) -> bool:
        """Count the beat of the holder's turn up; False when the turn is another's by now, or nobody's."""
        ...

    async def end(self, flow_id: str, holder: str) -> None:
        """Take the holder's turn away. Doing it again, or after another has taken over, changes nothing."""
        ...


class Guests(Protocol):
    """Who users are to those who share flows with them."""

    async def guest(self, user_id: str) -> Guest | None:
        """The user as `sharedWith` names users; None when there is no such active user."""
        ...


class Rights(Protocol):
    """What administrators let the owners of flows use."""

    async def problems(self, tenant: str, descriptor: Mapping[str, Json]) -> Sequence[Problem]:
        """What in a flow of this tenant its owner may not use; none for an administrator."""
        ...


class Components(Protocol):
    """The components that there are now, as far as a tenant may use them."""

    async def problems(self, tenant: str, flow: descriptors.Flow) -> Sequence[Problem]:
        """Everything that is wrong with a descriptor of this tenant's."""
        ...

    async def pins(self, tenant: str, types: Collection[str]) -> tuple[str, ...]:
        """The contents that published components of these types have now, in order; none where all come built in."""
        ...

    async def pinned(self, types: Collection[str], pins: Collection[str]) -> Sequence[Component]:
        """The components of these types that the contents hold."""
        ...


class FlowExecution(Protocol):
    """What is asked of those who execute flows. Each call may be repeated with the same ids."""

    async def activate(self, flow: Flow) -> None:
        """Make the running version take events. Raises Unavailable or DeadlineExceeded when to try again."""
        ...

    async def deactivate(self, flow: Flow) -> None:
        """Make the flow take no more events."""
        ...

    async def forget(self, flow: Flow) -> None:
        """Drop everything kept for a deleted flow."""
        ...

    async def cancel_older(self, flow: Flow) -> None:
        """Cancel the open runs of the flow that began with a version before its newest one."""
        ...


class FlowNews(Protocol):
    """Who tells others that a flow changed."""

    async def settling(self, before: Flow, after: Flow) -> None:
        """Write down that the flow is about to be as given, for who wants to hear of it. Again, it changes nothing."""
        ...

    async def changed(self, flow: Flow) -> None:
        """Tell that this flow is now as given. This may get lost: it hurries things up, and nothing depends on it."""
        ...
