"""Every default modifier, by a table of value, arguments and result."""

import math
import uuid
from collections.abc import Callable

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.expressions import MODIFIER_NAMES, Environment, apply_modifier, default_modifiers

MakeEnvironment = Callable[..., Environment]
PEOPLE: Json = [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 20}, {"name": "Ann", "age": 40}]
DAY = "2024-03-01T09:05:07.089Z"

TABLE: list[tuple[str, Json, list[Json], dict[str, Json], Json]] = [
    ("stringify", {"a": [1.0, None, "é"]}, [], {}, '{"a":[1,null,"é"]}'),
    ("stringify", {"a": 1}, [], {"space": 2}, '{\n  "a": 1\n}'),
    ("stringify", {"a": 1}, [], {"space": 0}, '{"a":1}'),
    ("stringify", 'say "x"', [], {}, '"say \\"x\\""'),
    ("jsonPath", {"a": {"b": 1}}, ["a.b"], {}, 1),
    ("jsonPath", [{"filename": "x"}], ["0.filename"], {}, "x"),
    ("jsonPath", '{"a": 1}', ["$.a"], {}, 1),
    ("jsonPath", PEOPLE, ["$[?(@.age > 25)].name"], {}, ["Ann", "Ann"]),
    ("jsonPath", {"a": 1}, ["b"], {}, None),
    ("jsonata", {"a": [1, 2, 3]}, ["$sum(a)"], {}, 6),
    ("toPairs", {"a": 1, "b": 2}, [], {}, [["a", 1], ["b", 2]]),
    ("keys", {"a": 1, "b": 2}, [], {}, ["a", "b"]),
    ("keys", ["x", "y"], [], {}, ["0", "1"]),
    ("values", {"a": 1, "b": 2}, [], {}, [1, 2]),
    ("set", {"a": {"b": 1}, "c": 2}, ["a.b", 5], {}, {"a": {"b": 5}, "c": 2}),
    ("set", {}, ["a[1].b", "x"], {}, {"a": [None, {"b": "x"}]}),
    ("set", None, ["a['b c']", '{"d":1}'], {}, {"a": {"b c": {"d": 1}}}),
    ("set", {}, ["__class__.__globals__", 1], {}, {"__class__": {"__globals__": 1}}),
    ("length", [1, 2], [], {}, 2),
    ("length", "abc", [], {}, 3),
    ("length", None, [], {}, 0),
    ("pick", PEOPLE, ["age"], {}, [30, 20, 40]),
    ("pick", {"a": {"b": 2}}, ["a.b"], {}, 2),
    ("map", PEOPLE, ["name"], {}, ["Ann", "Bob", "Ann"]),
    ("map", [{"a": {"b": 1}}, {}], ["a.b"], {}, [1, None]),
    ("join", [1, "b", None, True], [], {}, "1,b,,true"),
    ("join", ["a", "b"], ["; "], {}, "a; b"),
    ("first", [1, 2], [], {}, 1),
    ("first", "abc", [], {}, "a"),
    ("first", [], [], {}, None),
    ("first", "[7, 8]", [], {}, 7),
    ("last", [1, 2], [], {}, 2),
    ("nthIndex", [1, 2, 3], [1], {}, 2),
    ("nthIndex", [1, 2, 3], ["-1"], {}, 3),
    ("nthIndex", [1], [5], {}, None),
    ("initial", [1, 2, 3], [], {}, [1, 2]),
    ("initial", [1, 2, 3], [2], {}, [1]),
    ("tail", [1, 2, 3], [], {}, [2, 3]),
    ("tail", [1, 2, 3], [5], {}, []),
    ("reverse", [1, 2], [], {}, [2, 1]),
    ("flatten", [1, [2, [3]]], [], {}, [1, 2, [3]]),
    ("flatten", [1, [2, [3]]], ["true"], {}, [1, 2, 3]),
    ("sum", [1, "2", 3.5], [], {}, 6.5),
    ("sum", [], [], {}, 0),
    ("maxList", [1, 5, 3], [], {}, 5),
    ("minList", [4, 2, 3], [], {}, 2),
    ("avgList", [1, 2, 3], [], {}, 2),
    ("avgList", [], [], {}, None),
    ("each", ["a", "b"], ["x"], {}, "xx"),
    ("filterList", [1, 2, 1, "1"], ["1"], {}, [1, 1, "1"]),
    ("filterList", [{"on": True, "n": 1}, {"on": False}, {}], ["on"], {}, [{"on": True, "n": 1}]),
    ("shuffle", [1], [], {}, [1]),
    ("deduplicate", [1, 1.0, "1", True, 1, {"a": 1}, {"a": 1.0}], [], {}, [1, "1", True, {"a": 1}]),
    ("deduplicate", PEOPLE, ["name"], {}, [{"name": "Ann", "age": 30}, {"name": "Bob", "age": 20}]),
    ("lowercase", "AbÇ", [], {}, "abç"),
    ("uppercase", "aß", [], {}, "ASS"),
    ("regex", "a1b22", ["([a-z])(\\d+)"], {}, ["a1", "a", "1"]),
    ("regex", "a1b22", ["\\d+"], {"global": True}, ["1", "22"]),
    ("regex", "xX", ["X"], {"ignorecase": True}, ["x"]),
    ("regex", "a\nb", ["^b$"], {"multiline": "true"}, ["b"]),
    ("regex", "a", ["b"], {}, None),
    ("regex", "x/A", ["\\/\\u0041"], {}, ["/A"]),
    ("md5", "abc", [], {}, "900150983cd24fb0d6963f7d28e17f72"),
    ("sha1", "abc", [], {}, "a9993e364706816aba3e25717850c26c9cd0d89d"),
    ("sha256", "abc", [], {}, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    ("sha512", "", [], {}, "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
     "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e"),
    ("base64", "héllo", [], {}, "aMOpbGxv"),
    ("base64", "\ud800", [], {}, "77+9"),
    ("extractEmail", "write to Ann <ann.b+x@mail.example.org>, please", [], {}, "ann.b+x@mail.example.org"),
    ("extractEmail", "nobody", [], {}, None),
    ("extractUrls", "see https://a.example/x?y=1, (http://b.example).", [], {},
     ["https://a.example/x?y=1", "http://b.example"]),
    ("encodeUrl", "a b/ü?", [], {}, "a%20b/%C3%BC?"),
    ("encodeUrl", "a b/?", [True], {}, "a%20b%2F%3F"),
    ("decodeUrl", "a%20b%2F", [], {}, "a b%2F"),
    ("decodeUrl", "a%20b%2F", ["true"], {}, "a b/"),
    ("trim", "  x ", [], {}, "x"),
    ("trim", "--x-", ["-"], {}, "x"),
    ("trimStart", "  x ", [], {}, "x "),
    ("trimEnd", "  x ", [], {}, "  x"),
    ("truncate", "hi-diddly-ho there, neighborino", [], {}, "hi-diddly-ho there, neighbo..."),
    ("truncate", "abcdef", [4, "…"], {}, "abc…"),
    ("truncate", "abc", [3], {}, "abc"),
    ("escapeHtml", "<a href=\"x\">'&", [], {}, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"),
    ("splitWords", "fred, barney & XMLFile2go", [], {}, ["fred", "barney", "XML", "File", "2", "go"]),
    ("splitByWhitespace", " a  b\nc ", [], {}, ["a", "b", "c"]),
    ("replace", "a.b.c", [".", "-"], {}, "a-b.c"),
    ("replace", "a.b.c", [".", "$&"], {"global": True}, "a$&b$&c"),
    ("replace", "John Smith", ["(\\w+) (\\w+)", "$2, $1"], {"regex": True}, "Smith, John"),
    ("replace", "aXbx", ["x", "-"], {"regex": True, "global": True, "ignorecase": True}, "a-b-"),
    ("replace", "a.B.b", ["b", "$"], {"global": True, "ignorecase": True}, "a.$.$"),
    ("split", "a-b-c", ["-"], {}, ["a", "b", "c"]),
    ("split", "ab", [""], {}, ["a", "b"]),
    ("pad", "abc", [8, "both", "_-"], {}, "_-abc_-_"),
    ("pad", "5", [3, "left", "0"], {}, "005"),
    ("pad", 5, ["3", "right"], {}, "5  "),
    ("pad", "long", [2], {}, "long"),
    ("kebabCase", "fooBar BAZ_qux", [], {}, "foo-bar-baz-qux"),
    ("camelCase", "--Foo bar_éclair's", [], {}, "fooBarEclairs"),
    ("camelCase", "1st place", [], {}, "1stPlace"),
    ("snakeCase", "Foo Bar2", [], {}, "foo_bar_2"),
    ("lowerFirst", "ABC", [], {}, "aBC"),
    ("upperFirst", "abc", [], {}, "Abc"),
    ("condition", 1, ["yes", "no"], {}, "yes"),
    ("condition", "", ["yes", "no"], {}, "no"),
    ("condition", 0, ["yes"], {}, None),
    ("equals", 1, ["1"], {}, True),
    ("equals", True, ["true"], {}, True),
    ("equals", {"a": [1]}, [{"a": [1.0]}], {}, True),
    ("equals", None, ["x"], {}, False),
    ("not", [], [], {}, False),
    ("not", "", [], {}, True),
    ("add", "1", ["2"], {}, 3),
    ("add", 9007199254740993, [1], {}, 9007199254740994),
    ("sub", 1, [0.5], {}, 0.5),
    ("mul", 0.5, ["4"], {}, 2),
    ("div", 7, [2], {}, 3.5),
    ("div", 1, [0], {}, None),
    ("mod", -7, [3], {}, -1),
    ("mod", 5.5, [2], {}, 1.5),
    ("min", 3, [1, "2"], {}, 1),
    ("max", 3, [[9, 4], 2], {}, 9),
    ("avg", 1, [2, 3], {}, 2),
    ("floor", -1.5, [], {}, -2),
    ("ceil", "1.2", [], {}, 2),
    ("lessThan", 1, [2], {}, True),
    ("lessThan", 2, [2], {}, False),
    ("lessThan", 2, [2], {"inclusive": True}, True),
    ("greaterThan", "101", ["100"], {}, True),
    ("formatDate", DAY, ["YYYY-MM-DD HH:mm:ss.SSS"], {}, "2024-03-01 09:05:07.089"),
    ("formatDate", DAY, [], {}, "2024-03-01T09:05:07+00:00"),
    ("formatDate", DAY, ["[Today is] dddd, MMMM Do YYYY, h:mm A \\h"], {},
     "Today is Friday, March 1st 2024, 9:05 AM h"),
    ("formatDate", DAY, ["D/M/YY DDD DDDD Q Qo E e d wo ww W WW gggg GGGG k kk"], {},
     "1/3/24 61 061 1 1st 5 5 5 9th 09 9 09 2024 2024 9 09"),
    ("formatDate", DAY, ["LT LTS L LL l ll"], {}, "9:05 AM 9:05:07 AM 03/01/2024 March 1, 2024 3/1/2024 Mar 1, 2024"),
    ("formatDate", DAY, ["X x Z ZZ"], {}, "1709283907 1709283907089 +00:00 +0000"),
    ("formatDate", 0, ["YYYY"], {}, "1970"),
    ("formatDate", "2024-12-31", ["gggg ww GGGG WW"], {}, "2025 01 2025 01"),
    ("formatDate", "2024-03-01T23:30:00-02:00", ["D HH"], {}, "2 01"),
    ("formatDate", "Tue, 05 Mar 2024 10:00:00 GMT", ["YYYY-MM-DD HH"], {}, "2024-03-05 10"),
    ("formatDate", "March 5, 2024 1:30 pm", ["YYYY-MM-DD HH:mm"], {}, "2024-03-05 13:30"),
    ("formatDate", "3/5/2024", ["YYYY-MM-DD"], {}, "2024-03-05"),
    ("formatDate", "20240305T101112Z", ["YYYY-MM-DD HH:mm:ss"], {}, "2024-03-05 10:11:12"),
    ("relativeTime", "2026-01-01T10:00:00Z", [], {}, "2 hours ago"),
    ("relativeTime", "2026-01-01T12:00:30Z", [], {}, "in a few seconds"),
    ("relativeTime", "2026-01-01T12:01:00Z", [], {}, "in a minute"),
    ("relativeTime", "2026-01-01T12:50:00Z", [], {}, "in an hour"),
    ("relativeTime", "2026-01-02T12:00:00Z", [], {}, "in a day"),
    ("relativeTime", "2026-02-03", [], {}, "in a month"),
    ("relativeTime", "2025-06-01", [], {"without suffix": True}, "7 months"),
    ("relativeTime", "2023-01-01", [], {}, "3 years ago"),
    ("lessThanDate", "2024-01-01", ["2024-01-02"], {}, True),
    ("lessThanDate", "2024-01-01", ["2024-01-01"], {"inclusive": True}, True),
    ("greaterThanDate", "2024-01-01", ["2024-01-01T00:00:00+01:00"], {}, True),
    ("addTimeSpan", DAY, [], {"hours": 3, "days": 1}, "2024-03-02T12:05:07.089Z"),
    ("addTimeSpan", "2024-01-31", [], {"months": 1}, "2024-02-29T00:00:00.000Z"),
    ("addTimeSpan", "2024-02-29", [], {"years": "-1"}, "2023-02-28T00:00:00.000Z"),
    ("addTimeSpan", "2024-01-01", [], {"weeks": 1, "minutes": 30}, "2024-01-08T00:30:00.000Z"),
    ("flowId", None, [], {}, "flow-1"),
    ("flowName", None, [], {}, "Orders"),
    ("userId", None, [], {}, "user-1"),
    ("webhookUrl", None, [], {}, "https://example.test/hook"),
    ("customFields", None, [], {}, {"team": "red"}),
    ("pi", None, [], {}, math.pi),
    ("now", None, [], {}, "2026-01-01T12:00:00.250Z"),
    ("timestamp", None, [], {}, 1767268800250),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "params", "named", "expected"), TABLE)
def test_modifier_gives_the_result_in_the_table(
    environment: MakeEnvironment, name: str, value: Json, params: list[Json], named: dict[str, Json], expected: Json
) -> None:
    made = apply_modifier(f"g_{name}", value, params, named, environment())

    assert made == expected
    assert type(made) is type(expected)


FAILING: list[tuple[str, Json, list[Json], dict[str, Json], str]] = [
    ("javascript", 1, ["return true"], {}, "JavaScript modifiers run in the Node runner, which this installation"),
    ("add", "x", [1], {}, '"x" is not a number'),
    ("add", 1, [], {}, 'the argument "second" is missing'),
    ("add", 10**400, [1], {}, "too large"),
    ("sum", [1, "x"], [], {}, "is not a number"),
    ("join", 5, [], {}, "a number is not a list"),
    ("formatDate", "soon", [], {}, '"soon" is not a date'),
    ("formatDate", None, [], {}, "null is not a date"),
    ("formatDate", 1e300, [], {}, "too large"),
    ("addTimeSpan", DAY, [], {"years": 9_000}, "outside the years"),
    ("regex", "x", ["(?=x)"], {}, "the pattern cannot be used"),
    ("regex", "x", ["(x)\\1"], {}, "the pattern cannot be used"),
    ("regex", "x", ["x" * 2_000], {}, "patterns over"),
    ("pad", "x", [10**12], {}, "would be longer"),
    ("pad", "x", [5, "up"], {}, "use left, right or both"),
    ("split", "x" * 200_000, [""], {}, "more than 100,000 items"),
    ("set", [], ["999999999", 1], {}, "more than 100,000 items"),
    ("set", {}, [".".join("a" * 500), 1], {}, "levels"),
    ("jsonPath", {}, ["$.["], {}, "the path"),
    ("map", [1], [], {}, 'the argument "predicate" is missing'),
    ("decodeUrl", "%FF", [], {}, "cannot be used"),
    ("nothing", 1, [], {}, "there is no modifier"),
]


@pytest.mark.parametrize(("name", "value", "params", "named", "reason"), FAILING)
def test_a_modifier_that_cannot_work_says_why(
    environment: MakeEnvironment, name: str, value: Json, params: list[Json], named: dict[str, Json], reason: str
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        apply_modifier(f"g_{name}", value, params, named, environment())

    assert reason in str(caught.value)


def test_every_modifier_stands_in_a_table() -> None:
    tested = {f"g_{row[0]}" for row in TABLE} | {f"g_{row[0]}" for row in FAILING} | {"g_random", "g_uuid4"}

    assert tested >= MODIFIER_NAMES


def test_chance_is_the_same_for_the_same_step_and_differs_between_steps(environment: MakeEnvironment) -> None:
    def drawn(seed: bytes) -> list[Json]:
        env = environment(seed=seed)
        values: list[Json] = [apply_modifier(name, None, [], {}, env) for name in ("g_random", "g_uuid4")]
        return [*values, apply_modifier("g_shuffle", list(range(20)), [], {}, env)]

    assert drawn(b"one") == drawn(b"one")
    assert all(left != right for left, right in zip(drawn(b"one"), drawn(b"two"), strict=True))


def test_a_uuid_is_of_version_4_and_a_random_number_below_1(environment: MakeEnvironment) -> None:
    identifier = apply_modifier("g_uuid4", None, [], {}, environment())
    number = apply_modifier("g_random", None, [], {}, environment())

    assert isinstance(identifier, str)
    assert uuid.UUID(identifier).version == 4
    assert isinstance(number, float)
    assert 0 <= number < 1


def test_a_modifier_never_changes_its_value(environment: MakeEnvironment) -> None:
    value: Json = {"a": {"b": [3, 1, 2]}}

    apply_modifier("g_set", value, ["a.b[0]", 9], {}, environment())
    apply_modifier("g_shuffle", [1, 2, 3], [], {}, environment())

    assert value == {"a": {"b": [3, 1, 2]}}


def test_the_document_describes_84_modifiers_in_known_categories() -> None:
    document = default_modifiers()
    categories, modifiers = document["categories"], document["modifiers"]
    assert isinstance(categories, dict)
    assert isinstance(modifiers, dict)

    assert len(modifiers) == 84
    assert list(categories) == ["object", "list", "text", "control", "number", "date", "math"]
    for name, described in modifiers.items():
        assert isinstance(described, dict)
        category, kind = described["category"], described["type"]
        assert isinstance(category, list)
        assert name.startswith("g_")
        assert described["label"]
        assert described["description"]
        assert (kind == "flow" and category == ["flow"]) or set(category) <= set(categories)


def test_the_document_is_fresh_each_time() -> None:
    default_modifiers().clear()

    assert default_modifiers()["modifiers"]
