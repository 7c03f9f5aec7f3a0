"""What keeps a flow from starting is named with node, port, field, fix and severity."""

import copy
from collections.abc import Mapping

import pytest
from headrace_core import Json
from headrace_core.errors import Problem, Severity
from headrace_core.flow import parse_descriptor
from headrace_core.manifest import Manifest, parse_manifest
from headrace_core.validation import errors_of, validate_flow

_MANIFESTS: list[dict[str, Json]] = [
    {"name": "headrace.utils.controls.OnStart", "outPorts": [{"name": "out", "options": [{"value": "started"}]}]},
    {
        "name": "test.core.text.Send",
        "inPorts": [
            {
                "name": "in",
                "maxConnections": 2,
                "schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}, "to": {"type": "string", "required": True}},
                    "required": ["text"],
                },
            },
            "count",
        ],
        "outPorts": ["out", "other"],
        "properties": {
            "schema": {"properties": {"size": {"type": "integer"}, "key": {"type": "string"}}, "required": ["size"]},
            "inspector": {"inputs": {"key": {"defaultValue": "k"}}},
        },
    },
    {"name": "test.core.text.Pass", "inPorts": ["in"], "outPorts": ["out"], "effect": "pure"},
    {"name": "test.core.text.Choose", "inPorts": ["in"], "outPorts": ["yes", "no"], "effect": "pure"},
    {"name": "test.core.text.Free", "inPorts": ["in"], "outPorts": [{"source": {"url": "/x"}}]},
    {"name": "test.core.text.Odd", "inPorts": ["in"], "properties": {"schema": {"$ref": "http://example.com"}}},
]
MANIFESTS: Mapping[str, Manifest] = {each.type: each for each in map(parse_manifest, _MANIFESTS)}

GOOD: dict[str, Json] = {
    "start": {"type": "appmixer.utils.controls.OnStart", "source": {}},
    "send": {
        "type": "test.core.text.Send",
        "source": {"in": {"start": ["out"]}},
        "config": {
            "properties": {"size": 3},
            "transform": {
                "in": {
                    "start": {
                        "out": {
                            "type": "json2new",
                            "modifiers": {"text": {"v1": {"variable": "$.start.out.started", "functions": []}}},
                            "lambda": {"text": "at {{{v1}}}", "to": "me"},
                        }
                    }
                }
            },
        },
    },
    "pass": {"type": "test.core.text.Pass", "source": {"in": {"send": ["out"]}}},
}


def check(flow: dict[str, Json], *, strict: bool = True) -> list[Problem]:
    return validate_flow(parse_descriptor(flow), MANIFESTS.get, strict=strict, known_types=MANIFESTS)


def changed(path: str, value: Json) -> dict[str, Json]:
    """The good flow with one value set; "/" stands between the steps to it."""
    flow = copy.deepcopy(GOOD)
    *steps, last = path.split("/")
    part: Json = flow
    for step in steps:
        assert isinstance(part, dict)
        part = part.setdefault(step, {})
    assert isinstance(part, dict)
    part[last] = value
    return flow


LAMBDA = "send/config/transform/in/start/out"


def reading(variable: str, **more: Json) -> Json:
    found: dict[str, Json] = {"variable": variable, "functions": [], **more}
    return {"modifiers": {"text": {"v1": found}}, "lambda": {"text": "{{{v1}}}", "to": "me"}}


def test_a_good_flow_has_no_problems() -> None:
    assert check(GOOD) == []


ERROR: Severity = "error"
WARNING: Severity = "warning"
MALFORMED = "Malformed transformation"
LINK = "config.transform.in.start.out"

Row = tuple[str, Json, str, str, str, Severity, str, str]

