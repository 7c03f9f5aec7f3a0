"""Forms and out-ports that manifests leave to a call of a component: asked for, with what the node holds so far."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from headrace_core import Json, errors
from headrace_core.flow import Flow, Node
from headrace_core.graph import Graph
from headrace_core.manifest import Manifest
from headrace_core.sources import Filled, Source, fill, read_source

from headrace_gateway.call import Call
from headrace_gateway.clients.executions import StaticCall

PROPERTIES = ""
"""Stands for an in-port where the form of the properties is meant."""

MOST_CALLS = 100


@dataclass(frozen=True, slots=True)
class Parts:
    """Of which nodes of a flow the forms are wanted, and of which the out-ports."""

    forms: Collection[str]
    out_ports: Collection[str]


@dataclass(frozen=True, slots=True)
class Made:
    """What components answered: forms by node and in-port, options by node and out-port, and what went wrong."""

    inspectors: Mapping[tuple[str, str], Mapping[str, Json]] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    problems: Sequence[dict[str, Json]] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    node_id: str
    port: str
    is_form: bool
    asked: StaticCall


def parts(flow: Flow, node_ids: Sequence[str]) -> Parts:
    """What has to be known to show these nodes: their forms, and the out-ports of all that comes before them."""
    graph = Graph(flow)
    before = {each for node_id in node_ids for each in graph.ancestors(node_id)}
    return Parts(node_ids, before)


async def ask(call: Call, flow: Flow, manifests: Mapping[str, Manifest], wanted: Parts, *, use_kept: bool) -> Made:
    """Ask for all of it. Raises TooLarge when that were too many calls."""
    flow_id = call.value("flowId")
    questions = [
        question
        for node_id, manifest in manifests.items()
        for question in _questions(flow_id, flow.nodes[node_id], manifest, wanted)
    ]
    if len(questions) > MOST_CALLS:
        raise errors.TooLarge(f"This takes {len(questions)} calls of components. Ask for fewer components.")
    for question in questions:
        await call.gateway.guard.check_flow(call.caller, {"": {"type": question.asked.type}})
    answers = await call.gateway.sources.ask_all(call.scope, [each.asked for each in questions], use_kept=use_kept)
    inspectors: dict[tuple[str, str], Mapping[str, Json]] = {}
    options: dict[str, dict[str, Json]] = {}
    problems: list[dict[str, Json]] = []
    for question, found in zip(questions, answers, strict=True):
        if isinstance(found, errors.HeadraceError):
            problems.append({"componentId": question.node_id, "port": question.port, "message": found.message})
        elif isinstance(found, Exception):
            raise found
        elif not question.is_form:
            options.setdefault(question.node_id, {})[question.port] = found
        elif isinstance(found, dict):
            inspectors[question.node_id, question.port] = found
    return Made(inspectors, options, problems)


def _questions(flow_id: str, node: Node, manifest: Manifest, wanted: Parts) -> Iterator[_Question]:
    held = _held(node, manifest)
    if node.id in wanted.forms:
        for port in manifest.in_ports:
            if (found := read_source(_as_json(port.source)) or read_source(port.inspector.get("source"))) is not None:
                yield _Question(node.id, port.name, True, _call(found, held, flow_id, node.id))
        form = manifest.raw.get("properties")
        place = form.get("source") if isinstance(form, dict) else None
        if (found := read_source(place) or read_source(manifest.properties_inspector.get("source"))) is not None:
            yield _Question(node.id, PROPERTIES, True, _call(found, held, flow_id, node.id))
    if node.id in wanted.out_ports:
        for out_port in manifest.out_ports:
            if (found := read_source(_as_json(out_port.source))) is not None:
                yield _Question(node.id, out_port.name, False, _call(found, held, flow_id, node.id))


def _call(source: Source, held: Filled, flow_id: str, node_id: str) -> StaticCall:
    messages, properties = fill(source, held)
    return StaticCall(source.type, source.out_port, messages, properties, source.transform, flow_id, node_id)


def _held(node: Node, manifest: Manifest) -> Filled:
    """What the node's fields say, the links of an in-port taken together, over what its forms begin with."""
    inputs: dict[str, dict[str, Json]] = {}
    for in_port, sources in node.source.items():
        fields = inputs.setdefault(in_port, dict(manifest.default_inputs(in_port)))
        for source, out_ports in sources.items():
            for out_port in out_ports:
                entry = node.config.transform_of(in_port, source, out_port)
                said = entry.get("lambda") if entry is not None else None
                fields.update(said if isinstance(said, dict) else {})
    return Filled(inputs, {**manifest.default_properties, **node.config.properties})


def _as_json(source: Mapping[str, Json] | None) -> Json:
    return dict(source) if source is not None else None
