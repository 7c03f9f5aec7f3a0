"""Users as those see them who share flows: the one place where people and flows meet."""

from headrace_core.errors import NotFound

from headrace_flow_manager.flows.sharing import Guest
from headrace_flow_manager.people.store import PeopleStore


class GuestBook:
    """Keeps `flows.store.Guests` and `tasks.store.Addresses` from the users there are: who is put out has no share."""

    def __init__(self, people: PeopleStore) -> None:
        self._people = people

    async def guest(self, user_id: str) -> Guest | None:
        try:
            user = await self._people.get(user_id)
        except NotFound:
            return None
        return Guest(user.email, frozenset(user.scopes)) if user.active else None

    async def address(self, user_id: str) -> str:
        guest = await self.guest(user_id)
        return "" if guest is None else guest.email
