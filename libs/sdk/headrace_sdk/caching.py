"""Values in memory for a while."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import cast

from headrace_core import Json

MOST_KEYS = 1_000
MOST_BYTES = 256 * 1024


class MemoryCache:
    """Implements `headrace_sdk.Cache`. Of more than `most` values those go first that nobody asked for.

    A value that is too large is not kept, which who asks for it cannot tell from one that went.
    """

    def __init__(self, most: int = MOST_KEYS, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._kept: OrderedDict[str, tuple[str, float | None]] = OrderedDict()

    def get(self, key: str, default: Json = None) -> Json:
        found = self._kept.get(key)
        if found is None:
            return default
        text, until = found
        if until is not None and until <= self._clock():
            del self._kept[key]
            return default
        self._kept.move_to_end(key)
        return cast("Json", json.loads(text))  # json.loads gives nothing but Json

    def set(self, key: str, value: Json, ttl: timedelta | None = None) -> None:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        self._kept.pop(key, None)
        if len(text) > MOST_BYTES:
            return
        self._kept[key] = (text, None if ttl is None else self._clock() + ttl.total_seconds())
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def remove(self, key: str) -> None:
        self._kept.pop(key, None)
