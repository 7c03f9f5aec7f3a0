"""What an account is, and what of it anybody reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.ids import new_id

from headrace_flow_manager import times
from headrace_flow_manager.entries import Entry

AuthType = Literal["apiKey", "pwd", "oauth", "oauth2"]
State = Literal["valid", "invalid"]

MAX_ACCOUNTS: Final = 1_000
MAX_NAME: Final = 200
MAX_SECRET_BYTES: Final = 256 * 1024
SHORTEST_SECRET: Final = 4
REFRESH_BEFORE: Final = timedelta(minutes=5)

# Fields that name an account rather than open it. Hiding their values would blacken ordinary words.
_OPEN_FIELDS: Final = frozenset(
    {"username", "user", "login", "email", "domain", "subdomain", "host", "hostname", "url", "baseurl", "endpoint"}
    | {"region", "account", "accountid", "workspace", "tenant", "shop", "site", "instance", "environment", "port"}
    | {"protocol", "hostkey", "certificate"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account. `sealed` is what it is opened with; nothing else in it is secret."""

    account_id: str
    tenant_id: str
    service: str
    auth_type: AuthType
    name: str
    display_name: str
    profile_info: Mapping[str, Json]
    scope: tuple[str, ...]
    state: State
    reason: str
    token_id: str
    expires_at: datetime | None
    refresh_before: timedelta
    can_refresh: bool
    token_at: datetime  # when what it is opened with was given
    was_rejected: bool  # refreshed because its service did not accept the token before
    created_at: datetime
    updated_at: datetime
    sealed: str
    shared_with: tuple[Mapping[str, Json], ...] = ()  # whose flows may use it, too, in the form of flows' sharedWith

    @property
    def label(self) -> str:
        """What people read."""
        return self.display_name or self.name

    def is_due(self, now: datetime) -> bool:
        """Whether it ends soon and can be refreshed before. What lives shortly is not refreshed at every use."""
        if not self.can_refresh or self.expires_at is None:
            return False
        before = min(self.refresh_before, (self.expires_at - self.token_at) / 2)
        return now >= self.expires_at - max(before, timedelta())

    def is_over(self, now: datetime) -> bool:
        """Whether what it is opened with has ended."""
        return self.expires_at is not None and now >= self.expires_at

    def refused(self, reason: str, now: datetime) -> "Account":
        """The account as its service no longer accepts it."""
        return replace(self, state="invalid", reason=reason[:1_000], updated_at=now)


def public(account: Account) -> dict[str, Json]:
    """The account as the public API shows it: what filters look at."""
    return {
        "accountId": account.account_id,
        "tokenId": account.token_id,
        "userId": account.tenant_id,
        "service": account.service,
        "type": account.auth_type,
        "name": account.name,
        "displayName": account.display_name or None,
        "label": account.label,
        "profileInfo": dict(account.profile_info),
        "scope": list(account.scope),
        "state": account.state,
        "accessTokenValid": account.state == "valid",
        "reason": account.reason or None,
        "expires": times.to_text(account.expires_at) if account.expires_at else None,
        "created": times.to_text(account.created_at),
        "mtime": times.to_text(account.updated_at),
        "sharedWith": [dict(each) for each in account.shared_with],
    }


def entry_of(account: Account) -> Entry:
    """The account as it is kept."""
    value: dict[str, Json] = {
        "service": account.service,
        "type": account.auth_type,
        "name": account.name,
        "displayName": account.display_name,
        "profileInfo": dict(account.profile_info),
        "scope": list(account.scope),
        "state": account.state,
        "reason": account.reason,
        "tokenId": account.token_id,
        "expires": times.to_micros(account.expires_at) if account.expires_at else None,
        "refreshBefore": int(account.refresh_before.total_seconds()),
        "canRefresh": account.can_refresh,
        "tokenAt": times.to_micros(account.token_at),
        "wasRejected": account.was_rejected,
        "created": times.to_micros(account.created_at),
        "sealed": account.sealed,
        "sharedWith": [dict(each) for each in account.shared_with],
    }
    key = account.account_id
    return Entry("account", key, key, account.tenant_id, value, account.tenant_id, account.updated_at)


