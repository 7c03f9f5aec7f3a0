"""What the executor asks of others, as it needs it. `clients.py` keeps these promises over RPC."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from headrace_core.expressions import Json, ScriptAnswer, ScriptCall
from headrace_core.quotas import Allowance, QuotaRule
from headrace_core.schedules import Schedule

LogLevel = Literal["all", "errors", "none"]


@dataclass(frozen=True, slots=True)
class PublishedComponent:
    """A component of a vendor, at the content that a flow version is pinned to."""

    type: str
    manifest: Mapping[str, Json]
    bundle_id: str
    root: str  # its folder in the bundle
    language: Literal["python", "javascript", ""]


@dataclass(frozen=True, slots=True)
class PluginPlace:
    """Where a plugin lies, and what it is written in."""

    folder: str
    language: Literal["python", "javascript", ""]


@dataclass(frozen=True, slots=True)
class ServicePlugins:
    """The plugins of a service as they are published now, and the stored configuration of the service."""

    service: str
    bundle_id: str
    places: Sequence[PluginPlace]
    config: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class FlowSource:
    """A flow version as flow-manager keeps it."""

    flow_id: str
    tenant_id: str
    is_active: bool
    version: int
    name: str
    descriptor: Json
    custom_fields: Mapping[str, Json]
    log_level: LogLevel = "all"
    components: Sequence[PublishedComponent] = ()  # the published ones that it uses


@dataclass(frozen=True, slots=True)
class FlowTimer:
    """A schedule of one node."""

    timer_id: str
    node_id: str
    port: str
    schedule: Schedule
    immediate: bool
    since: datetime | None = None  # with restored timers: the first time after it is the next


@dataclass(frozen=True, slots=True)
class Lease:
    """A lock that was asked for."""

    acquired: bool
    fencing_token: int
    expires_at: datetime


class Flows(Protocol):
    """flow-manager's flows."""

    async def resolve(self, flow_id: str, version: int) -> FlowSource:
        """A version, or with 0 the one that new runs take. Raises NotFound."""
        ...

    async def list_active(self, after_flow_id: str, limit: int) -> Sequence[FlowSource]:
        """Running flows of all tenants with the version that new runs take, by flow id, after the given one."""
        ...

    async def stop(self, tenant_id: str, flow_id: str) -> None:
        """Stop a flow."""
        ...


class Schedules(Protocol):
    """The scheduler."""

    async def put(self, tenant_id: str, flow_id: str, timers: Sequence[FlowTimer]) -> None:
        """Make these the timers of a flow; equal ones keep their next time, others go."""
        ...

    async def remove(self, flow_id: str) -> None:
        """Remove the timers of a flow."""
        ...

    async def restore(self, timers: Sequence[tuple[str, str, FlowTimer]]) -> None:
        """Add those timers (tenant, flow, timer) that the scheduler does not have; leave the others alone."""
        ...

    async def acquire_lock(self, name: str, holder: str, ttl: timedelta) -> Lease: ...

    async def extend_lock(self, name: str, holder: str, ttl: timedelta) -> None: ...

    async def release_lock(self, name: str, holder: str) -> None: ...

    async def acquire_quota(
        self, asked: Sequence[Allowance], request_id: str, party: str, learned_names: Sequence[str] = ()
    ) -> timedelta | datetime:
        """Count one call under all of these, and under what was learned: in how long it begins, else when to ask again.

        Equal request ids count once; a call that comes too late for its moment gets another one. Parties share fairly.
        """
        ...

    async def report_refusal(self, name: str, retry_after: timedelta | None, passed: float) -> None:
        """Say that a service refused a call as one too many, after so many that went through within a second."""
        ...


class Quotas(Protocol):
    """flow-manager's quotas."""

    async def rules(self, manager: str) -> Sequence[QuotaRule]:
        """The rules that hold. Raises NotFound when nobody knows the quota."""
        ...


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a component acts with. Without `auth` its account cannot be used, for that reason."""

    account_id: str
    token_id: str
    auth: Mapping[str, Json] | None
    config: Mapping[str, Json]
    secrets: Sequence[str]  # values in them that nobody may read
    reason: str


class Accounts(Protocol):
    """flow-manager's accounts."""

    async def credentials(self, tenant_id: str, flow_id: str, node_id: str, service: str, chosen: str) -> Credentials:
        """What a component acts with, fresh. Raises Unavailable when nobody can say now."""
        ...

    async def rejected(self, tenant_id: str, account_id: str, token_id: str, reason: str) -> bool:
        """A service did not accept it. Whether there is something else to try with."""
        ...

    async def usable(self, account_ids: Sequence[str]) -> Sequence[str]:
        """Those of these that nobody need wait for."""
        ...


