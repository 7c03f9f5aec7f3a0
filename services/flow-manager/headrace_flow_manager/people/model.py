"""What users and their tokens are, and the rules for their names."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed

from headrace_flow_manager import json_text, tags

ADMIN: Final = "admin"
USER: Final = "user"
DEFAULT_PLAN: Final = "default"
MAX_NAME = 255
MAX_LIST = 100
MIN_PASSWORD = 8
MAX_PASSWORD = 1024
MAX_METADATA_BYTES = 64 * 1024
MAX_PERSONAL_TOKENS = 100
PERSONAL_LIFETIME = timedelta(days=365)
IMPERSONATION_LIFETIME = timedelta(hours=1)
PERSONAL_PREFIX: Final = "hr_pat_"
"""What personal tokens begin with, so that scanners of source code know one that was published by mistake."""


@dataclass(frozen=True, slots=True)
class User:
    """A person or a host's virtual user. Each user is a tenant."""

    user_id: str
    username: str
    email: str
    created_at: datetime
    active: bool = True
    scopes: tuple[str, ...] = (USER,)
    vendors: tuple[str, ...] = ()
    plan: str = DEFAULT_PLAN
    metadata: Mapping[str, Json] | None = None

    @property
    def is_administrator(self) -> bool:
        """Whether this user may administer now."""
        return self.active and ADMIN in self.scopes

    @property
    def tag(self) -> str:
        """Digest of what can be changed."""
        scopes, vendors = list[Json](self.scopes), list[Json](self.vendors)
        return tags.tag_of([self.email, self.active, scopes, vendors, dict(self.metadata or {})])

    @property
    def logins(self) -> tuple[str, ...]:
        """What the user may sign in with, in the form in which names are compared."""
        return tuple(dict.fromkeys(login_key(each) for each in (self.username, self.email) if each))


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a bearer token: never the token itself."""

    token_hash: bytes
    user_id: str
    created_at: datetime
    expires_at: datetime
    personal: "Personal | None" = None
    impersonator_id: str = ""  # the administrator who speaks for the user by it; "" for the user's own

    def limits(self, user: User) -> User:
        """The user as this token lets them act: never with more roles than they have."""
        if self.personal is None or not self.personal.scopes:
            return user
        return replace(user, scopes=tuple(each for each in user.scopes if each in self.personal.scopes))


@dataclass(frozen=True, slots=True)
class Personal:
    """What makes a token a personal one: it has a name, and may carry less than its user. No scopes means all."""

    token_id: str
    name: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UserChange:
    """Fields to change; None leaves one as it is. `expected` is the tag that the user must have; empty for any."""

    email: str | None = None
    scopes: tuple[str, ...] | None = None
    vendors: tuple[str, ...] | None = None
    metadata: Mapping[str, Json] | None = None
    active: bool | None = None
    expected: str = ""

    def applied(self, user: User) -> User:
        """The user with the change made. Raises RevisionConflict."""
        tags.expect(user.tag, self.expected, "The user")
        return replace(
            user,
            email=user.email if self.email is None else self.email,
            scopes=user.scopes if self.scopes is None else self.scopes,
            vendors=user.vendors if self.vendors is None else self.vendors,
            metadata=user.metadata if self.metadata is None else self.metadata,
            active=user.active if self.active is None else self.active,
        )


@dataclass(frozen=True, slots=True)
class AttemptKey:
    """Something that may only fail to sign in so often: a login, an address, a user who changes a password."""

    kind: str
    value: str
    limit: int


@dataclass(frozen=True, slots=True)
class PeopleRules:
    """What the installation decides about signing in."""

    token_lifetime: timedelta = timedelta(days=30)
    tokens_per_user: int = 100
    attempts_per_login: int = 10
    attempts_per_address: int = 100
    attempts_window: timedelta = timedelta(minutes=15)
    reset_lifetime: timedelta = timedelta(hours=1)
    reset_url: str = ""


def login_key(login: str) -> str:
    """The form in which sign-in names are compared: without regard to case and to how characters are composed."""
    return unicodedata.normalize("NFKC", login).casefold()


def check_name(field: str, value: str) -> list[Problem]:
    """What is wrong with a username or mail address."""
    if len(value) > MAX_NAME:
        return [Problem(field, f"It has {len(value)} characters, and {MAX_NAME} are allowed.", field=field)]
    if any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in value) or value != value.strip():
        return [Problem(field, "It holds characters that nobody can see.", "Use letters, digits, signs.", field=field)]
    if field == "email" and value and "@" not in value[1:-1]:
        return [Problem(field, "It is no mail address.", "Write name@domain.", field=field)]
    return []


def check_password(value: str, field: str = "password") -> list[Problem]:
    """What is wrong with a new password."""
    if MIN_PASSWORD <= len(value) <= MAX_PASSWORD:
        return []
    return [Problem(field, f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.", field=field)]


def check_list(field: str, values: tuple[str, ...]) -> list[Problem]:
    """What is wrong with roles or vendors."""
    if len(values) > MAX_LIST or any(not 1 <= len(each) <= MAX_NAME for each in values):
        return [Problem(field, f"It is a list of at most {MAX_LIST} names of 1 to {MAX_NAME} characters.", field=field)]
    return []


def check_personal(name: str, scopes: tuple[str, ...], allowed: frozenset[str]) -> list[Problem]:
    """What is wrong with a personal token that is asked for by somebody with the allowed roles."""
    problems = check_name("name", name) + check_list("scope", scopes)
    if not name:
        problems.append(Problem("name", "There is no name.", "Say what the token is for.", field="name"))
    return problems + [
        Problem(
            "scope", f"You do not have the role {each[:100]!r}.", "A token carries your own roles only.", field="scope"
        )
        for each in scopes
        if each not in allowed
    ]


def check_metadata(metadata: Mapping[str, Json]) -> None:
    """Raises TooLarge when the host's own data is too much."""
    json_text.limited(json_text.encode(dict(metadata)), MAX_METADATA_BYTES, "metadata")


def refuse(problems: list[Problem]) -> None:
    """Raises ValidationFailed when there are problems."""
    if problems:
        raise ValidationFailed(problems)
