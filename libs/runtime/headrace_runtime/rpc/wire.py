"""How an error travels between processes: a gRPC status, and the whole error as JSON in the trailing metadata."""

import json
import logging
from collections.abc import Iterable, Mapping

import grpc
from headrace_core import Json, errors
from headrace_core.errors import HeadraceError

from headrace_runtime import logs

ERROR_KEY = "headrace-error-bin"
REQUEST_ID_KEY = "headrace-request-id"
PUSHBACK_KEY = "grpc-retry-pushback-ms"
"""gRPC's own: below zero, the channel does not repeat the call."""

EOF: object = grpc.aio.EOF  # type: ignore[attr-defined]  # the stubs leave it out
"""What `read` answers after the last message of a stream."""

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
"""What both sides accept as a message: an event of 15 MiB, a list of flows with their pictures."""

MAX_METADATA_BYTES = 64 * 1024
"""What both sides accept as metadata: an error has to fit into it."""

_MAX_ERROR_BYTES = 32 * 1024
_MAX_STATUS_TEXT = 200

_STATUS: Mapping[type[HeadraceError], grpc.StatusCode] = {
    errors.ValidationFailed: grpc.StatusCode.INVALID_ARGUMENT,
    errors.BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.Forbidden: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.RevisionConflict: grpc.StatusCode.ABORTED,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.Conflict: grpc.StatusCode.FAILED_PRECONDITION,
    errors.TooLarge: grpc.StatusCode.OUT_OF_RANGE,
    errors.RateLimited: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.Cancelled: grpc.StatusCode.CANCELLED,
    errors.Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.Fenced: grpc.StatusCode.ABORTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}

_SERVICES = {
    "flow": "flow manager",
    "people": "flow manager",
    "catalog": "flow manager",
    "store": "flow manager",
    "file": "flow manager",
    "setting": "flow manager",
    "execution": "executor",
    "schedule": "scheduler",
    "log": "log service",
}
"""Who answers the methods of a proto package, in the words of the documentation."""

_log = logging.getLogger(__name__)


def status_of(error: HeadraceError) -> grpc.StatusCode:
    """The gRPC status that stands for an error."""
    return next((_STATUS[each] for each in type(error).__mro__ if each in _STATUS), grpc.StatusCode.UNKNOWN)


def status_text(error: HeadraceError) -> str:
    """A short text for tools that know gRPC but not Headrace."""
    return error.message[:_MAX_STATUS_TEXT]


def trailers(error: HeadraceError) -> tuple[tuple[str, str | bytes], ...]:
    """What goes with the status: the error, and where it says when to come back, that no channel asks again before."""
    whole = (ERROR_KEY, encode(error))
    if isinstance(error, errors.Unavailable) and error.retry_after is not None:
        return (whole, (PUSHBACK_KEY, "-1"))
    return (whole,)


def encode(error: HeadraceError) -> bytes:
    """The error as bytes that fit into metadata. Of one that is too long, the details are cut and say so."""
    whole = errors.to_dict(error)
    written = _json(whole)
    if len(written) <= _MAX_ERROR_BYTES:
        return written
    return _json({"code": error.code, "message": error.message[:2000], "details": _shortened(error)})


def decode(written: bytes) -> HeadraceError:
    """The error that `encode` wrote."""
    try:
        value = json.loads(written)
    except ValueError:
        return errors.Internal("The server answered with an error that cannot be read.")
    return errors.from_dict(value if isinstance(value, dict) else {})


def from_rpc_error(error: grpc.aio.AioRpcError, method: str, timeout: float | None) -> HeadraceError:
    """The error a call failed with: the servicer's own where it sent one, else what the status means."""
    for key, value in _pairs(error.trailing_metadata()):
        if key == ERROR_KEY and isinstance(value, bytes):
            return decode(value)
    return _of_status(error.code(), error.details() or "", method, timeout)


def too_late(method: str, timeout: float | None) -> errors.DeadlineExceeded:
    """The error of a call that ran out of time."""
    within = f"within {timeout:.3g} s" if timeout is not None else "in time"
    return errors.DeadlineExceeded(
        f"The {service_of(method)} did not answer {within}. It may have done what was asked: look, then try again.",
        details={"method": method},
    )


def away(method: str) -> errors.Unavailable:
    """The error of a call whose server cannot be reached."""
    return errors.Unavailable(
        f"The {service_of(method)} is away. Try again in a moment; GET /health/ready tells when it is back.",
        details={"method": method},
    )


def service_of(method: str) -> str:
    """The service that answers `/headrace.<noun>.v1.<Service>/<Method>`, by the name people know."""
    package = method.removeprefix("/").split(".")
    return _SERVICES.get(package[1] if package[0] == "headrace" else "", "server that is needed for this")


def unknown_method(method: str) -> errors.Unsupported:
    """The error of a call that no servicer answers."""
    return errors.Unsupported(f"Nothing here answers {method}. Check that both sides are of one release.")


def our_mistake(error: BaseException, method: str) -> errors.Internal:
    """Log an error that nobody foresaw, and give the one that callers may see: it names the request, no more."""
    request = logs.ensure_request_id()
    _log.error("%s failed in request %s", method, request, exc_info=error)
    return errors.Internal(
        f"Something went wrong inside Headrace. The log has it under request {request}.",
        details={"request_id": request},
    )


def _of_status(code: grpc.StatusCode, text: str, method: str, timeout: float | None) -> HeadraceError:
    match code:
        case grpc.StatusCode.UNAVAILABLE:
            return away(method)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return too_late(method, timeout)
        case grpc.StatusCode.CANCELLED:
            return errors.Cancelled(f"The call to the {service_of(method)} was cancelled.", details={"method": method})
        case grpc.StatusCode.UNIMPLEMENTED:
            return unknown_method(method)
        case grpc.StatusCode.RESOURCE_EXHAUSTED if "larger than max" in text:
            return errors.TooLarge(
                f"The {service_of(method)} takes and sends no message as large as this one.", details={"method": method}
            )
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            return errors.RateLimited(
                f"The {service_of(method)} has too much to do. Try again later.", details={"method": method}
            )
        case _:
            return errors.Internal(f"The {service_of(method)} failed with {code.name}.", details={"method": method})


def _pairs(metadata: object) -> Iterable[tuple[str, str | bytes]]:
    return metadata if isinstance(metadata, Iterable) else ()


def _json(value: Mapping[str, Json]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _shortened(error: HeadraceError) -> dict[str, Json]:
    kept: dict[str, Json] = {"shortened": True}
    left = _MAX_ERROR_BYTES // 2
    for name, value in error.details.items():
        members = value if isinstance(value, list) else [value]
        fitting: list[Json] = []
        for each in members:
            left -= len(_json({name: each}))
            if left < 0:
                break
            fitting.append(each)
        if isinstance(value, list):
            kept[name] = fitting
        elif fitting:
            kept[name] = value
    return kept
