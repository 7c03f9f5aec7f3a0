"""Walking the tree of a JSONata expression over data.

Inside, a value is anything of: a JSON value, `MISSING`, a `Function`, a `Pattern`. What a path finds is a
`Sequence`: a list that is its only item when it has one, and nothing when it has none.
"""

import functools
import math
from collections.abc import Callable, Mapping
from collections.abc import Sequence as ListLike

from headrace_core import Json
from headrace_core.expressions.environment import MISSING, Evaluation, Missing, ModifierFailed, Value
from headrace_core.expressions.jsonata import syntax
from headrace_core.expressions.jsonata.functions import FUNCTIONS, Toolbox
from headrace_core.expressions.jsonata.kinds import (
    Constructed,
    Function,
    Pattern,
    Sequence,
    appended,
    as_items,
    is_number,
    looked_up,
    truth,
)
from headrace_core.expressions.values import identity, kind_of, number

_MAX_DEPTH = 160


class Frame:
    """Variables of a block or function, over those around it."""

    __slots__ = ("around", "names")

    def __init__(self, around: "Frame | None" = None) -> None:
        self.around = around
        self.names: dict[str, object] = {}

    def find(self, name: str) -> object:
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names:
                return frame.names[name]
            frame = frame.around
        return FUNCTIONS.get(name, MISSING)


