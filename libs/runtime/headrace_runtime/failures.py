"""An error of a component on its way between the process that ran it and the engine that decides about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, cast

from headrace_core import Json, errors
from headrace_core.errors import HeadraceError
from headrace_sdk.errors import (
    CancelError,
    ComponentError,
    ConnectionExpired,
    HttpStatusError,
    LockUnavailable,
    RateLimitedError,
    TransientError,
)

MAX_MESSAGE = 4_000


@dataclass(frozen=True, slots=True)
class Failure:
    """Everything that decides what becomes of the message, and what people see of it."""

    kind: str
    name: str
    message: str
    code: str
    data: Json = None
    retry_after: timedelta | None = None
    status: int = 0
    which: str = ""


class PermanentError(ComponentError):
    """A component's own kind of error that says of itself that trying again is no use."""

    is_temporary: ClassVar[bool] = False


class ForeignError(Exception):
    """An exception of a component that the platform knows nothing about: tried again."""


def failure_of(error: BaseException) -> Failure:
    """What there is to know about an error. Never raises, whatever the error is made of."""
    name, message = type(error).__name__, _words(error)
    data = _plain(getattr(error, "data", None))
    code = str(getattr(error, "code", "unknown"))
    match error:
        case HeadraceError():
            return Failure("platform", name, message, error.code, dict(error.details))
        case CancelError():
            return Failure("cancel", name, message, code, data)
        case RateLimitedError():
            return Failure("rate_limited", name, message, code, data, retry_after=error.retry_after)
        case TransientError():
            return Failure("transient", name, message, code, data)
        case HttpStatusError():
            return Failure("http_status", name, message, code, data, status=int(error.status))
        case ConnectionExpired():
            return Failure("connection_expired", name, message, code, data, which=str(error.auth))
        case LockUnavailable():
            return Failure("lock_unavailable", name, message, code, data, which=str(error.name))
        case ComponentError():
            return Failure("component" if error.is_temporary else "permanent", name, message, code, data)
        case TimeoutError():
            return Failure("timeout", name, message, code)
        case OSError():
            return Failure("network", name, message, code)
        case _:
            return Failure("unknown", name, message, "unknown")


def error_of(failure: Failure) -> Exception:
    """The error that `failure_of` looked at, or one that is treated alike and shows the same name."""
    error = _built(failure)
    vars(error)["shown_as"] = failure.name
    if not isinstance(error, HeadraceError):
        vars(error)["code"] = failure.code
    return error


def _built(failure: Failure) -> Exception:
    message, data = failure.message, failure.data
    match failure.kind:
        case "platform":
            return errors.from_dict({"code": failure.code, "message": message, "details": data})
        case "cancel":
            return CancelError(message, data)
        case "rate_limited":
            return RateLimitedError(message, retry_after=failure.retry_after, data=data)
        case "transient":
            return TransientError(message, data=data)
        case "http_status":
            return HttpStatusError(failure.status, message, data=data)
        case "connection_expired":
            return ConnectionExpired(failure.which, message, data=data)
        case "lock_unavailable":
            return LockUnavailable(failure.which)
        case "component":
            return ComponentError(message, data=data)
        case "permanent":
            return PermanentError(message, data=data)
        case "timeout":
            return TimeoutError(message)
        case "network":
            return ConnectionError(message)
        case _:
            return ForeignError(message)


def _words(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE] or type(error).__name__
    except Exception:  # somebody else's __str__
        return type(error).__name__


def _plain(value: object) -> Json:
    """The value as far as it is JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[object]", value)]
    return str(value)[:MAX_MESSAGE]
