"""What holds for every component that comes with Headrace.

`interfaces.json` has the public interface of each: what flows that were made elsewhere expect to find.
"""

import json
import re
import time
from pathlib import Path
from typing import cast

import headrace_connectors
import pytest
from headrace_connectors import BuiltinComponent
from headrace_core import Json
from headrace_core.manifest import EFFECTS, parse_manifest
from headrace_core.schemas import compile_schema
from headrace_sdk import Component, JsonObject

BUILTIN = headrace_connectors.load_builtin()
NAMED = {each.type: each for each in BUILTIN}
INTERFACES = cast("dict[str, JsonObject]", json.loads((Path(__file__).parent / "interfaces.json").read_text("utf-8")))
TEXTS = {"label", "tooltip", "content", "description", "title", "placeholder", "icon"}
TOOLTIP_ATTRIBUTES = "attrs"  # older manifests keep their tooltips in there, and nothing else
MENDED = {
    "headrace.utils.http.Delete": "the kind of its field body is misspelt there",
    "headrace.utils.storage.Find": "what a list holds is said by a schema here",
    "headrace.utils.storage.ListStores": "its options name no fields there",
}
"""Components whose public interface has mistakes in its details: for them names are compared, and no more."""

PUBLIC_COUNT = 128
"""How many components the public interfaces have."""

SHARED_KEYS = ("inPorts", "outPorts", "properties", "private", "webhook")


def comparable(value: Json) -> Json:
    """What is left without the words that people read. A field may be named like one of them."""
    if isinstance(value, dict):
        kept = {key: comparable(each) for key, each in value.items() if not is_text(key, each)}
        if "groups" in kept:
            kept["groups"] = list[Json](sorted(_object(kept["groups"])))
        return kept
    return [comparable(each) for each in value] if isinstance(value, list) else value


def names_in(interface: JsonObject) -> Json:
    """The names of ports, with the fields and properties of the in-ports."""
    manifest = parse_manifest({"name": "vendor.service.module.Component", **interface})
    fields: JsonObject = {
        port.name: [*sorted(port.inputs), *sorted(_object(_object(port.schema).get("properties")))]
        for port in manifest.in_ports
    }
    return [fields, [port.name for port in manifest.out_ports], manifest.is_private, manifest.has_webhook]


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def is_text(key: str, value: Json) -> bool:
    return key == TOOLTIP_ATTRIBUTES or (key in TEXTS and isinstance(value, str))


def name_of(component: BuiltinComponent) -> str:
    return component.type


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_a_manifest_can_be_read_and_says_what_its_calls_do(component: BuiltinComponent) -> None:
    manifest = parse_manifest(component.manifest)

    assert manifest.name == component.type
    assert component.manifest["effect"] in EFFECTS
    assert component.manifest["label"]
    assert str(component.manifest["description"]).endswith(".")
    assert str(component.manifest["icon"]).startswith("data:image/svg+xml;base64,")
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(component.manifest["version"]))


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_every_schema_of_a_manifest_can_be_used(component: BuiltinComponent) -> None:
    manifest = parse_manifest(component.manifest)
    of_ports = [port.schema for port in manifest.in_ports] + [port.schema for port in manifest.out_ports]

    for schema in (*of_ports, manifest.properties_schema):
        if schema is not None:
            compile_schema(schema)


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_ports_fields_and_options_are_those_that_imported_flows_expect(component: BuiltinComponent) -> None:
    found = {key: component.manifest[key] for key in SHARED_KEYS if key in component.manifest}
    facts = names_in if component.type in MENDED else comparable

    assert facts({"private": False, **found}) == facts({"private": False, **INTERFACES[component.type]})


def test_every_interface_has_its_component() -> None:
    assert set(INTERFACES) == set(NAMED)


def inputs_of(value: Json) -> list[tuple[str, JsonObject]]:
    """Every form field anywhere in a manifest."""
    found: list[tuple[str, JsonObject]] = []
    if isinstance(value, dict):
        inputs = value.get("inputs")
        if isinstance(inputs, dict):
            found += [(name, field) for name, field in inputs.items() if isinstance(field, dict)]
        for each in value.values():
            found += inputs_of(each)
    elif isinstance(value, list):
        for each in value:
            found += inputs_of(each)
    return found


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_every_field_has_a_label(component: BuiltinComponent) -> None:
    unlabelled = [name for name, field in inputs_of(component.manifest) if "type" in field and not field.get("label")]

    assert unlabelled == []


def sources_of(value: Json) -> list[JsonObject]:
    """Every call of another component that a manifest asks the designer to make."""
    found: list[JsonObject] = []
    if isinstance(value, dict):
        source = value.get("source")
        if isinstance(source, dict) and "url" in source:
            found.append(source)
        for each in value.values():
            found += sources_of(each)
    elif isinstance(value, list):
        for each in value:
            found += sources_of(each)
    return found


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_what_a_form_calls_is_there(component: BuiltinComponent) -> None:
    for source in sources_of(component.manifest):
        path, _, query = str(source["url"]).removeprefix("/component/").partition("?outPort=")
        called = NAMED[path.replace("/", ".")]
        data = source.get("data")
        transform = str(data.get("transform") or "") if isinstance(data, dict) else ""
        ports = {port.name for port in parse_manifest(called.manifest).out_ports}
        assert query in ports
        if transform:
            assert transform.partition("#")[2] in called.component.transforms


@pytest.mark.parametrize("component", BUILTIN, ids=name_of)
def test_a_component_does_something_and_keeps_nothing(component: BuiltinComponent) -> None:
    instance = component.component()

    assert isinstance(instance, Component)
    assert vars(instance) == {}
    assert component.component.receive is not Component.receive or component.component.tick is not Component.tick
    assert component.component.__doc__


def test_the_designer_lists_every_module_and_nothing_else() -> None:
    modules = {each.type.rpartition(".")[0] for each in BUILTIN}
    services = {module.rpartition(".")[0] for module in modules}

    assert set(headrace_connectors.load_apps()) == modules | services
    assert set(headrace_connectors.load_bundles()) == modules


def test_loading_takes_one_short_pass_and_gives_the_same_classes() -> None:
    began = time.perf_counter()
    again = headrace_connectors.load_builtin()

    assert time.perf_counter() - began < 1.0
    assert [each.component for each in again] == [each.component for each in BUILTIN]
    assert [each.type for each in again] == sorted(NAMED)


def test_nothing_of_the_public_interfaces_is_missing() -> None:
    assert len(INTERFACES) == PUBLIC_COUNT
