"""The table of modifiers: what each is called, takes and gives, and the function that does it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, Loop, Missing, ModifierFailed, Value
from headrace_core.expressions.scripts import ScriptCall, ScriptNeeded
from headrace_core.expressions.values import flag_of, integer_of, kind_of, shortened, text_of

Render: TypeAlias = Callable[[Evaluation], Value]


@dataclass(frozen=True, slots=True)
class Block:
    """An argument that is rendered anew for every item of a list."""

    render: Render
    is_literal: bool

    def over(self, item: Json, index: int, key: Json, length: int, ev: Evaluation) -> Value:
        """The argument for one item, which it reads as `@item`, `@index`, `@<field>` and so on."""
        ev.spend()
        ev.loops.append(Loop(item, index, key, length))
        try:
            return self.render(ev)
        finally:
            ev.loops.pop()


class Arguments:
    """What a modifier was given besides the value.

    Every argument may come by its name or by its position, whatever the flow's editor used.
    `place` tells this use of the modifier from all others in the flow.
    """

    __slots__ = ("block", "named", "place", "positional")

    def __init__(
        self,
        positional: Sequence[Value] = (),
        named: Mapping[str, Value] | None = None,
        block: Block | None = None,
        place: str = "",
    ) -> None:
        self.positional = positional
        self.named: Mapping[str, Value] = named or {}
        self.block = block
        self.place = place

    def get(self, position: int, name: str) -> Value:
        """The argument, or `MISSING`."""
        if name in self.named:
            return self.named[name]
        return self.positional[position] if 0 <= position < len(self.positional) else MISSING

    def needed(self, position: int, name: str) -> Value:
        """The argument. Raises `ModifierFailed` when it was not given."""
        found = self.get(position, name)
        if found is MISSING:
            raise ModifierFailed(f'the argument "{name}" is missing')
        return found

    def text(self, position: int, name: str, default: str, ev: Evaluation) -> str:
        found = self.get(position, name)
        return default if found is None or found is MISSING else text_of(found, ev)

    def integer(self, position: int, name: str, default: int) -> int:
        found = self.get(position, name)
        if found is None or found is MISSING or found == "":
            return default
        return integer_of(found, f'the argument "{name}"')

    def flag(self, position: int, name: str, default: bool = False) -> bool:
        return flag_of(self.get(position, name), default)


Run: TypeAlias = Callable[[Value, Arguments, Evaluation], Value]
Kind: TypeAlias = Literal["any", "boolean", "date", "list", "number", "object", "string"]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument, as editors show it. A named one (`is_hash`) is sent by its name."""

    name: str
    type: Kind = "string"
    is_hash: bool = False
    is_block: bool = False
    required: bool = False

    def to_json(self) -> dict[str, Json]:
        described: dict[str, Json] = {"name": self.name, "type": self.type}
        flags = {"isHash": self.is_hash, "isBlock": self.is_block, "required": self.required}
        described.update({key: True for key, is_set in flags.items() if is_set})
        return described


@dataclass(frozen=True, slots=True)
class Modifier:
    """One modifier: its description and its function."""

    name: str
    label: str
    description: str
    category: tuple[str, ...]
    returns: Kind
    arguments: tuple[Argument, ...]
    is_flow: bool
    variable_arguments: bool
    run: Run

    @property
    def takes_block(self) -> bool:
        return any(argument.is_block for argument in self.arguments)

    def to_json(self) -> dict[str, Json]:
        described: dict[str, Json] = {
            "label": self.label,
            "type": "flow" if self.is_flow else "modifier",
            "category": list(self.category),
            "description": self.description,
            "arguments": [argument.to_json() for argument in self.arguments],
            "returns": {"type": self.returns},
        }
        if self.takes_block:
            described["isBlock"] = True
        if self.variable_arguments:
            described["variableArguments"] = True
        return described


MODIFIERS: Final[dict[str, Modifier]] = {}

CATEGORIES: Final = ("object", "list", "text", "control", "number", "date", "math")


def modifier(
    name: str,
    label: str,
    description: str,
    *arguments: Argument,
    category: str,
    returns: Kind = "any",
    variable_arguments: bool = False,
) -> Callable[[Run], Run]:
    """Enter the decorated function in the table. `category` lists names with blanks between."""

    def enter(run: Run) -> Run:
        full_name = f"g_{name}"
        MODIFIERS[full_name] = Modifier(
            full_name,
            label,
            description,
            tuple(category.split()),
            returns,
            arguments,
            category == "flow",
            variable_arguments,
            run,
        )
        return run

    return enter


def _run_script(name: str, value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    scripts = ev.env.scripts
    if scripts is None:
        raise ModifierFailed(f"there is no modifier {shortened(name)}")
    call = ScriptCall(
        name,
        None if isinstance(value, Missing) else value,
        [None if isinstance(each, Missing) else each for each in arguments.positional],
        {key: each for key, each in arguments.named.items() if not isinstance(each, Missing)},
    )
    answer = scripts.answers.get(call.key)
    if answer is None:
        raise ScriptNeeded(call)
    if answer.failure:
        raise ModifierFailed(answer.failure)
    return answer.value


def run_modifier(known: Modifier | None, name: str, value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    """Apply one modifier. Raises `ModifierFailed` with the reason when it cannot be done.

    The exceptions translated here are those that odd data can raise in the functions; anything else is
    a mistake of ours and passes.
    """
    if known is None:
        return _run_script(name, value, arguments, ev)
    if type(value) is str:
        ev.spend(len(value) >> 10)
    try:
        return known.run(value, arguments, ev)
    except (ArithmeticError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise ModifierFailed(f"{kind_of(value)} cannot be used: {error}") from None
