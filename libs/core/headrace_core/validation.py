"""Whether a flow can start: do its components exist, do its links fit, can its variables be read.

Saving asks `flow.parse_descriptor` only, so that unfinished work can be kept. Starting asks here as well, strictly,
and refuses errors; warnings are for the eyes of whoever draws.
"""

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from headrace_core import Json
from headrace_core.errors import Problem, Severity, ValidationFailed
from headrace_core.expressions import MODIFIER_NAMES, VariableUse, compile_transform, variables_of
from headrace_core.flow import ERROR_PORT, Flow, Node, kind_of
from headrace_core.graph import Graph, Link
from headrace_core.manifest import InPort, Manifest
from headrace_core.schemas import compile_schema

ManifestOf = Callable[[str], Manifest | None]


def validate_flow(
    flow: Flow,
    manifest_of: ManifestOf,
    *,
    strict: bool,
    known_types: Collection[str] = (),
    modifier_names: Collection[str] = MODIFIER_NAMES,
) -> list[Problem]:
    """Everything that is wrong with a flow, each problem with its node, port, field, fix and severity.

    `manifest_of` answers canonical component types. `strict` is for starting: what is merely unfinished (a required
    field without a value) is an error then, and a warning otherwise. `known_types` lets a mistyped type be guessed;
    `modifier_names` are those that the installation can run.
    """
    check = _Check(
        nodes=flow,
        graph=Graph(flow),
        manifests=_manifests(flow, manifest_of),
        unfinished="error" if strict else "warning",
        known_types=known_types,
        modifier_names=modifier_names,
    )
    return [*check.flow(), *(problem for node in flow.nodes.values() for problem in check.node(node))]


def errors_of(problems: Sequence[Problem]) -> list[Problem]:
    """Those that keep a flow from starting."""
    return [problem for problem in problems if problem.severity == "error"]


