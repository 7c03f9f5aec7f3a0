"""What a component sees of the platform: protocols, kept by the executor and by `headrace_sdk.testing`.

Values that come from the platform are the component's own copies: changing them changes nothing else.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal, Protocol, TypeAlias, TypedDict, Unpack, cast

from headrace_core import Json

from headrace_sdk.errors import HttpStatusError, RateLimitedError

JsonObject: TypeAlias = dict[str, Json]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
Operator: TypeAlias = Literal["equal", "not_equal", "match", "greater", "less", "empty"]
Headers: TypeAlias = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it left `port` of `node_id`, before the receiving node's inputs were filled from it."""

    content: Json
    node_id: str = ""
    port: str = ""
    correlation_id: str = ""
    headers: Mapping[str, Json] = field(default_factory=dict)
    """What its sender gave along besides the content."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison of one field of a record, by dotted name. "match" is an RE2 pattern, "empty" needs no value."""

    field: str
    operator: Operator
    value: Json = None


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file."""

    file_id: str
    filename: str
    size_bytes: int
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What a server answered. Header names compare without regard to case."""

    status: int
    headers: Headers = ()
    content: bytes = b""
    url: str = field(default="", kw_only=True)

    def header(self, name: str, default: str = "") -> str:
        """The first header of that name."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)

    @property
    def text(self) -> str:
        """The content as text in the charset it names, else UTF-8; what cannot be read becomes U+FFFD."""
        _, _, named = self.header("content-type").lower().partition("charset=")
        charset = named.split(";")[0].strip(" \"'") or "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")

    def json(self) -> Json:
        """The content as JSON. Raises `ValueError` when it is not."""
        return cast("Json", json.loads(self.content))  # json.loads gives nothing but Json

    def raise_for_status(self) -> HttpResponse:
        """This answer, where it is none of an error. Else raises what the engine knows how to take.

        That is `RateLimitedError` for 429, with the time that `Retry-After` says, and `HttpStatusError` for the rest.
        """
        if self.status < 400:
            return self
        said = f"{self.url or 'The service'} answered with status {self.status}: {self.text[:500]}"
        if self.status == 429:
            raise RateLimitedError(said, retry_after=_pause(self.header("retry-after")))
        raise HttpStatusError(self.status, said)


class State(Protocol):
    """Values by key that live as long as their owner: a node, a run's node, a flow, a service.

    `set`, `unset` and `clear` become durable with the step, or not at all when it fails. `inc`,
    `add_to_set` and `remove_from_set` are atomic and durable at once, among all runs of the flow; a step
    that is repeated gets the first result again and changes nothing twice.
    """

    async def get(self, key: str, default: Json = None) -> Json: ...

    async def all(self) -> JsonObject: ...

    async def set(self, key: str, value: Json) -> None: ...

    async def unset(self, key: str) -> None: ...

    async def clear(self) -> None: ...

    async def inc(self, key: str, by: int | float = 1) -> int | float:
        """Add to the number under `key` (0 when there is none) and return the sum."""
        ...

    async def add_to_set(self, key: str, value: Json) -> list[Json]:
        """Add to the list under `key` what is not in it yet; returns the list after that."""
        ...

    async def remove_from_set(self, key: str, value: Json) -> list[Json]:
        """Remove from the list under `key`; returns the list after that."""
        ...


class Stores(Protocol):
    """The data stores of the tenant. Every method raises `CancelError` for a store that does not exist."""

    async def list_stores(self) -> list[JsonObject]:
        """All stores as {"storeId", "name"}, by name."""
        ...

    async def create_store(self, name: str) -> JsonObject:
        """A new store {"storeId", "name"}. Raises `CancelError` when the name is taken."""
        ...

    async def get(self, store_id: str, key: str) -> JsonObject | None:
        """The record {"key", "value", "createdAt", "updatedAt", "storeId"}, None when there is none."""
        ...

    async def set(self, store_id: str, key: str, value: Json) -> JsonObject:
        """Write a record and return it, with "oldValue" where one was there. Happens once per step."""
        ...

    async def remove(self, store_id: str, key: str) -> bool:
        """Remove a record; False when there was none."""
        ...

    async def clear(self, store_id: str) -> int:
        """Remove every record; returns how many there were."""
        ...

    async def find(
        self,
        store_id: str,
        pattern: str | None = None,
        query: Sequence[Condition] | None = None,
        offset: int = 0,
        limit: int = 100,
    ) -> list[JsonObject]:
        """Records by key, whose key holds `pattern` (without regard to case) and that meet every condition."""
        ...

    async def listen(self, store_id: str, events: Sequence[str]) -> None:
        """Hear of changes ("insert", "update", "delete") on port "store". Listening again replaces the events."""
        ...

    async def unlisten(self, store_id: str) -> None:
        """Hear no more. Doing it again changes nothing."""
        ...


class Tasks(Protocol):
    """What people are asked to decide, in the name of the tenant. Raises `CancelError` where trying again is no use.

    A task is {"taskId", "title", "description", "status", "approver", "requester", "decisionBy", "decisionMade",
    "isApprover"}; its status is pending, approved, rejected or due.
    """

    async def create(self, document: Mapping[str, Json]) -> JsonObject:
        """Ask {"title", "description", "requester", "approver", "decisionBy"}; the task with "approverSecret" and
        "requesterSecret".

        The node hears at port "webhook" that it ended, and asks `get` how: anybody can call a webhook. A step that is
        repeated gets the same task, with new secrets in place of the old ones.
        """
        ...

    async def get(self, task_id: str, secret: str = "") -> JsonObject:
        """A task that the tenant made, or with a secret the one that it opens."""
        ...

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> JsonObject:
        """Decide in the name of the approver whose secret it is; once."""
        ...

    async def mail(self, task_id: str, link: str) -> None:
        """Mail the approver where to decide. A step that is repeated may mail again."""
        ...


class Files(Protocol):
    """The files of the tenant. All but `save` raise `CancelError` for a file that does not exist."""

    async def save(
        self, filename: str, content: bytes | AsyncIterable[bytes], content_type: str | None = None
    ) -> FileInfo:
        """Keep a file; of a stream no more than a piece is in memory. A step that is repeated keeps it once."""
        ...

    async def load(self, file_id: str) -> bytes: ...

    def stream(self, file_id: str) -> AsyncIterator[bytes]:
        """The content of a file in pieces of at most a megabyte."""
        ...

    async def info(self, file_id: str) -> FileInfo: ...

    async def replace(
        self, file_id: str, content: bytes, *, filename: str | None = None, content_type: str | None = None
    ) -> FileInfo:
        """Give a file other content, and another name or type where they are given. Its id stays."""
        ...

    async def remove(self, file_id: str) -> None: ...


class HttpOptions(TypedDict, total=False):
    """What a request may have besides its method and URL."""

    headers: Mapping[str, str] | None
    params: Mapping[str, str] | None
    content: bytes | None
    json: Json
    data: Mapping[str, str] | None
    timeout: timedelta | None


class Cache(Protocol):
    """Values in memory that all components of the service share, in one process: any of them may be gone at any time.

    For what is dear to fetch and the same for a while. What must not be lost belongs into a state.
    """

    def get(self, key: str, default: Json = None) -> Json: ...

    def set(self, key: str, value: Json, ttl: timedelta | None = None) -> None:
        """Keep a value, for `ttl` where it is given."""
        ...

    def remove(self, key: str) -> None: ...


class Http(Protocol):
    """The way out. Any status is an answer, not an error; what never got there raises `TransientError`."""

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Json = None,
        data: Mapping[str, str] | None = None,
        timeout: timedelta | None = None,
    ) -> HttpResponse:
        """Send a request. One of `content`, `json` and `data` (a form) is the body. Private addresses are refused."""
        ...

    async def get(self, url: str, **options: Unpack[HttpOptions]) -> HttpResponse:
        """`request` with GET, as the next ones are with their methods."""
        return await self.request("GET", url, **options)

    async def post(self, url: str, **options: Unpack[HttpOptions]) -> HttpResponse:
        return await self.request("POST", url, **options)

    async def put(self, url: str, **options: Unpack[HttpOptions]) -> HttpResponse:
        return await self.request("PUT", url, **options)

    async def patch(self, url: str, **options: Unpack[HttpOptions]) -> HttpResponse:
        return await self.request("PATCH", url, **options)

    async def delete(self, url: str, **options: Unpack[HttpOptions]) -> HttpResponse:
        return await self.request("DELETE", url, **options)


class Tcp(Protocol):
    """The way out for protocols other than HTTP."""

    async def connect(self, host: str, port: int, *, timeout: timedelta | None = None) -> socket.socket:
        """A connected socket that does not block; the caller closes it. `asyncio.open_connection(sock=…)` takes it.

        Private addresses and ports that no file server has are refused with `CancelError`; what does not answer
        raises `TransientError`.
        """
        ...


class Lock(Protocol):
    """A lock that is held until its block ends or its time runs out."""

    async def extend(self, ttl: timedelta) -> None:
        """Hold it for `ttl` from now. Raises `LockUnavailable` when it was lost."""
        ...


class Context(Protocol):
    """One call of a component: who it is, what arrived, and everything it may do."""

    @property
    def tenant_id(self) -> str: ...
    @property
    def flow_id(self) -> str: ...
    @property
    def flow_name(self) -> str: ...
    @property
    def node_id(self) -> str: ...
    @property
    def component_type(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def run_id(self) -> str: ...
    @property
    def correlation_id(self) -> str: ...
    @property
    def step_id(self) -> str: ...
    @property
    def idempotency_key(self) -> str: ...
    @property
    def attempt(self) -> int: ...
    @property
    def now(self) -> datetime: ...
    @property
    def flow_descriptor(self) -> JsonObject: ...
    @property
    def custom_fields(self) -> JsonObject: ...

    @property
    def port(self) -> str:
        """The in-port or pseudo-port that was fired."""
        ...

    @property
    def content(self) -> Json:
        """The input on `port`: what the node's form makes of the message, or the message where it has no form."""
        ...

    @property
    def messages(self) -> Mapping[str, list[Message]]:
        """Everything that arrived, by port, as it was sent. More than one only where the manifest joins."""
        ...

    @property
    def properties(self) -> Mapping[str, Json]: ...

    @property
    def auth(self) -> JsonObject:
        """What the node's account is opened with, fresh: its fields, or `accessToken` and the like; else empty."""
        ...

    @property
    def config(self) -> JsonObject:
        """What administrators stored for the service whose account the component needs."""
        ...

    @property
    def state(self) -> State: ...
    @property
    def flow_state(self) -> State: ...
    @property
    def service_state(self) -> State: ...
    @property
    def run_state(self) -> State: ...
    @property
    def store(self) -> Stores: ...
    @property
    def files(self) -> Files: ...
    @property
    def tasks(self) -> Tasks: ...
    @property
    def http(self) -> Http: ...
    @property
    def tcp(self) -> Tcp: ...
    @property
    def cache(self) -> Cache: ...

    async def send_json(
        self,
        value: Json,
        port: str = "out",
        *,
        scope: Mapping[str, Json] | None = None,
        headers: Mapping[str, Json] | None = None,
    ) -> None:
        """Send a message. Raises `CancelError` for a port the manifest does not have.

        `scope` is what variables behind it find in place of what led to it, {node: {out-port: content}}; so a call of
        a webhook goes on where a message of another run stopped. `headers` are in the next node's `Message`.
        """
        ...

    async def scope(self) -> JsonObject:
        """What led to what arrived: {node: {out-port: content}}, and under "_walkthrough" the way."""
        ...

    async def send_array(self, values: Sequence[Json], port: str = "out") -> None:
        """Send one message per value, in order."""
        ...

    async def response(
        self, body: Json | bytes = None, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        """Answer the HTTP caller of this run. Nothing happens when nobody waits any more."""
        ...

    async def call_flow(self, flow_id: str, node_id: str, content: Json) -> None:
        """Start the other flow at its OnFlowCall and park this step; the answer comes on port "answer"."""
        ...

    async def answer_call(self, content: Json) -> None:
        """Answer the flow that called this one. Nothing happens when this run was not called."""
        ...

    async def call(
        self,
        component_type: str,
        port: str = "out",
        *,
        messages: Mapping[str, Json] | None = None,
        properties: Mapping[str, Json] | None = None,
        transform: str = "",
    ) -> Json:
        """Call another component once, by itself and without any state: its first message on `port`.

        `messages` are by in-port what arrives there. `transform` names what the answer is passed through: one of that
        component's transforms, or `./file#name` beside it. What it refuses raises `CancelError`.
        """
        ...

    async def call_api(
        self, method: str, end_point: str, query: Mapping[str, Json] | None = None, body: Json = None
    ) -> Json:
        """Call the platform's API as the flow's user: the service's own plugin, data stores and flows.

        Raises `HttpStatusError` as over HTTP, and `CancelError` for what components do not reach.
        """
        ...

    async def listen(self, event: str, params: Json = None) -> None:
        """Hear of an event of the service's plugin, on port "webhook". Listening again changes what is given along."""
        ...

    async def unlisten(self, event: str) -> None:
        """Hear of it no more. Doing it again changes nothing."""
        ...

    async def send_signal(self, content: Json) -> None:
        """Tell all components of the flow that hear signals (`Component.signal`)."""
        ...

    def log(self, message: str | JsonObject, level: LogLevel = "info") -> None: ...

    async def stop_flow(self) -> None:
        """Stop the flow this node belongs to."""
        ...

    def webhook_url(self, node_id: str | None = None) -> str:
        """The address that fires port "webhook" of this node or of another one of the flow."""
        ...

    def lock(
        self,
        name: str,
        *,
        ttl: timedelta = timedelta(seconds=20),
        retry_delay: float = 0.2,
        retries: int = 30,
    ) -> AbstractAsyncContextManager[Lock]:
        """Hold a lock that all components of the service share. Raises `LockUnavailable`."""
        ...

    async def set_timeout(self, content: Json, delay: timedelta | datetime) -> str:
        """Fire port "timeout" with `content` after `delay`, within this run. Returns the timeout's id."""
        ...

    async def wake(self, timeout_id: str, content: Json) -> None:
        """Have a timeout of another run of the tenant go off now, on port "answer" with `content`.

        It is how a run goes on with what came to a webhook. A timeout that went off, was cleared or is unknown does no
        harm.
        """
        ...

    async def clear_timeout(self, timeout_id: str) -> None:
        """Forget a timeout. One that fired or is unknown does no harm."""
        ...


def _pause(text: str) -> timedelta | None:
    """What a `Retry-After` says: seconds, or a date."""
    text = text.strip()
    if text.isdecimal() and len(text) < 8:
        return timedelta(seconds=int(text))
    try:
        return max(timedelta(), parsedate_to_datetime(text) - datetime.now(UTC))
    except (ValueError, TypeError):
        return None
