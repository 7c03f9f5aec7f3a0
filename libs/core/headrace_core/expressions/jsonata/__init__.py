"""JSONata, evaluated by ourselves.

The language is parsed to a tree and walked over plain data; every step, list and text is counted against
the limits of the evaluation, and regular expressions are RE2's. Left out, each with a clear refusal:
`$eval` (data never becomes code), parents (`%`), bindings of context and position (`@`, `#`), transforms
(`|…|`), and the pictures of `$formatNumber`, `$formatInteger`, `$toMillis` and `$fromMillis`.
"""

import functools

from headrace_core.expressions.environment import Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.jsonata.evaluation import Evaluator
from headrace_core.expressions.jsonata.syntax import Node, parse

_MAX_CHARS = 20_000


def evaluate(expression: str, value: Value, ev: Evaluation, place: str) -> Value:
    """The expression's result for a value. Raises `ModifierFailed` when it cannot be read or computed."""
    if len(expression) > _MAX_CHARS:
        raise ModifierFailed(f"the expression is longer than {_MAX_CHARS:,} characters")
    parsed = _parsed(expression)
    if isinstance(parsed, str):
        raise ModifierFailed(parsed)
    return Evaluator(ev, place).result(parsed, None if isinstance(value, Missing) else value)


@functools.lru_cache(maxsize=256)
def _parsed(expression: str) -> Node | str:
    try:
        return parse(expression)
    except ModifierFailed as error:
        return str(error)


__all__ = ["evaluate"]
