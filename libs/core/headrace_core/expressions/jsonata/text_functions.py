"""JSONata's functions of texts."""

import base64
import urllib.parse

from headrace_core.expressions import regexes
from headrace_core.expressions.environment import MISSING, ModifierFailed
from headrace_core.expressions.jsonata.kinds import Function, Sequence, as_items, truth
from headrace_core.expressions.jsonata.toolbox import (
    FUNCTIONS,
    Toolbox,
    function,
    plain_json,
    whole,
)
from headrace_core.expressions.values import json_text

_COMPONENT_SAFE = "-_.!~*'()"
_URL_SAFE = _COMPONENT_SAFE + ";/?:@&=+$,#"


@function("string", 1, 2, context=True)
def _string(given: list[object], tools: Toolbox) -> object:
    if given[1] is not MISSING and truth(given[1]) and isinstance(given[0], (dict, list)):
        return json_text(plain_json(given[0], tools.ev), tools.ev, 2)
    return tools.text(given[0])


@function("length", 1, 1, context=True)
def _length(given: list[object], tools: Toolbox) -> object:
    return len(tools.needed_text(given[0]))


@function("substring", 2, 3, context=True)
def _substring(given: list[object], tools: Toolbox) -> object:
    text, start = tools.needed_text(given[0]), whole(given[1], 0)
    start = max(0, start + len(text)) if start < 0 else start
    if given[2] is MISSING:
        return text[start:]
    return text[start : start + max(0, whole(given[2], 0))]


@function("substringBefore", 2, 2, context=True)
def _substring_before(given: list[object], tools: Toolbox) -> object:
    return tools.needed_text(given[0]).partition(tools.needed_text(given[1]) or "\0")[0]


@function("substringAfter", 2, 2, context=True)
def _substring_after(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    _, found, after = text.partition(tools.needed_text(given[1]) or "\0")
    return after if found else text


@function("lowercase", 1, 1, context=True)
def _lowercase(given: list[object], tools: Toolbox) -> object:
    return tools.made(tools.needed_text(given[0]).lower())


@function("uppercase", 1, 1, context=True)
def _uppercase(given: list[object], tools: Toolbox) -> object:
    return tools.made(tools.needed_text(given[0]).upper())


@function("trim", 1, 1, context=True)
def _trim(given: list[object], tools: Toolbox) -> object:
    return tools.made(" ".join(tools.needed_text(given[0]).split()))


@function("pad", 2, 3, context=True)
def _pad(given: list[object], tools: Toolbox) -> object:
    text, width = tools.needed_text(given[0]), whole(given[1], 0)
    filling = " " if given[2] is MISSING else tools.needed_text(given[2]) or " "
    missing = abs(width) - len(text)
    if missing <= 0:
        return text
    tools.ev.claim(abs(width))
    filled = (filling * (missing // len(filling) + 1))[:missing]
    return filled + text if width < 0 else text + filled


@function("contains", 2, 2, context=True)
def _contains(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    if isinstance(given[1], str):
        return given[1] in text
    tools.ev.check_time()
    return tools.pattern(given[1]).search(tools.ev.searchable(text)) is not None


@function("split", 2, 3, context=True)
def _split(given: list[object], tools: Toolbox) -> object:
    text = tools.needed_text(given[0])
    limit = max(0, whole(given[2], tools.ev.limits.list_length))
    if given[1] == "":
        tools.ev.claim_list(min(limit, len(text)))
        return list(text[:limit])
    if isinstance(given[1], str):
        tools.ev.claim_list(min(limit, text.count(given[1]) + 1))
        return list(text.split(given[1])[:limit])
    pieces: list[object] = []
    position = 0
    for match in regexes.matches(tools.pattern(given[1]), text, tools.ev):
        pieces.append(text[position : match.start()])
        position = match.end()
    return [*pieces, text[position:]][:limit]


@function("join", 1, 2)
def _join(given: list[object], tools: Toolbox) -> object:
    texts = [tools.needed_text(each) for each in as_items(given[0])]
    separator = "" if given[1] is MISSING else tools.needed_text(given[1])
    tools.ev.claim(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


@function("match", 2, 3, context=True)
def _match(given: list[object], tools: Toolbox) -> object:
    limit = whole(given[2], tools.ev.limits.list_length)
    found = Sequence()
    if limit > 0:
        for match in regexes.matches(tools.pattern(given[1]), tools.needed_text(given[0]), tools.ev):
            groups = [each or "" for each in match.groups()]
            found.append({"match": match.group(), "index": match.start(), "groups": groups})
            if len(found) >= limit:
                break
    return found


@function("replace", 3, 4, context=True)
def _replace(given: list[object], tools: Toolbox) -> object:
    text, pattern, replacement = tools.needed_text(given[0]), given[1], given[2]
    limit = max(0, whole(given[3], tools.ev.limits.list_length))
    if isinstance(pattern, str):
        if not pattern:
            raise ModifierFailed("$replace cannot look for an empty text")
        put = tools.needed_text(replacement)
        count = min(limit, text.count(pattern))
        tools.ev.claim(len(text) + count * (len(put) - len(pattern)))
        return text.replace(pattern, put, count)
    pieces: list[str] = []
    position = 0
    for count, match in enumerate(regexes.matches(tools.pattern(pattern), text, tools.ev)):
        if count >= limit:
            break
        pieces += (text[position : match.start()], _replacement(match, replacement, tools))
        tools.ev.claim(len(pieces[-1]) + len(pieces[-2]))
        position = match.end()
    return tools.made("".join([*pieces, text[position:]]))


def _replacement(match: regexes.Match, replacement: object, tools: Toolbox) -> str:
    if not isinstance(replacement, Function):
        return regexes.expanded(tools.needed_text(replacement), match)
    groups = [each or "" for each in match.groups()]
    said = tools.call(replacement, [{"match": match.group(), "index": match.start(), "groups": groups}])
    return tools.needed_text(said)


@function("base64encode", 1, 1, context=True)
def _base64encode(given: list[object], tools: Toolbox) -> object:
    return tools.made(base64.b64encode(tools.needed_text(given[0]).encode()).decode("ascii"))


@function("base64decode", 1, 1, context=True)
def _base64decode(given: list[object], tools: Toolbox) -> object:
    return tools.made(base64.b64decode(tools.needed_text(given[0]), validate=True).decode())


@function("encodeUrlComponent", 1, 1, context=True)
def _encode_url_component(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.quote(tools.needed_text(given[0]), safe=_COMPONENT_SAFE))


@function("encodeUrl", 1, 1, context=True)
def _encode_url(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.quote(tools.needed_text(given[0]), safe=_URL_SAFE))


@function("decodeUrlComponent", 1, 1, context=True)
def _decode_url_component(given: list[object], tools: Toolbox) -> object:
    return tools.made(urllib.parse.unquote(tools.needed_text(given[0]), errors="strict"))


FUNCTIONS["decodeUrl"] = FUNCTIONS["decodeUrlComponent"]