def account_of(entry: Entry) -> Account:
    """The account that `entry_of` wrote."""
    value = entry.value
    profile, scope, expires = value["profileInfo"], value["scope"], value["expires"]
    shared = value.get("sharedWith")  # accounts that were made before have none
    refresh_before = value["refreshBefore"]
    return Account(
        account_id=entry.entry_id,
        tenant_id=entry.owner,
        service=str(value["service"]),
        auth_type=auth_type_of(value["type"]),
        name=str(value["name"]),
        display_name=str(value["displayName"]),
        profile_info=profile if isinstance(profile, dict) else {},
        scope=tuple(str(each) for each in scope) if isinstance(scope, list) else (),
        state="invalid" if value["state"] == "invalid" else "valid",
        reason=str(value["reason"]),
        token_id=str(value["tokenId"]),
        expires_at=times.from_micros(expires) if isinstance(expires, int) else None,
        refresh_before=timedelta(seconds=refresh_before) if isinstance(refresh_before, int) else REFRESH_BEFORE,
        can_refresh=value["canRefresh"] is True,
        token_at=times.from_micros(_whole(value["tokenAt"])),
        was_rejected=value["wasRejected"] is True,
        created_at=times.from_micros(_whole(value["created"])),
        updated_at=entry.changed_at,
        sealed=str(value["sealed"]),
        shared_with=tuple(each for each in shared if isinstance(each, dict)) if isinstance(shared, list) else (),
    )


def place_of(account_id: str) -> tuple[str, str]:
    """Where an account's secrets belong: sealed for one account, they open for no other."""
    return ("account", account_id)


def auth_type_of(value: Json) -> AuthType:
    """A type of the map §3.3. Raises ValidationFailed for another."""
    match value:
        case "apiKey" | "pwd" | "oauth" | "oauth2":
            return value
        case _:
            raise ValidationFailed([Problem("type", f"{str(value)[:40]!r} is no way to open an account.")])


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an account is opened with from now on."""

    secrets: Mapping[str, Json]
    expires_at: datetime | None
    can_refresh: bool


def with_tokens(account: Account, sealed: str, tokens: Tokens, now: datetime, *, was_rejected: bool) -> Account:
    """The account with what opens it now, accepted again."""
    return replace(
        account,
        sealed=sealed,
        expires_at=tokens.expires_at,
        can_refresh=tokens.can_refresh,
        token_id=new_id(),
        state="valid",
        reason="",
        was_rejected=was_rejected,
        token_at=now,
        updated_at=now,
    )


def hidden_values(values: Mapping[str, Json]) -> Sequence[str]:
    """The texts in these fields that nobody may read."""
    found = (text for name, each in values.items() if name.lower() not in _OPEN_FIELDS for text in _texts(each))
    return sorted({text for text in found if len(text) >= SHORTEST_SECRET})


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from hidden_values(value)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def check_name(name: str, where: str) -> str:
    """The name. Raises ValidationFailed when it cannot be read or is too long."""
    if len(name) > MAX_NAME or not (name.isprintable() or not name):
        raise ValidationFailed([Problem(where, f"It is text of up to {MAX_NAME} visible characters.", field=where)])
    return name


def expiry_of(value: Json, now: datetime) -> datetime | None:
    """When tokens end, as auth modules say it: a moment as text or in milliseconds, or seconds from now."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        # Larger than any lifetime in seconds: it is a moment, in seconds or in milliseconds.
        seconds = value / 1000 if value > 10**11 else value
        if seconds > 10**9:
            return datetime.fromtimestamp(seconds, now.tzinfo)
        return now + timedelta(seconds=seconds)
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=now.tzinfo)


def _whole(value: Json) -> int:
    return value if isinstance(value, int) else 0
