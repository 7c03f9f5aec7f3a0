"""How variables are resolved: types, texts, scopes, loops, the old form, and both kinds of transform."""

from collections.abc import Callable, Mapping

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.expressions import (
    MISSING,
    Environment,
    Failure,
    VariableUse,
    compile_template,
    compile_transform,
    variables_of,
)

MakeEnvironment = Callable[..., Environment]
ORDER: Json = {
    "name": "Bob",
    "count": 3,
    "price": 2.0,
    "ratio": 1e-7,
    "open": True,
    "none": None,
    "items": [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}],
    "address": {"city": "Brno", "zip code": "602 00"},
    "Test Deal Name": "Deal",
    "x[0]": "literal",
}
OUTPUTS: dict[tuple[str, str], Json] = {
    ("node-1", "out"): ORDER,
    ("my node", "out"): {"v": 1},
    ("node-1", "error"): "raw",
    ("node-2", "out"): [[1, 2], [3]],
}


def variable(path: str | None = None, *functions: Json) -> Json:
    made: dict[str, Json] = {"functions": list(functions)}
    if path is not None:
        made["variable"] = path
    return made


def function(name: str, *params: Json, **named: Json) -> Json:
    return {
        "name": name,
        "params": [{"value": each} for each in params],
        "hashParams": {key: {"value": value} for key, value in named.items()},
    }


def rendered(env: Environment, text: Json, variables: Mapping[str, Json] | None) -> "Json | object":
    return compile_template(text, variables).render(env)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$.node-1.out.name", "Bob"),
        ("$.node-1.out.count", 3),
        ("$.node-1.out.price", 2.0),
        ("$.node-1.out.open", True),
        ("$.node-1.out.none", None),
        ("$.node-1.out", ORDER),
        ("$.node-1.error", "raw"),
        ("$.my node.out.v", 1),
        ("$.node-1.out.address.city", "Brno"),
        ("$.node-1.out.address.zip code", "602 00"),
        ("$.node-1.out.Test Deal Name", "Deal"),
        ("$.node-1.out.items[1].sku", "b"),
        ("$.node-1.out.items.[1].sku", "b"),
        ("$.node-1.out.items.1.sku", "b"),
        ("$.node-1.out.items.length", 2),
        ("$.node-1.out.x[0]", "literal"),
        ("$.node-2.out[0]", MISSING),
        ("$.node-2.out.[0].[1]", 2),
        ("$.node-1.out.missing", MISSING),
        ("$.node-1.out.name.sub", MISSING),
        ("$.node-1.out.__class__", MISSING),
        ("$.nobody.out.x", MISSING),
        ("topic.id", 7),
        ("nothing", MISSING),
        ("@index", MISSING),
    ],
)
def test_a_lone_variable_keeps_its_type(environment: MakeEnvironment, path: str, expected: Json) -> None:
    env = environment(OUTPUTS, content={"topic": {"id": 7}})

    made = rendered(env, "{{{v}}}", {"v": variable(path)})

    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("$.node-1.out.name", "Bob"),
        ("$.node-1.out.price", "2"),
        ("$.node-1.out.ratio", "1e-7"),
        ("$.node-1.out.open", "true"),
        ("$.node-1.out.none", ""),
        ("$.node-1.out.missing", ""),
        ("$.node-1.out.address", '{"city":"Brno","zip code":"602 00"}'),
        ("$.node-2.out", "[[1,2],[3]]"),
    ],
)
def test_a_variable_among_text_becomes_text(environment: MakeEnvironment, path: str, text: str) -> None:
    assert rendered(environment(OUTPUTS), "<{{{v}}}>", {"v": variable(path)}) == f"<{text}>"


@pytest.mark.parametrize("text", ["plain", "", "{{two}}", "{{{open", "}}}", "{ {{a}} }"])
def test_text_without_a_variable_is_itself(environment: MakeEnvironment, text: str) -> None:
    assert rendered(environment(), text, {}) == text


def test_braces_around_a_variable_stay(environment: MakeEnvironment) -> None:
    assert rendered(environment(OUTPUTS), '{"a":{{{{v}}}}}', {"v": variable("$.node-1.out.count")}) == '{"a":{3}}'