def _manifests(flow: Flow, manifest_of: ManifestOf) -> dict[str, Manifest | ValidationFailed | None]:
    """The manifest of each node, its own override laid over it; or why the two do not fit."""
    by_type = {kind: manifest_of(kind) for kind in dict.fromkeys(node.type for node in flow.nodes.values())}
    found: dict[str, Manifest | ValidationFailed | None] = {}
    for node in flow.nodes.values():
        published = by_type[node.type]
        try:
            found[node.id] = published.overridden(node.manifest) if published else None
        except ValidationFailed as error:
            found[node.id] = error
    return found


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a node something stands."""

    node: str
    path: str
    port: str = ""
    field: str = ""

    def below(self, path: str, *, field: str = "") -> "_Place":
        return replace(self, path=f"{self.path}.{path}" if self.path else path, field=field or self.field)

    def problem(self, message: str, fix: str = "", severity: Severity = "error") -> Problem:
        where = f"flow.{self.node}.{self.path}" if self.path else f"flow.{self.node}"
        return Problem(where, message, fix, self.node, self.port, self.field or self.path, severity)


@dataclass(frozen=True, slots=True)
class _Check:
    """One flow under examination. Every method yields problems."""

    nodes: Flow
    graph: Graph
    manifests: Mapping[str, Manifest | ValidationFailed | None]
    unfinished: Severity
    known_types: Collection[str]
    modifier_names: Collection[str]

    def manifest(self, node_id: str) -> Manifest | None:
        found = self.manifests.get(node_id)
        return found if isinstance(found, Manifest) else None

    def flow(self) -> Iterator[Problem]:
        if not any(manifest.is_trigger for manifest in map(self.manifest, self.nodes.nodes) if manifest):
            fix = "Add a trigger, for instance headrace.utils.controls.OnStart."
            yield Problem("flow", "No node of the flow starts runs.", fix, severity="warning")
        for cycle in self.graph.cycles():
            if len(cycle) > 1:
                yield self.cycle(cycle)

    def cycle(self, cycle: tuple[str, ...]) -> Problem:
        place = _Place(cycle[0], "source")
        names = " → ".join(f"{node!r}" for node in (*cycle, cycle[0]))
        if all(self.cannot_choose(node) for node in cycle):
            fix = "Put a condition, a delay or a join into it, or remove one of its links."
            return place.problem(f"The nodes {names} feed each other without end.", fix)
        said = f"The nodes {names} feed each other."
        return place.problem(said, "Make sure that some condition ends the loop.", "warning")

    def cannot_choose(self, node_id: str) -> bool:
        """Whether a node only passes on: no effect outside, no way to send elsewhere."""
        manifest = self.manifest(node_id)
        return manifest is not None and manifest.effect == "pure" and len(manifest.out_ports) < 2

    def node(self, node: Node) -> Iterator[Problem]:
        found = self.manifests[node.id]
        if isinstance(found, ValidationFailed):
            for problem in found.problems:
                path = problem.where
                yield _Place(node.id, path, problem.port).problem(problem.message, problem.fix)
        elif found is None:
            yield self.unknown_type(node)
        else:
            yield from self.known_node(node, found)
        for in_port, sources in node.source.items():
            for source, out_ports in sources.items():
                yield from self.source(node, _Place(node.id, f"source.{in_port}.{source}", in_port), source, out_ports)
        yield from self.error_handling(node)

    def unknown_type(self, node: Node) -> Problem:
        near = difflib.get_close_matches(node.type, self.known_types, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else "Install its connector, or choose another component."
        return _Place(node.id, "type").problem(f"There is no component {node.type!r}.", fix)

    def known_node(self, node: Node, manifest: Manifest) -> Iterator[Problem]:
        for in_port in node.source:
            yield from self.in_port(node, manifest, in_port)
        if manifest.in_ports and not manifest.is_trigger and not node.source:
            place = _Place(node.id, "source", manifest.in_ports[0].name)
            yield place.problem("Nothing leads to this node.", "Link it, or remove it.", "warning")
        yield from self.properties(node, manifest)
        yield from self.transforms(node, manifest)

    def in_port(self, node: Node, manifest: Manifest, in_port: str) -> Iterator[Problem]:
        place = _Place(node.id, f"source.{in_port}", in_port)
        port = manifest.in_port(in_port)
        if port is None:
            said = f"{manifest.label} has no in-port {in_port!r}."
            yield place.problem(said, _choose([each.name for each in manifest.in_ports], in_port, "It has none."))
            return
        links = [link for link in self.links(node) if link.in_port == in_port]
        if port.max_connections is not None and len(links) > port.max_connections:
            said = f"In-port {in_port!r} takes {port.max_connections} link(s), and {len(links)} lead to it."
            yield place.problem(said, "Remove the links that are too many.")

    def links(self, node: Node) -> Iterator[Link]:
        for in_port, sources in node.source.items():
            for source, out_ports in sources.items():
                for out_port in out_ports:
                    yield Link(source, out_port, node.id, in_port)

    def source(self, node: Node, place: _Place, source: str, out_ports: tuple[str, ...]) -> Iterator[Problem]:
        if source == node.id:
            yield place.problem("The node is linked to itself.", "Remove the link.")
        elif source not in self.nodes.nodes:
            fix = _choose(list(self.nodes.nodes), source, "Remove the link.", listed=False)
            yield place.problem(f"There is no node {source!r} to come from.", fix)
        else:
            for out_port in out_ports:
                yield from self.out_port(place, source, out_port)

    def out_port(self, place: _Place, source: str, out_port: str) -> Iterator[Problem]:
        if self.has_out_port(source, out_port):
            return
        manifest = self.manifest(source)
        label = manifest.label if manifest else source
        said = f"Node {source!r} ({label}) has no out-port {out_port!r}."
        if out_port == ERROR_PORT:
            yield place.problem(said, f"Set errorHandling.onError of {source!r} to errorPort, or remove the link.")
        else:
            names = [port.name for port in manifest.out_ports] if manifest else []
            yield place.problem(said, _choose(names, out_port, "It sends nothing."))

    def has_out_port(self, node_id: str, out_port: str) -> bool:
        """Whether it does, or might as far as anyone can tell."""
        if out_port == ERROR_PORT and self.nodes.nodes[node_id].has_error_port:
            return True
        manifest = self.manifest(node_id)
        return manifest is None or manifest.out_port(out_port) is not None or manifest.has_dynamic_out_ports

    def properties(self, node: Node, manifest: Manifest) -> Iterator[Problem]:
        place = _Place(node.id, "config.properties")
        try:
            validator = compile_schema(manifest.properties_schema)
        except ValidationFailed as error:
            said = f"The settings of {manifest.label} cannot be checked: {error.message}"
            yield place.problem(said, "Ask whoever publishes the connector.", "warning")
            return
        filled = {**manifest.default_properties, **node.config.properties}
        chosen = {name: value for name, value in filled.items() if value is not None and value != ""}
        for problem in validator.check(dict(chosen)):
            name = problem.field.partition(".")[0].partition("[")[0]
            severity = "error" if name in chosen else self.unfinished
            below = place.below(problem.field, field=problem.field) if problem.field else place
            yield below.problem(problem.message, f"Change the setting {name!r}.", severity)

    def transforms(self, node: Node, manifest: Manifest) -> Iterator[Problem]:
        linked = {(link.in_port, link.source, link.out_port) for link in self.links(node)}
        for in_port, sources in node.config.transform.items():
            place = _Place(node.id, f"config.transform.{in_port}", in_port)
            port = manifest.in_port(in_port)
            if port is None:
                said = f"Malformed transformation: {manifest.label} has no in-port {in_port!r}."
                yield place.problem(said, _choose([each.name for each in manifest.in_ports], in_port, "Remove it."))
                continue
            for source, out_ports in _members(sources):
                for out_port, entry in _members(out_ports):
                    below = place.below(f"{source}.{out_port}")
                    if (in_port, source, out_port) not in linked:
                        said = "Malformed transformation: no such link is in the node's source."
                        yield below.problem(said, "Remove the transform, or draw the link.", "warning")
                    elif not isinstance(entry, dict):
                        said = f"Malformed transformation: it is {kind_of(entry)} and not an object."
                        yield below.problem(said, 'Write {"type": "json2new", "modifiers": {}, "lambda": {}}.')
                    else:
                        yield from self.transform(below, port, entry)
                if not isinstance(out_ports, dict):
                    said = f"Malformed transformation: out-ports belong here, and this is {kind_of(out_ports)}."
                    yield place.below(source).problem(said, 'Write {"<outPort>": {…}}.')
            if not isinstance(sources, dict):
                said = f"Malformed transformation: source nodes belong here, and this is {kind_of(sources)}."
                yield place.problem(said, 'Write {"<sourceNodeId>": {"<outPort>": {…}}}.')

    def transform(self, place: _Place, port: InPort, entry: dict[str, Json]) -> Iterator[Problem]:
        where = place.problem("").where
        try:
            compile_transform(entry, where=where)
        except ValidationFailed as error:
            for problem in error.problems:
                yield replace(problem, node=place.node, port=place.port, field=problem.field or place.path)
        for field, variables in _members(entry.get("modifiers")):
            yield from self.modifiers(place.below(f"modifiers.{field}", field=field), variables)
        for use in variables_of(entry):
            yield from self.variable(place.below(f"lambda.{use.field}", field=use.field), use)
        if str(entry.get("type", "json2new")).lower() != "json2ext":
            yield from self.required(place.below("lambda"), port, entry.get("lambda"))

    def modifiers(self, place: _Place, variables: Json) -> Iterator[Problem]:
        for name in _modifiers_in(variables):
            if name not in self.modifier_names:
                near = _choose(list(self.modifier_names), name, "Choose one of the list of modifiers.", listed=False)
                yield place.problem(f"There is no modifier {name!r}.", near)

    def variable(self, place: _Place, use: VariableUse) -> Iterator[Problem]:
        variable = f"$.{use.node_id}.{use.port}" + (f".{use.path}" if use.path else "")
        if use.node_id not in self.nodes.nodes:
            fix = "Choose the variable again."
            yield place.problem(f"{variable} reads node {use.node_id!r}, which is not in the flow.", fix)
        elif not self.graph.path_exists(use.node_id, place.node):
            said = f"{variable} reads node {use.node_id!r}, which does not come before this one."
            yield place.problem(said, "Link it so that messages pass it first, or choose another variable.")
        elif not self.has_out_port(use.node_id, use.port):
            manifest = self.manifest(use.node_id)
            names = [port.name for port in manifest.out_ports] if manifest else []
            said = f"{variable} reads out-port {use.port!r}, which node {use.node_id!r} does not have."
            yield place.problem(said, _choose(names, use.port, "Choose another variable."))
        elif not self.comes_from(use.node_id, use.port, place.node):
            said = f"{variable} is never there: no link from out-port {use.port!r} of that node leads here."
            yield place.problem(said, "Choose a variable of the out-port that leads here.", "warning")

    def comes_from(self, source: str, out_port: str, target: str) -> bool:
        return any(
            link.target == target or self.graph.path_exists(link.target, target)
            for link in self.graph.links_from(source, out_port)
        )

    def required(self, place: _Place, port: InPort, values: Json) -> Iterator[Problem]:
        filled = values if isinstance(values, dict) else {}
        for name in _required(port.schema):
            if filled.get(name) is None:
                said = f"The field {name!r} of in-port {port.name!r} is required and has no value."
                yield place.below(name, field=name).problem(said, "Fill it in.", self.unfinished)

    def error_handling(self, node: Node) -> Iterator[Problem]:
        handling = node.error_handling
        if handling.max_retries and not handling.auto_retry:
            said = "maxRetries says how often to try again, and autoRetry is off."
            place = _Place(node.id, "errorHandling.maxRetries")
            yield place.problem(said, "Switch autoRetry on, or remove maxRetries.", "warning")
        if node.has_error_port and not self.graph.links_from(node.id, ERROR_PORT):
            said = "Failed messages leave through the out-port error, and nothing is linked to it."
            place = _Place(node.id, "errorHandling.onError", ERROR_PORT)
            yield place.problem(said, "Link the error port, or choose storeUnprocessed.", "warning")


def _modifiers_in(variables: Json) -> list[str]:
    """The names of all modifiers that variables use, those of their parameters too, each once."""
    names: list[str] = []
    stack = [variables]
    while stack:
        part = stack.pop()
        if isinstance(part, list):
            stack.extend(part)
        elif isinstance(part, dict):
            functions = part.get("functions")
            called = functions if isinstance(functions, list) else []
            names.extend(str(each["name"]) for each in called if isinstance(each, dict) and "name" in each)
            stack.extend(part.values())
    return list(dict.fromkeys(names))


def _members(value: Json) -> list[tuple[str, Json]]:
    return list(value.items()) if isinstance(value, dict) else []


def _required(schema: Json) -> list[str]:
    """The fields a message must have, in the order named: listed by the schema, or marked in the property."""
    if not isinstance(schema, dict):
        return []
    listed = schema.get("required")
    names = [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
    for name, described in _members(schema.get("properties")):
        if isinstance(described, dict) and described.get("required") is True:
            names.append(name)
    return list(dict.fromkeys(names))


def _choose(names: Sequence[str], wrong: str, otherwise: str, *, listed: bool = True) -> str:
    near = difflib.get_close_matches(wrong, names, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    return f"Choose one of {', '.join(names[:20])}." if names and listed else otherwise
