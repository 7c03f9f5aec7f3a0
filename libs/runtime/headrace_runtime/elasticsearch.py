"""Elasticsearch for the services that keep something there: connection, deadlines, errors in words of the house."""

from __future__ import annotations

import asyncio
import logging
import re
import traceback
import urllib.parse
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

from elastic_transport import AsyncTransport, TransportApiResponse, TransportError
from elastic_transport.client_utils import DEFAULT
from elasticsearch import ApiError, AsyncElasticsearch, OrjsonSerializer, UnsupportedProductError
from headrace_core.errors import Conflict, Problem, Unavailable, ValidationFailed

from headrace_runtime.metrics import Metrics

TIMEOUT_SECONDS = 5.0
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
OLDEST_VERSION = (8, 0)
RETRY_HINT = timedelta(seconds=1)

_NOT_NOW = frozenset({408, 429, 500, 502, 503, 504})
_VERSION = re.compile(r"(\d+)\.(\d+)")

logger = logging.getLogger(__name__)


@asynccontextmanager
async def open_elasticsearch(
    urls: str, *, api_key: str = "", ca: str = "", patience: timedelta | None = None, metrics: Metrics | None = None
) -> AsyncIterator[AsyncElasticsearch]:
    """Connect to a cluster while the block runs. Calls are repeated once when a connection broke.

    `urls` are its nodes with commas between, each as `https://user:password@host:9200`; `ca` is the file of the
    authority that signed their certificates. A cluster that is not there yet or refuses the credentials is waited
    for, with a line for each try, for `patience` at most (None: for good). Raises Unavailable then. Raises Conflict
    when what answers is too old or no Elasticsearch, ValidationFailed when an address or the file is none: waiting
    would not help.
    """
    client = connect(urls, api_key=api_key, ca=ca)
    try:
        await _wait_for(client, shown(urls), patience)
        transport = client.transport
        if metrics is not None and isinstance(transport, _Counting):
            metrics.follow(
                "headrace_elasticsearch_requests_total",
                "Requests sent to Elasticsearch, each a round trip.",
                lambda: transport.requests,
                label="api",
            )
        yield client
    finally:
        await client.close()


def connect(urls: str, *, api_key: str = "", ca: str = "") -> AsyncElasticsearch:
    """A client that has asked nothing yet. Raises ValidationFailed when an address or the file is none."""
    hosts = [_checked(each.strip()) for each in urls.split(",") if each.strip()]
    # The driver logs each failure on its own; here it is told once, in words.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    try:
        return AsyncElasticsearch(
            hosts,
            api_key=api_key or None,
            ca_certs=(ca or DEFAULT) if any(each.startswith("https:") for each in hosts) else DEFAULT,
            request_timeout=TIMEOUT_SECONDS,
            max_retries=1,
            retry_on_status=(),
            transport_class=_Counting,
            serializers={OrjsonSerializer.mimetype: OrjsonSerializer()},
        )
    except (ValueError, OSError) as error:
        fix = "Name a file with a certificate in PEM."
        raise ValidationFailed([Problem("HEADRACE_ELASTICSEARCH_CA", f"It cannot be used: {error}.", fix)]) from None


class _Counting(AsyncTransport):
    """Counts requests by what is asked for: `_bulk`, `_search`, `_refresh`; "index" for an index itself."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.requests: Counter[str] = Counter()

    # Its base class is awaited too, which the types of its own base do not say.
    async def perform_request(  # type: ignore[override]
        self, method: str, target: str, **options: Any
    ) -> TransportApiResponse:
        words = (word for word in target.partition("?")[0].split("/") if word.startswith("_"))
        self.requests[next(words, "index")] += 1
        return await super().perform_request(method, target, **options)


@contextmanager
def translated() -> Iterator[None]:
    """What the driver raises because the cluster is away, busy or refuses us comes out as Unavailable.

    Answers about the call itself (400, 404, 409, …) stay what they are.
    """
    try:
        yield
    except UnsupportedProductError as error:
        raise Unavailable(f"What answers is no Elasticsearch: {error}", retry_after=RETRY_HINT) from error
    except TransportError as error:
        told = f"Elasticsearch does not answer: {_short(error)}"
        _let_go(error)
        raise Unavailable(told, retry_after=RETRY_HINT) from None
    except ApiError as error:
        if error.status_code in (401, 403):
            raise Unavailable(f"Elasticsearch refuses us: {_short(error)}", retry_after=RETRY_HINT) from error
        if error.status_code in _NOT_NOW:
            raise Unavailable(f"Elasticsearch is not ready: {_short(error)}", retry_after=RETRY_HINT) from error
        raise


def _let_go(error: TransportError) -> None:
    """Have the frames that an error went through hold nothing any more.

    The driver's frames hold the errors of all tries, which hold the frames: with them everything that was to be sent
    would stay until Python looks for cycles, and while the cluster is away there is one with each try.
    """
    for each in (error, *error.errors):
        link: BaseException | None = each
        while link is not None:
            traceback.clear_frames(link.__traceback__)
            link = link.__cause__ or link.__context__


def shown(urls: str) -> str:
    """The addresses without what is secret in them."""
    parts = (urllib.parse.urlsplit(each.strip()) for each in urls.split(",") if each.strip())
    return ", ".join(f"{part.hostname}:{part.port or (443 if part.scheme == 'https' else 9200)}" for part in parts)


def _checked(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 9200)
    except ValueError:
        port = 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not port:
        fix = "Write it as https://user:password@host:9200."
        raise ValidationFailed([Problem("HEADRACE_ELASTICSEARCH_URL", "It is no address of a server.", fix)])
    credentials = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{credentials}{host}:{port}{parts.path}"


async def _wait_for(client: AsyncElasticsearch, address: str, patience: timedelta | None) -> None:
    loop = asyncio.get_running_loop()
    until = None if patience is None else loop.time() + patience.total_seconds()
    pause = FIRST_PAUSE
    while True:
        try:
            return await _greet(client, address)
        except UnsupportedProductError as error:
            raise Conflict(f"What answers at {address} is no Elasticsearch: {_short(error)}") from error
        except (ApiError, TransportError) as error:
            complaint, cause = _complaint(error, address), error
        if until is not None and loop.time() + pause > until:
            raise Unavailable(f"{complaint}: {_short(cause)}") from cause
        logger.warning("Not started yet: %s; trying again in %.1f s: %s", complaint, pause, _short(cause))
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


def _complaint(error: Exception, address: str) -> str:
    if isinstance(error, ApiError) and error.status_code in (401, 403):
        return f"Elasticsearch at {address} refuses the credentials of HEADRACE_ELASTICSEARCH_URL or _API_KEY"
    return f"Elasticsearch at {address} does not serve"


async def _greet(client: AsyncElasticsearch, address: str) -> None:
    """Return when the cluster serves: its health says so also where `GET /` is closed to us. Raises Conflict."""
    await client.cluster.health(wait_for_status="yellow", timeout="1s", filter_path=["status"])
    answer = await client.nodes.info(filter_path=["nodes.*.version"])
    for node in answer.get("nodes", {}).values():
        if is_too_old(node["version"]):
            needed = ".".join(map(str, OLDEST_VERSION))
            raise Conflict(f"Elasticsearch at {address} is version {node['version']}: {needed} or newer is needed.")


def is_too_old(version: str) -> bool:
    """Whether a node's version is one that the client does not speak to."""
    found = _VERSION.match(version)
    return found is not None and (int(found[1]), int(found[2])) < OLDEST_VERSION


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
