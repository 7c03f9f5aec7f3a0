"""Manifests: the public format is read, and what is wrong is named."""

import copy
from datetime import timedelta

import pytest
from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.manifest import PROTECTED, Manifest, OutPort, parse_manifest

NAME = "appmixer.utils.test.Example"
FULL: dict[str, Json] = {
    "name": NAME,
    "label": "An example",
    "description": "Shows every key.",
    "author": "Somebody <somebody@example.com>",
    "icon": "data:image/svg+xml;base64,AA==",
    "version": "2.1.0",
    "private": True,
    "tick": True,
    "webhook": True,
    "webhookAsync": False,
    "trigger": True,
    "inPorts": [
        "bare",
        {
            "name": "in",
            "schema": {"type": "object", "properties": {"a": {"default": 1}, "b": {"default": "schema"}}},
            "inspector": {"inputs": {"b": {"type": "text", "defaultValue": "form"}, "c": {"default": [2]}}},
            "source": {"url": "/component/x"},
            "maxConnections": 1,
        },
        {"name": "any", "maxConnections": -1},
    ],
    "outPorts": [
        "out",
        {"name": "more", "options": [{"label": "A", "value": "a"}, "b"], "schema": {"type": "object"}},
        {"name": "found", "source": {"url": "/component/x"}},
    ],
    "properties": {
        "schema": {"properties": {"size": {"type": "integer", "default": 5}}},
        "inspector": {"inputs": {"size": {"type": "number", "defaultValue": 7}}},
    },
    "auth": {"service": "appmixer:google", "scope": ["mail"]},
    "authConfig": {"service": "appmixer:google"},
    "config": "appmixer:google",
    "quota": {
        "manager": "appmixer:google",
        "resources": "requests",
        "scope": {"userId": "{{userId}}"},
        "maxWait": "120000",
        "concurrency": 2,
    },
    "state": {"persistent": True},
    "dependencies": {"appmixer.google": "1.0.0"},
    "firePatterns": [["*", 1], ["A", 0]],
    "localization": {"cs": {"label": "Příklad"}},
    "marker": "data:",
    "shape": "round",
    "continuityScope": True,
    "effect": "read",
    "idempotency": {"header": "Idempotency-Key"},
    "hosts": ["api.example.com", "*.example.com:8443"],
    "join": "links",
}


def problems_of(value: Json) -> list[Problem]:
    with pytest.raises(ValidationFailed) as refused:
        parse_manifest(value)
    return list(refused.value.problems)


def test_only_the_name_is_needed() -> None:
    manifest = parse_manifest({"name": "a.b.c.Simple"})

    assert (manifest.label, manifest.version, manifest.effect) == ("Simple", "1.0.0", "unsafe")
    assert manifest.is_trigger
    assert not (manifest.is_private or manifest.ticks or manifest.has_webhook or manifest.keeps_state)
    assert (manifest.auth, manifest.quota, manifest.properties_schema) == (None, None, None)
    assert manifest.default_properties == {}


def test_every_key_is_read() -> None:
    manifest = parse_manifest(copy.deepcopy(FULL))

    assert manifest.raw == FULL
    assert manifest.type == "headrace.utils.test.Example"
    assert manifest.is_private
    assert manifest.is_trigger
    assert manifest.ticks
    assert manifest.has_webhook
    assert manifest.keeps_state
    assert manifest.joins_links
    assert [port.name for port in manifest.in_ports] == ["bare", "in", "any"]
    assert [port.max_connections for port in manifest.in_ports] == [None, 1, None]
    more = manifest.out_port("more")
    assert isinstance(more, OutPort)
    assert more.options == ({"label": "A", "value": "a"}, {"label": "b", "value": "b"})
    assert manifest.auth is not None
    assert (manifest.auth.service, manifest.auth.scope) == ("appmixer:google", ("mail",))
    assert manifest.quota is not None
    assert (manifest.quota.resources, manifest.quota.concurrency) == (("requests",), 2)
    assert manifest.quota.max_wait == timedelta(seconds=120)
    assert manifest.fire_patterns == (["*", 1], ["A", 0])
    assert manifest.hosts == ("api.example.com", "*.example.com:8443")
    assert manifest.idempotency == {"header": "Idempotency-Key"}
    assert manifest.effect == "read"


def test_the_forms_default_wins_over_the_schemas() -> None:
    manifest = parse_manifest(FULL)

    assert manifest.default_properties == {"size": 7}
    assert manifest.default_inputs("in") == {"a": 1, "b": "form", "c": [2]}
    assert manifest.default_inputs("bare") == manifest.default_inputs("nowhere") == {}


def test_one_fire_pattern_may_stand_alone() -> None:
    assert parse_manifest({"name": NAME, "firePatterns": ["A", 1]}).fire_patterns == (["A", 1],)


