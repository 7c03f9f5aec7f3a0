"""headrace.store.v1: decode, call, encode."""

from headrace.store.v1 import store_service_pb2 as pb
from headrace.store.v1 import store_service_pb2_grpc as grpc_pb
from headrace_runtime.rpc import Server

from headrace_flow_manager import json_text
from headrace_flow_manager.data_stores.model import Record, Store
from headrace_flow_manager.data_stores.service import DataStoreService
from headrace_flow_manager.servicer import query_of, scope_of, tenant_of, timestamp


class StoreServicer(grpc_pb.StoreServiceServicer):
    """Answers headrace.store.v1.StoreService."""

    def __init__(self, stores: DataStoreService) -> None:
        self._stores = stores

    def register(self, server: Server) -> None:
        """Answer at this server."""
        grpc_pb.add_StoreServiceServicer_to_server(self, server)

    async def CreateStore(self, request: pb.CreateStoreRequest, context: object) -> pb.CreateStoreResponse:
        made = await self._stores.create(tenant_of(request.scope), request.name, request.store_id)
        return pb.CreateStoreResponse(store=_store(made))

    async def GetStore(self, request: pb.GetStoreRequest, context: object) -> pb.GetStoreResponse:
        found = await self._stores.get(scope_of(request.scope).readable, request.store_id)
        return pb.GetStoreResponse(store=_store(found))

    async def ListStores(self, request: pb.ListStoresRequest, context: object) -> pb.ListStoresResponse:
        page = await self._stores.page(scope_of(request.scope).readable, query_of(request.query))
        return pb.ListStoresResponse(stores=map(_store, page.items))

    async def RenameStore(self, request: pb.RenameStoreRequest, context: object) -> pb.RenameStoreResponse:
        store, old_name = await self._stores.rename(
            tenant_of(request.scope), request.store_id, request.name, request.expected_tag
        )
        return pb.RenameStoreResponse(store=_store(store), old_name=old_name)

    async def DeleteStore(self, request: pb.DeleteStoreRequest, context: object) -> pb.DeleteStoreResponse:
        await self._stores.delete(tenant_of(request.scope), request.store_id)
        return pb.DeleteStoreResponse()

    async def GetRecord(self, request: pb.GetRecordRequest, context: object) -> pb.GetRecordResponse:
        found = await self._stores.record(scope_of(request.scope).readable, request.store_id, request.key)
        return pb.GetRecordResponse(record=_record(found))

    async def PutRecord(self, request: pb.PutRecordRequest, context: object) -> pb.PutRecordResponse:
        written = await self._stores.put(
            tenant_of(request.scope),
            request.store_id,
            request.key,
            json_text.decode(request.value, "value"),
            request_id=request.request_id,
            only_if_absent=request.only_if_absent,
        )
        old_value = None if written.old_value is None else written.old_value.encode()
        return pb.PutRecordResponse(record=_record(written.record), old_value=old_value)

    async def MoveRecord(self, request: pb.MoveRecordRequest, context: object) -> pb.MoveRecordResponse:
        place = (request.store_id, request.key)
        moved = await self._stores.move(tenant_of(request.scope), place, request.new_store_id, request.new_key)
        return pb.MoveRecordResponse(record=_record(moved))

    async def DeleteRecords(self, request: pb.DeleteRecordsRequest, context: object) -> pb.DeleteRecordsResponse:
        deleted = await self._stores.delete_records(
            tenant_of(request.scope), request.store_id, request.keys, every=request.all
        )
        return pb.DeleteRecordsResponse(deleted=deleted)

    async def ListRecords(self, request: pb.ListRecordsRequest, context: object) -> pb.ListRecordsResponse:
        tenants, query = scope_of(request.scope).readable, query_of(request.query)
        if request.count_only:
            return pb.ListRecordsResponse(total=await self._stores.count(tenants, request.store_id, query))
        page = await self._stores.records(tenants, request.store_id, query)
        return pb.ListRecordsResponse(records=map(_record, page.items), total=page.total)

    async def Listen(self, request: pb.ListenRequest, context: object) -> pb.ListenResponse:
        who = request.listener
        await self._stores.listen(
            tenant_of(request.scope), request.store_id, who.flow_id, who.node_id, tuple(who.events)
        )
        return pb.ListenResponse()

    async def Unlisten(self, request: pb.UnlistenRequest, context: object) -> pb.UnlistenResponse:
        await self._stores.unlisten(tenant_of(request.scope), request.store_id, request.flow_id, request.node_id)
        return pb.UnlistenResponse()


def _store(store: Store) -> pb.Store:
    return pb.Store(
        store_id=store.store_id,
        name=store.name,
        tenant_id=store.tenant_id,
        created_at=timestamp(store.created_at),
        tag=store.tag,
    )


def _record(record: Record) -> pb.Record:
    return pb.Record(
        store_id=record.store_id,
        key=record.key,
        value=record.value.encode(),
        created_at=timestamp(record.created_at),
        updated_at=timestamp(record.updated_at),
    )
