"""Paths that stand for webhooks: looked up where no endpoint is, with a short memory of what was found or not."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import quote

from headrace_core import errors
from headrace_core.clock import Clock

MAX_PATH = 201
RESERVED = frozenset(
    [
        "assets",
        "backoffice",
        "connectors",
        "designer",
        "favicon.ico",
        "insights",
        "integrations",
        "people-tasks",
        "robots.txt",
        "sdk",
        "ui",
        ".well-known",
    ]
)
"""First parts of paths that are the platform's own, or may be one day."""

_MEMORY_SECONDS = 5.0
_CAPACITY = 10_000

Resolve = Callable[[str], Awaitable[tuple[str, str]]]
"""The flow and the component that a path stands for. Raises NotFound."""


class Aliases:
    """Turns paths into those of webhooks. What was answered is believed for five seconds."""

    def __init__(self, resolve: Resolve, own_paths: Iterable[str], clock: Clock) -> None:
        self._resolve = resolve
        self._own = RESERVED | {first_part(path) for path in own_paths}
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, bytes | None]] = OrderedDict()

    def is_free(self, path: str) -> bool:
        """Whether an alias of this path hides nothing of the platform's own."""
        return first_part(path).lower() not in self._own

    async def webhook_path(self, raw_path: bytes) -> bytes | None:
        """The path of the webhook that this path stands for; None when it stands for none."""
        if len(raw_path) > MAX_PATH or not self.is_free(raw_path.decode("latin-1")):
            return None
        now = self._clock.monotonic()
        known = self._known.get(raw_path)
        if known is None or now >= known[0]:
            known = (now + _MEMORY_SECONDS, await self._asked(raw_path))
            self._known[raw_path] = known
            while len(self._known) > _CAPACITY:
                self._known.popitem(last=False)
        return known[1]

    def forget(self) -> None:
        """Ask again about every path."""
        self._known.clear()

    async def _asked(self, raw_path: bytes) -> bytes | None:
        try:
            flow_id, component_id = await self._resolve(raw_path.decode("latin-1").strip("/"))
        except errors.NotFound:
            return None
        return f"/flows/{quote(flow_id, safe='')}/components/{quote(component_id, safe='')}".encode()


def first_part(path: str) -> str:
    """What stands before the first slash inside a path."""
    return path.removeprefix("/").partition("/")[0]
