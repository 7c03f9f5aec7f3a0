"""Modifiers of texts. A value that is no text is taken as the text that it prints as."""

import html

from headrace_core.expressions.environment import Evaluation, ModifierFailed, Value
from headrace_core.expressions.modifiers import words
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import text_of


@modifier("lowercase", "Lower case", "The text in small letters.", category="text", returns="string")
def lowercase(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return text_of(value, ev).lower()


@modifier("uppercase", "Upper case", "The text in capitals.", category="text", returns="string")
def uppercase(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return text_of(value, ev).upper()


@modifier("lowerFirst", "Lower first", "The text, its first letter small.", category="text", returns="string")
def lower_first(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    return text[:1].lower() + text[1:]


@modifier("upperFirst", "Upper first", "The text, its first letter a capital.", category="text", returns="string")
def upper_first(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    return text[:1].upper() + text[1:]


@modifier("camelCase", "Camel case", "The words joinedLikeThis.", category="text", returns="string")
def camel_case(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return words.camel_case(ev.searchable(text_of(value, ev)), ev)


@modifier("kebabCase", "Kebab case", "The words joined-like-this.", category="text", returns="string")
def kebab_case(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return words.kebab_case(ev.searchable(text_of(value, ev)), ev)


@modifier("snakeCase", "Snake case", "The words joined_like_this.", category="text", returns="string")
def snake_case(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return words.snake_case(ev.searchable(text_of(value, ev)), ev)


@modifier("splitWords", "Split words", "A list of the text's words.", category="text", returns="list")
def split_words(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = words.words(ev.searchable(text_of(value, ev)), ev)
    ev.claim_list(len(found))
    return [*found]


@modifier(
    "splitByWhitespace",
    "Split by whitespace",
    "A list of the text's pieces between blanks and line ends.",
    category="text",
    returns="list",
)
def split_by_whitespace(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = text_of(value, ev).split(maxsplit=ev.limits.list_length)
    ev.claim_list(len(found))
    return [*found]


@modifier(
    "split",
    "Split",
    "A list of the text's pieces between the delimiters; an empty delimiter gives its characters.",
    Argument("delimiter", "string", required=True),
    category="text",
    returns="list",
)
def split(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    delimiter = arguments.text(0, "delimiter", ",", ev)
    if not delimiter:
        ev.claim_list(len(text))
        return [*text]
    ev.claim_list(text.count(delimiter) + 1)
    return [*text.split(delimiter)]


@modifier(
    "trim",
    "Trim",
    "The text without blanks, or the given characters, around it.",
    Argument("chars", "string"),
    category="text",
    returns="string",
)
def trim(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return text_of(value, ev).strip(arguments.text(0, "chars", "", ev) or None)


@modifier("trimStart", "Trim start", "The text without blanks before it.", category="text", returns="string")
def trim_start(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return text_of(value, ev).lstrip(arguments.text(0, "chars", "", ev) or None)


@modifier("trimEnd", "Trim end", "The text without blanks after it.", category="text", returns="string")
def trim_end(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return text_of(value, ev).rstrip(arguments.text(0, "chars", "", ev) or None)


@modifier(
    "truncate",
    "Truncate",
    "The text, when longer than the length (30), cut so that it fits together with the omission (three dots).",
    Argument("length", "number"),
    Argument("omission", "string"),
    category="text",
    returns="string",
)
def truncate(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    length = max(0, arguments.integer(0, "length", 30))
    omission = arguments.text(1, "omission", "...", ev)
    if len(text) <= length:
        return text
    kept = length - len(omission)
    return text[:kept] + omission if kept > 0 else omission


@modifier(
    "pad",
    "Pad",
    "The text filled up to the length, on the left, the right or both sides, with blanks or the characters given.",
    Argument("length", "number", required=True),
    Argument("side", "string"),
    Argument("chars", "string"),
    category="text",
    returns="string",
)
def pad(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    length = arguments.integer(0, "length", 0)
    side = arguments.text(1, "side", "both", ev).strip().lower() or "both"
    filling = arguments.text(2, "chars", " ", ev) or " "
    missing = length - len(text)
    if missing <= 0:
        return text
    ev.claim(length)
    match side:
        case "left" | "start":
            return _filled(filling, missing) + text
        case "right" | "end":
            return text + _filled(filling, missing)
        case "both":
            return _filled(filling, missing // 2) + text + _filled(filling, missing - missing // 2)
        case _:
            raise ModifierFailed(f'the side is "{side[:20]}": use left, right or both')


def _filled(filling: str, length: int) -> str:
    return (filling * (length // len(filling) + 1))[:length]


@modifier("escapeHtml", "Escape HTML", "The text made safe to stand in HTML.", category="text", returns="string")
def escape_html(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    ev.claim(len(text) + 5 * sum(map(text.count, "&<>\"'")))
    return html.escape(text).replace("&#x27;", "&#39;")
