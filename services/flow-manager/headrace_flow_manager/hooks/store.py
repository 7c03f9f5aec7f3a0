"""The ports of system webhooks."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from headrace_flow_manager.hooks.model import Delivery, DeliveryFilter


class DeliveryStore(Protocol):
    """Deliveries across all tenants: only administrators read them."""

    async def add(self, deliveries: Sequence[Delivery]) -> None:
        """Keep those whose ids are new; the others are there already, and stay as they are."""
        ...

    async def claim(self, now: datetime, until: datetime, limit: int, away: Sequence[str]) -> Sequence[Delivery]:
        """The pending ones that are due, the longest due first, none of the hooks that are away.

        They are due again at `until`, which nobody else gets for the same one: who comes back later has lost it.
        """
        ...

    async def settle(self, claimed: Delivery, after: Delivery) -> bool:
        """Keep what became of a claimed one; False, and nothing is kept, when another has claimed it since."""
        ...

    async def drop(self, claimed: Delivery) -> None:
        """Take away a claimed one that is not to be told."""
        ...

    async def again(self, delivery_id: str, now: datetime) -> Delivery:
        """Make one that ended pending anew, as never tried. Raises NotFound."""
        ...

    async def get(self, delivery_id: str) -> Delivery:
        """One of them. Raises NotFound."""
        ...

    async def page(self, which: DeliveryFilter, offset: int, limit: int) -> tuple[Sequence[Delivery], int]:
        """A page, the newest first, and how many there are."""
        ...

    async def waiting(self, hook_id: str, most: int) -> int:
        """How many wait to be told to a hook; counted up to so many."""
        ...

    async def forget_hook(self, hook_id: str) -> None:
        """Take away what was told, or was to be told, to a hook that is gone."""
        ...

    async def forget_tenant(self, tenant: str) -> None:
        """Take away what was told of a tenant who leaves."""
        ...

    async def prune(self, before: datetime, limit: int) -> int:
        """Take away some of those that ended before; how many that were."""
        ...


class Answer(Protocol):
    """What an address answered."""

    @property
    def status(self) -> int: ...

    @property
    def text(self) -> str: ...


class Sender(Protocol):
    """The way out, through the egress guard."""

    async def send(self, url: str, headers: Sequence[tuple[str, str]], body: bytes, timeout: timedelta) -> Answer:
        """Post it once, following no redirect. Raises HeadraceError when no answer came."""
        ...


class Names(Protocol):
    """What people are called."""

    async def username(self, user_id: str) -> str:
        """The sign-in name of a user; "" for nobody."""
        ...


class Facts(Protocol):
    """Whether what was announced came true."""

    async def holds(self, delivery: Delivery) -> bool:
        """Whether the fact of the delivery holds now."""
        ...
