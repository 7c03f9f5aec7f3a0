"""Who develops for which vendors: the one place where people and the catalog meet."""

from headrace_core.errors import NotFound

from headrace_flow_manager.people.store import PeopleStore


class VendorBook:
    """Keeps `catalog.service.Vendors` from the users there are now."""

    def __init__(self, people: PeopleStore) -> None:
        self._people = people

    async def of(self, user_id: str) -> frozenset[str]:
        try:
            user = await self._people.get(user_id)
        except NotFound:
            return frozenset()
        return frozenset(user.vendors) if user.active else frozenset()
