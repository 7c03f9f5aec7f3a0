"""Nodes that hear of events of their service's plugin, and how a plugin fires a node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from headrace_core.expressions import Json


@dataclass(frozen=True, slots=True)
class Listener:
    """A node that wants to hear of an event, with what it gave along."""

    tenant_id: str
    flow_id: str
    node_id: str
    component_type: str
    event: str
    params: Json = None

    @property
    def service(self) -> str:
        """Whose plugin says that something happened."""
        return ".".join(self.component_type.split(".")[:2])


@dataclass(frozen=True, slots=True)
class Trigger:
    """A node that is fired as by a call of its webhook. `waits`: for the answer of its flow."""

    flow_id: str
    node_id: str
    content: Json
    event_id: str
    correlation_id: str
    waits: bool
    event: str = ""  # that it listens to


@dataclass(frozen=True, slots=True)
class Triggered:
    """What a flow answered; 202 where it was only accepted."""

    status: int
    headers: Mapping[str, str]
    body: Json


class Hearing(Protocol):
    """Between plugins and the nodes of their services."""

    async def add(self, listener: Listener, secrets: Sequence[str]) -> None:
        """Let a node hear of an event from now on; adding it again changes what it gave along.

        The plugin may refuse it, or change what is kept; of that, secrets are hidden. Raises what the plugin raises.
        """
        ...

    async def remove(self, listener: Listener) -> None:
        """Let it hear no more. Removing it again changes nothing."""
        ...

    async def of(self, service: str, event: str) -> Sequence[Listener]:
        """Who listens."""
        ...

    async def trigger(self, service: str, trigger: Trigger) -> Triggered:
        """Fire a node of the plugin's own service.

        Raises NotFound where it has none there that runs: it does not listen to `trigger.event` any more then.
        """
        ...
