"""JSONPath, evaluated by ourselves: parsed to a small tree, walked over plain data, every step counted.

    path     = ["$"] step*              a leading "$" may be left out: `items.0.name`
    step     = "." name | ".." name | "[" picks "]"       name may be "*"
    picks    = pick ("," pick)*
    pick     = "*" | index | from ":" to [":" by] | quoted name | "?" condition
    condition = with  @path  $path  literals  == != < <= > >= =~ /regex/  ! && || ( )
                and  length()  count()  value()  match()  search()

A path that can match one place only gives its value; any other gives a list. Filters run no code: what
is written in JavaScript is refused.
"""

import functools

from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.jsonpath.syntax import parse
from headrace_core.expressions.jsonpath.walking import CompiledPath

_MAX_CHARS = 2_000


def find(path: str, value: Value, ev: Evaluation) -> Value:
    """What the path finds in the value: `MISSING` when a plain path leads nowhere.

    Raises `ModifierFailed` when the path cannot be read.
    """
    root = None if isinstance(value, Missing) else value
    compiled = _compiled(path)
    found = compiled.nodes(root, root, ev)
    if not compiled.is_single:
        return found
    return found[0] if found else MISSING


@functools.lru_cache(maxsize=256)
def _parse_kept(path: str) -> CompiledPath | str:
    try:
        return parse(path)
    except ModifierFailed as error:
        return str(error)


def _compiled(path: str) -> CompiledPath:
    if len(path) > _MAX_CHARS:
        raise ModifierFailed(f"the path is longer than {_MAX_CHARS:,} characters")
    found = _parse_kept(path.strip())
    if isinstance(found, str):
        raise ModifierFailed(found)
    return found


__all__ = ["find"]
