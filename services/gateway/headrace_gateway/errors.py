"""What goes wrong, as HTTP says it: one table of statuses and one shape of body.

    {"statusCode": 404, "error": "Not Found", "message": "…", "code": "not_found", "requestId": "…"}

`problems` is there where a request broke rules. Nothing of an unknown exception reaches the caller but the
request id, under which the log has the rest.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus

import orjson
from headrace_core import Json, errors

Headers = list[tuple[bytes, bytes]]

RETRY_AFTER = timedelta(seconds=1)

STATUSES: Mapping[type[errors.HeadraceError], int] = {
    errors.ValidationFailed: 400,
    errors.BadRequest: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
    errors.DeadlineExceeded: 503,
    errors.Cancelled: 503,
    errors.Fenced: 503,
    errors.Unsupported: 400,
}


class SlowRequest(errors.DeadlineExceeded):
    """The request's body did not arrive in time. Send it again, faster."""


class HeadTooLarge(errors.TooLarge):
    """The request's headers are too many or too long."""


class UnsupportedMedia(errors.Unsupported):
    """The body has a content type that this endpoint does not read."""


class MethodNotAllowed(errors.Unsupported):
    """There is something at this path, but not for this method."""

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not for this path; it takes {', '.join(allowed)}.")
        self.allowed = tuple(allowed)


class RangeNotSatisfiable(errors.BadRequest):
    """The range asked for lies outside the content."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The range lies outside the content of {size_bytes} bytes.")
        self.size_bytes = size_bytes


_GATEWAY_STATUSES: Mapping[type[errors.HeadraceError], int] = {
    SlowRequest: 408,
    HeadTooLarge: 431,
    UnsupportedMedia: 415,
    MethodNotAllowed: 405,
    RangeNotSatisfiable: 416,
}


def status_of(error: errors.HeadraceError) -> int:
    """The status of an error: its own class's, or that of the nearest class it comes from."""
    for each in type(error).__mro__:
        status = _GATEWAY_STATUSES.get(each) or STATUSES.get(each)
        if status is not None:
            return status
    return 500


def body_of(error: errors.HeadraceError, request_id: str) -> dict[str, Json]:
    """The error in the one shape that every endpoint answers with."""
    status = status_of(error)
    body: dict[str, Json] = {
        "statusCode": status,
        "error": HTTPStatus(status).phrase,
        "message": error.message if status != 500 else "Something went wrong here; the log has the rest.",
        "code": error.code if status != 500 else errors.Internal.code,
        "requestId": request_id,
    }
    if isinstance(error, errors.ValidationFailed):
        body["problems"] = [problem.to_json() for problem in error.problems]
    return body


def headers_of(error: errors.HeadraceError) -> Headers:
    """Headers that belong to the error itself."""
    if isinstance(error, (errors.RateLimited, errors.Unavailable)):
        return [retry_after(error.retry_after or RETRY_AFTER)]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", ", ".join(error.allowed).encode())]
    if isinstance(error, RangeNotSatisfiable):
        return [(b"content-range", b"bytes */%d" % error.size_bytes)]
    if isinstance(error, errors.Unauthenticated):
        return [(b"www-authenticate", b"Bearer")]
    return [retry_after(RETRY_AFTER)] if status_of(error) == 503 else []


def retry_after(wait: timedelta) -> tuple[bytes, bytes]:
    """The header that says when to come back, in whole seconds and never zero."""
    return b"retry-after", b"%d" % max(1, math.ceil(wait.total_seconds()))


def answer_of(error: errors.HeadraceError, request_id: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body of an error."""
    headers = [(b"content-type", b"application/json"), *headers_of(error)]
    return status_of(error), headers, orjson.dumps(body_of(error, request_id))


def one_problem(where: str, message: str, fix: str = "") -> errors.ValidationFailed:
    """A validation error with a single finding at a field."""
    return errors.ValidationFailed([errors.Problem(where, message, fix, field=where)])
