"""Transforms: what turns the outputs of earlier steps into the content of a message.

One entry of `config.transform` is `{type, modifiers, lambda}`. `json2new` makes the rendered lambda the
content; `json2ext` lays it over the incoming content. Any other type is taken for `json2new`.
"""

from collections.abc import Mapping, Sequence

from headrace_core import Json
from headrace_core.errors import Problem
from headrace_core.expressions.environment import Environment, Evaluation, Missing
from headrace_core.expressions.modifiers import Render
from headrace_core.expressions.templates import Compiler, VariableUse


class Transform:
    """A compiled entry. It keeps nothing between uses, so runs can share it."""

    __slots__ = ("_extends", "_fields", "uses")

    def __init__(self, fields: Sequence[tuple[str, Render]], *, extends: bool, uses: Sequence[VariableUse]) -> None:
        self._fields = tuple(fields)
        self._extends = extends
        self.uses = tuple(uses)

    def apply(self, env: Environment) -> Json:
        """The content for the message. Fields whose variable is missing are left out.

        Modifiers that fail are noted in `env.failures` and leave their variable missing. Parts of the
        result may be shared with the scope: treat it as read-only. Raises `LimitExceeded`.
        """
        ev = Evaluation(env)
        content: dict[str, Json] = {}
        if self._extends and isinstance(env.content, dict):
            content.update(env.content)
        for name, render in self._fields:
            value = render(ev)
            if not isinstance(value, Missing):
                content[name] = value
        return content


def compile_transform(entry: Mapping[str, Json], *, where: str = "") -> Transform:
    """Prepare one entry. Raises `ValidationFailed` naming everything that is wrong with it."""
    compiler = Compiler()
    fields, extends = _fields(entry, compiler, where)
    compiler.raise_problems()
    return Transform(fields, extends=extends, uses=compiler.uses)


def variables_of(entry: Mapping[str, Json]) -> list[VariableUse]:
    """Every place where a lambda reads the output of an earlier step, each named once.

    What cannot be read is passed over here; `compile_transform` reports it. Variables that are defined
    but not placed, the incoming content and loops are not in the list.
    """
    compiler = Compiler()
    _fields(entry, compiler, "")
    return compiler.uses


def _fields(entry: Mapping[str, Json], compiler: Compiler, where: str) -> tuple[list[tuple[str, Render]], bool]:
    kind = entry.get("type")
    extends = isinstance(kind, str) and kind.lower() == "json2ext"
    template = entry.get("lambda")
    template = {} if template is None else template
    modifiers = entry.get("modifiers")
    if not isinstance(template, dict):
        compiler.problems.append(Problem(_under(where, "lambda"), "The lambda is not an object.", "Map each field."))
        return [], extends
    if modifiers is not None and not isinstance(modifiers, dict):
        compiler.problems.append(Problem(_under(where, "modifiers"), "The modifiers are not an object."))
        return [], extends
    fields: list[tuple[str, Render]] = []
    for name, value in template.items():
        variables: Json = None if modifiers is None else modifiers.get(name) or {}
        if variables is not None and not isinstance(variables, dict):
            place = _under(where, f"modifiers.{name}")
            compiler.problems.append(Problem(place, "The variables are not an object.", field=name))
            continue
        fields.append((name, compiler.field(name, value, variables, _under(where, f"lambda.{name}"))))
    return fields, extends


def _under(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
