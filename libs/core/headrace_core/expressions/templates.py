"""Templates: values whose texts hold variables in triple braces.

A template is parsed once, when the flow is loaded, into functions. What a variable brings in is data and
is never looked at for braces again.
"""

import copy
import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.expressions import oldform
from headrace_core.expressions.environment import (
    MISSING,
    Environment,
    Evaluation,
    Missing,
    ModifierFailed,
    Value,
)
from headrace_core.expressions.modifiers import MODIFIERS, Arguments, Block, Render, run_modifier
from headrace_core.expressions.paths import Path, parse_path, reader_of
from headrace_core.expressions.values import text_of

_OPEN = "{{{"
_CLOSE = "}}}"
_MAX_DEPTH = 64
# Texts up to this size are not counted: a flow cannot place enough of them to matter.
_SMALL_TEXT = 1024


@dataclass(frozen=True, slots=True)
class VariableUse:
    """A place where a field reads the output of an earlier step. `path` is the rest after the port."""

    field: str
    node_id: str
    port: str
    path: str


class Template:
    """A value with variables in it, ready to be rendered any number of times."""

    __slots__ = ("_render", "uses")

    def __init__(self, render: Render, uses: Sequence[VariableUse]) -> None:
        self._render = render
        self.uses = tuple(uses)

    def render(self, env: Environment) -> Value:
        """The value with its variables filled in, or `MISSING` when it is one variable that is not there.

        Parts of it may be shared with the scope: treat it as read-only. Raises `LimitExceeded`.
        """
        return self._render(Evaluation(env))


def compile_template(value: Json, modifiers: Mapping[str, Json] | None, *, where: str = "") -> Template:
    """Prepare one value. `modifiers` maps variable ids to variables; None means the old form.

    Raises `ValidationFailed` naming everything that is wrong with it.
    """
    compiler = Compiler()
    render = compiler.field(where, value, modifiers, where)
    compiler.raise_problems()
    return Template(render, compiler.uses)


@dataclass(frozen=True, slots=True)
class _Placed:
    """A variable or expression in a text. What modifiers have made is measured with more care."""

    render: Render
    is_new: bool


@dataclass(slots=True)
class _Context:
    """Where the compiler stands: the field, its variables, and how deep."""

    field: str
    where: str
    variables: Mapping[str, Json] | None
    depth: int = 0
    made: dict[str, _Placed] = dataclasses.field(default_factory=dict)