def test_a_component_with_in_ports_is_a_trigger_only_when_it_says_so() -> None:
    assert not parse_manifest({"name": NAME, "inPorts": ["in"], "webhook": True}).is_trigger
    assert parse_manifest({"name": NAME, "inPorts": ["in"], "trigger": True}).is_trigger


def test_a_nameless_port_with_a_source_makes_out_ports_dynamic() -> None:
    assert parse_manifest({"name": NAME, "outPorts": [{"source": {"url": "/x"}}]}).has_dynamic_out_ports
    assert not parse_manifest(FULL).has_dynamic_out_ports


REFUSED: list[tuple[dict[str, Json], str, str, str]] = [
    ({"lable": "x"}, "lable", "", "no such key"),
    ({"private": "yes"}, "private", "", "text"),
    ({"name": 5}, "name", "", "a number"),
    ({"name": "a.b"}, "name", "", "three or four words"),
    ({"inPorts": {}}, "inPorts", "", "an object"),
    ({"inPorts": [1]}, "inPorts[0]", "", "a number"),
    ({"inPorts": [{}]}, "inPorts[0].name", "", "no name"),
    ({"outPorts": ["a", {"name": "a"}]}, "outPorts[1].name", "a", "two ports"),
    ({"inPorts": [{"name": "in", "schema": []}]}, "inPorts[0].schema", "in", "a list"),
    ({"inPorts": [{"name": "in", "inspector": []}]}, "inPorts[0].inspector", "in", "a list"),
    ({"inPorts": [{"name": "in", "maxConnections": 0}]}, "inPorts[0].maxConnections", "in", "0"),
    ({"outPorts": [{"name": "out", "options": {}}]}, "outPorts[0].options", "out", "an object"),
    ({"outPorts": [{"name": "out", "options": [1]}]}, "outPorts[0].options[0]", "out", "a number"),
    ({"auth": {"service": "google"}}, "auth.service", "", "not named"),
    ({"auth": {"service": "a:b", "scope": [1]}}, "auth.scope", "", "list of texts"),
    ({"quota": {"manager": 1}}, "quota.manager", "", "a number"),
    ({"quota": {"resources": 1}}, "quota.resources", "", "list of texts"),
    ({"quota": {"scope": "user"}}, "quota.scope", "", "text"),
    ({"quota": {"maxWait": "soon"}}, "quota.maxWait", "", "soon"),
    ({"quota": {"concurrency": 0}}, "quota.concurrency", "", "0"),
    ({"firePatterns": [["X"]]}, "firePatterns[0]", "", "unknown symbol"),
    ({"hosts": ["https://example.com"]}, "hosts", "", "no host"),
    ({"effect": "none"}, "effect", "", "no effect"),
    ({"join": "all"}, "join", "", "no way to join"),
]


@pytest.mark.parametrize(("change", "field", "port", "says"), REFUSED)
def test_a_problem_names_field_port_and_fix(change: dict[str, Json], field: str, port: str, says: str) -> None:
    (problem,) = problems_of({"name": NAME, **change})

    assert (problem.where, problem.field, problem.port) == (f"manifest.{field}", field, port)
    assert says in problem.message
    assert problem.fix


def test_a_mistyped_key_is_guessed() -> None:
    assert problems_of({"name": NAME, "inPort": []})[0].fix == "Did you mean 'inPorts'?"


def test_all_problems_are_named_at_once_with_the_component() -> None:
    with pytest.raises(ValidationFailed) as refused:
        parse_manifest({"name": NAME, "tick": 1, "more": 1})

    assert len(refused.value.problems) == 2
    assert NAME in refused.value.message


@pytest.mark.parametrize("value", [None, [], "x", 1])
def test_a_manifest_is_an_object(value: Json) -> None:
    assert "A manifest is an object" in problems_of(value)[0].message


def test_an_override_changes_what_is_shown_and_not_what_is_allowed() -> None:
    manifest: Manifest = parse_manifest(FULL)
    stolen: dict[str, Json] = {key: {"service": "other:service"} for key in PROTECTED}

    changed = manifest.overridden({"outPorts": ["yes", "no"], **stolen})

    assert [port.name for port in changed.out_ports] == ["yes", "no"]
    assert {key: changed.raw.get(key) for key in PROTECTED} == {key: manifest.raw.get(key) for key in PROTECTED}
    assert changed.in_ports == manifest.in_ports


@pytest.mark.parametrize("override", [None, {}, "x", {"effect": "pure"}])
def test_an_override_of_nothing_is_the_manifest_itself(override: Json) -> None:
    manifest = parse_manifest(FULL)
    assert manifest.overridden(override) is manifest


def test_an_override_that_makes_no_manifest_is_refused() -> None:
    with pytest.raises(ValidationFailed, match="outPorts"):
        parse_manifest(FULL).overridden({"outPorts": 1})
