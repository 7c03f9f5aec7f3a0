"""Writes docs/reference from the code: `python -m docs.generate FOLDER`."""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from inspect import getdoc
from itertools import groupby
from pathlib import Path
from typing import Any, cast

import httpx
import typer.main
from headrace_cli.failures import MEANINGS
from headrace_cli.main import app as cli
from headrace_connectors import load_builtin
from headrace_core import Json, errors
from headrace_core.expressions.modifiers import default_modifiers
from headrace_core.manifest import Manifest, parse_manifest
from headrace_embedded.platform import open_platform
from headrace_embedded.settings import EmbeddedSettings
from headrace_executor.__main__ import ServerSettings as ExecutorServer
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.configuration import ServerSettings as FlowManagerServer
from headrace_gateway.errors import status_of
from headrace_gateway.routes import ROUTES
from headrace_gateway.routing import Route
from headrace_gateway.settings import Addresses, GatewaySettings
from headrace_logging.settings import ElasticsearchSettings, LoggingSettings
from headrace_logging.settings import ServerSettings as LoggingServer
from headrace_runtime.bus.rabbitmq import RabbitSettings
from headrace_runtime.kms import KmsSettings
from headrace_runtime.mail import MailSettings
from headrace_runtime.metrics_listener import MetricsSettings
from headrace_runtime.mongo import MongoSettings
from headrace_runtime.rpc.peer import PeerSettings
from headrace_runtime.settings import describe
from headrace_runtime.vault import VaultSettings
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.settings import ServerSettings as SchedulerServer
from headrace_sdk import errors as component_errors

from docs.widgets import section, widgets
from tests.api import compatibility
from tests.appmixer_cli import compatibility as cli_compatibility

SETTINGS: Mapping[str, type] = {
    "Embedded platform": EmbeddedSettings,
    "Gateway": GatewaySettings,
    "Flow manager": FlowManagerSettings,
    "Executor": ExecutorSettings,
    "Processes that host published components": RunnerSettings,
    "Scheduler": SchedulerSettings,
    "Logging": LoggingSettings,
    "Flow manager as a process of its own": FlowManagerServer,
    "Executor as a process of its own": ExecutorServer,
    "Scheduler as a process of its own": SchedulerServer,
    "Logging as a process of its own": LoggingServer,
    "Log records in Elasticsearch": ElasticsearchSettings,
    "Services behind the gateway": Addresses,
    "Calls between processes": PeerSettings,
    "Metrics of a process": MetricsSettings,
    "Bus between processes": RabbitSettings,
    "Documents in MongoDB": MongoSettings,
    "Mail": MailSettings,
    "Secrets at rest": VaultSettings,
    "Key service of the secrets at rest": KmsSettings,
}
ROOT = Path(__file__).parents[1]
HELP = re.compile(r"^# HELP (\S+) (.*)\n# TYPE \1 (\S+)$", re.MULTILINE)


def pages(metrics: str) -> dict[str, str]:
    """All pages by file name. `metrics` is what a running platform serves at /metrics."""
    return {
        "components.md": components(),
        "modifiers.md": modifiers(),
        "rest-api.md": rest_api(),
        "compatibility.md": compatibility.page(),
        "cli-compatibility.md": cli_compatibility.page(),
        "cli.md": command_line(),
        "settings.md": settings(),
        "errors.md": error_codes(),
        "metrics.md": metric_names(metrics),
        "widgets.md": widgets_of_the_sdk(),
    }


def widgets_of_the_sdk() -> str:
    """Every widget of the SDK with its options, events and states."""
    intro = "What all of them have in common is told in [embedding](../embedding/README.md)."
    return _page("Widgets", [intro, *map(section, widgets())])


def components() -> str:
    """Every built-in component with its ports, fields and properties."""
    found = [parse_manifest(each.manifest) for each in load_builtin()]
    intro = "Each answers to its name and to the same name with `appmixer.` in front. Fields take variables."
    return _page("Components", [intro, *(_component(each) for each in sorted(found, key=lambda each: each.name))])


