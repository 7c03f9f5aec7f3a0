"""JSONata: what expressions give, what is refused, and that nothing runs away."""

from collections.abc import Callable

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.expressions import Environment, LimitExceeded, apply_modifier

MakeEnvironment = Callable[..., Environment]
INVOICE: Json = {
    "Account": "Firefly",
    "Order": [
        {
            "id": "o1",
            "Product": [
                {"name": "Hat", "price": 34.45, "qty": 2, "tags": ["a", "b"]},
                {"name": "Trilby", "price": 21.67, "qty": 1, "tags": []},
            ],
        },
        {
            "id": "o2",
            "Product": [
                {"name": "Hat", "price": 34.45, "qty": 4, "tags": ["c"]},
                {"name": "Cloak", "price": 107.99, "qty": 1},
            ],
        },
    ],
    "with blank": {"x": 1},
    "nothing": None,
}

TABLE: list[tuple[str, Json]] = [
    ("Account", "Firefly"),
    ("Nowhere", None),
    ("nothing", None),
    ("`with blank`.x", 1),
    ('"with blank".x', 1),
    ("Order.id", ["o1", "o2"]),
    ("Order[0].id", "o1"),
    ("Order[-1].id", "o2"),
    ("Order.Product.name", ["Hat", "Trilby", "Hat", "Cloak"]),
    ("Order.Product[0].name", ["Hat", "Hat"]),
    ("(Order.Product)[0].name", "Hat"),
    ("Order.Product[price > 30].qty", [2, 4, 1]),
    ("Order.Product[name = 'Cloak'].price", 107.99),
    ("Order.Product[name = 'Cloak'][].price", [107.99]),
    ("Order.Product[[1..3]].name", ["Trilby", "Cloak"]),
    ("Order.Product.tags", ["a", "b", "c"]),
    ("Order[id='o1'].Product.(price * qty)", [68.9, 21.67]),
    ("$sum(Order.Product.(price * qty))", 336.36),
    ("Order.Product.name ~> $distinct() ~> $join(', ')", "Hat, Trilby, Cloak"),
    ("Order.Product^(>price, name).name", ["Cloak", "Hat", "Hat", "Trilby"]),
    ("Order.Product{name: $sum(qty)}", {"Hat": 6, "Trilby": 1, "Cloak": 1}),
    ("{'total': $count(Order), 'first': Order[0].id}", {"total": 2, "first": "o1"}),
    ("Order.{'id': id, 'n': $count(Product)}", [{"id": "o1", "n": 2}, {"id": "o2", "n": 2}]),
    ("[Order.id]", ["o1", "o2"]),
    ("[[1,2],[3]]", [[1, 2], [3]]),
    ("[1..3, 9]", [1, 2, 3, 9]),
    ("*.x", 1),
    ("$count(**.price)", 4),
    ("1 + 2 * 3 - 4 / 2 % 3", 5),
    ("-(2) + 7 % 4", 1),
    ("10 / 4", 2.5),
    ("'a' & 1 & true & nothing & Nowhere", "a1truenull"),
    ("1 < 2 and 'a' <= 'b' or false", True),
    ("Nowhere > 1", None),
    ("Nowhere = 1", False),
    ("[1,2] = [1,2.0]", True),
    ("'o2' in Order.id", True),
    ("Account = 'x' ? 1 : 2", 2),
    ("Account = 'x' ? 1", None),
    ("Nowhere ?? 'd'", "d"),
    ("'' ?: 'd'", "d"),
    ("($x := 2; $y := $x * 3; $y + 1)", 7),
    ("($f := function($n){ $n <= 1 ? 1 : $n * $f($n - 1) }; $f(6))", 720),
    ("($add := function($a, $b){ $a + $b }; $inc := $add(?, 1); $inc(4))", 5),
    ("($t := $trim ~> $uppercase; $t('  a  b '))", "A B"),
    ("$map([1,2,3], function($v, $i){ $v * $i })", [0, 2, 6]),
    ("$filter([1..6], function($v){ $v % 2 = 0 })", [2, 4, 6]),
    ("$reduce([1..4], function($a, $b){ $a * $b })", 24),
    ("$single([1,2,3], function($v){ $v = 2 })", 2),
    ("$map(['a'], $uppercase)", "A"),
    ("$sort([3,1,2])", [1, 2, 3]),
    ("$sort(Order.Product, function($l, $r){ $l.price > $r.price }).name", ["Trilby", "Hat", "Hat", "Cloak"]),
    ("$zip([1,2],['a','b'])", [[1, "a"], [2, "b"]]),
    ("$append([1],2)", [1, 2]),
    ("$reverse([1,2])", [2, 1]),
    ("$keys({'a':1,'b':2})", ["a", "b"]),
    ("$lookup({'a':1}, 'a')", 1),
    ("$spread({'a':1,'b':2})", [{"a": 1}, {"b": 2}]),
    ("$merge([{'a':1},{'b':2}])", {"a": 1, "b": 2}),
    ("$each({'a':1,'b':2}, function($v, $k){ $k & $v })", ["a1", "b2"]),
    ("$sift({'a':1,'b':0}, function($v){ $v > 0 })", {"a": 1}),
    ("$string({'a':[1.0,'x']})", '{"a":[1,"x"]}'),
    ("$string(5)", "5"),
    ("Account.$length()", 7),
    ("Account.$substring(1, 3)", "ire"),
    ("$substring('hello', -3)", "llo"),
    ("$substringBefore('a-b', '-') & $substringAfter('a-b', '-')", "ab"),
    ("$pad('x', -3, '0')", "00x"),
    ("$split('a, b ,c', /\\s*,\\s*/)", ["a", "b", "c"]),
    ("$split('a-b-c', '-', 2)", ["a", "b"]),
    ("$contains('Abc', /a/i)", True),
    ("$match('ab12cd', /([a-z])(\\d)/)", {"match": "b1", "index": 1, "groups": ["b", "1"]}),
    ("$replace('John Smith', /(\\w+)\\s(\\w+)/, '$2, $1')", "Smith, John"),
    ("$replace('a1b2', /\\d/, function($m){ '<' & $m.match & '>' })", "a<1>b<2>"),
    ("$replace('aaa', 'a', 'b', 2)", "bba"),
    ("$base64decode($base64encode('é'))", "é"),
    ("$encodeUrlComponent('a b&c')", "a%20b%26c"),
    ("$number('12.5')", 12.5),
    ("$round(2.5) + $floor(-1.2) + $ceil(1.2) + $abs(-1)", 3),
    ("$power(2, 10)", 1024),
    ("$sqrt(9)", 3),
    ("$formatBase(255, 16)", "ff"),
    ("[$max([1,3]), $min([1,3]), $average([1,3])]", [3, 1, 2]),
    ("$boolean([]) or $not(0)", True),
    ("$exists(Account) and $not($exists(Nowhere))", True),
    ("[$type(1), $type('a'), $type(null), $type([]), $type({}), $type($sum)]",
     ["number", "string", "null", "array", "object", "function"]),
    ("$now()", "2026-01-01T12:00:00.250Z"),
    ("$toMillis('1970-01-01T00:00:01Z')", 1000),
    ("$fromMillis(0)", "1970-01-01T00:00:00.000Z"),
    ("/* a note */ 1", 1),
    ("$$.Account & $.Account", "FireflyFirefly"),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "expected"), TABLE)