def test_a_variable_without_definition_is_missing(environment: MakeEnvironment) -> None:
    assert rendered(environment(), "{{{v}}}", {}) is MISSING
    assert rendered(environment(), "a{{{v}}}b", {}) == "ab"


def test_leaves_of_objects_and_lists_are_filled_in(environment: MakeEnvironment) -> None:
    entry: Json = {"AND": [{"OR": [{"field": "{{{v}}}", "n": 5, "gone": "{{{w}}}"}]}, "{{{w}}}"]}

    made = rendered(environment(OUTPUTS), entry, {"v": variable("$.node-1.out.open")})

    assert made == {"AND": [{"OR": [{"field": True, "n": 5}]}, None]}


def test_transform_leaves_missing_fields_out_and_keeps_null(environment: MakeEnvironment) -> None:
    transform = compile_transform(
        {
            "type": "json2new",
            "modifiers": {
                "a": {"1": variable("$.node-1.out.missing")},
                "b": {"1": variable("$.node-1.out.none")},
                "c": {"1": variable("$.node-1.out.name")},
            },
            "lambda": {"a": "{{{1}}}", "b": "{{{1}}}", "c": "Hi {{{1}}}", "d": "{{{1}}}", "e": {"f": []}},
        }
    )

    assert transform.apply(environment(OUTPUTS)) == {"b": None, "c": "Hi Bob", "e": {"f": []}}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("json2new", {"b": 2}),
        ("json2ext", {"a": 1, "b": 2}),
        ("JSON2EXT", {"a": 1, "b": 2}),
        ("other", {"b": 2}),
        (None, {"b": 2}),
    ],
)
def test_transform_type_says_what_becomes_of_the_content(
    environment: MakeEnvironment, kind: Json, expected: Json
) -> None:
    transform = compile_transform({"type": kind, "modifiers": {}, "lambda": {"b": 2}})

    assert transform.apply(environment(content={"a": 1, "b": 1})) == expected


def test_a_result_never_shares_the_literals_of_the_flow(environment: MakeEnvironment) -> None:
    transform = compile_transform({"modifiers": {}, "lambda": {"a": {"b": [1]}}})

    first = transform.apply(environment())
    assert isinstance(first, dict)
    first["a"]["b"].append(2)  # type: ignore[index, call-overload, union-attr]

    assert transform.apply(environment()) == {"a": {"b": [1]}}


def test_functions_are_applied_left_to_right(environment: MakeEnvironment) -> None:
    chain = [function("g_jsonPath", "items"), function("g_map", "sku"), function("g_join", separator="+")]

    assert rendered(environment(OUTPUTS), "{{{v}}}", {"v": variable("$.node-1.out", *chain)}) == "a+b"


def test_functions_alone_make_a_value(environment: MakeEnvironment) -> None:
    env = environment()

    assert rendered(env, "{{{v}}}", {"v": variable(None, function("g_flowId"))}) == "flow-1"
    assert rendered(env, "{{{v}}}", {"v": {"functions": [{"name": "g_pi"}, {"name": "g_floor"}]}}) == 3


def test_arguments_may_hold_variables_of_their_own(environment: MakeEnvironment) -> None:
    add: Json = {"name": "g_add", "params": [{"value": "{{{n}}}", "modifiers": {"n": variable("$.node-1.out.count")}}]}
    span: Json = {
        "name": "g_replace",
        "params": [{"value": "o"}, {"value": "<{{{x}}}>", "modifiers": {"x": variable(None, function("g_pi"))}}],
        "hashParams": {"global": {"value": "{{{o}}}", "modifiers": {"o": variable("$.node-1.out.open")}}},
    }
    env = environment(OUTPUTS)

    assert rendered(env, "{{{v}}}", {"v": variable("$.node-1.out.count", add)}) == 6
    assert rendered(env, "{{{v}}}", {"v": variable("$.node-1.out.name", span)}) == "B<3.141592653589793>b"


def test_the_same_variable_is_the_same_chance_and_another_is_not(environment: MakeEnvironment) -> None:
    variables = {"1": variable(None, function("g_uuid4")), "2": variable(None, function("g_uuid4"))}

    made = rendered(environment(), ["{{{1}}}", "{{{1}}}", "{{{2}}}"], variables)

    assert isinstance(made, list)
    assert made[0] == made[1] != made[2]


