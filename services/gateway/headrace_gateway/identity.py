"""Who is calling: bearer tokens become callers, with a short memory so that not every call asks."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

from headrace_core import errors
from headrace_core.access import group_role
from headrace_core.clock import Clock

ADMIN = "admin"
USER = "user"

_MAX_TOKEN_LENGTH = 4096


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose data a call may touch, and who acts. Administrators may ask across tenants, for reading only."""

    tenant_id: str
    actor_id: str
    all_tenants: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose token was good a moment ago."""

    user_id: str
    scopes: frozenset[str]
    token: str
    vendors: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    impersonator_id: str = ""  # the administrator who speaks for this user; "" for the user themselves

    @property
    def is_admin(self) -> bool:
        return ADMIN in self.scopes

    @property
    def roles(self) -> frozenset[str]:
        """What rules call the caller: scopes, and `group:` with the id of each group."""
        return self.scopes | set(map(group_role, self.groups))

    @property
    def scope(self) -> Scope:
        return Scope(self.user_id, self.user_id)


STRANGER = Caller("", frozenset({USER}), "")
"""Somebody without a token, where something is there for them. Rules for users hold for them; nothing is theirs."""


class Authenticator:
    """Turns bearer tokens into callers.

    A good token is believed for `memory_seconds` without asking again, so an ended token may live on that long
    at another gateway. Refusals are never remembered. The memory holds digests, not tokens, and is bounded.
    """

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Caller]],
        clock: Clock,
        *,
        memory_seconds: float = 5.0,
        capacity: int = 10_000,
    ) -> None:
        self._authenticate = authenticate
        self._clock = clock
        self._memory_seconds = memory_seconds
        self._capacity = capacity
        self._known: OrderedDict[bytes, tuple[float, Caller]] = OrderedDict()

    async def caller(self, authorization: str) -> Caller:
        """Who speaks with this Authorization header. Raises Unauthenticated."""
        token = bearer_token(authorization)
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(digest)
        now = self._clock.monotonic()
        if known is not None and now < known[0]:
            return known[1]
        self._known.pop(digest, None)
        caller = await self._authenticate(token)
        self._remember(digest, caller, now)
        return caller

    def forget(self, token: str) -> None:
        """Ask again the next time this token comes."""
        self._known.pop(sha256(token.encode("utf-8", "surrogatepass")).digest(), None)

    def forget_user(self, user_id: str) -> None:
        """Ask again the next time any token of this user comes."""
        for digest in [key for key, (_, caller) in self._known.items() if caller.user_id == user_id]:
            del self._known[digest]

    def forget_all(self) -> None:
        """Ask again about everybody."""
        self._known.clear()

    def _remember(self, digest: bytes, caller: Caller, now: float) -> None:
        self._known[digest] = (now + self._memory_seconds, caller)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def bearer_token(authorization: str) -> str:
    """The token in an Authorization header. Raises Unauthenticated when there is none."""
    kind, _, token = authorization.strip().partition(" ")
    token = token.strip()
    if kind.lower() != "bearer" or not token or len(token) > _MAX_TOKEN_LENGTH:
        raise errors.Unauthenticated()
    return token