def _component(manifest: Manifest) -> str:
    effect = str(manifest.raw.get("effect", "undeclared"))
    parts = [f"## {manifest.name}", f"{manifest.raw.get('description', '')} Effect: {effect}."]
    for port in manifest.in_ports:
        parts.append(f"In-port `{port.name}`" + (":" if port.inputs else "."))
        parts.extend(_fields(port.inputs))
    properties = _object(manifest.properties_inspector.get("inputs"))
    if properties:
        parts.extend(["Properties:", *_fields(properties)])
    out_ports = ", ".join(f"`{port.name}`" for port in manifest.out_ports)
    return "\n\n".join([*parts, f"Out-ports: {out_ports or 'none'}."])


def _fields(inputs: Mapping[str, Json]) -> list[str]:
    rows = [
        (f"`{name}`", str(field.get("type", "")), str(field.get("tooltip") or field.get("label") or ""))
        for name, given in inputs.items()
        for field in [_object(given)]
    ]
    return [_table(("field", "form", "what"), rows)] if rows else []


def modifiers() -> str:
    """The default modifiers by category."""
    document = default_modifiers()
    known = {name: _object(each) for name, each in _object(document["modifiers"]).items()}
    parts = []
    for category in _object(document["categories"]):
        rows = [
            (f"`{name}`", _arguments(each), str(each.get("description", "")))
            for name, each in known.items()
            if category in cast("list[str]", each.get("category") or [])
        ]
        parts.append(f"## {category.capitalize()}\n\n" + _table(("modifier", "arguments", "what"), rows))
    flow_values = [(f"`{name}`", str(each.get("description", ""))) for name, each in known.items() if _is_value(each)]
    parts.append("## Values of the flow\n\n" + _table(("value", "what"), flow_values))
    return _page("Modifiers", parts)


def _is_value(modifier: Mapping[str, Json]) -> bool:
    return modifier.get("type") == "flow" or not modifier.get("category")


def _arguments(modifier: Mapping[str, Json]) -> str:
    arguments = [_object(each) for each in cast("list[Json]", modifier.get("arguments") or [])]
    return ", ".join(f"{each['name']}{' (named)' if each.get('isHash') else ''}" for each in arguments)


def rest_api() -> str:
    """Every endpoint by noun, from the route table."""
    intro = "As OpenAPI 3.1: `/openapi.json` of a running platform. Webhooks: any method at " + (
        "`/flows/{flowId}/components/{componentId}`."
    )
    groups = groupby(sorted(ROUTES, key=lambda route: route.tag), key=lambda route: route.tag)
    return _page("REST API", [intro, *(f"## {tag}\n\n" + "\n\n".join(map(_route, each)) for tag, each in groups)])


def _route(route: Route) -> str:
    parts = [f"### `{route.method} {route.path}`", f"{route.summary}. {route.description} For: {route.policy.value}"]
    if route.parameters:
        rows = [(f"`{each.name}`", each.place, each.description) for each in route.parameters]
        parts.append(_table(("parameter", "place", "what"), rows))
    answers = [(str(each.status), each.description) for each in route.answers]
    failures = ", ".join(map(str, sorted(route.errors)))
    parts.append(_table(("status", "answer"), [*answers, *([(failures, "errors")] if failures else [])]))
    return "\n\n".join(parts)


def command_line() -> str:
    """Every command of `headrace`, and how commands end."""
    statuses = [(str(int(each)), each.name.lower().replace("_", " "), said) for each, said in MEANINGS.items()]
    parts = [
        "What calls a host takes `--profile`, or HEADRACE_URL and HEADRACE_TOKEN of the environment, and `--json`.",
        "## How commands end\n\n" + _table(("status", "name", "what"), statuses),
    ]
    return _page("Command line", [*parts, *_commands("headrace", typer.main.get_command(cli))])


def _commands(called: str, found: Any) -> Iterable[str]:
    below = getattr(found, "commands", None)
    if below is not None:
        for name in sorted(below):
            yield from _commands(f"{called} {name}", below[name])
        return
    rows = [(", ".join(f"`{each}`" for each in _spellings(option)), option.help or "") for option in found.params]
    parts = [f"## {called}", str(found.help), *([_table(("option", "what"), rows)] if rows else [])]
    yield "\n\n".join(parts)