# what is set, to what; then of the problem: place in the node, port, field ("" = the place), severity, message, fix
TABLE: list[Row] = [
    ("pass/type", "test.core.text.Pas", "type", "", "", ERROR, "no component", "Did you mean 'test.core.text.Pass'?"),
    ("pass/type", "a.b.c.D", "type", "", "", ERROR, "no component 'a.b.c.D'", "Install"),
    (
        "pass/source",
        {"in": {"sen": ["out"]}},
        "source.in.sen",
        "in",
        "",
        ERROR,
        "no node 'sen'",
        "Did you mean 'send'?",
    ),
    ("pass/source", {"in": {"pass": ["out"]}}, "source.in.pass", "in", "", ERROR, "linked to itself", "Remove"),
    (
        "pass/source",
        {"inn": {"send": ["out"]}},
        "source.inn",
        "inn",
        "",
        ERROR,
        "no in-port 'inn'",
        "Did you mean 'in'?",
    ),
    ("start/source", {"in": {"pass": ["out"]}}, "source.in", "in", "", ERROR, "no in-port 'in'", "It has none."),
    (
        "pass/source",
        {"in": {"send": ["done"]}},
        "source.in.send",
        "in",
        "",
        ERROR,
        "no out-port 'done'",
        "Choose one of out, other.",
    ),
    ("pass/source", {"in": {"send": ["error"]}}, "source.in.send", "in", "", ERROR, "no out-port 'error'", "errorPort"),
    ("pass/source", {}, "source", "in", "", WARNING, "Nothing leads to this node", "Link it"),
    (
        "send/source/in",
        {"start": ["out"], "x": ["out", "other", "more"]},
        "source.in",
        "in",
        "",
        ERROR,
        "takes 2 link(s), and 4",
        "Remove",
    ),
    (
        "send/config/properties/size",
        "big",
        "config.properties.size",
        "",
        "size",
        ERROR,
        "a whole number, and is text",
        "'size'",
    ),
    ("send/config/properties", {}, "config.properties.size", "", "size", ERROR, "A value is required", "'size'"),
    ("send/config/properties/key", 5, "config.properties.key", "", "key", ERROR, "must be text", "'key'"),
    ("pass/type", "test.core.text.Odd", "config.properties", "", "", WARNING, "cannot be checked", "Ask"),
    (
        "send/config/transform",
        {"input": {}},
        "config.transform.input",
        "input",
        "",
        ERROR,
        MALFORMED,
        "Choose one of in, count.",
    ),
    ("send/config/transform", {"in": []}, "config.transform.in", "in", "", ERROR, MALFORMED, "Write"),
    ("send/config/transform", {"in": {"start": 1}}, "config.transform.in.start", "in", "", ERROR, MALFORMED, "Write"),
    (LAMBDA, "x", LINK, "in", "", ERROR, MALFORMED, "Write"),
    (
        "send/config/transform/in/gone",
        {"out": {}},
        "config.transform.in.gone.out",
        "in",
        "",
        WARNING,
        "no such link",
        "draw the link",
    ),
    (
        LAMBDA,
        reading("$.gone.out.x"),
        LINK + ".lambda.text",
        "in",
        "text",
        ERROR,
        "'gone', which is not in the flow",
        "Choose",
    ),
    (LAMBDA, reading("$.pass.out.x"), LINK + ".lambda.text", "in", "text", ERROR, "does not come before", "Link it"),
    (LAMBDA, reading("$.send.out.x"), LINK + ".lambda.text", "in", "text", ERROR, "does not come before", "Link it"),
    (
        LAMBDA,
        reading("$.start.done.x"),
        LINK + ".lambda.text",
        "in",
        "text",
        ERROR,
        "out-port 'done'",
        "Choose one of out.",
    ),
    (
        LAMBDA,
        {"lambda": {"text": "x"}},
        LINK + ".lambda.to",
        "in",
        "to",
        ERROR,
        "'to' of in-port 'in' is required",
        "Fill it in.",
    ),
    (
        LAMBDA,
        {"lambda": {"text": None, "to": "x"}},
        LINK + ".lambda.text",
        "in",
        "text",
        ERROR,
        "'text' of in-port 'in' is required",
        "Fill it in.",
    ),
    (
        "pass/errorHandling",
        {"autoRetry": False, "maxRetries": 2},
        "errorHandling.maxRetries",
        "",
        "",
        WARNING,
        "autoRetry is off",
        "Switch",
    ),
    (
        "pass/errorHandling",
        {"onError": "errorPort"},
        "errorHandling.onError",
        "error",
        "",
        WARNING,
        "nothing is linked",
        "Link",
    ),
    ("pass/manifest", {"inPorts": 5}, "manifest.inPorts", "", "", ERROR, "a number", "Write a list"),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]} {row[6]}")
def test_a_problem_names_node_port_field_and_fix(row: Row) -> None:
    path, value, place, port, field, severity, says, fix = row
    node = path.partition("/")[0]

    found = [each for each in check(changed(path, value)) if each.where == f"flow.{node}.{place}"]

    assert len(found) == 1, found
    assert (found[0].node, found[0].port, found[0].field) == (node, port, field or place)
    assert found[0].severity == severity
    assert says in found[0].message
    assert fix in found[0].fix


