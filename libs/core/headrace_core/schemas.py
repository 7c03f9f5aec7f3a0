"""JSON Schema as components use it: drafts 4 and 7 mixed, checked fast, without surprises.

A schema is first made plain draft 7: unknown keywords, types and formats are dropped, booleans of `required` and of
`exclusiveMinimum` get today's form, a local `$ref` that leads nowhere accepts everything. Patterns run in a
linear-time engine; the few that need look-around or back-references are not checked. All that is dropped is told by
`Validator.skipped`. A `$ref` that leaves the document, and schemas past the limits, are refused; nothing is fetched.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final

import jsonschema_rs

from headrace_core import Json
from headrace_core.errors import Problem, ValidationFailed
from headrace_core.flow import kind_of

MAX_DEPTH: Final = 64
MAX_PARTS: Final = 20_000
MAX_PROBLEMS: Final = 50

CHECKED_FORMATS = frozenset({"email", "uri", "date-time", "date"})

_TYPES: Mapping[str, str] = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_ONE = frozenset({"additionalItems", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"})
_MANY = frozenset({"allOf", "anyOf", "oneOf"})
_NAMED = frozenset({"properties", "patternProperties", "definitions", "$defs"})
_COUNTS = frozenset({"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"})
_SILENT = frozenset(
    {
        "title",
        "description",
        "default",
        "example",
        "examples",
        "$schema",
        "$comment",
        "nullable",
        "readOnly",
        "writeOnly",
        "label",
    }
)
_REGEX = jsonschema_rs.RegexOptions(size_limit=1 << 20, dfa_size_limit=1 << 20)


class Validator:
    """Checks values against one schema. Made by `compile_schema`; has no state, may be shared."""

    __slots__ = ("_engine", "_is_valid", "skipped")

    def __init__(self, engine: jsonschema_rs.Draft7Validator | None, skipped: Sequence[str]) -> None:
        self._engine = engine
        self._is_valid: Callable[[Json], bool] = engine.is_valid if engine is not None else _anything
        self.skipped: tuple[str, ...] = tuple(skipped)
        """The parts of the schema that are not checked, as `path: reason`."""

    def check(self, value: Json, *, where: str = "value", node: str = "", port: str = "") -> list[Problem]:
        """What is wrong with the value: nothing when it fits. Problems never repeat the value, which may be secret."""
        try:
            if self._is_valid(value):
                return []
        except (ValueError, TypeError, OverflowError):
            fix = "Use text keys and plain JSON values."
            return [Problem(where, "It holds something that JSON cannot hold.", fix, node=node, port=port)]
        return list(self._problems(value, where, node, port))

    def _problems(self, value: Json, where: str, node: str, port: str) -> Iterator[Problem]:
        if self._engine is None:
            return
        for count, error in enumerate(self._engine.iter_errors(value)):
            if count == MAX_PROBLEMS:
                yield Problem(where, f"There are more problems than the {MAX_PROBLEMS} named.", node=node, port=port)
                return
            field = _path(_place(error))
            full = where + ("" if field.startswith("[") or not field else ".") + field
            yield Problem(full, explain(error), "", node=node, port=port, field=field)


def compile_schema(schema: Json) -> Validator:
    """A validator of the schema. None, {} and true accept everything; the same schema gives the same validator.

    Raises ValidationFailed when the schema is no schema at all, refers to another document, or passes the limits.
    """
    if schema is None or schema is True or schema == {}:
        return ACCEPTS_ALL
    if not isinstance(schema, dict | bool):
        said = f"A JSON Schema is an object, and this is {kind_of(schema)}."
        raise ValidationFailed([Problem("schema", said, 'Write {"type": "object", "properties": {…}}.')])
    try:
        text = json.dumps(schema, separators=(",", ":"))
    except (RecursionError, ValueError, TypeError) as error:
        raise ValidationFailed([_too_deep()]) from error
    return _compiled(text)


def explain(error: jsonschema_rs.ValidationError) -> str:
    """The error in words, without the value that caused it."""
    rule, limit = error.kind.name, error.kind.value
    match rule:
        case "required":
            return "A value is required."
        case "type":
            wanted = " or ".join(_TYPES.get(str(each), str(each)) for each in _as_list(limit))
            return f"It must be {wanted}, and is {_kind(error)}."
        case "enum":
            named = ", ".join(_short(each) for each in _as_list(limit)[:10])
            return f"It must be one of: {named}."
        case "const":
            return f"It must be {_short(limit)}."
        case "format":
            return f"It is not a valid {limit}."
        case "pattern":
            return f"It does not fit the pattern {_short(limit)}."
        case "anyOf" | "oneOf":
            return _explain_alternatives(error)
        case "additionalProperties" | "falseSchema":
            return "There is a field that is not known here."
        case _:
            return _LIMIT_WORDS.get(rule, f"It breaks the rule {rule}: {{}}.").format(_short(limit))


_LIMIT_WORDS: Mapping[str, str] = {
    "minimum": "It must be at least {}.",
    "maximum": "It must be at most {}.",
    "exclusiveMinimum": "It must be more than {}.",
    "exclusiveMaximum": "It must be less than {}.",
    "multipleOf": "It must be a multiple of {}.",
    "minLength": "It must have at least {} characters.",
    "maxLength": "It must have at most {} characters.",
    "minItems": "It must have at least {} items.",
    "maxItems": "It must have at most {} items.",
    "minProperties": "It must have at least {} fields.",
    "maxProperties": "It must have at most {} fields.",
    "uniqueItems": "It must not hold the same item twice.",
    "contains": "None of its items is of the kind that is asked for.",
    "not": "It is of a kind that is ruled out.",
}


def _explain_alternatives(error: jsonschema_rs.ValidationError) -> str:
    branches = error.kind.value if isinstance(error.kind.value, list) else []
    if not any(branches):
        return "It fits several of the allowed forms, and must fit one."
    wanted: list[str] = []
    for branch in branches:
        if len(branch) != 1 or branch[0].kind.name != "type" or branch[0].instance_path != error.instance_path:
            return f"It fits none of the {len(branches)} allowed forms."
        wanted.extend(_TYPES.get(str(each), str(each)) for each in _as_list(branch[0].kind.value))
    return f"It must be {' or '.join(dict.fromkeys(wanted))}, and is {_kind(error)}."


def _kind(error: jsonschema_rs.ValidationError) -> str:
    # Numbers that no float holds come back as Decimal, which is not among the JSON types.
    return "a number" if isinstance(error.instance, Decimal) else kind_of(error.instance)


def _place(error: jsonschema_rs.ValidationError) -> list[str | int]:
    path = list(error.instance_path)
    return [*path, str(error.kind.value)] if error.kind.name == "required" else path


def _path(steps: Sequence[str | int]) -> str:
    path = ""
    for step in steps:
        path += f"[{step}]" if isinstance(step, int) else (f".{step}" if path else step)
    return path


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _as_json_list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"


def _anything(_: Json) -> bool:
    return True


ACCEPTS_ALL = Validator(None, ())


@lru_cache(maxsize=4096)
def _compiled(text: str) -> Validator:
    plain = _Plain(json.loads(text))
    schema = plain.schema()
    if plain.problems:
        raise ValidationFailed(plain.problems)
    if schema is True or schema == {}:
        return Validator(None, plain.skipped)
    try:
        engine = jsonschema_rs.Draft7Validator(
            schema, pattern_options=_REGEX, validate_formats=True, ignore_unknown_formats=True, offline=True
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        said = str(error).partition("\n")[0][:300]
        raise ValidationFailed([Problem("schema", f"It is no JSON Schema: {said}")]) from error
    return Validator(engine, plain.skipped)


def _too_deep() -> Problem:
    return Problem("schema", f"The schema is nested deeper than {MAX_DEPTH} levels.", "Flatten it.")


class _Plain:
    """Rewrites one schema as plain draft 7."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._parts = 0
        self.skipped: list[str] = []
        self.problems: list[Problem] = []

    def schema(self) -> dict[str, Json] | bool:
        plain = self._part(self._root, "schema", 0)
        return plain if self.problems else self._without_dead_references(plain)

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(f"{path}: {reason}")

    def _refuse(self, problem: Problem) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(problem)

    def _part(self, schema: Json, path: str, depth: int) -> dict[str, Json] | bool:
        self._parts += 1
        if depth > MAX_DEPTH:
            self._refuse(_too_deep())
            return True
        if self._parts > MAX_PARTS:
            if self._parts == MAX_PARTS + 1:
                self._refuse(Problem("schema", f"The schema has more than {MAX_PARTS} parts.", "Make it smaller."))
            return True
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            self._skip(path, f"is {kind_of(schema)}")
            return True
        plain: dict[str, Json] = {}
        for key, value in schema.items():
            self._keyword(key, value, plain, f"{path}.{key}", depth)
        self._old_bounds(schema, plain)
        self._old_required(schema, plain)
        if schema.get("nullable") is True and "type" in plain:
            plain["type"] = list(dict.fromkeys([*_as_json_list(plain["type"]), "null"]))
        return plain

    def _keyword(self, key: str, value: Json, plain: dict[str, Json], path: str, depth: int) -> None:
        kept: Json = None
        if key in _SILENT:
            return
        if key in _ONE:
            kept = self._part(value, path, depth + 1)
        elif key in _MANY:
            kept = [self._part(each, path, depth + 1) for each in value] if isinstance(value, list) else None
        elif key in _NAMED:
            kept = self._named(key, value, path, depth)
        elif key == "items":
            if isinstance(value, list):
                kept = [self._part(each, path, depth + 1) for each in value]
            else:
                kept = self._part(value, path, depth + 1)
        elif key == "dependencies":
            kept = self._dependencies(value, path, depth)
        elif key == "const":
            plain[key] = value
            return
        else:
            kept = self._simple(key, value, path)
        if kept is None or kept == []:
            if not (key in ("required", "exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool)):
                self._skip(path, "is not understood")
        else:
            plain[key] = kept

    def _named(self, key: str, value: Json, path: str, depth: int) -> Json:
        if not isinstance(value, dict):
            return None
        return {
            name: self._part(each, f"{path}.{name}", depth + 1)
            for name, each in value.items()
            if key != "patternProperties" or self._is_linear(name, path)
        }

    def _dependencies(self, value: Json, path: str, depth: int) -> Json:
        if not isinstance(value, dict):
            return None
        return {
            name: _texts(each) if isinstance(each, list) else self._part(each, f"{path}.{name}", depth + 1)
            for name, each in value.items()
        }

    def _simple(self, key: str, value: Json, path: str) -> Json:
        """The value of a keyword that holds no schemas, or None to drop it."""
        match key:
            case "type":
                names = [each for each in _texts(value if isinstance(value, list) else [value]) if each in _TYPES]
                known = len(names) == len(_as_list(value))
                return None if not known or not names else (names[0] if len(names) == 1 else list(names))
            case "required":
                return list(_texts(value)) if isinstance(value, list) else None
            case "enum":
                return value if isinstance(value, list) and value else None
            case "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum":
                return value if _is_number(value) else None
            case "multipleOf":
                return value if _is_number(value) and isinstance(value, int | float) and value > 0 else None
            case "uniqueItems":
                return value if isinstance(value, bool) else None
            case "pattern":
                return value if isinstance(value, str) and self._is_linear(value, path) else None
            case "format":
                return value if isinstance(value, str) and value in CHECKED_FORMATS else None
            case "$ref":
                return self._reference(value, path)
            case _ if key in _COUNTS:
                if isinstance(value, int | float) and _is_number(value) and 0 <= value < math.inf:
                    return int(value)
        return None

    def _reference(self, value: Json, path: str) -> Json:
        if isinstance(value, str) and not value.startswith("#"):
            fix = "Copy what is needed under #/definitions."
            self._refuse(Problem(path, f"$ref {_short(value)} leaves the document; nothing is fetched.", fix))
            return None
        return value if isinstance(value, str) else None

    def _is_linear(self, pattern: str, path: str) -> bool:
        try:
            jsonschema_rs.Draft7Validator({"pattern": pattern}, pattern_options=_REGEX)
        except (jsonschema_rs.ValidationError, ValueError):
            self._skip(path, "is a pattern that a linear-time engine cannot run")
            return False
        return True

    def _old_bounds(self, schema: Mapping[str, Json], plain: dict[str, Json]) -> None:
        """Draft 4 says `minimum: 1, exclusiveMinimum: true`."""
        for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
            if schema.get(exclusive) is True and bound in plain:
                plain[exclusive] = plain.pop(bound)

    def _old_required(self, schema: Mapping[str, Json], plain: dict[str, Json]) -> None:
        """Draft 3, and many people, say `required: true` inside the property."""
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            return
        named = [name for name, each in properties.items() if isinstance(each, dict) and each.get("required") is True]
        listed = plain.get("required")
        every = dict.fromkeys([*(listed if isinstance(listed, list) else []), *named])
        if named:
            plain["required"] = list(every)

    def _without_dead_references(self, plain: dict[str, Json] | bool) -> dict[str, Json] | bool:
        stack: list[Json] = [plain]
        while stack:
            part = stack.pop()
            if isinstance(part, list):
                stack.extend(part)
            elif isinstance(part, dict):
                target = part.get("$ref")
                if isinstance(target, str) and not _leads_somewhere(plain, target):
                    del part["$ref"]
                    self._skip(target, "leads nowhere")
                stack.extend(each for key, each in part.items() if key not in ("enum", "const"))
        return plain


def _leads_somewhere(root: dict[str, Json] | bool, reference: str) -> bool:
    """Whether a local reference ends at a schema, in at most a handful of hops that do not go round."""
    for _ in range(8):
        part = _at(root, reference)
        if not isinstance(part, dict | bool):
            return False
        onward = part.get("$ref") if isinstance(part, dict) else None
        if not isinstance(onward, str):
            return True
        reference = onward
    return False


def _at(root: Json, reference: str) -> Json:
    part = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(part, dict) and name in part:
            part = part[name]
        elif isinstance(part, list) and name.isdecimal() and int(name) < len(part):
            part = part[int(name)]
        else:
            return None
    return part if reference == "#" or reference.startswith("#/") else None


def _texts(value: Json) -> list[Json]:
    return list(dict.fromkeys(each for each in value if isinstance(each, str))) if isinstance(value, list) else []


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