def _spellings(option: Any) -> list[str]:
    """What an option is called; an argument by the name that its help has."""
    return list(option.opts) if option.param_type_name == "option" else [str(option.metavar or option.name).upper()]


def settings() -> str:
    """Every environment variable that is read, by service."""
    parts = ["A secret may also come from the file that `<NAME>_FILE` points at. Spans of time: `30s`, `1h30m`, `7d`."]
    for service, cls in SETTINGS.items():
        rows = [
            (f"`{each.env}`", each.kind, "must be given" if each.default is None else f"`{each.default}`", each.help)
            for each in describe(cls)
        ]
        parts.append(f"## {service}\n\n" + _table(("variable", "kind", "default", "what"), rows))
    return _page("Settings", parts)


def error_codes() -> str:
    """The codes of the API and those of failed steps."""
    api = [(f"`{each.code}`", str(_status(each)), _first_line(each)) for each in errors.ALL]
    kinds = [each for each in vars(component_errors).values() if _is_component_error(each)]
    steps = [(f"`{each.code}`", each.__name__, _first_line(each)) for each in kinds]
    return _page(
        "Errors",
        [
            "The API answers `{statusCode, error, message, code, problems?, requestId}`.",
            _table(("code", "status", "what"), api),
            "## Errors of steps\n\nWhat a component may raise, as it stands in unprocessed messages.",
            _table(("code", "class", "what"), steps),
        ],
    )


def _status(kind: type[errors.HeadraceError]) -> int:
    return status_of(kind.revive("", {}))


def _is_component_error(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, component_errors.ComponentError)


def _first_line(kind: type) -> str:
    return (getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")


def metric_names(served: str) -> str:
    """What a platform in one process serves, and what only processes of server mode do."""
    here = {name: (kind, help) for name, help, kind in HELP.findall(served)}
    elsewhere = {name: rest for name, rest in declared_metrics() if name not in here}
    return _page(
        "Metrics",
        [
            "At `/metrics` of the gateway, and of each process of server mode at `HEADRACE_METRICS_LISTEN`.",
            _metric_table(here),
            "## In server mode alone",
            _metric_table(elsewhere),
        ],
    )


def _metric_table(found: Mapping[str, tuple[str, str]]) -> str:
    return _table(("metric", "kind", "what"), sorted((f"`{name}`", *rest) for name, rest in found.items()))


def declared_metrics() -> Iterable[tuple[str, tuple[str, str]]]:
    """Name, kind and help of each metric that the code declares: name and help are written out where it does."""
    for file in (each for room in ("libs", "services") for each in (ROOT / room).rglob("headrace_*/**/*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and len(node.args) > 1:
                name, help = (each.value if isinstance(each, ast.Constant) else None for each in node.args[:2])
                if isinstance(name, str) and name.startswith("headrace_") and isinstance(help, str):
                    yield name, (_kind_of(node), help)


def _kind_of(declared: ast.Call) -> str:
    """`metrics.gauge(…)` says it by its name, `metrics.follow(…)` by its `kind`."""
    verb = declared.func.attr if isinstance(declared.func, ast.Attribute) else "follow"
    given = [each.value.value for each in declared.keywords if isinstance(each.value, ast.Constant)]
    return verb if verb != "follow" else "gauge" if "gauge" in given else "counter"


def _page(title: str, parts: Iterable[str]) -> str:
    return "\n\n".join([f"# {title}", "Generated from the code by `make docs`.", *parts]) + "\n"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


async def served_metrics() -> str:
    """What a fresh platform serves at /metrics."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HEADRACE_DATA_DIR": folder, "HEADRACE_PORT": "0", "HEADRACE_METRICS_PUBLIC": "true"}
        environ["HEADRACE_DRAIN_DELAY"] = "0s"
        async with open_platform(environ) as serving, httpx.AsyncClient(base_url=serving.url) as client:
            return (await client.get("/metrics")).text


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(asyncio.run(served_metrics())).items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
