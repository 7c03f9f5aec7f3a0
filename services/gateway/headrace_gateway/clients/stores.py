"""Data stores and their records."""

from collections.abc import Sequence

import orjson
from headrace.store.v1 import store_service_pb2
from headrace.store.v1.store_service_pb2_grpc import StoreServiceStub
from headrace_core import Json
from headrace_core.ids import new_id
from headrace_runtime.rpc import Channel

from headrace_gateway.clients.wire import json_value, moment, query_to_proto, scope_to_proto
from headrace_gateway.identity import Scope
from headrace_gateway.queries import ListQuery


class StoreClient:
    def __init__(self, channel: Channel, timeout_seconds: float) -> None:
        self._stub = StoreServiceStub(channel)
        self._timeout = timeout_seconds

    async def create(self, scope: Scope, name: str, store_id: str = "") -> dict[str, Json]:
        """A new store, under a fresh id or the one given. Raises AlreadyExists when the name or the id is taken."""
        request = store_service_pb2.CreateStoreRequest(scope=scope_to_proto(scope), name=name, store_id=store_id)
        return _store_to_json((await self._stub.CreateStore(request, timeout=self._timeout)).store)

    async def get(self, scope: Scope, store_id: str) -> dict[str, Json]:
        """One store. Raises NotFound."""
        store, _ = await self.tagged(scope, store_id)
        return store

    async def tagged(self, scope: Scope, store_id: str) -> tuple[dict[str, Json], str]:
        """One store and its tag. Raises NotFound."""
        request = store_service_pb2.GetStoreRequest(scope=scope_to_proto(scope), store_id=store_id)
        store = (await self._stub.GetStore(request, timeout=self._timeout)).store
        return _store_to_json(store), store.tag

    async def page(self, scope: Scope, query: ListQuery) -> list[dict[str, Json]]:
        """A page of stores, by name."""
        request = store_service_pb2.ListStoresRequest(scope=scope_to_proto(scope), query=query_to_proto(query))
        answer = await self._stub.ListStores(request, timeout=self._timeout)
        return [_store_to_json(each) for each in answer.stores]

    async def rename(self, scope: Scope, store_id: str, name: str, expected_tag: str = "") -> tuple[str, str]:
        """Give a store another name; the former one, and its tag. Raises NotFound, AlreadyExists, RevisionConflict."""
        request = store_service_pb2.RenameStoreRequest(
            scope=scope_to_proto(scope), store_id=store_id, name=name, expected_tag=expected_tag
        )
        answer = await self._stub.RenameStore(request, timeout=self._timeout)
        return answer.old_name, answer.store.tag

    async def delete(self, scope: Scope, store_id: str) -> None:
        """Remove a store with its records. Raises NotFound."""
        request = store_service_pb2.DeleteStoreRequest(scope=scope_to_proto(scope), store_id=store_id)
        await self._stub.DeleteStore(request, timeout=self._timeout)

    async def get_record(self, scope: Scope, store_id: str, key: str) -> dict[str, Json]:
        """One record. Raises NotFound."""
        request = store_service_pb2.GetRecordRequest(scope=scope_to_proto(scope), store_id=store_id, key=key)
        answer = await self._stub.GetRecord(request, timeout=self._timeout)
        return _record_to_json(answer.record, scope)

    async def put_record(
        self, scope: Scope, store_id: str, key: str, value: Json, *, only_if_absent: bool = False
    ) -> dict[str, Json]:
        """Write one record. Raises NotFound for the store, AlreadyExists for a key that must be new."""
        request = store_service_pb2.PutRecordRequest(
            scope=scope_to_proto(scope),
            store_id=store_id,
            key=key,
            value=orjson.dumps(value),
            only_if_absent=only_if_absent,
            request_id=new_id(),
        )
        answer = await self._stub.PutRecord(request, timeout=self._timeout)
        return _record_to_json(answer.record, scope)

    async def move_record(
        self, scope: Scope, store_id: str, key: str, *, new_store_id: str, new_key: str
    ) -> dict[str, Json]:
        """Give a record another place. Raises NotFound, AlreadyExists."""
        request = store_service_pb2.MoveRecordRequest(
            scope=scope_to_proto(scope),
            store_id=store_id,
            key=key,
            new_store_id=new_store_id,
            new_key=new_key,
        )
        answer = await self._stub.MoveRecord(request, timeout=self._timeout)
        return _record_to_json(answer.record, scope)

    async def delete_records(self, scope: Scope, store_id: str, keys: Sequence[str]) -> int:
        """Remove records by key; how many there were. Raises NotFound for the store."""
        request = store_service_pb2.DeleteRecordsRequest(
            scope=scope_to_proto(scope), store_id=store_id, keys=list(keys)
        )
        return (await self._stub.DeleteRecords(request, timeout=self._timeout)).deleted

    async def clear(self, scope: Scope, store_id: str) -> int:
        """Remove every record of a store; how many there were. Raises NotFound."""
        request = store_service_pb2.DeleteRecordsRequest(scope=scope_to_proto(scope), store_id=store_id, all=True)
        return (await self._stub.DeleteRecords(request, timeout=self._timeout)).deleted

    async def records(self, scope: Scope, store_id: str, query: ListQuery) -> list[dict[str, Json]]:
        """A page of records. Raises NotFound for the store."""
        request = store_service_pb2.ListRecordsRequest(
            scope=scope_to_proto(scope), store_id=store_id, query=query_to_proto(query)
        )
        answer = await self._stub.ListRecords(request, timeout=self._timeout)
        return [_record_to_json(each, scope) for each in answer.records]

    async def count_records(self, scope: Scope, store_id: str, query: ListQuery) -> int:
        """How many records match. Raises NotFound for the store."""
        request = store_service_pb2.ListRecordsRequest(
            scope=scope_to_proto(scope), store_id=store_id, query=query_to_proto(query), count_only=True
        )
        return (await self._stub.ListRecords(request, timeout=self._timeout)).total


def _store_to_json(store: store_service_pb2.Store) -> dict[str, Json]:
    return {
        "storeId": store.store_id,
        "name": store.name,
        "userId": store.tenant_id,
        "registered": moment(store, "created_at"),
    }


def _record_to_json(record: store_service_pb2.Record, scope: Scope) -> dict[str, Json]:
    return {
        "key": record.key,
        "storeId": record.store_id,
        "userId": scope.tenant_id,
        "value": json_value(record.value),
        "createdAt": moment(record, "created_at"),
        "updatedAt": moment(record, "updated_at"),
    }
