"""Users as those see them who share flows: the one place where people, groups and flows meet."""

from headrace_core.errors import NotFound

from headrace_flow_manager.flows.sharing import Guest
from headrace_flow_manager.groups.store import GroupStore
from headrace_flow_manager.people.store import PeopleStore


class GuestBook:
    """Keeps `flows.store.Guests` and `tasks.store.Addresses` from the users there are: who is put out has no share."""

    def __init__(self, people: PeopleStore, groups: GroupStore) -> None:
        self._people = people
        self._groups = groups

    async def guest(self, user_id: str) -> Guest | None:
        try:
            user = await self._people.get(user_id)
        except NotFound:
            return None
        if not user.active:
            return None
        return Guest(user.email, frozenset(user.scopes), await self._groups.of_user(user_id))

    async def address(self, user_id: str) -> str:
        try:
            user = await self._people.get(user_id)
        except NotFound:
            return ""
        return user.email if user.active else ""
