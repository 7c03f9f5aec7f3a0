"""What the scheduler asks of the place where timers, locks and quotas are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from headrace_scheduler.model import Caller, Claim, KeptTimer, Lock, Retry, Settlement, Timer, Turn, Window
from headrace_scheduler.pace import Pace


@dataclass(frozen=True, slots=True)
class Claims:
    """What a round of claiming gave: timers to fire, and ids of timers whose stored schedule cannot be read."""

    claims: tuple[Claim, ...] = ()
    unreadable_ids: tuple[str, ...] = ()


class TimerStore(Protocol):
    """Keeps timers, and sees to it that one owner at a time fires one."""

    async def put(self, timers: Sequence[Timer], now: datetime, *, only_missing: bool = False) -> list[KeptTimer]:
        """Add or replace timers, by `model.put`; durable when it returns. Putting them again changes nothing.

        With `only_missing` a timer that is kept already stays as it is and is answered so.

        A timer that is replaced by one with another schedule is free again, and its present claim is void.
        Raises Conflict, and keeps none, when an id belongs to another tenant.
        """
        ...

    async def remove(self, *, timer_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> int:
        """Remove timers and void their claims; answers how many there were. Removing them again changes nothing."""
        ...

    async def list(self, *, group_id: str, after_timer_id: str, limit: int) -> list[KeptTimer]:
        """Timers by id, after this one; of every group when `group_id` is empty."""
        ...

    async def claim_due(self, owner: str, now: datetime, lease: timedelta, limit: int) -> Claims:
        """Take up to `limit` timers that are due and free, earliest first, each with the time it is to fire for.

        A timer is free when nobody claimed it or its claim has run out. Two owners never hold one timer at the same
        time. Which time fires is `model.promise`'s choice, kept with the claim: whoever claims the timer next gets
        the same time until it is settled. Timers that cannot be read are put aside for an hour.
        """
        ...

    async def settle(self, settlements: Sequence[Settlement]) -> int:
        """Move fired timers on to their next time; answers how many were still the claimer's.

        A claim that is void changes nothing. A timer of a run that has no next time is removed.
        """
        ...

    async def release(self, retries: Sequence[Retry]) -> int:
        """Give claims back, to be claimed again from `retry_at` on; answers how many were still the claimer's."""
        ...

    async def drop(self, claims: Sequence[Claim]) -> int:
        """Remove claimed timers; answers how many were still the claimer's."""
        ...

    async def next_due(self, now: datetime) -> datetime | None:
        """When there is something to claim again; None when nothing is kept that will ever be due."""
        ...


class LockStore(Protocol):
    """Leases on names. Expiry is compared with the `now` of each call."""

    async def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lock:
        """Take the lease, or extend it when the holder has it already; says who is in the way by `expires_at`.

        Each new lease on a name has a greater fencing token than all before; an extended one keeps its own.
        """
        ...

    async def extend(self, name: str, holder: str, ttl: timedelta, now: datetime) -> datetime | None:
        """Move the end of a lease to `ttl` from now; None when the holder does not have it any more."""
        ...

    async def release(self, name: str, holder: str) -> bool:
        """Give a lease back; False when the holder does not have it. Releasing it again changes nothing."""
        ...

    async def purge(self, now: datetime) -> int:
        """Forget leases that have run out; answers how many."""
        ...


class QuotaStore(Protocol):
    """Sliding windows of calls, and who waits for them. Expiry is compared with the `now` of each call."""

    async def acquire(self, windows: Sequence[Window], caller: Caller, now: datetime) -> Turn:
        """Count one call under every window if all have room for it within `turns.AHEAD`; else count nothing.

        Calls that do not begin at once are spread evenly. Who is not granted stands in the line of its party, and is
        told when to ask again; who comes when others wait waits behind them, and of several parties that are due none
        takes more than its share of a window. A request that a window has counted already needs no room in it and is
        not counted again, but moved where it comes too late; an empty request id always is counted, and never ahead.
        """
        ...

    async def pace(self, name: str) -> Pace | None:
        """What was learned under this name."""
        ...

    async def keep_pace(self, name: str, before: Pace | None, after: Pace) -> bool:
        """Keep it, where what is kept is still `before`; whether it was."""
        ...

    async def purge(self, now: datetime) -> int:
        """Forget some calls that have left their window, turns nobody took, and old paces; answers how many."""
        ...


class Store(Protocol):
    """All that the scheduler keeps."""

    async def gap(self) -> str:
        """A name for what may have been lost, until `close_gap`; empty when nothing can have been."""
        ...

    async def close_gap(self, gap: str) -> None:
        """Say that what this gap took was put back. A later gap stays open."""
        ...

    @property
    def timers(self) -> TimerStore: ...

    @property
    def locks(self) -> LockStore: ...

    @property
    def quotas(self) -> QuotaStore: ...