def test_expression_gives_the_result_in_the_table(
    environment: MakeEnvironment, expression: str, expected: Json
) -> None:
    made = apply_modifier("g_jsonata", INVOICE, [expression], {}, environment())

    assert made == pytest.approx(expected) if isinstance(expected, float) else made == expected


def test_a_list_at_the_root_is_one_context(environment: MakeEnvironment) -> None:
    people: Json = [{"n": 1}, {"n": 2}]

    def made(expression: str) -> Json:
        return apply_modifier("g_jsonata", people, [expression], {}, environment())

    assert [made("n"), made("$[0].n"), made("$count($)"), made("n[1]")] == [[1, 2], 1, 2, 2]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("$eval('1+1')", 'there is no function "$eval"'),
        ("Account.%.x", "leaves out parents"),
        ("Order@$o.id", "leaves out bindings of the context"),
        ("Order#$i.id", "leaves out bindings of the position"),
        ("|Order|{}|", "leaves out transforms"),
        ("function($a)<n:n>{$a}", "leaves out signatures"),
        ("1 +", "ends too early"),
        ("(1", "ends too early"),
        ("'abc", "no closing quote"),
        ("1 2", 'does not expect "2"'),
        ("", "empty"),
        ("1 + 'a'", "works on numbers only"),
        ("1 / 0", "divided by zero"),
        ("$power(10, 1000)", "cannot be used"),
        ("$uppercase(5)", "wants a text"),
        ("$single([1,2])", "finds 2 items"),
        ("$error('no good')", "no good"),
        ("$contains('x', /(?=x)/)", "the pattern cannot be used"),
        ("$reduce([1])", "takes 2 to 3 arguments"),
        ("(" * 200 + "1" + ")" * 200, "nested deeper"),
    ],
)
def test_what_cannot_be_done_is_refused_with_its_reason(
    environment: MakeEnvironment, expression: str, reason: str
) -> None:
    with pytest.raises(ValidationFailed) as caught:
        apply_modifier("g_jsonata", INVOICE, [expression], {}, environment())

    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "expression",
    [
        "($f := function(){ $f() }; $f())",
        "[1..10000000]",
        "$map([1..100000], function($i){ [1..100000] })",
        "$pad('x', 1000000000000)",
        "$map([1..60], function($i){ $pad($string($i), 16000000) })",
        "($d := function($s, $n){ $n = 0 ? $s : $d($s & $s, $n - 1) }; $d('xxxxxxxx', 30))",
        "($d := function($s, $n){ $n = 0 ? $s : $d($append($s, $s), $n - 1) }; $d([1..10], 30))",
        "($d := function($s, $n){ $n = 0 ? $s : $d([[$s], [$s]], $n - 1) }; $d([1], 60))",
        "($d := function($s, $n){ $n = 0 ? $s : $d($replace($s, 'a', $s), $n - 1) }; $d('aaaaaaaaaaaaaaaaaaaa', 30))",
        "($d := function($s, $n){ $n = 0 ? $s : $d($s * $s, $n - 1) }; $d(99999999999, 60))",
        "$join($map([1..100000], function($i){ $pad('x', 1000) }))",
        "$sort([1..100000], function($a, $b){ $a > $b })",
        "$filter([1..100000], function($a){ $count([1..100000]) })",
    ],
)
def test_what_runs_away_ends_within_the_limits(environment: MakeEnvironment, expression: str) -> None:
    with pytest.raises((ValidationFailed, LimitExceeded)):
        apply_modifier("g_jsonata", None, [expression], {}, environment())