class Evaluator:
    """One evaluation of one expression."""

    def __init__(self, ev: Evaluation, place: str) -> None:
        self.ev = ev
        self._place = place
        self._root: object = None
        self._depth = 0
        self._tools = Toolbox(ev, place, self.call)

    def result(self, node: syntax.Node, value: Json) -> Value:
        """The expression's value, as plain JSON. Functions become null."""
        self._root = value
        frame = Frame()
        frame.names["$"] = value
        return self._as_json(self.evaluate(node, value, frame), 0)

    def _as_json(self, value: object, depth: int) -> Value:
        if depth > self.ev.limits.depth:
            raise ModifierFailed(f"the result is nested deeper than {self.ev.limits.depth} levels")
        self.ev.spend()
        if isinstance(value, dict):
            members = {key: self._as_json(member, depth + 1) for key, member in value.items()}
            return {key: member for key, member in members.items() if not isinstance(member, Missing)}
        if isinstance(value, list):
            items = [self._as_json(item, depth + 1) for item in value]
            return [None if isinstance(item, Missing) else item for item in items]
        if isinstance(value, (bool, str, int, float, Missing)):
            return number(value) if isinstance(value, float) else value
        return None

    def evaluate(self, node: syntax.Node, context: object, frame: Frame) -> object:
        """What a node is for a context."""
        self.ev.spend()
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise ModifierFailed(f"the expression calls itself deeper than {_MAX_DEPTH} steps")
        found = _RULES[type(node)](self, node, context, frame)
        self._depth -= 1
        if type(found) is Sequence and not found.keeps_list:
            return found[0] if len(found) == 1 else (found or MISSING)
        return found

    # Plain things.

    def _literal(self, node: syntax.Literal, context: object, frame: Frame) -> object:
        return node.value

    def _regex(self, node: syntax.Regex, context: object, frame: Frame) -> object:
        return Pattern(node.source, node.flags)

    def _name(self, node: syntax.Name, context: object, frame: Frame) -> object:
        return looked_up(context, node.name, self.ev)

    def _variable(self, node: syntax.Variable, context: object, frame: Frame) -> object:
        return context if node.name == "" else frame.find(node.name)

    def _wildcard(self, node: syntax.Wildcard, context: object, frame: Frame) -> object:
        found = Sequence()
        waiting: list[object] = [context]
        while waiting:
            self.ev.spend()
            current = waiting.pop()
            if node.is_deep and not isinstance(current, list):
                found.append(current)
            members = list(current.values()) if isinstance(current, dict) else as_items(current)
            if isinstance(current, (dict, list)):
                if node.is_deep or isinstance(current, list):
                    waiting.extend(reversed(members))
                else:
                    for member in members:
                        found.extend(as_items(member))
            self.ev.claim_list(len(found))
        return found

    # Paths.

    def _path(self, node: syntax.Path, context: object, frame: Frame) -> object:
        is_many = isinstance(context, list) and context is not self._root and not _is_variable(node.steps[0])
        found: object = context if is_many else [context]
        for index, step in enumerate(node.steps):
            if index == 0 and isinstance(step, syntax.ListOf):
                found = self.evaluate(step, context, frame)
            else:
                found = self._step(step, as_items(found), frame, is_last=index == len(node.steps) - 1)
            if isinstance(found, list) and not found:
                break
        if node.keeps_list and isinstance(found, list):
            kept = Sequence(found)
            kept.keeps_list = bool(kept)
            return kept
        return found

    def _step(self, step: syntax.Node, contexts: ListLike[object], frame: Frame, *, is_last: bool) -> object:
        found: list[object] = []
        for context in contexts:
            each = self.evaluate(step, context, frame)
            if each is not MISSING:
                found.append(each)
        if is_last and len(found) == 1 and isinstance(found[0], list) and type(found[0]) is not Sequence:
            return found[0]
        made = Sequence()
        for each in found:
            if isinstance(each, list) and type(each) is not Constructed:
                made.extend(each)
            else:
                made.append(each)
            self.ev.claim_list(len(made))
        self.ev.spend(len(made))
        return made

    def _filter(self, node: syntax.Filter, context: object, frame: Frame) -> object:
        items = as_items(self.evaluate(node.of, context, frame))
        predicate = node.predicate
        fixed = _fixed_index(predicate)
        if fixed is not None:
            index = fixed + len(items) if fixed < 0 else fixed
            return items[index] if 0 <= index < len(items) else MISSING
        found = Sequence()
        for index, item in enumerate(items):
            if self._is_picked(self.evaluate(predicate, item, frame), index, len(items)):
                found.append(item)
        return found

    @staticmethod
    def _is_picked(said: object, index: int, length: int) -> bool:
        numbers = said if isinstance(said, list) else [said]
        wanted = [math.floor(each) for each in numbers if is_number(each)]
        if numbers and len(wanted) == len(numbers):
            return index in wanted or index - length in wanted
        return truth(said)

    def _order(self, node: syntax.Order, context: object, frame: Frame) -> object:
        items = as_items(self.evaluate(node.of, context, frame))
        keyed = [([self.evaluate(term, item, frame) for term, _ in node.terms], item) for item in items]
        descending = [is_descending for _, is_descending in node.terms]

        def compare(left: tuple[list[object], object], right: tuple[list[object], object]) -> int:
            self.ev.spend()
            for one, other, is_descending in zip(left[0], right[0], descending, strict=True):
                found = _ordered(one, other)
                if found:
                    return -found if is_descending else found
            return 0

        return Sequence([item for _, item in sorted(keyed, key=functools.cmp_to_key(compare))])

    # Making objects and lists.

    def _list_of(self, node: syntax.ListOf, context: object, frame: Frame) -> object:
        made = Constructed()
        for item in node.items:
            value = self.evaluate(item, context, frame)
            if isinstance(item, syntax.ListOf):
                made.append(value)
            elif value is not MISSING:
                made.extend(as_items(value))
            self.ev.claim_list(len(made))
        self.ev.spend(len(made))
        return made

    def _group(self, node: syntax.Group, context: object, frame: Frame) -> object:
        source = context if node.of is None else self.evaluate(node.of, context, frame)
        if source is MISSING and node.of is not None:
            return MISSING
        groups: dict[str, tuple[int, object]] = {}
        for item in as_items(source) or [MISSING]:
            for index, (key_node, _) in enumerate(node.pairs):
                key = self.evaluate(key_node, item, frame)
                if key is MISSING:
                    continue
                if not isinstance(key, str):
                    raise ModifierFailed("the key of an object is not a text")
                before = groups.get(key, (index, MISSING))
                if before[0] != index:
                    raise ModifierFailed(f'two members of an object are called "{key[:40]}"')
                groups[key] = (index, appended(before[1], item, self.ev))
        made: dict[str, object] = {}
        for key, (index, members) in groups.items():
            value = self.evaluate(node.pairs[index][1], members, frame)
            if value is not MISSING:
                made[key] = value
        return made

    # Control.

    def _block(self, node: syntax.Block, context: object, frame: Frame) -> object:
        inner = Frame(frame)
        found: object = MISSING
        for item in node.items:
            found = self.evaluate(item, context, inner)
        return found

    def _condition(self, node: syntax.Condition, context: object, frame: Frame) -> object:
        if truth(self.evaluate(node.test, context, frame)):
            return self.evaluate(node.then, context, frame)
        return MISSING if node.otherwise is None else self.evaluate(node.otherwise, context, frame)

    def _bind(self, node: syntax.Bind, context: object, frame: Frame) -> object:
        value = self.evaluate(node.value, context, frame)
        frame.names[node.name] = value
        return value

    def _lambda(self, node: syntax.Lambda, context: object, frame: Frame) -> object:
        def run(arguments: list[object], tools: Toolbox) -> object:
            inner = Frame(frame)
            for position, name in enumerate(node.parameters):
                inner.names[name] = arguments[position] if position < len(arguments) else MISSING
            return self.evaluate(node.body, context, inner)

        return Function("function", run, len(node.parameters))

    def _call(self, node: syntax.Call, context: object, frame: Frame) -> object:
        return self._called(node, [], context, frame)

    def _called(self, node: syntax.Call, first: list[object], context: object, frame: Frame) -> object:
        function = self.evaluate(node.function, context, frame)
        if not isinstance(function, Function):
            called = node.function.name if isinstance(node.function, syntax.Variable) else ""
            raise ModifierFailed(f'there is no function "${called}"')
        holes = [isinstance(each, syntax.Hole) for each in node.arguments]
        arguments = first + [
            MISSING if is_hole else self.evaluate(each, context, frame)
            for each, is_hole in zip(node.arguments, holes, strict=True)
        ]
        if any(holes):
            return _partial(function, arguments, [False] * len(first) + holes, self.call)
        if function.wants_context(arguments):
            arguments.insert(0, context)
        return self.call(function, arguments)

    def call(self, function: object, arguments: list[object]) -> object:
        """Call a function. Raises `ModifierFailed` when it is none."""
        if not isinstance(function, Function):
            raise ModifierFailed("what is called is not a function")
        self.ev.spend()
        return function.run(arguments, self._tools)

    # Operators.

    def _negated(self, node: syntax.Negated, context: object, frame: Frame) -> object:
        value = self.evaluate(node.of, context, frame)
        return value if value is MISSING else _finite(-_number(value, "-"))

    def _binary(self, node: syntax.Binary, context: object, frame: Frame) -> object:
        sign = node.sign
        if sign == "~>":
            return self._chained(node, context, frame)
        left = self.evaluate(node.left, context, frame)
        match sign:
            case "and":
                return truth(left) and truth(self.evaluate(node.right, context, frame))
            case "or":
                return truth(left) or truth(self.evaluate(node.right, context, frame))
            case "??":
                return self.evaluate(node.right, context, frame) if left is MISSING else left
            case "?:":
                return left if truth(left) else self.evaluate(node.right, context, frame)
        right = self.evaluate(node.right, context, frame)
        match sign:
            case "=":
                return self._are_equal(left, right)
            case "!=":
                return left is not MISSING and right is not MISSING and not self._are_equal(left, right)
            case "in":
                return any(self._are_equal(left, each) for each in as_items(right))
            case "&":
                text = self._tools.text(left) + self._tools.text(right)
                self.ev.claim(len(text))
                return text
            case "..":
                return self._range(left, right)
            case "<" | "<=" | ">" | ">=":
                return _compared(sign, left, right)
            case _:
                return _computed(sign, left, right)

    def _are_equal(self, left: object, right: object) -> bool:
        if left is MISSING or right is MISSING:
            return False
        return identity(self._as_json(left, 0), self.ev) == identity(self._as_json(right, 0), self.ev)

    def _range(self, left: object, right: object) -> object:
        if left is MISSING or right is MISSING:
            return MISSING
        start, end = _number(left, ".."), _number(right, "..")
        if start != start // 1 or end != end // 1:
            raise ModifierFailed("a range is not between whole numbers")
        length = max(0, int(end) - int(start) + 1)
        self.ev.claim_list(length)
        self.ev.spend(length)
        return Sequence(range(int(start), int(end) + 1))

    def _chained(self, node: syntax.Binary, context: object, frame: Frame) -> object:
        left = self.evaluate(node.left, context, frame)
        if isinstance(node.right, syntax.Call):
            return self._called(node.right, [left], context, frame)
        function = self.evaluate(node.right, context, frame)
        if isinstance(left, Function) and isinstance(function, Function):
            first, then = left, function
            return Function(
                "chain", lambda arguments, tools: self.call(then, [self.call(first, arguments)]), first.arity
            )
        return self.call(function, [left])


