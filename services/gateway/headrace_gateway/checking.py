"""Bodies are checked against the schemas that the reference shows, so that the two cannot differ."""

from collections.abc import Iterable

import jsonschema_rs
from headrace_core import Json, errors

from headrace_gateway.routing import Route, Schema

_MOST_PROBLEMS = 20


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
        problems: list[errors.Problem] = []
        for each in validator.iter_errors(value):
            where = ".".join(str(part) for part in each.instance_path)
            problems.append(errors.Problem(where or "body", f"{each.message[:300]}.", field=where))
            if len(problems) == _MOST_PROBLEMS:
                break
        raise errors.ValidationFailed(problems)
