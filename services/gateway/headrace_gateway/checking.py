"""Bodies are checked against the schemas that the reference shows, so that the two cannot differ."""

from collections.abc import Iterable
from itertools import islice

import jsonschema_rs
from headrace_core import Json, errors

from headrace_gateway.routing import Route, Schema

_MOST_PROBLEMS = 20
_SMALL = 2_000


class SchemaChecks:
    """Ready-made validators of the request schemas of all routes."""

    def __init__(self, routes: Iterable[Route], components: dict[str, Schema]) -> None:
        self._validators: dict[tuple[str, str], jsonschema_rs.Validator] = {}
        for route in routes:
            if route.request is not None and route.request_media_type == "application/json":
                document = {**route.request, "components": {"schemas": components}}
                self._validators[route.method, route.path] = jsonschema_rs.validator_for(document)

    def check(self, route: Route, value: Json) -> None:
        """Raise ValidationFailed when the value breaks the route's request schema."""
        validator = self._validators.get((route.method, route.path))
        if validator is None or validator.is_valid(value):
            return
        problems = [_problem(each) for each in islice(_mistakes(validator, value), _MOST_PROBLEMS)]
        raise errors.ValidationFailed(problems)


def _mistakes(validator: jsonschema_rs.Validator, value: Json) -> Iterable[jsonschema_rs.ValidationError]:
    """What is wrong: all of it in a small value, the first in a large one.

    The validator makes all its errors before it hands out one, and a megabyte has room for hundreds of thousands:
    seconds in which nobody else is served.
    """
    if _has_at_most(_SMALL, value):
        return validator.iter_errors(value)
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        return [error]
    return []


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