def test_a_failing_modifier_leaves_its_variable_missing_and_is_noted(environment: MakeEnvironment) -> None:
    transform = compile_transform(
        {
            "modifiers": {"a": {"v": variable("$.node-1.out.name", function("g_add", 1), function("g_pi"))}},
            "lambda": {"a": "{{{v}}}", "b": "x"},
        },
        where="in.node-1.out",
    )
    env = environment(OUTPUTS)

    assert transform.apply(env) == {"b": "x"}
    assert env.failures == [Failure("in.node-1.out.lambda.a", "g_add", '"Bob" is not a number')]


def test_javascript_and_unknown_modifiers_fail_for_their_variable_only(environment: MakeEnvironment) -> None:
    env = environment(OUTPUTS)
    variables = {"1": variable(None, function("g_javascript", "return 1")), "2": variable(None, function("g_own"))}

    assert rendered(env, {"a": "{{{1}}}", "b": "{{{2}}}", "c": 1}, variables) == {"c": 1}
    assert [failure.modifier for failure in env.failures] == ["g_javascript", "g_own"]
    assert "Node runner" in env.failures[0].reason


def block(text: Json, **paths: Json) -> Json:
    return {"value": text, "modifiers": paths}


@pytest.mark.parametrize(
    ("name", "argument", "expected"),
    [
        ("g_map", block("{{{s}}}", s={"variable": "@sku"}), ["a", "b"]),
        ("g_map", block("{{{i}}}:{{{s}}}", s={"variable": "@item.sku"}, i={"variable": "@index"}), ["0:a", "1:b"]),
        ("g_map", block({"n": "{{{n}}}"}, n={"variable": "@value.n"}), [{"n": 1}, {"n": 2}]),
        ("g_map", block("{{{x}}}", x={"variable": "@nothing"}), [None, None]),
        ("g_each", block("{{{s}}}; ", s={"variable": "@sku"}), "a; b; "),
        ("g_each", block("{{{f}}}{{{l}}}|", f={"variable": "@first"}, l={"variable": "@last"}), "truefalse|falsetrue|"),
        (
            "g_filterList",
            block("{{{m}}}", m={"variable": "@n", "functions": [function("g_greaterThan", 1)]}),
            [{"sku": "b", "n": 2}],
        ),
        ("g_filterList", block("{{{m}}} ", m={"variable": "@nothing"}), [{"sku": "a", "n": 1}, {"sku": "b", "n": 2}]),
    ],
)
def test_blocks_read_the_item_of_each_round(
    environment: MakeEnvironment, name: str, argument: Json, expected: Json
) -> None:
    use: Json = {"name": name, "params": [argument]}

    assert rendered(environment(OUTPUTS), "{{{v}}}", {"v": variable("$.node-1.out.items", use)}) == expected


@pytest.mark.parametrize("outer", ["../@index", "@../index"])
def test_an_inner_block_reads_the_outer_round(environment: MakeEnvironment, outer: str) -> None:
    inner: Json = {
        "name": "g_map",
        "params": [block("{{{o}}}-{{{x}}}", o={"variable": outer}, x={"variable": "@item"})],
    }
    each: Json = {"variable": "@item", "functions": [inner]}
    use: Json = {"name": "g_map", "params": [block("{{{each}}}", each=each)]}

    made = rendered(environment(OUTPUTS), "{{{v}}}", {"v": variable("$.node-2.out", use)})

    assert made == [["0-1", "0-2"], ["1-3"]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{{$.node-1.out.count}}}", 3),
        ("n={{{$.node-1.out.count}}}!", "n=3!"),
        ("{{{ $.node-1.out.Test Deal Name }}}", "Deal"),
        ("{{{$.my node.out.v}}}", 1),
        ("{{{topic}}}", 7),
        ("{{{g_flowId}}}", "flow-1"),
        ("{{{g_uppercase $.node-1.out.name}}}", "BOB"),
        ('{{{g_join (g_map $.node-1.out.items "sku") separator="; "}}}', "a; b"),
        ("{{{g_join (g_map $.node-1.out.items 'sku') '}}}'}}}", "a}}}b"),
        ("{{{(g_add $.node-1.out.count 2)}}}", 5),
        ('{{{g_replace $.node-1.out.name "o" (g_flowId) global=true}}}', "Bflow-1b"),
        ('{{{g_replace $.node-1.out.name "(\\w)$" "[$1]" regex=true}}}', "Bo[b]"),
        ("{{{g_condition $.node-1.out.none 1 -2.5}}}", -2.5),
        ("{{{g_uppercase $.[my node].out.v}}}", ""),
        ("{{{g_uppercase $.node-1.out.[Test Deal Name]}}}", "DEAL"),
        ("{{{$.node-1.out.missing}}}", MISSING),
        ("{{{g_nope 1}}}", MISSING),
        ("{{{open", "{{{open"),
    ],
)
def test_the_old_form_holds_paths_and_calls(environment: MakeEnvironment, text: str, expected: Json) -> None:
    assert rendered(environment(OUTPUTS, content={"topic": 7}), text, None) == expected


