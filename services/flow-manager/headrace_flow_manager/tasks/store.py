"""Where tasks are kept, and who is told how they end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from headrace_core.errors import HeadraceError

from headrace_flow_manager.query import ListQuery, Page
from headrace_flow_manager.tasks.model import Hook, Role, Task, Viewer


class TaskStore(Protocol):
    """Tasks by id, for those who are something to them. To anybody else a task is not there."""

    async def add(self, task: Task, limit: int) -> None:
        """Keep a new task. Adding it again changes nothing. Raises Conflict when its tenant has `limit` of them."""
        ...

    async def get(self, viewer: Viewer, task_id: str) -> Task:
        """The task as it was kept. Raises NotFound."""
        ...

    async def page(self, viewer: Viewer, role: Role | None, query: ListQuery, now: datetime) -> Page[Task]:
        """A page of the viewer's tasks as they are now, oldest first where the query names no order.

        Fields are those of `model.shown_to`; a pattern looks into titles.
        """
        ...

    async def replace(self, task: Task, before: int) -> None:
        """Keep the task in place of the one of revision `before`. Raises RevisionConflict, or NotFound."""
        ...

    async def delete(self, tenant: str, task_id: str) -> None:
        """Take away a task that the tenant made. Raises NotFound."""
        ...

    async def delete_owned(self, tenant: str) -> None:
        """Take away every task that a tenant made who leaves. Again, it changes nothing."""
        ...


class TaskAgenda(Protocol):
    """What is to be done about tasks of all tenants. Nobody but the service's own loop gets one of these."""

    async def overdue(self, now: datetime, limit: int) -> Sequence[Task]:
        """Pending tasks whose time is over, the earliest first."""
        ...

    async def untold(self, now: datetime, limit: int) -> Sequence[Task]:
        """Tasks that ended and have somebody to be told of it by now, who waits longest first."""
        ...

    async def postpone(self, task: Task, until: datetime) -> None:
        """Let nobody be told of this task before then, if it is still as given."""
        ...


class Addresses(Protocol):
    """Who users are to those who name them by mail address."""

    async def address(self, user_id: str) -> str:
        """The user's mail address; "" when there is no such active user, or the user has none."""
        ...


@dataclass(frozen=True, slots=True)
class Unheard:
    """A hook that was not told, and why."""

    hook: Hook
    error: HeadraceError


class Listeners(Protocol):
    """Components that are told how a task ended."""

    async def tell(self, task: Task, hooks: Sequence[Hook]) -> Sequence[Unheard]:
        """Tell each of them, of whom each takes it once; those that did not take it. Raises Unavailable."""
        ...
