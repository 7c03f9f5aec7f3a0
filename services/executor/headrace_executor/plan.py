"""A flow version made ready to run: components found, transforms compiled, links and joins worked out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from headrace_core.errors import Problem, ValidationFailed
from headrace_core.expressions import FlowValues, Json, Transform, compile_transform
from headrace_core.flow import Flow, Node, normalize_type, parse_descriptor
from headrace_core.graph import Graph, Link
from headrace_core.ids import new_id
from headrace_core.manifest import Manifest
from headrace_core.schedules import Schedule
from headrace_core.schemas import Validator, compile_schema
from headrace_sdk import Component

from headrace_executor.firing import JoinRules, Pattern, rules_for
from headrace_executor.model import ANSWER_PORT, ERROR_PORT, HOOK_PORTS, SIGNAL_PORT, TIMEOUT_PORT
from headrace_executor.ports import FlowSource, LogLevel

Effect = Literal["pure", "read", "idempotent", "unsafe", "undeclared"]
InDoubt = Literal["retry", "park", "skip"]
Durability = Literal["strict", "grouped", "relaxed"]

PSEUDO_PORTS = frozenset(
    {"webhook", "tick", "schedule", "start", "call", "store", ERROR_PORT, TIMEOUT_PORT, ANSWER_PORT, SIGNAL_PORT}
)


@dataclass(frozen=True, slots=True)
class Traits:
    """What the engine has to know of a component besides its manifest."""

    fires_on_start: bool = False
    answers_caller: bool = False
    hears_errors: bool = False
    hooks: frozenset[str] = frozenset()  # of "start" and "stop", those that it does something at
    bundle_id: str = ""  # the content it lies in, where it was published
    hears_signals: bool = False


def traits_of(component: Component) -> Traits:
    """The traits of a component whose class is at hand."""
    own = {name for name in ("start", "stop") if getattr(type(component), name) is not getattr(Component, name)}
    return Traits(
        component.fires_on_start,
        component.answers_caller,
        component.hears_errors,
        frozenset(own),
        hears_signals=type(component).signal is not Component.signal,
    )


@dataclass(frozen=True, slots=True)
class ComponentEntry:
    """A component that this executor can run."""

    type: str
    manifest: Manifest
    component: Component
    traits: Traits

    @classmethod
    def of(cls, component_type: str, manifest: Manifest, component: Component) -> ComponentEntry:
        """A component whose class is at hand."""
        return cls(component_type, manifest, component, traits_of(component))


class Components:
    """The components by type; `appmixer.utils.…` names find `headrace.utils.…` ones."""

    def __init__(self, entries: Sequence[ComponentEntry]) -> None:
        self._entries = {entry.type: entry for entry in entries}

    def find(self, component_type: str) -> ComponentEntry | None:
        return self._entries.get(normalize_type(component_type))

    async def components_for(self, source: FlowSource) -> Components:
        """These, whatever the flow: the library of who has nothing else."""
        return self

    def and_also(self, entries: Sequence[ComponentEntry]) -> Components:
        """These and others; of two with one type the one that was here counts."""
        more = Components(())
        more._entries = {normalize_type(entry.type): entry for entry in entries} | self._entries
        return more


@dataclass(slots=True)
class PlannedNode:
    """A node with everything its steps need."""

    id: str
    node: Node
    type: str
    label: str
    component: Component
    traits: Traits
    manifest: Manifest
    effect: Effect
    in_doubt: InDoubt
    transforms: Mapping[tuple[str, str, str], Transform]  # (in-port, source, out-port)
    schemas: Mapping[str, Json]  # of the in-ports that have one
    validators: Mapping[str, Validator]
    out_ports: frozenset[str]
    has_any_out_port: bool
    values: FlowValues
    properties: Mapping[str, Json]  # what the user chose, over the manifest's defaults

    @property
    def is_pure(self) -> bool:
        return self.effect == "pure" and self.manifest.auth is None


@dataclass(slots=True)
class Plan:
    """One version of one flow, ready to run."""

    flow_id: str
    version: int
    tenant_id: str
    name: str
    flow: Flow
    graph: Graph
    nodes: Mapping[str, PlannedNode]
    custom_fields: Mapping[str, Json]
    descriptor: Mapping[str, Json]
    durability: Durability
    log_level: LogLevel
    key: str  # of this very plan: a version whose name or custom fields changed has another
    _joins: Mapping[str, Sequence[Pattern]]
    _rules: dict[str, JoinRules] = field(default_factory=dict)
    _answerers: frozenset[str] = frozenset()

    def links_from(self, node: str, out_port: str) -> tuple[Link, ...]:
        return self.graph.links_from(node, out_port)

    def rules(self, trigger: str) -> JoinRules:
        """The joins as seen from one trigger; worked out once."""
        if not self._joins:
            return _NO_RULES
        if trigger not in self._rules:
            self._rules[trigger] = rules_for(self.graph, trigger, self._joins)
        return self._rules[trigger]

    def expects_answer(self, trigger: str) -> bool:
        """Whether a node below the trigger, or the trigger itself, may answer the waiting caller."""
        return any(node == trigger or self.graph.path_exists(trigger, node) for node in self._answerers)

    def signal_listeners(self) -> list[str]:
        return [node.id for node in self.nodes.values() if node.traits.hears_signals]

    def error_listeners(self) -> list[str]:
        return [node.id for node in self.nodes.values() if node.traits.hears_errors]


_NO_RULES = JoinRules()


def compile_plan(
    components: Components,
    *,
    flow_id: str,
    version: int,
    tenant_id: str,
    name: str,
    descriptor: Json,
    custom_fields: Mapping[str, Json],
    log_level: LogLevel,
    public_url: str,
) -> Plan:
    """Make a version ready. Raises ValidationFailed when a component is not there or a transform does not parse."""
    flow = parse_descriptor(descriptor)
    problems: list[Problem] = []
    nodes: dict[str, PlannedNode] = {}
    for node in flow.nodes.values():
        entry = components.find(node.type)
        if entry is None:
            problems.append(
                Problem(
                    f"flow.{node.id}.type",
                    f"There is no component {node.type}",
                    "choose one of GET /components, or publish it",
                    node=node.id,
                    field="type",
                )
            )
            continue
        address = f"{public_url}/flows/{flow_id}/components/{node.id}"
        nodes[node.id] = _plan_node(node, entry, FlowValues(flow_id, name, tenant_id, address, custom_fields))
    if problems:
        raise ValidationFailed(problems)
    settings = custom_fields.get("headrace")
    return Plan(
        flow_id=flow_id,
        version=version,
        tenant_id=tenant_id,
        name=name,
        flow=flow,
        graph=Graph(flow),
        nodes=nodes,
        custom_fields=custom_fields,
        descriptor=cast("Mapping[str, Json]", descriptor),
        durability=_durability(settings),
        log_level=log_level,
        key=new_id(),
        _joins={node.id: patterns for node in nodes.values() if (patterns := _patterns(node.manifest))},
        _answerers=frozenset(node.id for node in nodes.values() if node.traits.answers_caller),
    )


def check_ports(plan: Plan, node_id: str, port: str) -> None:
    """Refuse an event for a node or port that the flow does not have."""
    node = plan.nodes.get(node_id)
    if node is None:
        raise ValidationFailed(
            [Problem(f"flow.{node_id}", "The flow has no such component", "look at GET /flows/:id", node=node_id)]
        )
    known = {port.name for port in node.manifest.in_ports}
    if port not in known | PSEUDO_PORTS | HOOK_PORTS:
        raise ValidationFailed(
            [
                Problem(
                    f"flow.{node_id}.{port}",
                    f"{node.type} has no in-port {port}",
                    f"its in-ports are {', '.join(sorted(known)) or 'none'}",
                    node=node_id,
                    port=port,
                )
            ]
        )
    if port == "webhook" and not node.manifest.has_webhook:
        raise ValidationFailed(
            [
                Problem(
                    f"flow.{node_id}",
                    f"{node.type} takes no webhook calls",
                    "call a webhook component of the flow",
                    node=node_id,
                )
            ]
        )


def schedule_of(node: PlannedNode) -> Schedule | None:
    return node.component.schedule(node.properties)


def _plan_node(node: Node, entry: ComponentEntry, values: FlowValues) -> PlannedNode:
    manifest = manifest_of(node, entry.manifest)
    out_ports = frozenset(port.name for port in manifest.out_ports)
    schemas = {port.name: port.schema for port in manifest.in_ports if port.schema}
    return PlannedNode(
        id=node.id,
        node=node,
        type=node.type,
        label=node.label or manifest.label,
        component=entry.component,
        traits=entry.traits,
        manifest=manifest,
        effect=_effect(node, manifest),
        in_doubt=_in_doubt(node),
        transforms=_transforms(node),
        schemas=schemas,
        validators={port: compile_schema(schema) for port, schema in schemas.items()},
        out_ports=out_ports | ({ERROR_PORT} if node.has_error_port else frozenset()),
        has_any_out_port=manifest.has_dynamic_out_ports,
        values=values,
        properties=properties_of(node, manifest),
    )


def properties_of(node: Node, manifest: Manifest) -> dict[str, Json]:
    """What the user chose, over the manifest's defaults."""
    return {**manifest.default_properties, **node.config.properties}