def test_a_transform_without_modifiers_is_of_the_old_form(environment: MakeEnvironment) -> None:
    old = compile_transform({"lambda": {"a": "{{{$.node-1.out.name}}}"}})
    new = compile_transform({"modifiers": {}, "lambda": {"a": "{{{$.node-1.out.name}}}"}})

    assert old.apply(environment(OUTPUTS)) == {"a": "Bob"}
    assert new.apply(environment(OUTPUTS)) == {}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"lambda": "x"}, "lambda: The lambda is not an object"),
        ({"lambda": {}, "modifiers": []}, "The modifiers are not an object"),
        ({"lambda": {"a": 1}, "modifiers": {"a": 5}}, "The variables are not an object"),
        ({"lambda": {"a": "{{{v}}}"}, "modifiers": {"a": {"v": 5}}}, 'The variable "v" is not an object'),
        ({"lambda": {"a": "{{{v}}}"}, "modifiers": {"a": {"v": {"variable": "$.x"}}}}, "names no component and port"),
        ({"lambda": {"a": "{{{v}}}"}, "modifiers": {"a": {"v": {"variable": 5}}}}, "path is not a text"),
        ({"lambda": {"a": "{{{v}}}"}, "modifiers": {"a": {"v": {"functions": 5}}}}, "are not a list"),
        ({"lambda": {"a": "{{{v}}}"}, "modifiers": {"a": {"v": {"functions": [{}]}}}}, "has no name"),
        ({"lambda": {"a": "{{{g_x (}}}"}}, "cannot be read"),
        ({"lambda": {"a": '{{{g_x "}}}'}}, "no closing quote"),
        ({"lambda": {"a": "{{{}}}"}}, "cannot be read"),
    ],
)
def test_a_malformed_entry_is_refused_with_its_place(entry: Mapping[str, Json], message: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        compile_transform(entry)

    assert message in str(caught.value)


def test_all_problems_are_named_at_once() -> None:
    with pytest.raises(ValidationFailed) as caught:
        compile_transform({"lambda": {"a": "{{{g_x (}}}", "b": "{{{g_y )}}}"}}, where="transform.in.s.out")

    assert [problem.where for problem in caught.value.problems] == [
        "transform.in.s.out.lambda.a",
        "transform.in.s.out.lambda.b",
    ]


def test_every_output_that_a_lambda_reads_is_listed_once() -> None:
    nested: Json = {"name": "g_add", "params": [{"value": "{{{n}}}", "modifiers": {"n": variable("$.n2.out.k")}}]}
    entry: dict[str, Json] = {
        "modifiers": {
            "a": {
                "1": variable("$.n1.out.x.y", nested),
                "2": variable("topic"),
                "unused": variable("$.n9.out.z"),
            },
            "b": {"1": variable("$.n1.out")},
        },
        "lambda": {"a": ["{{{1}}}", "{{{1}}} and {{{2}}}"], "b": {"c": "{{{1}}}"}},
    }

    assert variables_of(entry) == [
        VariableUse("a", "n1", "out", "x.y"),
        VariableUse("a", "n2", "out", "k"),
        VariableUse("b", "n1", "out", ""),
    ]
    assert variables_of({"lambda": {"a": "{{{g_add $.n1.out.x $.n2.out.y}}}"}}) == [
        VariableUse("a", "n1", "out", "x"),
        VariableUse("a", "n2", "out", "y"),
    ]
