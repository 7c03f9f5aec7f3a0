"""A user leaves, and everything of theirs goes: the one place that knows what each noun and each service keeps of one.

The removal is written down before anything is done. Every step may be done again, so whoever dies on the way leaves
one that another round, or another process, drives to its end. The user is the last to go: as long as there is a
user, there is somebody to remove the rest of.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError, NotFound, Unavailable
from headrace_core.ids import new_id

from headrace_flow_manager.catalog.store import PublicationStore
from headrace_flow_manager.data_stores.store import DataStores
from headrace_flow_manager.entries import EntryStore
from headrace_flow_manager.files.store import FileStore
from headrace_flow_manager.flows.lifecycle import Lifecycle
from headrace_flow_manager.flows.store import FlowDirectory, FlowStore
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.hooks.store import DeliveryStore
from headrace_flow_manager.insights.store import ChartStore
from headrace_flow_manager.people import departure as departures
from headrace_flow_manager.people.departure import Departure
from headrace_flow_manager.people.model import UserChange
from headrace_flow_manager.people.store import DepartureStore, PeopleStore
from headrace_flow_manager.query import ListQuery
from headrace_flow_manager.tasks.store import TaskStore

log = logging.getLogger(__name__)

AT_ONCE = 100
_PAGE = ListQuery(limit=AT_ONCE)


class Journals(Protocol):
    """Where log records of tenants are."""

    async def forget(self, tenant: str) -> None:
        """Remove all that is logged of a tenant. Raises Unavailable."""
        ...


class Counts(Protocol):
    """Where it is counted what tenants' flows do."""

    async def forget_tenant(self, tenant: str) -> None:
        """Forget what was counted for a tenant. Raises Unavailable."""
        ...


class Removal:
    """Removes users with flows, runs, states, timers, counts, data stores, files, tasks and logs."""

    def __init__(
        self,
        departures: DepartureStore,
        people: PeopleStore,
        flows: FlowStore,
        directory: FlowDirectory,
        lifecycle: Lifecycle,
        data_stores: DataStores,
        files: FileStore,
        entries: EntryStore,
        charts: ChartStore,
        tasks: TaskStore,
        groups: GroupStore,
        publications: PublicationStore,
        deliveries: DeliveryStore,
        journals: Journals,
        counts: Counts,
        clock: Clock,
        wake: Callable[[], None],
    ) -> None:
        self._departures = departures
        self._people = people
        self._flows = flows
        self._directory = directory
        self._lifecycle = lifecycle
        self._data_stores = data_stores
        self._files = files
        self._groups = groups
        self._journals = journals
        self._clock = clock
        self._wake = wake
        self._steps: tuple[Callable[[str], Awaitable[None]], ...] = (
            self._remove_flows,
            self._see_flows_gone,
            self._remove_data_stores,
            self._remove_files,
            entries.delete_owned,
            charts.delete_owned,
            tasks.delete_owned,
            self._leave_groups,
            publications.delete_owned,
            deliveries.forget_tenant,
            journals.forget,
            counts.forget_tenant,
            self._remove_user,
        )

    async def begin(self, user_id: str) -> Departure:
        """Sign the user out for good and write the removal down; asked again, the one that is under way.

        Raises NotFound, and Conflict for the last administrator.
        """
        await self._people.update(user_id, UserChange(active=False))
        made = await self._departures.begin(Departure(new_id(), user_id, len(self._steps), self._clock.now()))
        self._wake()
        return made

    async def get(self, user_id: str, ticket: str) -> Departure:
        """How far it is. Raises NotFound."""
        return await self._departures.get(user_id, ticket)

    async def round(self) -> bool:
        """Go on with every removal as far as that is possible now."""
        for each in await self._departures.under_way(AT_ONCE):
            await self._go_on(each)
        return False

    async def prune(self) -> bool:
        """Forget removals that ended long ago."""
        await self._departures.prune(self._clock.now() - departures.KEPT_FOR)
        return False

    async def _go_on(self, departure: Departure) -> None:
        # A release in between may have more steps than the one that began it: it has ended when all of ours are done.
        departure = replace(departure, steps_total=len(self._steps))
        for step in self._steps[departure.steps_done :]:
            try:
                await step(departure.user_id)
            except HeadraceError as error:
                if error.is_temporary:
                    log.warning("user %s is removed later: %s", departure.user_id, error)
                    return
                log.error("user %s cannot be removed: %s", departure.user_id, error)
                await self._departures.save(departure.given_up(error.message, self._clock.now()))
                return
            departure = departure.one_step_on(self._clock.now())
            await self._departures.save(departure)

    async def _remove_flows(self, tenant: str) -> None:
        """Stop and remove the flows; with each go its runs, states and timers in the executor and the scheduler."""
        while found := (await self._flows.page(tenant, _PAGE)).items:
            for flow in found:
                with suppress(NotFound):  # somebody else removed it
                    await self._lifecycle.remove(tenant, flow.flow_id)

    async def _see_flows_gone(self, tenant: str) -> None:
        """Raises Unavailable as long as the executor has not forgotten them all: the reconciler goes on with those."""
        after = ""
        while flows := await self._directory.unfinished(after, AT_ONCE):
            if any(flow.tenant_id == tenant for flow in flows):
                raise Unavailable("Flows of the user are still on their way out.")
            after = flows[-1].flow_id

    async def _remove_data_stores(self, tenant: str) -> None:
        while found := (await self._data_stores.page(tenant, _PAGE)).items:
            for store in found:
                with suppress(NotFound):
                    await self._data_stores.remove(tenant, store.store_id)

    async def _remove_files(self, tenant: str) -> None:
        while found := (await self._files.page(tenant, _PAGE)).items:
            for file in found:
                with suppress(NotFound):
                    await self._files.delete(tenant, file.file_id)

    async def _leave_groups(self, tenant: str) -> None:
        await self._groups.forget_user(tenant, self._clock.now())

    async def _remove_user(self, tenant: str) -> None:
        """The user, after all that a request brought that was under way when the user was signed out."""
        for step in self._steps[:-1]:
            await step(tenant)
        await self._people.erase(tenant)