class Compiler:
    """Turns values into functions; collects the problems and the variables on its way."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.uses: list[VariableUse] = []

    def raise_problems(self) -> None:
        if self.problems:
            raise ValidationFailed(self.problems)

    def field(self, name: str, value: Json, variables: Mapping[str, Json] | None, where: str) -> Render:
        """A function that renders one field of a lambda."""
        return self._value(value, _Context(name, where, variables))

    def _problem(self, context: _Context, message: str, fix: str = "") -> Render:
        self.problems.append(Problem(context.where, message, fix, field=context.field))
        return _missing

    def _value(self, value: Json, context: _Context) -> Render:
        if isinstance(value, str):
            return self._text(value, context)
        if not isinstance(value, (dict, list)):
            return lambda ev: value
        if context.depth >= _MAX_DEPTH:
            return self._problem(context, f"The value is nested deeper than {_MAX_DEPTH} levels.")
        context.depth += 1
        try:
            if isinstance(value, dict):
                return _object([(key, self._value(member, context)) for key, member in value.items()])
            return _list([self._value(member, context) for member in value])
        finally:
            context.depth -= 1

    def _text(self, text: str, context: _Context) -> Render:
        if _OPEN not in text:
            return lambda ev: text
        pieces = self._pieces(text, context)
        if len(pieces) > 1:
            return _joined(pieces, context.where)
        only = pieces[0]
        return (lambda ev: text) if isinstance(only, str) else _counted(only)

    def _pieces(self, text: str, context: _Context) -> list[str | _Placed]:
        """The text cut at its variables, empty literals left out."""
        pieces: list[str | _Placed] = []
        position = 0
        while (start := text.find(_OPEN, position)) >= 0:
            while text.startswith("{", start + len(_OPEN)):
                start += 1
            inside = start + len(_OPEN)
            end = oldform.closing(text, inside) if context.variables is None else text.find(_CLOSE, inside)
            if end < 0:
                break
            if start > position:
                pieces.append(text[position:start])
            pieces.append(self._placed(text[inside:end].strip(), context))
            position = end + len(_CLOSE)
        if position < len(text):
            pieces.append(text[position:])
        return pieces

    def _placed(self, inside: str, context: _Context) -> _Placed:
        """What stands in one pair of triple braces."""
        if inside not in context.made:
            made = self._old_expression if context.variables is None else self._variable
            context.made[inside] = made(inside, context)
        return context.made[inside]

    def _variable(self, variable_id: str, context: _Context) -> _Placed:
        definition = (context.variables or {}).get(variable_id)
        if definition is None:
            return _Placed(_missing, is_new=False)
        if not isinstance(definition, dict):
            return self._bad(context, f'The variable "{variable_id}" is not an object.')
        read = self._source(definition.get("variable"), context)
        functions = definition.get("functions")
        if not functions:
            return _Placed(read, is_new=False)
        if not isinstance(functions, list):
            return self._bad(context, f'The functions of the variable "{variable_id}" are not a list.')
        place = f"{context.where}|{variable_id}"
        steps = [self._function(each, context, f"{place}|{n}") for n, each in enumerate(functions)]
        return _Placed(_modified(read, steps, context.where), is_new=True)

    def _bad(self, context: _Context, message: str, fix: str = "") -> _Placed:
        return _Placed(self._problem(context, message, fix), is_new=False)

    def _source(self, path: Json, context: _Context) -> Render:
        if path is None or path == "":
            return _missing
        if not isinstance(path, str):
            return self._problem(context, "A variable's path is not a text.")
        return self._path(path, context)

    def _path(self, text: str, context: _Context) -> Render:
        try:
            path = parse_path(text)
        except ValueError as error:
            return self._problem(context, f'The variable path "{text[:80]}" {error}.', "Pick the variable again.")
        self._use(path, context)
        return reader_of(path)

    def _use(self, path: Path, context: _Context) -> None:
        if path.node_id:
            use = VariableUse(context.field, path.node_id, path.port, ".".join(path.keys))
            if use not in self.uses:
                self.uses.append(use)

    def _function(self, function: Json, context: _Context, place: str) -> "_Step":
        definition = function if isinstance(function, dict) else {"name": function}
        name = definition.get("name")
        if not isinstance(name, str):
            self._problem(context, "A function of a variable has no name.", "Remove it, or pick a modifier.")
            return _Step("", [], {}, place)
        params, named = definition.get("params") or [], definition.get("hashParams") or {}
        if not isinstance(params, list) or not isinstance(named, dict):
            self._problem(context, f'The arguments of "{name}" are not a list and an object.')
            return _Step(name, [], {}, place)
        positional = [self._parameter(each, context) for each in params]
        by_name = {key: self._parameter(each, context) for key, each in named.items()}
        return _Step(name, positional, by_name, place)

    def _parameter(self, parameter: Json, context: _Context) -> "_Parameter":
        if not isinstance(parameter, dict) or "value" not in parameter:
            return _literal(parameter)
        value, own = parameter["value"], parameter.get("modifiers")
        if not isinstance(own, dict) or not own:
            return _literal(value)
        if context.depth >= _MAX_DEPTH:
            self._problem(context, f"Arguments are nested deeper than {_MAX_DEPTH} levels.")
            return _literal(None)
        inner = _Context(context.field, context.where, own, context.depth + 1)
        return _Parameter(self._value(value, inner), is_literal=False)

    def _old_expression(self, inside: str, context: _Context) -> _Placed:
        try:
            parsed = oldform.parse(inside)
        except oldform.BadExpression as error:
            return self._bad(
                context, f'The expression "{inside[:80]}" cannot be read: {error}.', "Pick the variable again."
            )
        return _Placed(self._old(parsed, context, inside), is_new=isinstance(parsed, oldform.Call))

    def _old(self, expression: oldform.Expression, context: _Context, place: str) -> Render:
        if isinstance(expression, oldform.Literal):
            return _literal(expression.value).render
        if isinstance(expression, oldform.Variable):
            return self._path(expression.path, context)
        first = self._old(expression.arguments[0], context, f"{place}|0") if expression.arguments else _missing
        rest = enumerate(expression.arguments[1:], 1)
        positional = [self._old_parameter(each, context, f"{place}|{n}") for n, each in rest]
        named = {name: self._old_parameter(each, context, f"{place}|{name}") for name, each in expression.named.items()}
        step = _Step(expression.name, positional, named, f"{context.where}|{place}")
        return _modified(first, [step], context.where)

    def _old_parameter(self, expression: oldform.Expression, context: _Context, place: str) -> "_Parameter":
        if isinstance(expression, oldform.Literal):
            return _literal(expression.value)
        return _Parameter(self._old(expression, context, place), is_literal=False)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """An argument of a modifier. A literal text or number is the same at every use: `fixed` holds it."""

    render: Render
    is_literal: bool
    fixed: Json = None


class _Step:
    """One modifier of a variable with its arguments, made ahead when none of them varies."""

    __slots__ = ("_named", "_place", "_positional", "_ready", "known", "name")

    def __init__(
        self,
        name: str,
        positional: Sequence[_Parameter],
        named: Mapping[str, _Parameter],
        place: str,
    ) -> None:
        self.name = name
        self.known = MODIFIERS.get(name)
        self._place = place
        self._positional = [each.render for each in positional]
        self._named = {key: each.render for key, each in named.items()}
        self._ready = self._prepared(positional, named)

    def _prepared(self, positional: Sequence[_Parameter], named: Mapping[str, _Parameter]) -> Arguments | None:
        if self.known is not None and self.known.takes_block:
            first = positional[0] if positional else named.get(self.known.arguments[0].name)
            block = None if first is None else Block(first.render, first.is_literal)
            return Arguments((), None, block, self._place)
        if not all(each.is_literal for each in (*positional, *named.values())):
            return None
        by_name = {key: each.fixed for key, each in named.items()}
        return Arguments([each.fixed for each in positional], by_name, None, self._place)

    def run(self, value: Value, ev: Evaluation) -> Value:
        arguments = self._ready
        if arguments is None:
            by_name = {key: render(ev) for key, render in self._named.items()}
            arguments = Arguments([render(ev) for render in self._positional], by_name, None, self._place)
        return run_modifier(self.known, self.name, value, arguments, ev)


def _missing(ev: Evaluation) -> Value:
    return MISSING


def _literal(value: Json) -> _Parameter:
    if isinstance(value, (dict, list)):
        # A component that changes its input must not change the flow: everyone gets a copy.
        return _Parameter(lambda ev: copy.deepcopy(value), is_literal=False)
    return _Parameter(lambda ev: value, is_literal=True, fixed=value)


def _modified(read: Render, steps: Sequence[_Step], where: str) -> Render:
    def render(ev: Evaluation) -> Value:
        value = read(ev)
        for step in steps:
            try:
                value = step.run(value, ev)
            except ModifierFailed as error:
                ev.fail(where, step.name, str(error))
                return MISSING
        return value

    return render


def _counted(placed: _Placed) -> Render:
    """A variable that is a value of its own: it keeps its type, and its size counts."""
    read, is_new = placed.render, placed.is_new

    def render(ev: Evaluation) -> Value:
        value = read(ev)
        if isinstance(value, str):
            return ev.add_text(value) if len(value) > _SMALL_TEXT else value
        if isinstance(value, (dict, list)):
            ev.add_container(value, is_new=is_new)
        elif isinstance(value, float) and not math.isfinite(value):
            return None
        return value

    return render


def _joined(pieces: Sequence[str | _Placed], where: str) -> Render:
    """Literal texts and variables put together into one text."""
    renders = [each if isinstance(each, str) else each.render for each in pieces]

    def render(ev: Evaluation) -> Value:
        texts: list[str] = []
        for each in renders:
            if isinstance(each, str):
                texts.append(each)
            else:
                value = each(ev)
                texts.append(value if isinstance(value, str) else _shown(value, ev, where))
        return ev.add_text("".join(texts))

    return render


def _shown(value: Value, ev: Evaluation, where: str) -> str:
    try:
        return text_of(value, ev)
    except ModifierFailed as error:
        ev.fail(where, "", str(error))
        return ""


def _object(members: Sequence[tuple[str, Render]]) -> Render:
    def render(ev: Evaluation) -> Value:
        made: dict[str, Json] = {}
        for key, member in members:
            value = member(ev)
            if not isinstance(value, Missing):
                made[key] = value
        return made

    return render


def _list(members: Sequence[Render]) -> Render:
    """JSON has no word for a missing item: it becomes null, as in JavaScript."""

    def render(ev: Evaluation) -> Value:
        values = [member(ev) for member in members]
        return [None if isinstance(value, Missing) else value for value in values]

    return render
