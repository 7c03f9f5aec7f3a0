"""System webhooks: who is told what, and what became of each telling."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import urlsplit

from headrace_core import Json
from headrace_core.errors import Problem
from headrace_core.system_events import EVENTS

from headrace_flow_manager.happenings import Fact

MAX_HOOKS: Final = 50
MAX_URL: Final = 2_048
MAX_DESCRIPTION: Final = 500
MAX_WAITING: Final = 20_000
"""What waits to be told to one hook at most; what happens beyond is not told to it, and the service's log says so."""

MAX_BODY: Final = 256 * 1024
MAX_ANSWER: Final = 1_000
TRIES: Final = 20
FIRST_PAUSE: Final = timedelta(seconds=30)
PAUSE_GROWS: Final = 1.5
LONGEST_PAUSE: Final = timedelta(minutes=30)
"""The policy of Appmixer's system webhooks (map §9): all tries together take five and a half hours."""

SECRET_PREFIX: Final = "whsec_"
OVERLAP: Final = timedelta(hours=24)
"""How long the secret before the newest signs, too."""

_VISIBLE: Final = re.compile(r"[\x21-\x7e]+\Z")

State = Literal["pending", "delivered", "failed"]


@dataclass(frozen=True, slots=True)
class Hook:
    """An address and what it is told: of everybody, or of these tenants. Its secrets are not in here."""

    hook_id: str
    url: str
    events: tuple[str, ...]
    description: str
    tenants: tuple[str, ...]
    active: bool
    changed_at: datetime
    changed_by: str
    tag: str = ""
    is_plain: bool = False
    """Told as Appmixer tells: the data alone, not signed. Hooks that a configuration key sets are."""

    def wants(self, event: str, tenant: str) -> bool:
        return self.active and event in self.events and (not self.tenants or tenant in self.tenants)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One happening for one hook. `due` is when it is tried next; while it is tried, when another may try."""

    delivery_id: str
    hook_id: str
    event_id: str
    event: str
    tenant_id: str
    at: datetime
    body: str
    fact: Fact
    about: str
    state: State
    due: datetime
    created_at: datetime
    attempts: int = 0
    status: int = 0
    """Of the last answer; 0 where none came."""
    answer: str = ""
    """The first characters of the last answer."""
    error: str = ""
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant; "" and None mean all."""

    hook_id: str = ""
    event: str = ""
    state: str = ""
    tenant_id: str = ""
    before: datetime | None = None
    after: datetime | None = None


def pause_after(attempts: int) -> timedelta:
    """How long to wait after so many tries."""
    return min(FIRST_PAUSE * PAUSE_GROWS ** max(0, attempts - 1), LONGEST_PAUSE)


def check(url: str, events: Sequence[str], description: str) -> list[Problem]:
    """What is wrong with a hook that somebody wants."""
    problems = []
    fix = "Write it in full, such as https://example.com/hooks/headrace."
    place = urlsplit(url) if _VISIBLE.match(url) and len(url) <= MAX_URL else None
    if place is None or place.scheme not in ("https", "http") or not place.hostname or place.fragment:
        problems.append(Problem("url", "It is no address of the web.", fix, field="url"))
    elif place.username or place.password:
        said = "An address with a name and password in it would be shown to everybody who sees it."
        problems.append(Problem("url", said, "The signature says who calls: leave them out.", field="url"))
    if not events:
        problems.append(Problem("events", "It is told nothing.", f"Choose of {', '.join(EVENTS)}.", field="events"))
    problems += [
        Problem("events", f"There is no event {each[:60]!r}.", f"There are {', '.join(EVENTS)}.", field="events")
        for each in events
        if each not in EVENTS
    ]
    if len(description) > MAX_DESCRIPTION:
        said = f"It has {len(description)} characters, and {MAX_DESCRIPTION} are allowed."
        problems.append(Problem("description", said, field="description"))
    return problems


def sample(event: str) -> Mapping[str, Json]:
    """What a test tells: what the event looks like, of nobody."""
    nobody: dict[str, Json] = {"userId": "0" * 24, "username": "ada@example.com"}
    flow: dict[str, Json] = {"flowId": "0" * 24, "flowName": "An example", **nobody}
    failed: dict[str, Json] = {
        **flow,
        "componentId": "00000000-0000-4000-8000-000000000000",
        "componentType": "headrace.utils.http.Get",
        "runId": "example",
        "correlationId": "example",
        "messageId": "example",
        "err": {"message": "This is a test.", "code": "test"},
        "inputMessages": {"in": [{"text": "This is a test."}]},
    }
    account: dict[str, Json] = {
        "accountId": "0" * 24,
        "service": "acme:mail",
        "name": "ada@example.com",
        **nobody,
        "reason": "This is a test.",
    }
    found: Mapping[str, Mapping[str, Json]] = {
        "component.error": failed,
        "message.unprocessed": failed,
        "flow.started": flow,
        "flow.stopped": {**flow, "reason": "This is a test."},
        "user.created": {**nobody, "email": "ada@example.com"},
        "account.connected": {**account, "reason": None},
        "account.invalid": account,
    }
    return {**found[event], "isTest": True}
