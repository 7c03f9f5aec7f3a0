"""Modifiers that decide."""

from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import are_equal, is_truthy


@modifier(
    "condition",
    "Condition",
    "One value when the variable is true, the other when it is not.",
    Argument("true value", "any", required=True),
    Argument("false value", "any"),
    category="control",
)
def condition(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return arguments.get(0, "true value") if is_truthy(value) else arguments.get(1, "false value")


@modifier(
    "equals",
    "Equals",
    "True when both are the same; a number equals the text that it prints as.",
    Argument("second", "any", required=True),
    category="control",
    returns="boolean",
)
def equals(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return are_equal(value, arguments.get(0, "second"), ev)


@modifier("not", "Not", "False for a true value, true for any other.", category="control", returns="boolean")
def negated(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return not is_truthy(value)


@modifier(
    "javascript",
    "JavaScript",
    "The result of JavaScript code of your own.",
    Argument("code", "string", required=True),
    category="control",
)
def javascript(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    raise ModifierFailed("JavaScript modifiers run in the Node runner, which this installation does not have")
