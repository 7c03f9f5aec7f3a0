"""What a component raises so that the engine knows what to do about it.

    ComponentError
    ├── CancelError           do not try again: the message cannot be processed as it is
    ├── TransientError        try again later
    │   └── RateLimitedError  the far side asks for a pause; says how long, where it is known
    ├── HttpStatusError       the far side answered with this status; the engine knows which ones pass
    ├── ConnectionExpired     the account no longer opens the door: the message waits for a new one
    └── LockUnavailable       somebody else holds the lock for too long

Any other exception of a component is taken for a passing failure and tried again.
"""

from datetime import timedelta
from typing import ClassVar

from headrace_core import Json


class ComponentError(Exception):
    """A component could not process its message. `code` never changes between releases."""

    code: ClassVar[str] = "component_error"
    is_temporary: ClassVar[bool] = True

    def __init__(self, message: str, *, data: Json = None) -> None:
        super().__init__(message)
        self.message = message
        self.data = data


class CancelError(ComponentError):
    """The message cannot be processed, and trying again would not help. `data` is kept for who looks at it."""

    code = "cancelled_by_component"
    is_temporary = False

    def __init__(self, message: str, data: Json = None) -> None:
        super().__init__(message, data=data)


class TransientError(ComponentError):
    """It failed now and may well succeed later: the engine tries again with growing delay."""

    code = "transient"


class RateLimitedError(TransientError):
    """The far side asks for a pause. The engine waits `retry_after` where it is given, else its own delay."""

    code = "rate_limited"

    def __init__(
        self,
        message: str = "The service asks us to slow down.",
        *,
        retry_after: timedelta | None = None,
        data: Json = None,
    ) -> None:
        super().__init__(message, data=data)
        self.retry_after = retry_after


class HttpStatusError(ComponentError):
    """The far side answered `status`. Statuses of the server are tried again, those of the client are not."""

    code = "http_status"

    def __init__(self, status: int, message: str = "", *, data: Json = None) -> None:
        super().__init__(message or f"The service answered with status {status}.", data=data)
        self.status = status


class ConnectionExpired(ComponentError):
    """The account `auth` is no longer accepted. Its messages wait until it is connected anew."""

    code = "connection_expired"

    def __init__(self, auth: str, message: str = "", *, data: Json = None) -> None:
        super().__init__(message or f"The account {auth!r} is no longer accepted: connect it anew.", data=data)
        self.auth = auth


class LockUnavailable(ComponentError):
    """The lock `name` is held by somebody else, and was for as long as we were ready to wait."""

    code = "lock_unavailable"

    def __init__(self, name: str) -> None:
        super().__init__(f"The lock {name!r} is held by somebody else.")
        self.name = name