def manifest_of(node: Node, manifest: Manifest) -> Manifest:
    """The component's manifest with what the node says otherwise."""
    return manifest.overridden(node.manifest) if node.manifest else manifest


def _transforms(node: Node) -> dict[tuple[str, str, str], Transform]:
    found: dict[tuple[str, str, str], Transform] = {}
    for in_port, sources in node.source.items():
        for source, out_ports in sources.items():
            for out_port in out_ports:
                entry = node.config.transform_of(in_port, source, out_port)
                if entry is not None:
                    where = f"flow.{node.id}.config.transform.{in_port}.{source}.{out_port}"
                    found[in_port, source, out_port] = compile_transform(entry, where=where)
    return found


def _effect(node: Node, manifest: Manifest) -> Effect:
    """What a step does outside. The author of the flow may know better than the component: `config.effect`."""
    declared = node.config.other.get("effect", manifest.raw.get("effect", "undeclared"))
    if declared in ("pure", "read", "idempotent", "unsafe"):
        return cast("Effect", declared)
    return "undeclared"


def _in_doubt(node: Node) -> InDoubt:
    wanted = node.config.other.get("inDoubt", "park")
    return cast("InDoubt", wanted) if wanted in ("retry", "park", "skip") else "park"


def _durability(settings: Json) -> Durability:
    wanted = settings.get("durability") if isinstance(settings, dict) else None
    return cast("Durability", wanted) if wanted in ("strict", "relaxed") else "grouped"


def _patterns(manifest: Manifest) -> list[Pattern]:
    ports = [port.name for port in manifest.in_ports]
    if manifest.joins_links:
        return [dict.fromkeys(ports, "A")]
    return [
        {port: str(symbol) for port, symbol in zip(ports, pattern, strict=False)}
        for pattern in manifest.fire_patterns
        if isinstance(pattern, list)
    ]