class DataStores(Protocol):
    """Data stores as a component sees them; every call names the tenant. Shapes are those of `headrace_sdk.Stores`."""

    async def list_stores(self, tenant_id: str) -> list[dict[str, Json]]: ...

    async def create_store(self, tenant_id: str, name: str) -> dict[str, Json]: ...

    async def delete_store(self, tenant_id: str, store_id: str) -> None: ...

    async def get(self, tenant_id: str, store_id: str, key: str) -> dict[str, Json] | None: ...

    async def set(self, tenant_id: str, store_id: str, key: str, value: Json, request_id: str) -> dict[str, Json]: ...

    async def remove(self, tenant_id: str, store_id: str, key: str) -> bool: ...

    async def clear(self, tenant_id: str, store_id: str) -> int: ...

    async def find(
        self,
        tenant_id: str,
        store_id: str,
        pattern: str,
        conditions: Sequence[tuple[str, str, Json]],
        offset: int,
        limit: int,
    ) -> list[dict[str, Json]]: ...

    async def listen(
        self, tenant_id: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]
    ) -> None: ...

    async def unlisten(self, tenant_id: str, store_id: str, flow_id: str, node_id: str) -> None: ...


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as flow-manager describes it."""

    file_id: str
    filename: str
    size_bytes: int
    content_type: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Teller:
    """The node that a task is asked by, and the address of its webhook."""

    flow_id: str
    node_id: str
    url: str


class Tasks(Protocol):
    """People tasks as a component sees them. Shapes are those of `headrace_sdk.Tasks`."""

    async def create(
        self, tenant_id: str, document: Mapping[str, Json], teller: Teller, request_id: str
    ) -> dict[str, Json]: ...

    async def get(self, tenant_id: str, task_id: str, secret: str) -> dict[str, Json]: ...

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> dict[str, Json]: ...

    async def mail(self, tenant_id: str, task_id: str, link: str) -> None: ...


class FileStore(Protocol):
    """Files of a tenant."""

    async def save(
        self, tenant_id: str, file_id: str, filename: str, content: bytes, content_type: str
    ) -> StoredFile: ...

    async def load(self, tenant_id: str, file_id: str) -> bytes: ...

    async def read(self, tenant_id: str, file_id: str, offset: int) -> bytes:
        """The next piece from there, of at most a megabyte; nothing past the end."""
        ...

    async def open(self, tenant_id: str, file_id: str, filename: str, content_type: str) -> str:
        """Begin a file that comes in pieces; the id of its upload. Nothing is to be seen before `finish`."""
        ...

    async def write(self, tenant_id: str, upload_id: str, offset: int, piece: bytes) -> None: ...

    async def finish(self, tenant_id: str, upload_id: str) -> StoredFile: ...

    async def info(self, tenant_id: str, file_id: str) -> StoredFile: ...

    async def remove(self, tenant_id: str, file_id: str) -> None: ...


class BundleSource(Protocol):
    """Has the files of published components."""

    def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        """The bundle as a zip archive, in pieces. Raises NotFound."""
        ...


class Catalog(Protocol):
    """flow-manager's catalog."""

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        """A component that the tenant may call by itself, as it is published now; one that is built in has no bundle.

        What lies in the content `bundle_id` is taken from there. Raises NotFound, Forbidden.
        """
        ...

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        """The plugins of a service that this user may see; "" is nobody, None the platform. Raises NotFound."""
        ...


class Modifiers(Protocol):
    """flow-manager's modifiers."""

    async def scripts(self) -> Mapping[str, str]:
        """Those that are written in JavaScript, by name with their source."""
        ...


class ScriptRunner(Protocol):
    """Where modifiers in JavaScript run. Both raise TransientError for what may pass."""

    async def run(self, tenant_id: str, call: ScriptCall) -> ScriptAnswer:
        """What one of the document came to, or why it failed."""
        ...

    async def attempt(self, tenant_id: str, source: str, call: ScriptCall) -> ScriptAnswer:
        """The same for one that is tried."""
        ...


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One log record in the public fields (map §8)."""

    record_id: str
    tenant_id: str
    at: datetime
    fields: Mapping[str, Json]


class Logs(Protocol):
    """The log service."""

    async def write(self, entries: Sequence[LogEntry]) -> None:
        """Store records; equal ids are one record."""
        ...


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed for good, as webhooks of the system tell of it (map §9)."""

    event_id: str
    event: str
    tenant_id: str
    at: datetime
    data: Mapping[str, Json]


class Failures(Protocol):
    """flow-manager's system webhooks."""

    async def tell(self, failures: Sequence[Failure]) -> None:
        """Write down what is to be told; equal ids are told once."""
        ...


class Web(Protocol):
    """The way out to the network, through the egress guard."""

    async def request(
        self,
        method: str,
        url: str,
        headers: Sequence[tuple[str, str]],
        content: bytes,
        timeout: timedelta,
    ) -> WebAnswer: ...

    async def connect(self, host: str, port: int, timeout: timedelta) -> socket.socket:
        """A connected socket that does not block. Raises EgressRefused, Unavailable, DeadlineExceeded."""
        ...


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What a server answered."""

    status: int
    headers: Sequence[tuple[str, str]]
    content: bytes
    url: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Everyone the executor asks. Without `modifiers` there are none in JavaScript, without `failures` none is told."""

    flows: Flows
    schedules: Schedules
    stores: DataStores
    files: FileStore
    logs: Logs
    web: Web
    quotas: Quotas
    bundles: BundleSource
    catalog: Catalog
    accounts: Accounts
    tasks: Tasks
    modifiers: Modifiers | None = None
    failures: Failures | None = None
