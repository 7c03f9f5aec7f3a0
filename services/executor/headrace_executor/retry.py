"""What becomes of a message whose component failed. Pure decisions over an error, a count and a policy."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from headrace_core.errors import DeadlineExceeded, HeadraceError, RateLimited, Unavailable
from headrace_core.expressions import Json
from headrace_core.flow import ErrorHandling
from headrace_sdk.errors import (
    CancelError,
    ComponentError,
    ConnectionExpired,
    HttpStatusError,
    LockUnavailable,
    RateLimitedError,
    TransientError,
)

ErrorClass = Literal["cancel", "auth", "rate_limit", "server", "network", "timeout", "client", "validation", "unknown"]


class CutShort(TransientError):
    """The process that ran the component ended in the middle: nobody knows how far the call came."""

    code = "runner_ended"


TEMPORARY: frozenset[ErrorClass] = frozenset({"auth", "rate_limit", "server", "network", "timeout", "unknown"})
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Defaults of the installation (map §7: RETRY_INIT_EXP, RETRY_MAX_EXP, RETRY_MAX_COUNT)."""

    first_delay: timedelta = timedelta(seconds=60)
    longest_delay: timedelta = timedelta(hours=1)
    max_retries: int = 30


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `delay`."""

    delay: timedelta
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Do not try again. `how` says where the message goes."""

    how: Literal["storeUnprocessed", "errorPort", "stopFlow", "drop"]
    reason: str


def classify(error: BaseException) -> ErrorClass:
    """Sort an error into the classes that decide about retries."""
    if isinstance(error, CancelError):
        return "cancel"
    if isinstance(error, ConnectionExpired):
        return "auth"
    if isinstance(error, RateLimitedError | RateLimited):
        return "rate_limit"
    if isinstance(error, HttpStatusError):
        return _class_of_status(error.status)
    if isinstance(error, TimeoutError | DeadlineExceeded):
        return "timeout"
    if isinstance(error, Unavailable | ConnectionError | LockUnavailable | OSError):
        return "network"
    if isinstance(error, ComponentError):
        return "network" if error.is_temporary else "client"
    if isinstance(error, HeadraceError):
        return "client"
    return "unknown"


def after_failure(
    error: BaseException, attempts: int, handling: ErrorHandling, policy: RetryPolicy, step_id: str
) -> Retry | GiveUp:
    """Say what becomes of a message after `attempts` failed attempts.

    The jitter is drawn from the step's id, so that the decision is the same whenever it is taken.
    """
    kind = classify(error)
    allowed = policy.max_retries if handling.max_retries is None else handling.max_retries
    if kind in TEMPORARY and handling.auto_retry and attempts <= allowed:
        delay = _delay(error, attempts, policy, step_id)
        return Retry(delay, f"Attempt {attempts} failed ({kind}): {describe(error)}")
    if kind == "cancel" and handling.on_error == "storeUnprocessed":
        return GiveUp("drop", describe(error))
    return GiveUp(handling.on_error, describe(error))


def describe(error: BaseException) -> str:
    """The error's own words, or its kind where it has none."""
    return str(error)[:2000] or type(error).__name__


def error_to_json(error: BaseException, attempts: int) -> dict[str, Json]:
    """An error as it is stored and shown."""
    found: dict[str, Json] = {
        "code": str(getattr(error, "code", "unknown")),
        "name": str(getattr(error, "shown_as", type(error).__name__)),
        "message": describe(error),
        "class": classify(error),
        "attempts": attempts,
    }
    details = getattr(error, "data", None) or getattr(error, "details", None)
    if details:
        found["details"] = details if isinstance(details, str | list) else dict(details)
    return found


def _class_of_status(status: int) -> ErrorClass:
    if status == 429:
        return "rate_limit"
    if status == 408:
        return "timeout"
    return "server" if status >= 500 else "client"


def _delay(error: BaseException, attempts: int, policy: RetryPolicy, step_id: str) -> timedelta:
    asked = getattr(error, "retry_after", None)
    if isinstance(asked, timedelta) and asked > timedelta(0):
        return min(asked, timedelta(days=1))
    grown = policy.first_delay * float(2 ** min(attempts - 1, 20))
    draw = hashlib.blake2b(f"{step_id}/{attempts}".encode(), digest_size=2).digest()
    spread = 1 + JITTER * (int.from_bytes(draw) / 32767.5 - 1)
    return min(grown, policy.longest_delay) * spread
