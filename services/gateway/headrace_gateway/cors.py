"""Which pages may call the API: origins are listed exactly, and there are no cookies to lend."""

from collections.abc import Collection

from starlette.types import Scope

from headrace_gateway.errors import Headers
from headrace_gateway.heads import header

_ALLOWED_METHODS = b"GET, POST, PUT, PATCH, DELETE, HEAD"
_ALLOWED_HEADERS = (
    b"authorization, content-type, if-match, range, last-event-id, idempotency-key, webhook-id, x-headrace-event-id, "
    b"x-request-id, uploader-file-id, uploader-file-name, uploader-chunk-size, uploader-chunk-number, "
    b"uploader-chunks-total"
)
_EXPOSED_HEADERS = b"etag, retry-after, content-range, content-disposition, x-request-id, x-headrace-run-id"
_REMEMBER_SECONDS = b"600"


class Cors:
    """Answers for one list of origins. An origin matches whole: scheme, host and port."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.encode("latin-1", "replace") for origin in origins)

    def headers(self, scope: Scope) -> Headers:
        """Headers of any answer to this request; none where no origins are listed or none was sent."""
        if not self._origins:
            return []
        origin = header(scope, b"origin")
        if origin is None or origin not in self._origins:
            return [(b"vary", b"Origin")]
        return [
            (b"vary", b"Origin"),
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED_HEADERS),
        ]

    def preflight(self, scope: Scope) -> Headers | None:
        """Headers of the answer to a preflight; None when this request is none, or its origin is not listed."""
        origin = header(scope, b"origin")
        asked = header(scope, b"access-control-request-method")
        if asked is None or origin is None or origin not in self._origins:
            return None
        return [
            *self.headers(scope),
            (b"access-control-allow-methods", _ALLOWED_METHODS),
            (b"access-control-allow-headers", _ALLOWED_HEADERS),
            (b"access-control-max-age", _REMEMBER_SECONDS),
        ]
