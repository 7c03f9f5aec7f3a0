"""Where groups are kept."""

from datetime import datetime
from typing import Protocol

from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.query import ListQuery, Page


class GroupStore(Protocol):
    """Groups by id, and who is in them. They are the installation's, and nobody's own."""

    async def add(self, group: Group, limit: int) -> None:
        """Keep a new group. Raises AlreadyExists when its id or name is taken, Conflict when there are `limit`."""
        ...

    async def get(self, group_id: str) -> Group:
        """The group. Raises NotFound."""
        ...

    async def page(self, query: ListQuery) -> Page[Group]:
        """A page of groups, by name where the query names no order. Fields are those of `model.public`."""
        ...

    async def replace(self, group: Group, before: int) -> None:
        """Keep the group in place of the one of revision `before`.

        Raises RevisionConflict, NotFound, or AlreadyExists when another has its name.
        """
        ...

    async def delete(self, group_id: str) -> None:
        """Take the group away. Raises NotFound."""
        ...

    async def of_user(self, user_id: str) -> frozenset[str]:
        """The ids of the groups that the user is in."""
        ...

    async def forget_user(self, user_id: str, now: datetime) -> None:
        """Take a user out of every group. Again, it changes nothing."""
        ...