Rule = Callable[[Evaluator, syntax.Node, object, Frame], object]


def _rule(method: object) -> Rule:
    """Each method takes the one kind of node that it is entered for, which types cannot say of a table."""
    assert callable(method)
    return method


_RULES: Mapping[type, Rule] = {
    syntax.Literal: _rule(Evaluator._literal),
    syntax.Regex: _rule(Evaluator._regex),
    syntax.Name: _rule(Evaluator._name),
    syntax.Variable: _rule(Evaluator._variable),
    syntax.Wildcard: _rule(Evaluator._wildcard),
    syntax.Path: _rule(Evaluator._path),
    syntax.Filter: _rule(Evaluator._filter),
    syntax.Order: _rule(Evaluator._order),
    syntax.ListOf: _rule(Evaluator._list_of),
    syntax.Group: _rule(Evaluator._group),
    syntax.Block: _rule(Evaluator._block),
    syntax.Condition: _rule(Evaluator._condition),
    syntax.Bind: _rule(Evaluator._bind),
    syntax.Lambda: _rule(Evaluator._lambda),
    syntax.Call: _rule(Evaluator._call),
    syntax.Negated: _rule(Evaluator._negated),
    syntax.Binary: _rule(Evaluator._binary),
}


def _is_variable(step: syntax.Node) -> bool:
    while isinstance(step, syntax.Filter):
        step = step.of
    return isinstance(step, (syntax.Variable, syntax.Call))


