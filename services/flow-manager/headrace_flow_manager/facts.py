"""Whether what was announced before it was done came true: asked of the nouns when it is to be told."""

from headrace_core.errors import NotFound

from headrace_flow_manager.accounts.book import AccountBook
from headrace_flow_manager.hooks.model import Delivery
from headrace_flow_manager.people.store import PeopleStore


class FactsOfNouns:
    """Keeps `hooks.store.Facts` and `hooks.store.Names`."""

    def __init__(self, people: PeopleStore, accounts: AccountBook) -> None:
        self._people = people
        self._accounts = accounts

    async def holds(self, delivery: Delivery) -> bool:
        try:
            if delivery.fact == "user exists":
                return (await self._people.get(delivery.about)).user_id == delivery.about
            account = await self._accounts.get(delivery.tenant_id, delivery.about)
        except NotFound:
            return False
        return account.state == ("invalid" if delivery.fact == "account is invalid" else "valid")

    async def username(self, user_id: str) -> str:
        try:
            return (await self._people.get(user_id)).username
        except NotFound:
            return ""
