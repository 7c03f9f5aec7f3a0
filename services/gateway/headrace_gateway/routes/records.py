"""Records of data stores."""

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace

import orjson
from headrace_core import Json, errors
from starlette.responses import Response, StreamingResponse

from headrace_gateway import queries
from headrace_gateway.bodies import parse_body
from headrace_gateway.call import Call, answer
from headrace_gateway.errors import one_problem
from headrace_gateway.queries import ListQuery, SortKey
from headrace_gateway.routing import Answer, Parameter, Policy, Route, Schema
from headrace_gateway.schemas import ANYTHING, LIST_PARAMETERS, TEXT, an_object, array_of, ref

EVERY_KEY = "*"
_DOWNLOAD_PAGE = 500
_COLUMNS = ("key", "value", "createdAt", "updatedAt")


async def list_records(call: Call) -> Response:
    query = queries.list_query(call.parameters)
    return answer([*await call.clients.stores.records(call.scope, _store_id(call), query)])


async def count_records(call: Call) -> Response:
    query = queries.list_query(call.parameters)
    return answer({"count": await call.clients.stores.count_records(call.scope, _store_id(call), query)})


async def get_record(call: Call) -> Response:
    return answer(await call.clients.stores.get_record(call.scope, call.value("id"), call.value("key")))


async def put_record(call: Call) -> Response:
    """The body is the value: JSON where it says so, else text."""
    value = parse_body(await call.body(), call.header("content-type")).value
    return answer(await call.clients.stores.put_record(call.scope, call.value("id"), call.value("key"), value))


async def patch_record(call: Call) -> Response:
    given = await call.object()
    stores, store_id, key = call.clients.stores, call.value("id"), call.value("key")
    record = await stores.get_record(call.scope, store_id, key)
    new_key = given.get("key")
    if isinstance(new_key, str) and new_key != key:
        record = await stores.move_record(call.scope, store_id, key, new_store_id="", new_key=new_key)
        key = new_key
    if "value" in given:
        record = await stores.put_record(call.scope, store_id, key, given["value"])
    return answer(record)


async def move_record(call: Call) -> Response:
    given = await call.object()
    record = await call.clients.stores.move_record(
        call.scope,
        call.value("id"),
        call.value("key"),
        new_store_id=str(given.get("storeId") or given.get("newStoreId") or ""),
        new_key=str(given.get("key") or given.get("newKey") or ""),
    )
    return answer(record)


async def delete_record(call: Call) -> Response:
    store_id, key = call.value("id"), call.value("key")
    if key == EVERY_KEY:
        return answer({"deletedCount": await call.clients.stores.clear(call.scope, store_id)})
    if not await call.clients.stores.delete_records(call.scope, store_id, [key]):
        raise errors.NotFound("record", key[:100])
    return answer({"deletedCount": 1})


async def delete_many(call: Call) -> Response:
    given = await call.json()
    by_store: dict[str, list[str]] = {}
    for each in given if isinstance(given, list) else []:
        if isinstance(each, dict):
            by_store.setdefault(str(each["storeId"]), []).append(str(each["key"]))
    deleted = 0
    for store_id, keys in by_store.items():
        deleted += await call.clients.stores.delete_records(call.scope, store_id, keys)
    return answer({"deletedCount": deleted})


async def find_records(call: Call) -> Response:
    query = replace(queries.list_query(call.parameters), pattern=call.value("pattern"))
    return answer([*await call.clients.stores.records(call.scope, call.value("id"), query)])


async def download_records(call: Call) -> Response:
    kind = call.text("format", "json")
    if kind not in {"json", "csv"}:
        raise one_problem("format", f"{kind[:40]!r} is no format.", "Give json or csv.")
    store = await call.clients.stores.get(call.scope, call.value("id"))
    pages = _all_pages(call)
    text = _as_json(pages) if kind == "json" else _as_csv(pages)
    headers = {"Content-Disposition": f'attachment; filename="{store["storeId"]}.{kind}"'}
    return StreamingResponse(text, headers=headers, media_type="application/json" if kind == "json" else "text/csv")


async def _all_pages(call: Call) -> AsyncIterator[list[dict[str, Json]]]:
    query = ListQuery(sort=(SortKey("key"),), limit=_DOWNLOAD_PAGE)
    while page := await call.clients.stores.records(call.scope, call.value("id"), query):
        yield page
        query = replace(query, offset=query.offset + len(page))


