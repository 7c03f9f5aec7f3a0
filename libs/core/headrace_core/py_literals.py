"""Literals of Python, read without running anything: the names that a module gives to dicts, lists, texts and numbers.

    from datetime import timedelta
    rules = [{"limit": 30, "window": timedelta(minutes=1), "resource": "search"}]

A docstring, that one import, and assignments to names are understood, numbers with + - * /, True, False and None; a
`timedelta` stands for its milliseconds. Calls, functions and other names are refused with their line and column.
"""

import ast
import math
from datetime import timedelta
from typing import Final, NoReturn

from headrace_core import Json
from headrace_core.errors import BadRequest

MAX_SOURCE: Final = 65_536
MAX_DEPTH: Final = 32

SUPPORTED: Final = (
    "Write rules = [ … ] of dicts, lists, texts, numbers with + - * /, timedelta(…), True, False and None."
)

_UNITS: Final = frozenset({"weeks", "days", "hours", "minutes", "seconds", "milliseconds"})


def read_module(source: str) -> dict[str, Json]:
    """What a module gives names to. Raises BadRequest that says where it is something else."""
    if len(source) > MAX_SOURCE:
        raise BadRequest(f"The source has {len(source):,} characters: {MAX_SOURCE:,} are read.")
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        raise BadRequest(f"It is no Python: {error.msg}, in line {error.lineno}, column {error.offset}.") from None
    except (ValueError, RecursionError, MemoryError):
        raise BadRequest(
            "It is no Python that can be read: it holds a null character or is nested too deeply."
        ) from None
    found: dict[str, Json] = {}
    for number, statement in enumerate(tree.body):
        if (number == 0 and _is_text(statement)) or _is_import(statement):
            continue
        target = _target(statement)
        if target is None:
            _refuse(statement, "Here should stand a name and its value")
        name, value = target
        found[name] = _value(value, MAX_DEPTH)
    return found


def _target(statement: ast.stmt) -> tuple[str, ast.expr] | None:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target: ast.expr = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        return None
    value = statement.value
    return (target.id, value) if isinstance(target, ast.Name) and value is not None else None


def _value(node: ast.expr, depth: int) -> Json:
    if depth == 0:
        _refuse(node, "This is nested too deeply")
    match node:
        case ast.Constant(value=str() | bool() | int() | float() | None as value):
            return value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_value(each, depth - 1) for each in items]
        case ast.Dict(keys=keys, values=values):
            return {_key(key, node): _value(each, depth - 1) for key, each in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand, depth - 1)
        case ast.BinOp(left=left, op=operation, right=right):
            return _calculated(node, operation, _number(left, depth - 1), _number(right, depth - 1))
        case ast.Call(func=ast.Name(id="timedelta"), args=[], keywords=given):
            return _milliseconds(node, {each.arg or "": _number(each.value, depth - 1) for each in given})
        case _:
            _refuse(node, "This is no literal")


def _key(key: ast.expr | None, node: ast.expr) -> str:
    if isinstance(key, ast.Constant) and isinstance(key.value, str):
        return key.value
    _refuse(key or node, "A key is a text")


def _number(node: ast.expr, depth: int) -> int | float:
    found = _value(node, depth)
    if isinstance(found, bool) or not isinstance(found, int | float):
        _refuse(node, "This is no number")
    return found


def _calculated(node: ast.expr, operation: ast.operator, left: int | float, right: int | float) -> int | float:
    if isinstance(operation, ast.Div) and right == 0:
        _refuse(node, "This divides by zero")
    try:
        match operation:
            case ast.Add():
                return _finite(node, left + right)
            case ast.Sub():
                return _finite(node, left - right)
            case ast.Mult():
                return _finite(node, left * right)
            case ast.Div():
                return _finite(node, left / right)
    except OverflowError:
        _refuse(node, "This is too large")
    _refuse(node, "Numbers are added, subtracted, multiplied and divided here, and no more")


def _finite(node: ast.expr, found: int | float) -> int | float:
    if abs(found) > 2**53 or not math.isfinite(found):
        _refuse(node, "This is too large")
    return int(found) if isinstance(found, float) and found.is_integer() else found


def _milliseconds(node: ast.expr, given: dict[str, int | float]) -> int | float:
    if not given or not given.keys() <= _UNITS:
        _refuse(node, f"A timedelta takes {', '.join(sorted(_UNITS))} by name")
    try:
        return _finite(node, timedelta(**given) / timedelta(milliseconds=1))
    except OverflowError:
        _refuse(node, "This is too large")


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _is_import(statement: ast.stmt) -> bool:
    """Whether it is `from datetime import timedelta`, or an import from the future."""
    if not isinstance(statement, ast.ImportFrom) or statement.level:
        return False
    names = [each.name for each in statement.names if each.asname is None]
    return statement.module == "__future__" or (statement.module, names) == ("datetime", ["timedelta"])


def _refuse(node: ast.AST, said: str) -> NoReturn:
    line, column = getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1
    raise BadRequest(f"{said}: line {line}, column {column}.")
