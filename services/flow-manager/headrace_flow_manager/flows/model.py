"""What a flow is, and how its stage may change. Every change is a new value; nothing here does anything."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from headrace_core import Json
from headrace_core.errors import RevisionConflict
from headrace_core.flow import normalize_type

from headrace_flow_manager import json_text
from headrace_flow_manager.flows.logger import LogLevel, log_level_of

_PLACE = frozenset({"x", "y"})


class Stage(StrEnum):
    """Whether a flow takes events."""

    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow of one tenant.

    `record` holds the public fields but the descriptor. `activated_version` is the version that the executor
    confirmed; while it differs from `running_version` an activation is under way. A `removed` flow is gone for its
    owner and waits until the executor has let go of it. `pins` are the contents of published bundles that the newest
    version runs with; none as long as it has not run, or where all its components come with Headrace.
    """

    flow_id: str
    tenant_id: str
    record: Mapping[str, Json]
    descriptor: Mapping[str, Json]
    created_at: datetime
    modified_at: datetime
    stage: Stage = Stage.STOPPED
    version: int = 1
    running_version: int = 0
    activated_version: int = 0
    activation_id: str = ""
    revision: int = 1
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stage_error: str = ""
    removed: bool = False
    pins: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name that people gave it."""
        return str(self.record.get("name", ""))

    @property
    def template_id(self) -> str:
        """The template it was made of; "" for a flow of its own."""
        return str(self.record.get("templateId", ""))

    @property
    def needs_accounts(self) -> bool:
        """Whether its newest version waits for accounts that its owner has to connect."""
        return bool(self.record.get("needsAccounts"))

    @property
    def log_level(self) -> LogLevel:
        """What of its runs goes to the log; all where nobody said anything."""
        return log_level_of(self.record)

    @property
    def is_active(self) -> bool:
        """Whether it takes events, or is about to."""
        return self.stage in (Stage.STARTING, Stage.RUNNING)

    @property
    def is_behind(self) -> bool:
        """Whether it runs an older version than its newest."""
        return self.is_active and self.running_version != self.version

    @property
    def is_settled(self) -> bool:
        """Whether nothing of it is under way."""
        if self.removed:
            return False
        return self.stage is Stage.STOPPED or (
            self.stage is Stage.RUNNING and self.activated_version == self.running_version
        )


@dataclass(frozen=True, slots=True)
class Component:
    """A published component as an executor gets it: with the content of the bundle that it lies in, and where."""

    type: str
    manifest: Mapping[str, Json]
    bundle_id: str
    root: str
    language: str


@dataclass(frozen=True, slots=True)
class FlowVersion:
    """A descriptor as it was saved. `components` are the published ones in it, where an executor asks."""

    flow_id: str
    tenant_id: str
    version: int
    name: str
    descriptor: Mapping[str, Json]
    custom_fields: Mapping[str, Json]
    created_at: datetime
    label: str = ""
    log_level: LogLevel = LogLevel.ALL
    pins: tuple[str, ...] = ()
    components: tuple[Component, ...] = ()


@dataclass(frozen=True, slots=True)
class Executable:
    """What executors ask about a flow. `version` is None when none was named and the flow has none for new runs."""

    tenant_id: str
    stage: Stage
    removed: bool
    version: FlowVersion | None


@dataclass(frozen=True, slots=True)
class Instance:
    """A flow that was made of a template, and whose it is."""

    tenant_id: str
    flow_id: str


@dataclass(frozen=True, slots=True)
class UsingFlow:
    """A flow that uses a component, and whose it is."""

    tenant_id: str
    flow_id: str
    name: str


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody's turn to move a flow from stage to stage. While it is not given up, the beat goes up."""

    holder: str
    beat: int = 0


def content_hash(content: Mapping[str, Json]) -> str:
    """Equal for descriptors that say the same, and for records."""
    return hashlib.sha256(json_text.encode_canonical(dict(content)).encode()).hexdigest()


def does_the_same(one: Mapping[str, Json], other: Mapping[str, Json]) -> bool:
    """Whether two descriptors differ at most in where their cards lie."""
    return content_hash(_unplaced(one)) == content_hash(_unplaced(other))


def _unplaced(descriptor: Mapping[str, Json]) -> dict[str, Json]:
    return {
        component_id: {name: value for name, value in node.items() if name not in _PLACE}
        if isinstance(node, Mapping)
        else node
        for component_id, node in descriptor.items()
    }


def types_of(descriptor: Mapping[str, Json]) -> tuple[str, ...]:
    """The canonical types of the components in a descriptor, in order; what is no component is passed over."""
    found = (node.get("type") for node in descriptor.values() if isinstance(node, dict))
    return tuple(sorted({normalize_type(each) for each in found if isinstance(each, str)}))


def pinned(flow: Flow, pins: tuple[str, ...]) -> Flow:
    """The flow with its newest version pinned to those contents.

    A version that ran with others keeps them, for its runs go on: the same descriptor is saved as the next version.
    """
    if flow.pins == pins:
        return flow
    return replace(flow, pins=pins, version=flow.version + bool(flow.pins))


def check_revision(flow: Flow, expected_revision: int) -> None:
    """Raise RevisionConflict when a revision is expected and the flow is at another one."""
    if expected_revision and flow.revision != expected_revision:
        raise RevisionConflict(
            f"Flow {flow.flow_id!r} is at revision {flow.revision}, and this was decided at {expected_revision}. "
            "Read it again and decide on that."
        )


def starting(flow: Flow, activation_id: str) -> Flow:
    """A stopped flow on its way to running, with its newest version."""
    return replace(
        flow,
        stage=Stage.STARTING,
        running_version=flow.version,
        activated_version=0,
        activation_id=activation_id,
        stage_error="",
    )


def activated(flow: Flow, now: datetime) -> Flow:
    """A flow whose running version the executor has confirmed."""
    started_at = now if flow.stage is Stage.STARTING else flow.started_at
    return replace(flow, stage=Stage.RUNNING, activated_version=flow.running_version, started_at=started_at)


def fallen_back(flow: Flow, error: str) -> Flow:
    """A running flow that goes back to the version before, because the new one could not be activated."""
    return replace(flow, running_version=flow.activated_version, activated_version=0, stage_error=error)


def stopping(flow: Flow, activation_id: str, error: str = "") -> Flow:
    """A flow on its way to stopped."""
    return replace(flow, stage=Stage.STOPPING, activation_id=activation_id, stage_error=error)


def stopped(flow: Flow, now: datetime) -> Flow:
    """A flow that takes no events any more."""
    return replace(flow, stage=Stage.STOPPED, running_version=0, activated_version=0, stopped_at=now)


def removing(flow: Flow, activation_id: str) -> Flow:
    """A flow that its owner deleted; an active one is also on its way to stopped."""
    gone = replace(flow, removed=True)
    return gone if flow.stage is Stage.STOPPED else stopping(gone, activation_id)
