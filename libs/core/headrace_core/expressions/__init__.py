"""The expression engine: variables, modifiers and transforms.

Nothing here runs code that users or data bring. An expression is parsed once, when its flow is loaded,
into functions over JSON values; data is only ever data. Evaluation is bounded in steps, time, depth and
size, and does no I/O.
"""

from collections.abc import Mapping, Sequence

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.expressions.environment import (
    DEFAULT_LIMITS,
    MISSING,
    Environment,
    Evaluation,
    Failure,
    FlowValues,
    LimitExceeded,
    Limits,
    Missing,
    ModifierFailed,
    Scope,
)
from headrace_core.expressions.modifiers import (
    MODIFIER_NAMES,
    MODIFIERS,
    Arguments,
    Block,
    default_modifiers,
    run_modifier,
)
from headrace_core.expressions.scripts import MAX_SCRIPTS, ScriptAnswer, ScriptCall, ScriptNeeded, Scripts, scripts_of
from headrace_core.expressions.templates import Template, VariableUse, compile_template
from headrace_core.expressions.transforms import Transform, compile_transform, variables_of
from headrace_core.expressions.values import plain


def apply_modifier(name: str, value: Json, params: Sequence[Json], named: Mapping[str, Json], env: Environment) -> Json:
    """Try one modifier on a value. A result that is missing is given as None.

    Raises `ValidationFailed` with the reason when the modifier is unknown or fails, and `LimitExceeded`.
    """
    ev = Evaluation(env)
    try:
        made = run_modifier(MODIFIERS.get(name), name, value, _arguments(name, params, named), ev)
        return plain(made, ev)
    except ModifierFailed as error:
        fix = "See the list of modifiers." if name not in MODIFIER_NAMES else "Change the value or the arguments."
        raise ValidationFailed([Problem(name, f"The modifier fails: {error}.", fix)]) from None


def _arguments(name: str, params: Sequence[Json], named: Mapping[str, Json]) -> Arguments:
    known = MODIFIERS.get(name)
    if known is None or not known.takes_block:
        return Arguments(params, named, None, name)
    given = list(params[:1]) or [named[each.name] for each in known.arguments if each.name in named]
    block = Block(lambda ev: given[0], is_literal=True) if given else None
    return Arguments((), None, block, name)


__all__ = [
    "DEFAULT_LIMITS",
    "MAX_SCRIPTS",
    "MISSING",
    "MODIFIER_NAMES",
    "Environment",
    "Failure",
    "FlowValues",
    "Json",
    "LimitExceeded",
    "Limits",
    "Missing",
    "Scope",
    "ScriptAnswer",
    "ScriptCall",
    "ScriptNeeded",
    "Scripts",
    "Template",
    "Transform",
    "VariableUse",
    "apply_modifier",
    "compile_template",
    "compile_transform",
    "default_modifiers",
    "scripts_of",
    "variables_of",
]