def test_an_unknown_modifier_is_named() -> None:
    flow = changed(LAMBDA, reading("$.start.out.started", functions=[{"name": "g_uppercas"}]))

    (problem,) = check(flow)

    assert (problem.node, problem.port, problem.severity) == ("send", "in", "error")
    assert (problem.where, problem.field) == (f"flow.send.{LINK}.modifiers.text", "text")
    assert "'g_uppercas'" in problem.message
    assert problem.fix == "Did you mean 'g_uppercase'?"


def test_a_modifier_of_a_parameter_is_looked_at_and_an_installed_one_is_known() -> None:
    parameter: Json = {"value": "{{{p}}}", "modifiers": {"p": {"functions": [{"name": "g_own"}]}}}
    function: Json = {"name": "g_add", "params": [parameter]}
    flow = parse_descriptor(changed(LAMBDA, reading("$.start.out.started", functions=[function])))

    (problem,) = validate_flow(flow, MANIFESTS.get, strict=True)

    assert "'g_own'" in problem.message
    assert validate_flow(flow, MANIFESTS.get, strict=True, modifier_names={"g_add", "g_own"}) == []


def test_what_is_unfinished_is_a_warning_until_the_start() -> None:
    unfinished = [changed("send/config/properties", {}), changed(LAMBDA, {"lambda": {"text": "x"}})]

    for flow in unfinished:
        assert [each.severity for each in check(flow, strict=False)] == ["warning"]
        assert [each.severity for each in check(flow)] == ["error"]


def test_a_wrong_value_is_an_error_at_any_time() -> None:
    assert errors_of(check(changed("send/config/properties/size", "big"), strict=False))


def test_a_transform_that_extends_may_leave_required_fields_to_the_message() -> None:
    assert check(changed(LAMBDA, {"type": "JSON2EXT", "lambda": {"text": "x"}})) == []


def test_the_error_port_is_there_when_failures_leave_through_it() -> None:
    flow = changed("pass/source", {"in": {"send": ["error"]}})
    send = flow["send"]
    assert isinstance(send, dict)
    send["errorHandling"] = {"onError": "errorPort"}

    assert check(flow) == []


def test_an_override_adds_ports_to_one_node_only() -> None:
    flow = changed("send/manifest", {"outPorts": ["special"]})
    assert [each.message for each in check(flow)] == ["Node 'send' (Send) has no out-port 'out'."]

    flow["pass"] = {"type": "test.core.text.Pass", "source": {"in": {"send": ["special"]}}}
    assert check(flow) == []


def test_dynamic_out_ports_may_have_any_name() -> None:
    flow = changed("free", {"type": "test.core.text.Free", "source": {"in": {"send": ["out"]}}})
    flow["after"] = {"type": "test.core.text.Pass", "source": {"in": {"free": ["whatever"]}}}

    assert check(flow) == []


def test_a_variable_of_the_branch_not_taken_is_pointed_out() -> None:
    flow = changed("send/config/transform", {})
    entry: Json = {"modifiers": {"a": {"v": {"variable": "$.send.other"}}}, "lambda": {"a": "{{{v}}}"}}
    flow["pass"] = {
        "type": "test.core.text.Pass",
        "source": {"in": {"send": ["out"]}},
        "config": {"transform": {"in": {"send": {"out": entry}}}},
    }

    (problem,) = check(flow)

    assert problem.severity == "warning"
    assert "never there" in problem.message


def _loop(kind: str) -> dict[str, Json]:
    flow = copy.deepcopy(GOOD)
    flow["a"] = {
        "type": "test.core.text.Pass",
        "source": {"in": {"send": ["out"], "b": ["out" if kind == "Pass" else "yes"]}},
    }
    flow["b"] = {"type": f"test.core.text.{kind}", "source": {"in": {"a": ["out"]}}}
    return flow


def test_a_loop_that_cannot_end_is_refused_and_others_are_pointed_out() -> None:
    (endless,) = check(_loop("Pass"))
    (choosing,) = check(_loop("Choose"))

    assert (endless.severity, endless.node) == ("error", "a")
    assert "'a' → 'b' → 'a'" in endless.message
    assert choosing.severity == "warning"


def test_a_flow_without_a_trigger_is_pointed_out() -> None:
    (problem,) = check({})

    assert (problem.where, problem.severity) == ("flow", "warning")


def test_each_manifest_is_asked_for_once() -> None:
    asked: list[str] = []

    def manifest_of(component_type: str) -> Manifest | None:
        asked.append(component_type)
        return MANIFESTS.get(component_type)

    flow: dict[str, Json] = {str(each): {"type": "test.core.text.Pass"} for each in range(5)}
    validate_flow(parse_descriptor({**GOOD, **flow}), manifest_of, strict=True)

    assert sorted(asked) == sorted(set(asked))
