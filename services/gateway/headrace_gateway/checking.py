"""Bodies are checked against the schemas that the reference shows, so that the two cannot differ."""

from collections.abc import Iterable
from itertools import islice
from typing import cast

import jsonschema_rs
from headrace_core import Json, errors

from headrace_gateway.routing import Route, Schema

_MOST_PROBLEMS = 20
_SMALL = 2_000


class SchemaChecks:
    """Ready-made validators of the request schemas of all routes."""

    def __init__(self, routes: Iterable[Route], components: dict[str, Schema]) -> None:
        self._components = components
        self._validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}
        for route in routes:
            if route.request is not None and route.request_media_type == "application/json":
                self._validators[route.method, route.path] = self._validator_of(route.request)

    def check(self, route: Route, value: Json) -> None:
        """Raise ValidationFailed when the value breaks the route's request schema."""
        validator = self._validators.get((route.method, route.path))
        if validator is None or validator.is_valid(value):
            return
        if not _has_at_most(_SMALL, value):
            raise errors.ValidationFailed([self._problem_of_large(cast("Schema", route.request), value)])
        problems = [_problem(each) for each in islice(validator.iter_errors(value), _MOST_PROBLEMS)]
        raise errors.ValidationFailed(problems)

    def _problem_of_large(self, schema: Schema, value: Json) -> errors.Problem:
        """Which field of a large value is wrong, and no more.

        The validator makes all its errors before it hands out one, each with a copy of what it is about; a megabyte
        has room for hundreds of thousands: seconds in which nobody else is served.
        """
        if isinstance(value, dict):
            for name, inner in self._fields_of(schema).items():
                if name in value and not self._validator_of(inner).is_valid(value[name]):
                    return errors.Problem(name, "It does not fit the schema of this field.", field=name)
        return errors.Problem("body", "It does not fit the schema of this endpoint.", field="")

    def _fields_of(self, schema: Schema) -> dict[str, Schema]:
        if "$ref" in schema:
            schema = self._components[str(schema["$ref"]).rpartition("/")[2]]
        return cast("dict[str, Schema]", schema.get("properties", {}))

    def _validator_of(self, schema: Schema) -> jsonschema_rs.Validator:
        return jsonschema_rs.validator_for({**schema, "components": {"schemas": self._components}})


def _problem(error: jsonschema_rs.ValidationError) -> errors.Problem:
    where = ".".join(str(part) for part in error.instance_path)
    return errors.Problem(where or "body", f"{error.message[:300]}.", field=where)


def _has_at_most(count: int, value: Json) -> bool:
    """Whether so many values, or fewer, are in a value, itself included."""
    left = [value]
    while left:
        count -= 1
        if count < len(left) - 1:
            return False
        each = left.pop()
        if isinstance(each, (dict, list)):
            if len(each) > count:
                return False
            left.extend(each.values() if isinstance(each, dict) else each)
    return True
