"""Laws that hold for any data and any expression: data stays data, results are JSON, nothing runs away."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from headrace_core import Json
from headrace_core.errors import HeadraceError, ValidationFailed
from headrace_core.expressions import (
    MISSING,
    MODIFIER_NAMES,
    Environment,
    FlowValues,
    LimitExceeded,
    Limits,
    Missing,
    apply_modifier,
    compile_template,
    compile_transform,
)
from hypothesis import given, settings
from hypothesis import strategies as st

MakeEnvironment = Callable[..., Environment]

ESCAPES = [
    "__class__", "__class__.__mro__[1].__subclasses__()", "constructor.constructor('return process')()", "__proto__",
    "{{{$.n.out.secret}}}", "{{{v}}}", "{{ 7*7 }}", "${7*7}", "#{7*7}", "{0.__class__.__init__.__globals__}", "%s%n",
    "%(x)s", "={{ $json }}", "'; import os; os.system('id') #", "function(){while(1);}", "(() => process)()",
    "$eval('1')", "../../etc/passwd", "\x00", "\ud800", "}}}{{{", "{{{g_uuid4}}}", "[?(@.constructor)]",
    "(a+)+$", "((((((((((", "[[[[[", "\\", "\\1", "(?P<x>a)(?P=x)", "$&", "${IFS}", "1e999", "-0", "NaN",
]  # fmt: skip
"""What attackers have put into templates, expressions and data elsewhere."""

DELIMITERS = st.sampled_from(["{{{", "}}}", "{{{v}}}", "$.", "@", "`", "${", "{{{$.n.out.x}}}", "(", '"', "\\"])
TEXTS = st.lists(st.one_of(DELIMITERS, st.text(max_size=5)), max_size=6).map("".join)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=8,
)


class OneOutput:
    """A scope in which every component has sent the same value."""

    def __init__(self, value: Json) -> None:
        self._value = value

    def lookup(self, node_id: str, port: str) -> "Json | Missing":
        return self._value


def environment_of(value: Json, limits: Limits | None = None) -> Environment:
    flow = FlowValues("f", "F", "u", "https://example.test", {})
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Environment(OneOutput(value), value, flow, now, b"seed", limits or Limits(wall_seconds=5))


@settings(max_examples=150, deadline=None)
@given(value=VALUES)
def test_data_with_delimiters_passes_through_five_steps_untouched(value: Json) -> None:
    whole: Json = {"variable": "$.n.out"}
    step = compile_transform(
        {"modifiers": {"a": {"v": whole}, "b": {"v": whole}}, "lambda": {"a": "{{{v}}}", "b": ["{{{v}}}"]}}
    )
    passed = value
    for _ in range(5):
        content = step.apply(environment_of(passed))
        assert isinstance(content, dict)
        assert content["b"] == [passed]
        passed = content["a"]

    assert json.dumps(passed) == json.dumps(value)


@settings(max_examples=150, deadline=None)
@given(text=TEXTS)
def test_data_with_delimiters_stands_in_a_text_as_it_is(text: str) -> None:
    new = compile_template("<{{{v}}}|{{{w}}}>", {"v": {"variable": "$.n.out"}, "w": {"functions": [{"name": "g_pi"}]}})
    old = compile_template("<{{{$.n.out}}}>", None)

    assert new.render(environment_of(text)) == f"<{text}|3.141592653589793>"
    assert old.render(environment_of(text)) == f"<{text}>"


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(sorted(MODIFIER_NAMES)),
    value=VALUES,
    params=st.lists(st.one_of(VALUES, st.sampled_from(ESCAPES)), max_size=3),
    flag=st.booleans(),
)
def test_any_modifier_on_any_data_gives_json_or_a_clear_failure(
    name: str, value: Json, params: list[Json], flag: bool
) -> None:
    named: dict[str, Json] = {"regex": flag, "global": flag, "inclusive": flag}

    try:
        made = apply_modifier(name, value, params, named, environment_of(value))
    except ValidationFailed as error:
        assert error.problems[0].message
    else:
        json.dumps(made, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(
    names=st.lists(st.sampled_from(sorted(MODIFIER_NAMES)), min_size=1, max_size=4),
    value=VALUES,
    param=st.one_of(VALUES, st.sampled_from(ESCAPES)),
)
def test_any_chain_of_modifiers_leaves_a_transform_that_json_can_write(
    names: list[str], value: Json, param: Json
) -> None:
    functions: list[Json] = [{"name": name, "params": [{"value": param}]} for name in names]
    variable: Json = {"variable": "$.n.out", "functions": functions}
    transform = compile_transform({"modifiers": {"a": {"v": variable}}, "lambda": {"a": "{{{v}}}", "b": "x{{{v}}}"}})

    json.dumps(transform.apply(environment_of(value)), allow_nan=False)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(TEXTS, st.text(alphabet="{}$.@ ()[]\"'=ng_1x/", max_size=40)))
def test_any_text_is_a_template_or_is_refused_when_it_is_saved(text: str) -> None:
    try:
        template = compile_template(text, None)
    except ValidationFailed:
        return

    json.dumps(template.render(environment_of({"x": 1})) or None)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.sampled_from(ESCAPES), st.text(alphabet="$.@ ()[]\"'=n1x/*?:,<>&|!{}^~+-%`;λ", max_size=30)))
@pytest.mark.parametrize("name", ["g_jsonPath", "g_jsonata", "g_regex", "g_set", "g_pick", "g_formatDate"])
def test_any_text_is_an_expression_or_fails_with_its_reason(name: str, text: str) -> None:
    try:
        made = apply_modifier(name, {"x": [1, "a"]}, [text, "y"], {}, environment_of(None))
    except ValidationFailed:
        return

    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize("escape", ESCAPES)
def test_paths_reach_members_only(escape: str, environment: MakeEnvironment) -> None:
    for path in (f"$.n.out.{escape}", escape.replace("$.", "")):
        try:
            template = compile_template("{{{v}}}", {"v": {"variable": path}})
        except ValidationFailed:
            continue
        assert template.render(environment({("n", "out"): {"secret": 1}}, content={"secret": 1})) is MISSING


def deep(levels: int) -> Json:
    value: Json = 1
    for _ in range(levels):
        value = [value]
    return value


FLAT: Json = list(range(50_000))
Case = tuple[str, Json, list[Json], dict[str, Json]]
HEAVY: list[Case] = [
    ("g_regex", "a" * 50_000 + "!", ["(a+)+$"], {}),
    ("g_regex", "a" * 50_000, ["(a|aa)+$"], {"global": True}),
    ("g_regex", "x", ["((((a{50}){50}){50}){50})"], {}),
    ("g_regex", "é" * 500_000, [""], {"global": True}),
    ("g_regex", "a" * 400_000, ["a[^]*z|a"], {"global": True}),
    ("g_replace", "a" * 500_000, ["a", "b" * 500_000], {"global": True}),
    ("g_replace", "a" * 500_000, ["a", "$&" * 5_000], {"global": True, "regex": True}),
    ("g_pad", "x", [2**62, "left", "0"], {}),
    ("g_pad", "x", ["1e300"], {}),
    ("g_split", "a" * 5_000_000, [""], {}),
    ("g_splitWords", "a1" * 500_000, [], {}),
    ("g_camelCase", "aB" * 5_000_000, [], {}),
    ("g_set", {}, ["a." * 900 + "a", 1], {}),
    ("g_set", [], ["99999999", 1], {}),
    ("g_flatten", deep(900), [True], {}),
    ("g_stringify", deep(900), [], {}),
    ("g_stringify", deep(100_000), [], {}),
    ("g_jsonPath", "[" * 200_000 + "]" * 200_000, ["$..*"], {}),
    ("g_jsonPath", deep(100_000), ["$..*"], {}),
    ("g_jsonPath", FLAT, ["$[?(@ == $[?(@ > 1)])]"], {}),
    ("g_jsonPath", {}, ["$" + "..*" * 600], {}),
    ("g_jsonPath", deep(300), ["$..*..*..*..*"], {}),
    ("g_jsonata", deep(900), ["**"], {}),
    ("g_jsonata", {}, ["(" * 5_000], {}),
    ("g_jsonata", {}, ["-" * 5_000 + "1"], {}),
    ("g_jsonata", {}, ["$f(" * 1_000], {}),
    ("g_jsonata", {}, ["($f := function($x){ [$f($x), $f($x)] }; $f(1))"], {}),
    ("g_deduplicate", [deep(50) for _ in range(20_000)], [], {}),
    ("g_map", FLAT, ["a." * 900 + "a"], {}),
    ("g_mul", 10**308, [10**308], {}),
    ("g_mul", "9" * 400, ["9" * 400], {}),
    ("g_add", 10**5_000, [1], {}),
    ("g_stringify", [10**5_000], [], {}),
    ("g_join", [10**5_000], [], {}),
    ("g_formatDate", "2024-01-01", ["dddd" * 50], {}),
    ("g_formatDate", "1" * 1_000_000, [], {}),
    ("g_formatDate", 10**300, [], {}),
    ("g_addTimeSpan", "2024-01-01", [], {"years": 10**300}),
    ("g_addTimeSpan", "9999-12-31", [], {"hours": 48}),
    ("g_relativeTime", "0001-01-01T00:00:00+23:59", [], {}),
    ("g_decodeUrl", "%" * 1_000_000, [], {}),
    ("g_extractEmail", "a" * 500_000 + "@", [], {}),
    ("g_extractUrls", "http://" * 100_000, [], {}),
    ("g_nthIndex", [1], [10**300], {}),
    ("g_truncate", "x", [-(10**300)], {}),
]
LIGHT: list[Case] = [(name, text, [text, text], {}) for name in sorted(MODIFIER_NAMES) for text in ESCAPES]


def run(case: Case) -> None:
    name, value, params, named = case
    try:
        made = apply_modifier(name, value, params, named, environment_of(value, Limits()))
    except HeadraceError:
        return
    json.dumps(made, allow_nan=False)


@pytest.mark.parametrize("case", HEAVY, ids=lambda case: case[0])
def test_hostile_work_ends_within_its_limits(case: Case) -> None:
    started = time.process_time()

    run(case)

    # The deadline is 0.2 s; the rest is one long step, and the machine that runs the tests.
    assert time.process_time() - started < 1.0


def test_nested_loops_end_within_the_limits() -> None:
    items: Json = list(range(1_000))
    text: Json = {"value": "{{{x}}}", "modifiers": {"x": {"variable": "$.n.out"}}}
    for _ in range(3):
        inner: Json = {"variable": "$.n.out", "functions": [{"name": "g_map", "params": [text]}]}
        text = {"value": "{{{x}}}", "modifiers": {"x": inner}}
    variable: Json = {"variable": "$.n.out", "functions": [{"name": "g_map", "params": [text]}]}
    template = compile_template("{{{v}}}", {"v": variable})

    with pytest.raises(LimitExceeded):
        template.render(environment_of(items, Limits()))


def test_one_large_value_placed_many_times_is_over_the_output_limit() -> None:
    lambda_: Json = {str(n): "{{{v}}}" for n in range(100)}
    modifiers: Json = {str(n): {"v": {"variable": "$.n.out"}} for n in range(100)}
    transform = compile_transform({"modifiers": modifiers, "lambda": lambda_})

    values: list[Json] = ["x" * 1_000_000, ["x" * 1_000_000]]
    for value in values:
        with pytest.raises(LimitExceeded):
            transform.apply(environment_of(value, Limits()))


def test_a_template_nested_too_deeply_is_refused_when_it_is_saved() -> None:
    with pytest.raises(ValidationFailed):
        compile_template(deep(200), {})


_watched: list[str] = []
_is_watching = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _is_watching and event.split(".")[0] in ("import", "open", "exec", "compile", "subprocess", "socket", "os"):
        _watched.append(f"{event} {arguments!r}"[:200])


@contextmanager
def watching() -> Iterator[list[str]]:
    """Collect what evaluation asks of the interpreter. A hook cannot be taken away, so it is switched."""
    global _is_watching
    _watched.clear()
    _is_watching = True
    try:
        yield _watched
    finally:
        _is_watching = False


def test_evaluation_imports_opens_compiles_and_starts_nothing() -> None:
    for case in (*HEAVY, *LIGHT):
        run(case)
    sys.addaudithook(_audit)

    with watching() as events:
        for case in (*HEAVY, *LIGHT):
            run(case)

    assert events == []


def test_evaluation_leaves_the_interpreter_as_it_was() -> None:
    before = (dict(vars(object)), dict(vars(dict)), set(sys.modules), sys.getrecursionlimit(), dict(vars(Missing)))

    for case in (*HEAVY, *LIGHT):
        run(case)

    after = (dict(vars(object)), dict(vars(dict)), set(sys.modules), sys.getrecursionlimit(), dict(vars(Missing)))
    assert after == before
