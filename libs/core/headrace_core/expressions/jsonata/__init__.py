"""JSONata."""

from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value


def evaluate(expression: str, value: Value, ev: Evaluation, place: str) -> Value:
    raise ModifierFailed("this installation does not evaluate JSONata")
