"""What a component may reach of the platform's API in the name of its flow's user, answered here.

    ANY    /plugins/<own vendor>/<own service>/…        the plugin of its service
    GET    /stores, /stores/{id}; POST /stores; DELETE /stores/{id}
    GET    /store/{id}/{key}; POST, PUT /store/{id}/{key}; DELETE /store/{id}/{key}
    GET    /flows/{id}

No token is made: the executor knows whose flow it is, and asks the services itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, unquote

import orjson
from headrace_core.errors import (
    AlreadyExists,
    DeadlineExceeded,
    Forbidden,
    HeadraceError,
    Internal,
    NotFound,
    RateLimited,
    TooLarge,
    Unavailable,
    ValidationFailed,
)
from headrace_core.expressions import Json
from headrace_core.flow import normalize_type
from headrace_sdk.errors import CancelError, HttpStatusError

from headrace_executor.context import ApiCall
from headrace_executor.plugins import Plugins, WebRequest
from headrace_executor.ports import DataStores, Flows

PLUGIN_WITHIN: Final = timedelta(seconds=60)

_STATUSES: Final[Mapping[type[HeadraceError], int]] = {
    NotFound: 404,
    AlreadyExists: 409,
    Forbidden: 403,
    TooLarge: 413,
    ValidationFailed: 400,
    RateLimited: 429,
    Internal: 500,
    Unavailable: 503,
    DeadlineExceeded: 503,
}


@dataclass(frozen=True, slots=True)
class _Request:
    """A call, taken apart."""

    asked: ApiCall
    parts: tuple[str, ...]  # as they came, percent-encoded
    query: Mapping[str, Json]

    @property
    def place(self) -> tuple[str, ...]:
        """The parts as they are meant."""
        return tuple(map(unquote, self.parts))


class InnerApi:
    """Answers such calls."""

    def __init__(self, plugins: Plugins, stores: DataStores, flows: Flows) -> None:
        self._plugins = plugins
        self._stores = stores
        self._flows = flows

    async def call(self, asked: ApiCall) -> Json:
        """The answer. Raises HttpStatusError as over HTTP, and CancelError for what components do not reach."""
        path, _, query = asked.end_point.partition("?")
        parts = tuple(part for part in path.split("/") if part)
        request = _Request(asked, parts, {**dict(parse_qsl(query, keep_blank_values=True)), **asked.query})
        try:
            return await self._answer(request)
        except HeadraceError as error:
            status = next((_STATUSES[each] for each in type(error).__mro__ if each in _STATUSES), 400)
            raise HttpStatusError(status, str(error)) from error

    async def _answer(self, request: _Request) -> Json:
        asked = request.asked
        match (asked.method, *request.place):
            case (_, "plugins", vendor, service, _, *_) if _is_own(asked.service, f"{vendor}.{service}"):
                return await self._plugin(request, f"{vendor}.{service}")
            case ("GET" | "POST" | "DELETE", "stores", *_):
                return await self._of_stores(request)
            case (_, "store", store_id, key):
                return await self._of_record(asked, store_id, key)
            case ("GET", "flows", flow_id):
                return await self._flow(asked.tenant_id, flow_id)
            case _:
                said = f"callAppmixer does not reach {asked.method} {asked.end_point[:200]}: "
                raise CancelError(said + "/stores, /store, GET /flows/{id} and the component's own plugin it does.")

    async def _plugin(self, request: _Request, service: str) -> Json:
        asked = request.asked
        answer = await self._plugins.call(
            service,
            asked.tenant_id,
            WebRequest(
                method=asked.method,
                path="/" + "/".join(request.parts[3:]),
                headers={"content-type": "application/json"},
                query=dict(request.query),
                body=b"" if asked.body is None else orjson.dumps(asked.body),
                user={"id": asked.tenant_id},
            ),
            PLUGIN_WITHIN,
        )
        said = _read(answer.body)
        if answer.status >= 400:
            message = said.get("message") if isinstance(said, dict) else said
            raise HttpStatusError(answer.status, str(message or f"The plugin answers {answer.status}."))
        return said

    async def _of_stores(self, request: _Request) -> Json:
        asked, tenant = request.asked, request.asked.tenant_id
        match (asked.method, *request.place[1:]):
            case ("GET",):
                return [*await self._stores.list_stores(tenant)]
            case ("GET", store_id):
                return await self._store(tenant, store_id)
            case ("POST",) if isinstance(asked.body, dict):
                return await self._stores.create_store(tenant, str(asked.body.get("name", "")))
            case ("DELETE", store_id):
                await self._stores.delete_store(tenant, store_id)
                return {}
            case _:
                raise CancelError(f"There is no {asked.method} {asked.end_point[:200]} for components.")

    async def _store(self, tenant: str, store_id: str) -> Json:
        for each in await self._stores.list_stores(tenant):
            if each["storeId"] == store_id:
                return each
        raise NotFound("store", store_id)

    async def _of_record(self, asked: ApiCall, store_id: str, key: str) -> Json:
        match asked.method:
            case "GET":
                found = await self._stores.get(asked.tenant_id, store_id, key)
                if found is None:
                    raise NotFound("record", key)
                return found
            case "POST" | "PUT":
                return await self._stores.set(asked.tenant_id, store_id, key, asked.body, asked.call_id)
            case "DELETE":
                return {"deletedCount": int(await self._stores.remove(asked.tenant_id, store_id, key))}
            case _:
                raise CancelError(f"A record takes GET, POST, PUT and DELETE, not {asked.method}.")

    async def _flow(self, tenant: str, flow_id: str) -> Json:
        found = await self._flows.resolve(flow_id, 0)
        if found.tenant_id != tenant:
            raise NotFound("flow", flow_id)
        return {
            "flowId": found.flow_id,
            "name": found.name,
            "stage": "running" if found.is_active else "stopped",
            "flow": found.descriptor,
            "customFields": dict(found.custom_fields),
            "userId": found.tenant_id,
        }


def _is_own(service: str, named: str) -> bool:
    """Whether both names are of one service: those of the utilities go by the name of either vendor."""
    return normalize_type(f"{service}.") == normalize_type(f"{named}.")


def _read(body: bytes) -> Json:
    if not body:
        return None
    try:
        found: Json = orjson.loads(body)
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
    return found
