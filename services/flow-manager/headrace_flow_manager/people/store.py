"""Where users and tokens are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from headrace_flow_manager.people.departure import Departure
from headrace_flow_manager.people.model import AttemptKey, Token, User, UserChange
from headrace_flow_manager.query import ListQuery, Page


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with the hash of the password."""

    user: User
    password_hash: str


class PeopleStore(Protocol):
    """Users by id, and what they sign in with. A sign-in name belongs to one user, as username or mail address."""

    async def add(self, user: User, password_hash: str, token: Token) -> None:
        """Keep a new user with a first token. Raises AlreadyExists when a sign-in name is taken."""
        ...

    async def is_empty(self) -> bool:
        """Whether there is no user at all yet."""
        ...

    async def add_first(self, user: User, password_hash: str) -> bool:
        """Keep the user if there is none at all yet; whether that happened."""
        ...

    async def get(self, user_id: str) -> User:
        """The user. Raises NotFound."""
        ...

    async def credentials(self, user_id: str) -> Credentials:
        """The user with the hash of the password. Raises NotFound."""
        ...

    async def credentials_of_login(self, key: str) -> Credentials | None:
        """The user who signs in with this name, given in the form of `model.login_key`."""
        ...

    async def page(self, query: ListQuery) -> Page[User]:
        """A page of users, oldest first where the query names no order. Fields are those of the public record."""
        ...

    async def update(self, user_id: str, change: UserChange) -> User:
        """Make the change and return the user; one who is no longer active loses all tokens.

        Raises NotFound, AlreadyExists when the mail address is taken, and Conflict when nobody could administer
        any more.
        """
        ...

    async def erase(self, user_id: str) -> None:
        """Take the user away with names and tokens. Doing it again changes nothing."""
        ...

    async def set_password(self, user_id: str, password_hash: str, keep: bytes | None) -> None:
        """Replace the hash and end all tokens but the one whose hash is `keep`. Raises NotFound."""
        ...

    async def put_code(self, user_id: str, code_hash: bytes, expires_at: datetime) -> None:
        """Keep a code that sets a new password, in place of the user's former one. Nothing for a user there is not."""
        ...

    async def redeem(self, code_hash: bytes, password_hash: str, now: datetime) -> User | None:
        """Set the password of whom the code was given to, end all their tokens, and the code with them.

        None for a code that was never given, was used, or has expired by `now`. One code is redeemed once.
        """
        ...

    async def renew_hash(self, user_id: str, outdated: str, renewed: str) -> None:
        """Replace a hash by a stronger one of the same password, unless it was replaced in between."""
        ...

    async def add_token(self, token: Token, limit: int) -> None:
        """Keep a token. The user keeps the `limit` newest; older ones end. Personal tokens do not count."""
        ...

    async def add_personal(self, token: Token, limit: int) -> None:
        """Keep a personal token. Raises Conflict when the user has `limit` of them, and NotFound."""
        ...

    async def personal_tokens(self, user_id: str) -> Sequence[Token]:
        """The user's personal tokens, oldest first; none for a user there is not."""
        ...

    async def remove_personal(self, user_id: str, token_id: str) -> bool:
        """End a personal token of this user; whether there was one."""
        ...

    async def remove_token(self, token_hash: bytes) -> None:
        """End a token. Ending it again changes nothing."""
        ...

    async def remove_tokens(self, user_id: str) -> int:
        """End all tokens of a user, the personal ones too; how many there were."""
        ...

    async def claim_attempt(self, keys: Sequence[AttemptKey], now: datetime, window: timedelta) -> datetime | None:
        """Count an attempt for every key, unless one of them is at its limit: then None is counted.

        Returns None when the attempt may be made, else when to come back. A window begins with its first attempt.
        """
        ...

    async def forgive(self, keys: Sequence[AttemptKey]) -> None:
        """Count the attempts of these keys as never made."""
        ...

    async def prune(self, now: datetime, window: timedelta) -> None:
        """Take away tokens that expired and attempts that no longer count."""
        ...


class DepartureStore(Protocol):
    """Removals of users. Of one user there is one under way at most."""

    async def begin(self, departure: Departure) -> Departure:
        """Keep a new removal; the one that is under way for this user where there is one already."""
        ...

    async def get(self, user_id: str, ticket: str) -> Departure:
        """The removal. Raises NotFound, also for the ticket of somebody else."""
        ...

    async def under_way(self, limit: int) -> Sequence[Departure]:
        """Removals that have not ended, the one that rests longest first."""
        ...

    async def save(self, departure: Departure) -> None:
        """Keep how far it is. One that has ended stays as it ended, and no step is taken back."""
        ...

    async def prune(self, before: datetime) -> None:
        """Forget removals that ended before then."""
        ...


class TokenLookup(Protocol):
    """Finds whose token it is, before anybody knows who asks. Nobody else gets one of these."""

    async def find(self, token_hash: bytes) -> tuple[User, Token] | None:
        """The token and its user; None for one that was never given or has ended."""
        ...
