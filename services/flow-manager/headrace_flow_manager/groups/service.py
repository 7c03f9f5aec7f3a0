"""What can be done with groups."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from headrace_core.clock import Clock
from headrace_core.errors import NotFound, RevisionConflict
from headrace_core.ids import new_id

from headrace_flow_manager.groups import model
from headrace_flow_manager.groups.model import Group
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.query import ListQuery, Page

_ATTEMPTS = 5

FindUser = Callable[[str], Awaitable[object]]
"""Looks for a user. Raises NotFound."""

Change = Callable[[Group], Group]
"""The group as it is to be; the same one where nothing is to change."""


class GroupService:
    """Keeps groups. Their members are users there are."""

    def __init__(self, store: GroupStore, find_user: FindUser, clock: Clock) -> None:
        self._store = store
        self._find_user = find_user
        self._clock = clock

    async def create(self, group_id: str, name: str, description: str, members: Sequence[str]) -> Group:
        """Keep a new group. Raises ValidationFailed, AlreadyExists, or Conflict when there are too many."""
        now = self._clock.now()
        group = Group(group_id or new_id(), name, description, model.in_order(members), now, now)
        model.check(group)
        await self._see_users(group.members)
        await self._store.add(group, model.MAX_GROUPS)
        return group

    async def get(self, group_id: str) -> Group:
        """The group. Raises NotFound."""
        return await self._store.get(group_id)

    async def page(self, query: ListQuery) -> Page[Group]:
        """A page of groups."""
        return await self._store.page(query)

    async def update(
        self,
        group_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        members: Sequence[str] | None = None,
        expected_revision: int = 0,
    ) -> Group:
        """Change what is given. Raises NotFound, ValidationFailed, AlreadyExists and RevisionConflict."""

        def change(group: Group) -> Group:
            return replace(
                group,
                name=group.name if name is None else name,
                description=group.description if description is None else description,
                members=group.members if members is None else model.in_order(members),
            )

        return await self._change(group_id, change, expected_revision)

    async def join(self, group_id: str, user_id: str) -> Group:
        """Make a user a member. Raises NotFound, or ValidationFailed for somebody who is none or one too many."""
        return await self._change(
            group_id, lambda group: replace(group, members=model.in_order((*group.members, user_id)))
        )

    async def leave(self, group_id: str, user_id: str) -> Group:
        """Make a user no member. Raises NotFound when there is no such group."""
        return await self._change(
            group_id, lambda group: replace(group, members=tuple(each for each in group.members if each != user_id))
        )

    async def delete(self, group_id: str) -> None:
        """Take the group away. Raises NotFound."""
        await self._store.delete(group_id)

    async def of_user(self, user_id: str) -> frozenset[str]:
        """The ids of the groups that the user is in."""
        return await self._store.of_user(user_id)

    async def _change(self, group_id: str, change: Change, expected_revision: int = 0) -> Group:
        for attempt in range(_ATTEMPTS):
            kept = await self._store.get(group_id)
            if expected_revision not in (0, kept.revision):
                raise RevisionConflict(f"Group {group_id!r} was saved in between. Read it again and save that.")
            after = change(kept)
            if after == kept:
                return kept
            model.check(after)
            await self._see_users(sorted(set(after.members) - set(kept.members)))
            after = replace(after, revision=kept.revision + 1, updated_at=self._clock.now())
            try:
                await self._store.replace(after, kept.revision)
            except RevisionConflict:
                if expected_revision or attempt == _ATTEMPTS - 1:
                    raise
                continue
            return after
        raise AssertionError("the last attempt ends or raises")

    async def _see_users(self, members: Sequence[str]) -> None:
        for user_id in members:
            try:
                await self._find_user(user_id)
            except NotFound:
                raise model.stranger(user_id) from None
