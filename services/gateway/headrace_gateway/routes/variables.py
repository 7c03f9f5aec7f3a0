"""Variables: what the designer offers at the inputs of components, with what it held in the last runs."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from headrace_core import Json, errors
from headrace_core.differences import ABSENT
from headrace_core.flow import Flow, parse_descriptor
from headrace_core.graph import Graph
from headrace_core.manifest import Manifest, parse_manifest
from headrace_core.offers import Offer, offers_of, with_options
from starlette.responses import Response

from headrace_gateway import forms
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import ALL_TENANTS, ANYTHING, FREE_OBJECT, TEXT, YES_NO, an_object, array_of

MAX_COMPONENTS = 50
MAX_OFFERS = 20_000
RUNS = 3
"""How many of the newest runs are looked at for samples."""

Samples = Mapping[str, Mapping[str, Json]]
"""What left each component last, by component and out-port."""


async def fetch_variables(call: Call) -> Response:
    given = await call.object_or_empty()
    kept = await call.clients.flows.get(call.reading_scope, call.value("flowId"))
    wanted = given.get("components")
    wanted = wanted if isinstance(wanted, dict) else {}
    flow = await asyncio.to_thread(parse_descriptor, kept["flow"])
    node_ids = _node_ids(flow, wanted.get("IDs"))
    manifests, samples, document = await asyncio.gather(
        _manifests(call, flow), _samples(call, str(kept["flowId"])), call.clients.modifiers.get()
    )
    wanted_of = forms.parts(flow, node_ids)
    made = await forms.ask(call, flow, manifests, wanted_of, use_kept=given.get("useCache") is not False)
    desk = _Desk(flow, manifests, samples, made)
    shown = await asyncio.to_thread(
        desk.components,
        node_ids,
        with_links=wanted.get("links") is not False,
        with_properties=wanted.get("properties") is not False,
    )
    said: dict[str, Json] = {"components": shown}
    if made.problems:
        said["problems"] = [*made.problems]
    return answer(said | ({"flow": _flow_values(document)} if given.get("flow") is not False else {}))


def _node_ids(flow: Flow, given: Json) -> list[str]:
    """The components that are asked about. Raises NotFound, or ValidationFailed when they are too many."""
    node_ids = [str(each) for each in given] if isinstance(given, list) else [*flow.nodes]
    if len(node_ids) > MAX_COMPONENTS:
        raise one_problem(
            "components", f"{len(node_ids)} components are too many at once.", f"Name at most {MAX_COMPONENTS} in IDs."
        )
    for node_id in node_ids:
        if node_id not in flow.nodes:
            raise errors.NotFound("component", node_id[:100])
    return node_ids


async def _manifests(call: Call, flow: Flow) -> dict[str, Manifest]:
    """The manifest of each component of the flow that the installation has."""
    types = {node.type for node in flow.nodes.values()}
    async with asyncio.TaskGroup() as tasks:
        asked = {
            each: tasks.create_task(call.clients.catalog.components(call.scope, each, include_private=True))
            for each in types
        }
    published = {
        component_type: found
        for component_type, task in asked.items()
        for name, found in task.result()
        if name == component_type
    }
    return {
        node.id: parse_manifest(published[node.type]).overridden(node.manifest)
        for node in flow.nodes.values()
        if node.type in published
    }


async def _samples(call: Call, flow_id: str) -> Samples:
    """What left each component in the newest runs; of a tenant's own flow only, as runs are their owner's."""
    executions = call.clients.executions
    runs, _ = await executions.runs(call.scope, flow_id=flow_id, state="", correlation_id="", offset=0, limit=RUNS)
    samples: dict[str, dict[str, Json]] = {}
    for run in runs:
        with suppress(errors.NotFound):  # it was cleared away just now
            steps = (await executions.run(call.scope, str(run["runId"]), 0, 1000))["steps"]
            for node_id, port, content in _outputs(steps):
                samples.setdefault(node_id, {}).setdefault(port, content)
    return samples


def _outputs(steps: Json) -> Iterable[tuple[str, str, Json]]:
    for step in steps if isinstance(steps, list) else []:
        outputs = step.get("outputs") if isinstance(step, dict) else None
        for output in outputs if isinstance(outputs, list) else []:
            if isinstance(step, dict) and isinstance(output, dict):
                yield str(step["componentId"]), str(output["port"]), output["content"]


@dataclass(slots=True)
class _Desk:
    """Puts together what is offered; each component's own variables are worked out once."""

    flow: Flow
    manifests: Mapping[str, Manifest]
    samples: Samples
    made: forms.Made

    def components(self, node_ids: Sequence[str], *, with_links: bool, with_properties: bool) -> dict[str, Json]:
        """Raises TooLarge when it would be more than an answer can hold."""
        graph = Graph(self.flow)
        left = MAX_OFFERS
        own = {node.id: self._own(node.id) for node in self.flow.nodes.values()}
        shown: dict[str, Json] = {}
        for node_id in node_ids:
            each: dict[str, Json] = {}
            if with_links:
                links: dict[str, Json] = {}
                for in_port, sources in self.flow.nodes[node_id].source.items():
                    for source, out_ports in sources.items():
                        passed = {source, *graph.ancestors(source)}
                        offers = [offer for name in self.flow.nodes if name in passed for offer in own[name]]
                        left -= len(offers) * len(out_ports)
                        if left < 0:
                            raise errors.TooLarge("This is more than an answer can hold. Ask for fewer components.")
                        _put(links, in_port, source, out_ports, self._at_link(node_id, in_port, offers))
                each["links"] = links
            if with_properties:
                each["properties"] = self._properties(node_id)
            shown[node_id] = each
        return shown

    def _own(self, node_id: str) -> list[Offer]:
        manifest = self.manifests.get(node_id)
        if manifest is None:
            return []
        ports = self.made.options.get(node_id, {})
        return offers_of(self.flow.nodes[node_id], with_options(manifest, ports), self.samples.get(node_id, {}))

    def _at_link(self, node_id: str, in_port: str, offers: Sequence[Offer]) -> dict[str, Json]:
        manifest = self.manifests.get(node_id)
        port = manifest.in_port(in_port) if manifest is not None else None
        form = self.made.inspectors.get((node_id, in_port), port.inspector if port is not None else {})
        return {"inspector": dict(form), "variables": _variables(offers)}

    def _properties(self, node_id: str) -> dict[str, Json]:
        manifest = self.manifests.get(node_id)
        own = manifest.properties_inspector if manifest is not None else {}
        return {
            "inspector": dict(self.made.inspectors.get((node_id, ""), own)),
            "schema": manifest.properties_schema if manifest is not None else None,
            "variables": _variables(()),
        }


