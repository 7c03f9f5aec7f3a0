"""StoreService over RPC: decode, call, encode."""

from __future__ import annotations

from headrace.store.v1 import store_service_pb2 as pb
from headrace.store.v1 import store_service_pb2_grpc as grpc_pb

from headrace_flow_manager.data_stores.model import DataStore, Entry
from headrace_flow_manager.data_stores.service import DataStoreService
from headrace_flow_manager.servicer import query_of, tenant_of, timestamp


class StoreServicer(grpc_pb.StoreServiceServicer):
    """Answers headrace.store.v1.StoreService."""

    def __init__(self, stores: DataStoreService) -> None:
        self._stores = stores

    async def CreateStore(self, request: pb.CreateStoreRequest, context: object) -> pb.CreateStoreResponse:
        return pb.CreateStoreResponse(store=_store(await self._stores.create(tenant_of(request.scope), request.name)))

    async def GetStore(self, request: pb.GetStoreRequest, context: object) -> pb.GetStoreResponse:
        return pb.GetStoreResponse(store=_store(await self._stores.get(tenant_of(request.scope), request.store_id)))

    async def ListStores(self, request: pb.ListStoresRequest, context: object) -> pb.ListStoresResponse:
        page = await self._stores.page(tenant_of(request.scope), query_of(request.query))
        return pb.ListStoresResponse(stores=map(_store, page.items))

    async def RenameStore(self, request: pb.RenameStoreRequest, context: object) -> pb.RenameStoreResponse:
        store, old = await self._stores.rename(tenant_of(request.scope), request.store_id, request.name)
        return pb.RenameStoreResponse(store=_store(store), old_name=old)

    async def DeleteStore(self, request: pb.DeleteStoreRequest, context: object) -> pb.DeleteStoreResponse:
        await self._stores.delete(tenant_of(request.scope), request.store_id)
        return pb.DeleteStoreResponse()

    async def GetRecord(self, request: pb.GetRecordRequest, context: object) -> pb.GetRecordResponse:
        entry = await self._stores.entry(tenant_of(request.scope), request.store_id, request.key)
        return pb.GetRecordResponse(record=_record(entry))

    async def PutRecord(self, request: pb.PutRecordRequest, context: object) -> pb.PutRecordResponse:
        entry, old = await self._stores.put(
            tenant_of(request.scope),
            request.store_id,
            request.key,
            request.value,
            request_id=request.request_id,
            only_if_absent=request.only_if_absent,
        )
        return pb.PutRecordResponse(record=_record(entry), old_value=None if old is None else old.encode())

    async def MoveRecord(self, request: pb.MoveRecordRequest, context: object) -> pb.MoveRecordResponse:
        entry = await self._stores.move(
            tenant_of(request.scope), request.store_id, request.key, request.new_store_id, request.new_key
        )
        return pb.MoveRecordResponse(record=_record(entry))

    async def DeleteRecords(self, request: pb.DeleteRecordsRequest, context: object) -> pb.DeleteRecordsResponse:
        keys = None if request.all else list(request.keys)
        return pb.DeleteRecordsResponse(
            deleted=await self._stores.remove(tenant_of(request.scope), request.store_id, keys)
        )

    async def ListRecords(self, request: pb.ListRecordsRequest, context: object) -> pb.ListRecordsResponse:
        page = await self._stores.entries(tenant_of(request.scope), request.store_id, query_of(request.query))
        records = () if request.count_only else map(_record, page.items)
        return pb.ListRecordsResponse(records=records, total=page.total)

    async def Listen(self, request: pb.ListenRequest, context: object) -> pb.ListenResponse:
        listener = request.listener
        await self._stores.listen(
            tenant_of(request.scope), request.store_id, listener.flow_id, listener.node_id, list(listener.events)
        )
        return pb.ListenResponse()

    async def Unlisten(self, request: pb.UnlistenRequest, context: object) -> pb.UnlistenResponse:
        await self._stores.unlisten(tenant_of(request.scope), request.store_id, request.flow_id, request.node_id)
        return pb.UnlistenResponse()


def _store(store: DataStore) -> pb.Store:
    return pb.Store(
        store_id=store.store_id, name=store.name, tenant_id=store.tenant_id, created_at=timestamp(store.created_at)
    )


def _record(entry: Entry) -> pb.Record:
    return pb.Record(
        store_id=entry.store_id,
        key=entry.key,
        value=entry.value.encode(),
        created_at=timestamp(entry.created_at),
        updated_at=timestamp(entry.updated_at),
    )
