"""Data stores."""

from starlette.responses import Response

from headrace_gateway import queries
from headrace_gateway.call import Call, answer
from headrace_gateway.revisions import IF_MATCH, expected_tag, tagged
from headrace_gateway.routing import Answer, Policy, Route
from headrace_gateway.schemas import LIST_PARAMETERS, TEXT, an_object, array_of, ref

_NAME = an_object({"name": {"type": "string", "minLength": 1, "maxLength": 255}}, required=("name",))
_STORE_ID = an_object({"storeId": TEXT}, required=("storeId",))


async def list_stores(call: Call) -> Response:
    return answer([*await call.clients.stores.page(call.scope, queries.list_query(call.parameters))])


async def create_store(call: Call) -> Response:
    given = await call.object()
    store = await call.clients.stores.create(call.scope, str(given["name"]))
    return answer({"storeId": store["storeId"]})


async def get_store(call: Call) -> Response:
    store, tag = await call.clients.stores.tagged(call.scope, call.value("id"))
    return answer(store, headers=tagged(tag))


async def rename_store(call: Call) -> Response:
    given = await call.object()
    old_name, tag = await call.clients.stores.rename(
        call.scope, call.value("id"), str(given["name"]), expected_tag(call)
    )
    return answer({"oldName": old_name, "storeId": call.value("id")}, headers=tagged(tag))


async def delete_store(call: Call) -> Response:
    await call.clients.stores.delete(call.scope, call.value("id"))
    return answer({"storeId": call.value("id")})


ROUTES = (
    Route(
        method="GET",
        path="/stores",
        handler=list_stores,
        policy=Policy.USER,
        tag="Stores",
        summary="List data stores",
        parameters=LIST_PARAMETERS,
        answers=(Answer(200, "A page, by name.", array_of(ref("Store"))),),
        errors=(400,),
    ),
    Route(
        method="POST",
        path="/stores",
        handler=create_store,
        policy=Policy.USER,
        tag="Stores",
        summary="Make a data store",
        request=_NAME,
        answers=(Answer(200, "Made.", _STORE_ID),),
        errors=(400, 409),
    ),
    Route(
        method="GET",
        path="/stores/{id}",
        handler=get_store,
        policy=Policy.USER,
        tag="Stores",
        summary="Read a data store",
        answers=(Answer(200, "The store, with its ETag.", ref("Store")),),
        errors=(404,),
    ),
    Route(
        method="PUT",
        path="/stores/{id}",
        handler=rename_store,
        policy=Policy.USER,
        tag="Stores",
        summary="Rename a data store",
        parameters=(IF_MATCH,),
        request=_NAME,
        answers=(Answer(200, "Renamed.", an_object({"oldName": TEXT, "storeId": TEXT})),),
        errors=(400, 404, 409),
    ),
    Route(
        method="DELETE",
        path="/stores/{id}",
        handler=delete_store,
        policy=Policy.USER,
        tag="Stores",
        summary="Remove a data store with its records",
        answers=(Answer(200, "Removed.", _STORE_ID),),
        errors=(404,),
    ),
)