def _put(links: dict[str, Json], in_port: str, source: str, out_ports: Iterable[str], value: Json) -> None:
    sources = links.setdefault(in_port, {})
    if isinstance(sources, dict):
        sources[source] = dict.fromkeys(out_ports, value)


def _variables(offers: Sequence[Offer]) -> dict[str, Json]:
    """Those that manifests declare, and those that were only seen in a run."""
    return {
        "static": [_variable(each) for each in offers if each.is_declared],
        "dynamic": [_variable(each) for each in offers if not each.is_declared],
    }


def _variable(offer: Offer) -> dict[str, Json]:
    said: dict[str, Json] = {
        "componentId": offer.node_id,
        "port": offer.port,
        "label": offer.label,
        "value": offer.variable,
    }
    if offer.schema is not None:
        said["schema"] = offer.schema
    if offer.sample is not ABSENT:
        said["sample"] = offer.sample
    return said


def _flow_values(document: Mapping[str, Json]) -> list[Json]:
    """The modifiers that are values of the flow itself, such as its id or the time."""
    modifiers = document.get("modifiers")
    return [
        {"name": name, "label": each.get("label", name), "category": each.get("category")}
        for name, each in (modifiers if isinstance(modifiers, dict) else {}).items()
        if isinstance(each, dict) and each.get("type") == "flow"
    ]


_VARIABLE = an_object(
    {"componentId": TEXT, "port": TEXT, "label": TEXT, "value": TEXT, "schema": ANYTHING, "sample": ANYTHING},
    required=("componentId", "port", "label", "value"),
)
_VARIABLES = an_object({"static": array_of(_VARIABLE), "dynamic": array_of(_VARIABLE)}, required=("static", "dynamic"))
_COMPONENT = an_object(
    {
        "links": {
            "type": "object",
            "description": "In-port, source component, out-port: the form of the in-port and its variables.",
            "additionalProperties": FREE_OBJECT,
        },
        "properties": an_object({"inspector": FREE_OBJECT, "schema": ANYTHING, "variables": _VARIABLES}),
    }
)

ROUTES = (
    Route(
        method="POST",
        path="/variables/{flowId}/fetch",
        handler=fetch_variables,
        policy=Policy.USER,
        tag="Flows",
        summary="What can be inserted at the inputs of components",
        description=(
            "For each link into a component the variables of everything that comes before it on that way: `static` "
            "ones are declared by manifests, `dynamic` ones were only seen in a run. Samples are what the newest runs "
            "of the caller's own flow sent, without secrets and shortened. Nothing is cached, so useCache changes "
            "nothing."
        ),
        parameters=(ALL_TENANTS,),
        request=an_object(
            {
                "useCache": YES_NO,
                "flow": YES_NO,
                "components": an_object({"IDs": array_of(TEXT), "links": YES_NO, "properties": YES_NO}),
            }
        ),
        answers=(
            Answer(
                200,
                "By component what is offered, and the values of the flow itself.",
                an_object(
                    {
                        "components": {"type": "object", "additionalProperties": _COMPONENT},
                        "flow": array_of(an_object({"name": TEXT, "label": TEXT, "category": ANYTHING})),
                        "problems": array_of(an_object({"componentId": TEXT, "port": TEXT, "message": TEXT})),
                    },
                    required=("components",),
                ),
            ),
        ),
        errors=(400, 403, 404, 413),
    ),
)
