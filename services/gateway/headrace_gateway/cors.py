"""Which pages may call the API: origins are listed exactly, and there are no cookies to lend.

The installation's list holds for everybody. A vendor's holds for answers to its users: whoever knows the caller of a
request admits its origin. A preflight names no caller, so it is answered for every origin that is on some list.
"""

from collections.abc import Collection
from typing import Final

from starlette.types import Scope

from headrace_gateway.errors import Headers
from headrace_gateway.heads import header

_ALLOWED_METHODS = b"GET, POST, PUT, PATCH, DELETE, HEAD"
_ALLOWED_HEADERS = (
    b"authorization, content-type, if-match, range, last-event-id, idempotency-key, webhook-id, x-headrace-event-id, "
    b"x-request-id, uploader-file-id, uploader-file-name, uploader-chunk-size, uploader-chunk-number, "
    b"uploader-chunks-total, pass-phrase"
)
_EXPOSED_HEADERS = b"etag, retry-after, content-range, content-disposition, x-request-id, x-headrace-run-id"
_REMEMBER_SECONDS = b"600"
_ADMITTED: Final = "headrace.origin_admitted"


def unlisted_origin(scope: Scope, cors: "Cors") -> bytes | None:
    """The origin of a request that the installation's list does not have; None where nothing is left to decide."""
    origin = header(scope, b"origin")
    return None if origin is None or cors.lists(origin) else origin


def admit(scope: Scope) -> None:
    """Let the page that sent this request read its answer: the vendor of its caller lists the origin."""
    scope[_ADMITTED] = True


class Cors:
    """Answers for one list of origins. An origin matches whole: scheme, host and port."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in origins)

    def lists(self, origin: bytes) -> bool:
        """Whether the origin may read every answer."""
        return origin in self._origins

    def headers(self, scope: Scope) -> Headers:
        """Headers of any answer to this request; none where no origin was sent or could have been of use."""
        origin = header(scope, b"origin")
        if origin is None:
            return [(b"vary", b"Origin")] if self._origins else []
        return self._headers(origin, may_read=self.lists(origin) or scope.get(_ADMITTED, False))

    def preflight(self, scope: Scope, others: Collection[bytes] = ()) -> Headers | None:
        """Headers of the answer to a preflight; None when this request is none, or its origin is on no list."""
        origin = header(scope, b"origin")
        asked = header(scope, b"access-control-request-method")
        if asked is None or origin is None or not (self.lists(origin) or origin in others):
            return None
        return [
            *self._headers(origin, may_read=True),
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _REMEMBER_SECONDS),
        ]

    def _headers(self, origin: bytes, *, may_read: bool) -> Headers:
        varies = [(b"vary", b"Origin")]
        if not may_read:
            return varies
        return [
            *varies,
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
        ]
