"""Goes through long lists a page at a time, while others add to them and take away."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from headrace_core import errors

from headrace_gateway.queries import ListQuery, SortKey

_PAGE_BYTES: Final = 4 * 1024 * 1024
_LEAST: Final = 3
_MOST: Final = 500
_MOST_AGAIN: Final = 20

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """How things of a kind are listed. Of those `in_order` of their keys only the last need be remembered."""

    ask: Callable[[ListQuery], Awaitable[Sequence[Item]]]
    key: Callable[[Item], str]
    size: Callable[[Item], int]
    sort: tuple[SortKey, ...] = ()
    in_order: bool = False


async def every(listing: Listing[Item]) -> AsyncIterator[Item]:
    """Every item once, by pages as large as the largest item seen lets them be.

    A page that turns out too large for one answer is asked for again in the smallest number. Each page begins with the
    last item of the one before: where it does not, things were added or taken away meanwhile, and all pages are looked
    through again for what was passed over.
    """
    seen = _Rising() if listing.in_order else _Seen()
    offset, limit, largest, last, again = 0, _LEAST, 1, "", 0
    while True:
        try:
            page = await listing.ask(ListQuery(sort=listing.sort, offset=offset, limit=limit))
        except errors.HeadraceError:
            if limit == _LEAST:
                raise
            limit = _LEAST
            continue
        if offset and (not page or listing.key(page[0]) != last):
            again += 1
            if again > _MOST_AGAIN:
                raise errors.Conflict("So much is added and removed meanwhile that nothing whole can be exported.")
            offset = 0
            continue
        for item in page:
            largest = max(largest, listing.size(item))
            if seen.is_new(listing.key(item)):
                yield item
        if len(page) < limit:
            return
        offset, last = offset + len(page) - 1, listing.key(page[-1])
        limit = max(_LEAST, min(_MOST, 2 * limit, _PAGE_BYTES // largest))


class _Seen:
    """Keys that came, each remembered."""

    def __init__(self) -> None:
        self._keys: set[str] = set()

    def is_new(self, key: str) -> bool:
        is_new = key not in self._keys
        self._keys.add(key)
        return is_new


class _Rising:
    """Keys that come in their order: one is new when it is behind all that came."""

    def __init__(self) -> None:
        self._last: str | None = None

    def is_new(self, key: str) -> bool:
        if self._last is not None and key <= self._last:
            return False
        self._last = key
        return True