async def _as_json(pages: AsyncIterator[list[dict[str, Json]]]) -> AsyncIterator[bytes]:
    before = b"["
    async for page in pages:
        yield before + orjson.dumps(page)[1:-1]
        before = b","
    yield b"]" if before == b"," else b"[]"


async def _as_csv(pages: AsyncIterator[list[dict[str, Json]]]) -> AsyncIterator[bytes]:
    yield _csv_row(_COLUMNS)
    async for page in pages:
        yield b"".join(_csv_row([_cell(record[name]) for name in _COLUMNS]) for record in page)


def _cell(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _csv_row(cells: tuple[str, ...] | list[str]) -> bytes:
    line = io.StringIO(newline="")
    csv.writer(line).writerow(cells)
    return line.getvalue().encode()


def _store_id(call: Call) -> str:
    store_id = call.text("storeId")
    if not store_id:
        raise one_problem("storeId", "Say which store.", "Give storeId=….")
    return store_id


_STORE_PARAMETER = Parameter("storeId", "The store.", required=True)
_KEY: Schema = {"type": "string", "minLength": 1, "maxLength": 1024}
_DELETED = an_object({"deletedCount": {"type": "integer"}}, required=("deletedCount",))
_RECORD = (Answer(200, "The record.", ref("Record")),)

ROUTES = (
    Route(
        method="GET",
        path="/store",
        handler=list_records,
        policy=Policy.USER,
        tag="Records",
        summary="List the records of a store",
        parameters=(_STORE_PARAMETER, *LIST_PARAMETERS),
        answers=(Answer(200, "A page.", array_of(ref("Record"))),),
        errors=(400, 404),
    ),
    Route(
        method="DELETE",
        path="/store",
        handler=delete_many,
        policy=Policy.USER,
        tag="Records",
        summary="Remove several records",
        request={
            "type": "array",
            "maxItems": 1000,
            "items": an_object({"key": _KEY, "storeId": TEXT}, required=("key", "storeId")),
        },
        answers=(Answer(200, "How many there were.", _DELETED),),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/store/count",
        handler=count_records,
        policy=Policy.USER,
        tag="Records",
        summary="Count the records of a store",
        parameters=(_STORE_PARAMETER, *LIST_PARAMETERS[:2]),
        answers=(Answer(200, "How many.", ref("Count")),),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/store/download/{id}",
        handler=download_records,
        policy=Policy.USER,
        tag="Records",
        summary="Download a store",
        parameters=(Parameter("format", "json or csv.", {"type": "string", "enum": ["json", "csv"]}),),
        answers=(Answer(200, "Every record, by key.", array_of(ref("Record"))),),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/store/{id}/find/{pattern}",
        handler=find_records,
        policy=Policy.USER,
        tag="Records",
        summary="Find records by text",
        parameters=LIST_PARAMETERS,
        answers=(Answer(200, "A page.", array_of(ref("Record"))),),
        errors=(400, 404),
    ),
    Route(
        method="GET",
        path="/store/{id}/{key}",
        handler=get_record,
        policy=Policy.USER,
        tag="Records",
        summary="Read a record",
        answers=_RECORD,
        errors=(404,),
    ),
    Route(
        method="POST",
        path="/store/{id}/{key}",
        handler=put_record,
        policy=Policy.USER,
        tag="Records",
        summary="Write a record",
        description="The body is the value: JSON where the content type says so, else text.",
        request=ANYTHING,
        request_media_type="*/*",
        answers=_RECORD,
        errors=(400, 404),
    ),
    Route(
        method="PATCH",
        path="/store/{id}/{key}",
        handler=patch_record,
        policy=Policy.USER,
        tag="Records",
        summary="Change a record's key or value",
        request=an_object({"key": _KEY, "value": ANYTHING}),
        answers=_RECORD,
        errors=(400, 404, 409),
    ),
    Route(
        method="PUT",
        path="/store/{id}/{key}",
        handler=move_record,
        policy=Policy.USER,
        tag="Records",
        summary="Move a record to another key or store",
        request=an_object({"key": _KEY, "storeId": TEXT}),
        answers=_RECORD,
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/store/{id}/{key}",
        handler=delete_record,
        policy=Policy.USER,
        tag="Records",
        summary="Remove a record",
        description="The key * removes every record of the store; a record named * goes by DELETE /store.",
        answers=(Answer(200, "How many there were.", _DELETED),),
        errors=(404,),
    ),
)
