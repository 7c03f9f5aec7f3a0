"""The API as an OpenAPI 3.1 document, made from the route table."""

from collections.abc import Callable, Iterable
from http import HTTPStatus

from headrace_core import Json

from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import COMPONENTS, PROJECTION, ref

ANY_TYPE = "*/*"
_EVERYWHERE = (429, 503)
_WITH_BODY = (408, 413, 415)
_WEBHOOK_PATH = "/flows/{flowId}/components/{componentId}"
_WEBHOOK_METHODS = ("get", "post", "put", "patch", "delete")


def openapi_document(routes: Iterable[Route]) -> dict[str, Json]:
    """The document: one operation per route, and the webhook entry that is served beside the table."""
    routes = tuple(routes)
    paths: dict[str, dict[str, Json]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths.setdefault(_WEBHOOK_PATH, {}).update({method: _webhook(method) for method in _WEBHOOK_METHODS})
    tags: list[Json] = [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Headrace",
            "version": "1",
            "description": "Flows of components: draw, start, watch. Accepted means durable.",
            "license": {"name": "See the repository"},
        },
        "tags": tags,
        "paths": dict(paths),
        "components": {
            "schemas": {**COMPONENTS, **_parts(routes)},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "secret": {"type": "apiKey", "in": "query", "name": "secret"},
            },
            "responses": {"Error": _error_response()},
        },
    }


def _parts(routes: Iterable[Route]) -> dict[str, Json]:
    """For each thing that some route shows by projection: the same with no field sure to be there."""
    answers = [each.schema for route in routes if PROJECTION in route.parameters for each in route.answers]
    names = {name for schema in answers if schema is not None and (name := _complete(schema))}
    return {f"{name}Fields": _without_required(COMPONENTS[name]) for name in sorted(names)}


def _without_required(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "required"}


def operation_id(route: Route) -> str:
    """A name for the operation, unique in the table: its method and its path's words."""
    words = [part.strip("{}").replace(".", "_").replace("-", "_") for part in route.path.split("/") if part]
    return "_".join([route.method.lower(), *words]) if words else f"{route.method.lower()}_root"


def _operation(route: Route) -> dict[str, Json]:
    operation: dict[str, Json] = {
        "operationId": operation_id(route),
        "tags": [route.tag],
        "summary": route.summary,
        "description": f"{route.description}\n\nFor: {route.policy.value}".strip(),
        "parameters": [*map(_path_parameter, route.names), *map(_parameter, route.parameters)],
        "responses": _responses(route),
        "security": _security(route.policy),
    }
    if route.request is not None:
        body = _body_of(route.request, route.request_media_type)
        operation["requestBody"] = {**body, "required": True} if route.request.get("required") else body
    return operation


def _security(policy: Policy) -> Json:
    """What a caller may come with: one of these; nothing is needed where there are none."""
    ways: dict[Policy, list[Json]] = {
        Policy.PUBLIC: [],
        Policy.OPEN: [{}, {"token": []}],
        Policy.PLUGIN: [{}, {"token": []}],
        Policy.SECRET: [{"token": []}, {"secret": []}],
    }
    return ways.get(policy, [{"token": []}])


def _responses(route: Route) -> dict[str, Json]:
    statuses = {*route.errors, *_EVERYWHERE, 400}
    if route.policy is not Policy.PUBLIC:
        statuses |= {401, 403}  # access rules may take any route from a role
    if route.request is not None:
        statuses |= {*_WITH_BODY}
    responses: dict[str, Json] = {str(status): {"$ref": "#/components/responses/Error"} for status in sorted(statuses)}
    shown = _projected if PROJECTION in route.parameters else _as_it_is
    responses |= {str(each.status): _answer(each, shown) for each in route.answers}
    responses.setdefault("431", {"$ref": "#/components/responses/Error"})
    return responses


def _answer(answer: Answer, shown: Callable[[Schema], Schema]) -> Json:
    described: dict[str, Json] = {"description": answer.description or HTTPStatus(answer.status).phrase}
    if answer.schema is not None:
        described |= _content_of(shown(answer.schema), answer.media_type)
    return described


def _as_it_is(schema: Schema) -> Schema:
    return schema


def _projected(schema: Schema) -> Schema:
    """What is left of a thing, or of each in a list, when the caller chooses its fields."""
    if isinstance(items := schema.get("items"), dict):
        return {**schema, "items": _projected(items)}
    name = _complete(schema)
    return ref(f"{name}Fields") if name else schema


def _complete(schema: Schema) -> str:
    """The component that a schema is, or lists, if that one has required fields; else an empty text."""
    if isinstance(items := schema.get("items"), dict):
        return _complete(items)
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    return name if COMPONENTS.get(name, {}).get("required") else ""


def _error_response() -> Json:
    return {"description": "What is wrong, and what to do.", **_content_of(ref("Error"), "application/json")}


def _content_of(schema: Schema, media_type: str) -> dict[str, Json]:
    return {"content": {media_type: {"schema": schema}}}


def _body_of(schema: Schema, media_type: str) -> dict[str, Json]:
    """A body. Where any type will do JSON is named first: programs that write clients know no `*/*`."""
    media_types = ("application/json", media_type) if media_type == ANY_TYPE else (media_type,)
    return {"content": {each: {"schema": schema} for each in media_types}}


def _path_parameter(name: str) -> Json:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _parameter(parameter: Parameter) -> Json:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required,
        "description": parameter.description,
        "schema": parameter.schema,
    }


def _webhook(method: str) -> Json:
    operation: dict[str, Json] = {
        "operationId": f"{method}_webhook",
        "tags": ["Webhooks"],
        "summary": "Call a flow",
        "description": (
            "Starts a run with {method, data, query, headers, hostname, path}. The flow's own answer is passed on when "
            "it comes in time, else 202 with the run's id. Equal Idempotency-Key, webhook-id or X-Headrace-Event-Id "
            f"headers make one run.\n\nFor: {Policy.PUBLIC.value}"
        ),
        "parameters": [
            _path_parameter("flowId"),
            _path_parameter("componentId"),
            _parameter(Parameter("correlationId", "Id of the outside world, kept on the run.")),
            _parameter(Parameter("enqueueOnly", "true answers 202 at once.", {"type": "boolean"})),
            _parameter(Parameter("Idempotency-Key", "Id of the event.", place="header")),
        ],
        "responses": {
            "200": {"description": "The flow's answer, or {}."},
            "202": {"description": "Accepted.", **_content_of(ref("Accepted"), "application/json")},
            "default": {"$ref": "#/components/responses/Error"},
        },
        "security": [],
    }
    if method not in ("get", "delete"):
        operation["requestBody"] = _body_of({}, ANY_TYPE)
    return operation