def _fixed_index(predicate: syntax.Node) -> int | None:
    inner = predicate.of if isinstance(predicate, syntax.Negated) else predicate
    if (
        not isinstance(inner, syntax.Literal)
        or isinstance(inner.value, bool)
        or not isinstance(inner.value, (int, float))
    ):
        return None
    return int((-inner.value if inner is not predicate else inner.value) // 1)


def _partial(
    function: Function, arguments: list[object], holes: list[bool], call: Callable[[object, list[object]], object]
) -> Function:
    def run(given: list[object], tools: Toolbox) -> object:
        waiting = iter(given)
        filled = [
            next(waiting, MISSING) if is_hole else argument for argument, is_hole in zip(arguments, holes, strict=True)
        ]
        return call(function, filled)

    return Function("partial", run, sum(holes))


def _number(value: object, sign: str) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ModifierFailed(f'"{sign}" works on numbers only, not on {_kind(value)}')


def _kind(value: object) -> str:
    if isinstance(value, (Missing, bool, int, float, str, list, dict)):
        return kind_of(value)
    return "null" if value is None else "a function"


def _finite(value: int | float) -> int | float:
    found = number(value)
    if found is None:
        raise ModifierFailed("a number became too large")
    return found


def _computed(sign: str, left: object, right: object) -> object:
    if left is MISSING or right is MISSING:
        return MISSING
    one, other = _number(left, sign), _number(right, sign)
    if sign in "/%" and other == 0:
        raise ModifierFailed("a number is divided by zero")
    match sign:
        case "+":
            return _finite(one + other)
        case "-":
            return _finite(one - other)
        case "*":
            return _finite(one * other)
        case "/":
            return _finite(one / other)
        case _:
            rest = abs(one) % abs(other)
            return _finite(-rest if one < 0 else rest)


def _compared(sign: str, left: object, right: object) -> object:
    if left is MISSING or right is MISSING:
        return MISSING
    found = _ordered(left, right)
    match sign:
        case "<":
            return found < 0
        case "<=":
            return found <= 0
        case ">":
            return found > 0
        case _:
            return found >= 0


def _ordered(left: object, right: object) -> int:
    """-1, 0 or 1. What is missing comes last."""
    if left is MISSING or right is MISSING:
        return (left is MISSING) - (right is MISSING)
    if isinstance(left, str) and isinstance(right, str):
        return (left > right) - (left < right)
    one, other = _number(left, "<"), _number(right, "<")
    return (one > other) - (one < other)
