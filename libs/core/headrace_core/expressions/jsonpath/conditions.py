"""What conditions in a JSONPath are made of: comparisons and functions."""

from collections.abc import Callable, Sequence

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, Value
from headrace_core.expressions.jsonpath.walking import Term
from headrace_core.expressions.regexes import pattern_of
from headrace_core.expressions.values import identity


def constant(value: Json) -> Term:
    return lambda node, root, ev: value


def compared(left: Term, test: Callable[[Value, Value, Evaluation], bool], right: Term) -> Term:
    return lambda node, root, ev: test(left(node, root, ev), right(node, root, ev), ev)


def _same(left: Value, right: Value, ev: Evaluation) -> bool:
    return identity(left, ev) == identity(right, ev)


def _is_less(left: Value, right: Value) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return False
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return left < right
    return isinstance(left, str) and isinstance(right, str) and left < right


# Longer signs first, as "<=" begins with "<".
TESTS: Sequence[tuple[str, Callable[[Value, Value, Evaluation], bool]]] = (
    ("===", _same),
    ("!==", lambda left, right, ev: not _same(left, right, ev)),
    ("==", _same),
    ("!=", lambda left, right, ev: not _same(left, right, ev)),
    ("<=", lambda left, right, ev: _is_less(left, right) or _same(left, right, ev)),
    (">=", lambda left, right, ev: _is_less(right, left) or _same(left, right, ev)),
    ("<", lambda left, right, ev: _is_less(left, right)),
    (">", lambda left, right, ev: _is_less(right, left)),
)
WORDS: dict[str, Json] = {"true": True, "false": False, "null": None}


def _length(arguments: Sequence[Value], ev: Evaluation) -> Value:
    value = arguments[0]
    return len(value) if isinstance(value, (str, list, dict)) else MISSING


def _count(arguments: Sequence[Value], ev: Evaluation) -> Value:
    value = arguments[0]
    if isinstance(value, list):
        return len(value)
    return 0 if isinstance(value, Missing) else 1


def _value(arguments: Sequence[Value], ev: Evaluation) -> Value:
    value = arguments[0]
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def _tested(arguments: Sequence[Value], ev: Evaluation, *, whole: bool) -> Value:
    text, source = arguments
    if not isinstance(text, str) or not isinstance(source, str):
        return False
    pattern = pattern_of(source, ev)
    tested = ev.searchable(text)
    return (pattern.fullmatch(tested) if whole else pattern.search(tested)) is not None


FUNCTIONS: dict[str, tuple[int, Callable[[Sequence[Value], Evaluation], Value]]] = {
    "length": (1, _length),
    "count": (1, _count),
    "value": (1, _value),
    "match": (2, lambda arguments, ev: _tested(arguments, ev, whole=True)),
    "search": (2, lambda arguments, ev: _tested(arguments, ev, whole=False)),
}
