"""Modifiers that search in texts."""

from headrace_core import Json
from headrace_core.expressions import regexes
from headrace_core.expressions.environment import MISSING, Evaluation, Value
from headrace_core.expressions.modifiers.registry import Argument, Arguments, modifier
from headrace_core.expressions.values import text_of

_GLOBAL = Argument("global", "boolean", is_hash=True)
_MULTILINE = Argument("multiline", "boolean", is_hash=True)
_IGNORE_CASE = Argument("ignorecase", "boolean", is_hash=True)

_EMAIL = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]*[A-Za-z0-9])+"
_URL = r"(?:(?:https?|ftp)://|www\.)[^\s<>\"'`{}|\\^]*[^\s<>\"'`{}|\\^.,;:!?)\]]"


def _pattern(arguments: Arguments, ev: Evaluation) -> regexes.Pattern:
    return regexes.pattern_of(
        arguments.text(0, "pattern", "", ev),
        ev,
        multiline=arguments.flag(-1, "multiline"),
        ignore_case=arguments.flag(-1, "ignorecase"),
    )


@modifier(
    "regex",
    "Regular expression",
    "The first match and its groups as a list; with global, a list of all matches. Null when there is none.",
    Argument("pattern", "string", required=True),
    _GLOBAL,
    _MULTILINE,
    _IGNORE_CASE,
    category="text",
    returns="list",
)
def regex(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    found = regexes.matches(_pattern(arguments, ev), text, ev)
    if arguments.flag(-1, "global"):
        every: list[Json] = [match.group() for match in found]
        return every or None
    match = next(found, None)
    return None if match is None else [match.group(), *match.groups()]


@modifier(
    "replace",
    "Replace",
    "The text with what the pattern finds replaced: once, or everywhere with global. The pattern is a plain "
    "text unless regex is set; then $1 stands for the first group.",
    Argument("pattern", "string", required=True),
    Argument("replacer", "string"),
    Argument("regex", "boolean", is_hash=True),
    _GLOBAL,
    _MULTILINE,
    _IGNORE_CASE,
    category="text",
    returns="string",
)
def replace(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    text = text_of(value, ev)
    replacer = arguments.text(1, "replacer", "", ev)
    every = arguments.flag(-1, "global")
    if arguments.flag(-1, "regex"):
        return regexes.replace(_pattern(arguments, ev), text, replacer, ev, every=every)
    plain = arguments.text(0, "pattern", "", ev)
    if not plain:
        return text
    if arguments.flag(-1, "ignorecase"):
        pattern = regexes.pattern_of(regexes.quoted(plain), ev, ignore_case=True)
        return regexes.replace(pattern, text, replacer.replace("$", "$$"), ev, every=every)
    count = text.count(plain) if every else 1
    ev.claim(len(text) + count * (len(replacer) - len(plain)))
    return text.replace(plain, replacer, count)


@modifier("extractEmail", "Extract email", "The first e-mail address in the text.", category="text", returns="string")
def extract_email(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    found = regexes.pattern_of(_EMAIL, ev).search(ev.searchable(text_of(value, ev)))
    return found.group() if found else MISSING


@modifier("extractUrls", "Extract URLs", "A list of the web addresses in the text.", category="text", returns="list")
def extract_urls(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    pattern = regexes.pattern_of(_URL, ev, ignore_case=True)
    return [match.group() for match in regexes.matches(pattern, text_of(value, ev), ev)]
