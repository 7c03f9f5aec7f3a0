"""Checks, and what came of them."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context, JsonObject
from headrace_sdk.reading import as_object, as_text, rows

from headrace_connectors.utils.controls import conditions, patterns


class Assert(Component):
    """Sends which checks passed and which did not. A check that fails is a result, not an error of the step."""

    async def receive(self, context: Context) -> None:
        passed: list[Json] = []
        failed: list[Json] = []
        for row in rows(as_object(context.content).get("expression"), "AND"):
            passes, sentences = _checked(row)
            (passed if passes else failed).extend(sentences)
        result: JsonObject = {
            "componentId": context.node_id,
            "componentName": context.label,
            "success": passed,
            "error": failed,
        }
        await context.send_json(result)


def _checked(row: JsonObject) -> tuple[bool, list[Json]]:
    """Whether a row passes, and a sentence for each thing that it says."""
    value = row.get("field")
    try:
        passes, sentence = _outcome(row, value)
    except CancelError as error:
        return False, [error.message]
    wanted = row.get("type")
    if not passes or not wanted:
        return passes, [sentence]
    if _kind(value) != wanted:
        return False, [f"{as_text(value)} is of type {_kind(value)} and not {wanted}"]
    return True, [sentence, f"{as_text(value)} is of type {wanted}"]


def _outcome(row: JsonObject, value: Json) -> tuple[bool, str]:
    shown = as_text(value)
    match row.get("assertion"):
        case "notEmpty":
            return (False, "The value is empty") if conditions.is_empty(value) else (True, f"{shown} is not empty")
        case "equal":
            expected = row.get("expected")
            equal = conditions.are_loosely_equal(value, expected)
            return equal, f"{shown} {'equals' if equal else 'does not equal'} {as_text(expected)}"
        case "regex":
            pattern = as_text(row.get("regex"))
            found = patterns.matches(pattern, shown)
            return found, f"{shown} {'matches' if found else 'does not match'} {pattern}"
        case unknown:
            return False, f"There is no check {unknown!r}: choose equal, notEmpty or regex"


def _kind(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
        case _:
            return "number"
