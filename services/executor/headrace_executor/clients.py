"""What the executor asks of other services, over RPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from headrace.account.v1 import account_service_pb2 as account_pb
from headrace.account.v1 import account_service_pb2_grpc as account_rpc
from headrace.catalog.v1 import catalog_service_pb2 as catalog_pb
from headrace.catalog.v1 import catalog_service_pb2_grpc as catalog_rpc
from headrace.file.v1 import file_service_pb2 as file_pb
from headrace.file.v1 import file_service_pb2_grpc as file_rpc
from headrace.flow.v1 import flow_pb2, flow_service_pb2
from headrace.flow.v1 import flow_service_pb2_grpc as flow_rpc
from headrace.hook.v1 import hook_service_pb2 as hook_pb
from headrace.hook.v1 import hook_service_pb2_grpc as hook_rpc
from headrace.log.v1 import log_service_pb2 as log_pb
from headrace.log.v1 import log_service_pb2_grpc as log_rpc
from headrace.query.v1 import query_pb2
from headrace.schedule.v1 import schedule_service_pb2 as schedule_pb
from headrace.schedule.v1 import schedule_service_pb2_grpc as schedule_rpc
from headrace.scope.v1 import scope_pb2
from headrace.setting.v1 import setting_service_pb2 as setting_pb
from headrace.setting.v1 import setting_service_pb2_grpc as setting_rpc
from headrace.store.v1 import store_service_pb2 as store_pb
from headrace.store.v1 import store_service_pb2_grpc as store_rpc
from headrace.task.v1 import task_service_pb2 as task_pb
from headrace.task.v1 import task_service_pb2_grpc as task_rpc
from headrace_core import schedules
from headrace_core.errors import NotFound
from headrace_core.expressions import MODIFIER_NAMES, Json, scripts_of
from headrace_core.quotas import Allowance, QuotaRule
from headrace_runtime.rpc import Channel

from headrace_executor.ports import (
    Credentials,
    Failure,
    FlowSource,
    FlowTimer,
    Lease,
    LogEntry,
    LogLevel,
    PluginPlace,
    PublishedComponent,
    ServicePlugins,
    StoredFile,
    Teller,
)

TIMEOUT = 10.0
LONG_TIMEOUT = 120.0
MAIL_TIMEOUT = 45.0
ACCOUNT_TIMEOUT = 90.0
"""A token may have to be renewed first, at a service that may be slow."""

MAX_TIMERS = 1_000
FILE_CHUNK = 1024 * 1024

_OPERATORS = {
    "equal": query_pb2.OPERATOR_EQUAL,
    "not_equal": query_pb2.OPERATOR_NOT_EQUAL,
    "match": query_pb2.OPERATOR_MATCH,
    "greater": query_pb2.OPERATOR_GREATER,
    "less": query_pb2.OPERATOR_LESS,
    "empty": query_pb2.OPERATOR_EMPTY,
}

_LOG_LEVELS: Mapping[flow_pb2.LogLevel.ValueType, LogLevel] = {
    flow_pb2.LOG_LEVEL_ERRORS: "errors",
    flow_pb2.LOG_LEVEL_NONE: "none",
}

_LANGUAGES: Mapping[catalog_pb.Language.ValueType, Literal["python", "javascript", ""]] = {
    catalog_pb.LANGUAGE_PYTHON: "python",
    catalog_pb.LANGUAGE_JAVASCRIPT: "javascript",
}


def _scope(tenant_id: str) -> scope_pb2.TenantScope:
    return scope_pb2.TenantScope(tenant_id=tenant_id, actor_id=tenant_id)


class FlowClient:
    """Keeps `ports.Flows`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = flow_rpc.FlowServiceStub(channel)

    async def resolve(self, flow_id: str, version: int) -> FlowSource:
        request = flow_service_pb2.ResolveFlowRequest(flow_id=flow_id, version=version)
        answer = await self._stub.ResolveFlow(request, timeout=TIMEOUT)
        active = answer.stage in (flow_pb2.FLOW_STAGE_RUNNING, flow_pb2.FLOW_STAGE_STARTING)
        has_version = answer.HasField("version")
        if has_version:
            return _source(answer.version, is_active=active)
        return FlowSource(flow_id, answer.tenant_id, False, 0, "", {}, {})

    async def list_active(self, after_flow_id: str, limit: int) -> Sequence[FlowSource]:
        request = flow_service_pb2.ListActiveFlowsRequest(after_flow_id=after_flow_id, limit=limit)
        answer = await self._stub.ListActiveFlows(request, timeout=TIMEOUT)
        return [_source(version, is_active=True) for version in answer.flows]

    async def stop(self, tenant_id: str, flow_id: str) -> None:
        request = flow_service_pb2.StopFlowRequest(scope=_scope(tenant_id), flow_id=flow_id)
        await self._stub.StopFlow(request, timeout=LONG_TIMEOUT)


class ScheduleClient:
    """Keeps `ports.Schedules`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = schedule_rpc.ScheduleServiceStub(channel)

    async def put(self, tenant_id: str, flow_id: str, timers: Sequence[FlowTimer]) -> None:
        known = await self._stub.ListTimers(
            schedule_pb.ListTimersRequest(group_id=flow_id, limit=1000), timeout=TIMEOUT
        )
        wanted = {timer.timer_id for timer in timers}
        gone = [timer.timer_id for timer in known.timers if timer.timer_id not in wanted]
        if gone:
            await self._stub.RemoveTimers(schedule_pb.RemoveTimersRequest(timer_ids=gone), timeout=TIMEOUT)
        if timers:
            request = schedule_pb.PutTimersRequest(timers=[_timer(tenant_id, flow_id, timer) for timer in timers])
            await self._stub.PutTimers(request, timeout=TIMEOUT)

    async def restore(self, timers: Sequence[tuple[str, str, FlowTimer]]) -> None:
        for start in range(0, len(timers), MAX_TIMERS):
            page = [_timer(*each) for each in timers[start : start + MAX_TIMERS]]
            await self._stub.PutTimers(schedule_pb.PutTimersRequest(timers=page, only_missing=True), timeout=TIMEOUT)

    async def remove(self, flow_id: str) -> None:
        await self._stub.RemoveTimers(schedule_pb.RemoveTimersRequest(group_ids=[flow_id]), timeout=TIMEOUT)

    async def acquire_lock(self, name: str, holder: str, ttl: timedelta) -> Lease:
        request = schedule_pb.AcquireLockRequest(name=name, holder=holder)
        request.ttl.FromTimedelta(ttl)
        answer = await self._stub.AcquireLock(request, timeout=TIMEOUT)
        return Lease(answer.acquired, answer.fencing_token, _time(answer.expires_at.ToDatetime()))

    async def extend_lock(self, name: str, holder: str, ttl: timedelta) -> None:
        request = schedule_pb.ExtendLockRequest(name=name, holder=holder)
        request.ttl.FromTimedelta(ttl)
        await self._stub.ExtendLock(request, timeout=TIMEOUT)

    async def release_lock(self, name: str, holder: str) -> None:
        await self._stub.ReleaseLock(schedule_pb.ReleaseLockRequest(name=name, holder=holder), timeout=TIMEOUT)

    async def acquire_quota(
        self, asked: Sequence[Allowance], request_id: str, party: str, learned_names: Sequence[str] = ()
    ) -> timedelta | datetime:
        request = schedule_pb.AcquireQuotaRequest(request_id=request_id, party=party, learned_names=learned_names)
        for each in asked:
            request.windows.add(name=each.name, limit=each.limit).window.FromTimedelta(each.window)
        answer = await self._stub.AcquireQuota(request, timeout=TIMEOUT)
        return answer.starts_in.ToTimedelta() if answer.granted else _time(answer.retry_at.ToDatetime())

    async def report_refusal(self, name: str, retry_after: timedelta | None, passed: float) -> None:
        request = schedule_pb.ReportQuotaRefusalRequest(name=name, passed_per_second=passed)
        if retry_after is not None:
            request.retry_after.FromTimedelta(retry_after)
        await self._stub.ReportQuotaRefusal(request, timeout=TIMEOUT)


class QuotaClient:
    """Keeps `ports.Quotas`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = setting_rpc.SettingServiceStub(channel)

    async def rules(self, manager: str) -> Sequence[QuotaRule]:
        answer = await self._stub.GetQuota(setting_pb.GetQuotaRequest(name=manager), timeout=TIMEOUT)
        return [
            QuotaRule(each.limit, each.window.ToTimedelta(), tuple(each.resources), tuple(each.scope))
            for each in answer.quota.rules
        ]


class ModifierClient:
    """Keeps `ports.Modifiers`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = setting_rpc.SettingServiceStub(channel)

    async def scripts(self) -> Mapping[str, str]:
        answer = await self._stub.GetModifiers(setting_pb.GetModifiersRequest(), timeout=TIMEOUT)
        found = scripts_of(orjson.loads(answer.document))
        return {name: text for name, text in found.items() if name not in MODIFIER_NAMES}


_TASK_STATUSES = {
    task_pb.TASK_STATUS_PENDING: "pending",
    task_pb.TASK_STATUS_APPROVED: "approved",
    task_pb.TASK_STATUS_REJECTED: "rejected",
    task_pb.TASK_STATUS_DUE: "due",
}


class TaskClient:
    """Keeps `ports.Tasks`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = task_rpc.TaskServiceStub(channel)

    async def create(
        self, tenant_id: str, document: Mapping[str, Json], teller: Teller, request_id: str
    ) -> dict[str, Json]:
        request = task_pb.CreateTaskRequest(
            scope=_scope(tenant_id),
            document=orjson.dumps(dict(document)),
            request_id=request_id,
            hook_url=teller.url,
            flow_id=teller.flow_id,
            node_id=teller.node_id,
        )
        answer = await self._stub.CreateTask(request, timeout=TIMEOUT)
        secrets: dict[str, Json] = {
            "approverSecret": answer.secrets.approver,
            "requesterSecret": answer.secrets.requester,
        }
        return _task(answer.task) | secrets

    async def get(self, tenant_id: str, task_id: str, secret: str) -> dict[str, Json]:
        viewer = task_pb.TaskViewer(secret=secret) if secret else task_pb.TaskViewer(scope=_scope(tenant_id))
        request = task_pb.GetTaskRequest(viewer=viewer, task_id=task_id)
        return _task((await self._stub.GetTask(request, timeout=TIMEOUT)).task)

    async def decide(self, task_id: str, secret: str, *, approves: bool) -> dict[str, Json]:
        viewer = task_pb.TaskViewer(secret=secret)
        request = task_pb.DecideTaskRequest(viewer=viewer, task_id=task_id, approves=approves)
        return _task((await self._stub.DecideTask(request, timeout=TIMEOUT)).task)

    async def mail(self, tenant_id: str, task_id: str, link: str) -> None:
        request = task_pb.MailTaskRequest(scope=_scope(tenant_id), task_id=task_id, link=link)
        await self._stub.MailTask(request, timeout=MAIL_TIMEOUT)


def _task(task: task_pb.Task) -> dict[str, Json]:
    return {
        "taskId": task.task_id,
        "title": task.title,
        "description": task.description,
        "status": _TASK_STATUSES.get(task.status, "pending"),
        "approver": task.approver,
        "requester": task.requester,
        "decisionBy": _moment(task.decision_by) if task.HasField("decision_by") else None,
        "decisionMade": _moment(task.decided_at) if task.HasField("decided_at") else None,
        "isApprover": task.is_approver,
    }


def _moment(stamp: Timestamp) -> str:
    return stamp.ToDatetime(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StoreClient:
    """Keeps `ports.DataStores`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = store_rpc.StoreServiceStub(channel)

    async def list_stores(self, tenant_id: str) -> list[dict[str, Json]]:
        request = store_pb.ListStoresRequest(scope=_scope(tenant_id), query=query_pb2.ListQuery(limit=1000))
        answer = await self._stub.ListStores(request, timeout=TIMEOUT)
        return [{"storeId": store.store_id, "name": store.name} for store in answer.stores]

    async def create_store(self, tenant_id: str, name: str) -> dict[str, Json]:
        request = store_pb.CreateStoreRequest(scope=_scope(tenant_id), name=name)
        store = (await self._stub.CreateStore(request, timeout=TIMEOUT)).store
        return {"storeId": store.store_id, "name": store.name}

    async def delete_store(self, tenant_id: str, store_id: str) -> None:
        request = store_pb.DeleteStoreRequest(scope=_scope(tenant_id), store_id=store_id)
        await self._stub.DeleteStore(request, timeout=TIMEOUT)

    async def get(self, tenant_id: str, store_id: str, key: str) -> dict[str, Json] | None:
        request = store_pb.GetRecordRequest(scope=_scope(tenant_id), store_id=store_id, key=key)
        try:
            return _record((await self._stub.GetRecord(request, timeout=TIMEOUT)).record)
        except NotFound:
            return None

    async def set(self, tenant_id: str, store_id: str, key: str, value: Json, request_id: str) -> dict[str, Json]:
        request = store_pb.PutRecordRequest(
            scope=_scope(tenant_id), store_id=store_id, key=key, value=orjson.dumps(value), request_id=request_id
        )
        answer = await self._stub.PutRecord(request, timeout=TIMEOUT)
        found = _record(answer.record)
        if answer.HasField("old_value"):
            found["oldValue"] = orjson.loads(answer.old_value)
        return found

    async def remove(self, tenant_id: str, store_id: str, key: str) -> bool:
        request = store_pb.DeleteRecordsRequest(scope=_scope(tenant_id), store_id=store_id, keys=[key])
        return (await self._stub.DeleteRecords(request, timeout=TIMEOUT)).deleted > 0

    async def clear(self, tenant_id: str, store_id: str) -> int:
        request = store_pb.DeleteRecordsRequest(scope=_scope(tenant_id), store_id=store_id, all=True)
        return (await self._stub.DeleteRecords(request, timeout=LONG_TIMEOUT)).deleted

    async def find(
        self,
        tenant_id: str,
        store_id: str,
        pattern: str,
        conditions: Sequence[tuple[str, str, Json]],
        offset: int,
        limit: int,
    ) -> list[dict[str, Json]]:
        query = query_pb2.ListQuery(
            pattern=pattern,
            offset=offset,
            limit=limit,
            filter=[
                query_pb2.Condition(field=field, operator=_OPERATORS[operator], value=orjson.dumps(value))
                for field, operator, value in conditions
            ],
        )
        request = store_pb.ListRecordsRequest(scope=_scope(tenant_id), store_id=store_id, query=query)
        return [_record(record) for record in (await self._stub.ListRecords(request, timeout=TIMEOUT)).records]

    async def listen(self, tenant_id: str, store_id: str, flow_id: str, node_id: str, events: Sequence[str]) -> None:
        listener = store_pb.StoreListener(flow_id=flow_id, node_id=node_id, events=list(events))
        request = store_pb.ListenRequest(scope=_scope(tenant_id), store_id=store_id, listener=listener)
        await self._stub.Listen(request, timeout=TIMEOUT)

    async def unlisten(self, tenant_id: str, store_id: str, flow_id: str, node_id: str) -> None:
        request = store_pb.UnlistenRequest(scope=_scope(tenant_id), store_id=store_id, flow_id=flow_id, node_id=node_id)
        await self._stub.Unlisten(request, timeout=TIMEOUT)


class FileClient:
    """Keeps `ports.FileStore`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = file_rpc.FileServiceStub(channel)

    async def save(self, tenant_id: str, file_id: str, filename: str, content: bytes, content_type: str) -> StoredFile:
        upload_id = await self.open(tenant_id, file_id, filename, content_type)
        for offset in range(0, len(content), FILE_CHUNK):
            await self.write(tenant_id, upload_id, offset, content[offset : offset + FILE_CHUNK])
        return await self.finish(tenant_id, upload_id)

    async def open(self, tenant_id: str, file_id: str, filename: str, content_type: str) -> str:
        request = file_pb.OpenFileRequest(
            scope=_scope(tenant_id), file_id=file_id, filename=filename, content_type=content_type, metadata=b"{}"
        )
        return (await self._stub.OpenFile(request, timeout=TIMEOUT)).upload_id

    async def write(self, tenant_id: str, upload_id: str, offset: int, piece: bytes) -> None:
        request = file_pb.WriteFileRequest(scope=_scope(tenant_id), upload_id=upload_id, offset=offset, data=piece)
        await self._stub.WriteFile(request, timeout=TIMEOUT)

    async def finish(self, tenant_id: str, upload_id: str) -> StoredFile:
        request = file_pb.FinishFileRequest(scope=_scope(tenant_id), upload_id=upload_id)
        return _file((await self._stub.FinishFile(request, timeout=LONG_TIMEOUT)).file)

    async def load(self, tenant_id: str, file_id: str) -> bytes:
        content = bytearray()
        while piece := await self.read(tenant_id, file_id, len(content)):
            content += piece
            if len(piece) < FILE_CHUNK:
                break
        return bytes(content)

    async def read(self, tenant_id: str, file_id: str, offset: int) -> bytes:
        request = file_pb.ReadFileRequest(scope=_scope(tenant_id), file_id=file_id, offset=offset, length=FILE_CHUNK)
        return (await self._stub.ReadFile(request, timeout=TIMEOUT)).data

    async def info(self, tenant_id: str, file_id: str) -> StoredFile:
        request = file_pb.GetFileRequest(scope=_scope(tenant_id), file_id=file_id)
        return _file((await self._stub.GetFile(request, timeout=TIMEOUT)).file)

    async def remove(self, tenant_id: str, file_id: str) -> None:
        request = file_pb.DeleteFileRequest(scope=_scope(tenant_id), file_id=file_id)
        await self._stub.DeleteFile(request, timeout=TIMEOUT)


class AccountClient:
    """Keeps `ports.Accounts`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = account_rpc.AccountServiceStub(channel)

    async def credentials(self, tenant_id: str, flow_id: str, node_id: str, service: str, chosen: str) -> Credentials:
        request = account_pb.GetCredentialsRequest(
            scope=_scope(tenant_id), flow_id=flow_id, node_id=node_id, service=service, chosen_account_id=chosen
        )
        answer = await self._stub.GetCredentials(request, timeout=ACCOUNT_TIMEOUT)
        return Credentials(
            account_id=answer.account_id,
            token_id=answer.token_id,
            auth=_object(answer.auth) if answer.auth else None,
            config=_object(answer.config),
            secrets=tuple(answer.secrets),
            reason=answer.reason,
        )

    async def rejected(self, tenant_id: str, account_id: str, token_id: str, reason: str) -> bool:
        request = account_pb.ReportRejectedRequest(
            scope=_scope(tenant_id), account_id=account_id, token_id=token_id, reason=reason
        )
        return (await self._stub.ReportRejected(request, timeout=ACCOUNT_TIMEOUT)).try_again

    async def usable(self, account_ids: Sequence[str]) -> Sequence[str]:
        request = account_pb.ListStandingsRequest(account_ids=account_ids)
        return list((await self._stub.ListStandings(request, timeout=TIMEOUT)).usable)


class BundleClient:
    """Keeps `ports.BundleSource`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = catalog_rpc.CatalogServiceStub(channel)

    async def read(self, bundle_id: str) -> AsyncIterator[bytes]:
        request = catalog_pb.GetBundleRequest(bundle_id=bundle_id)
        async for piece in self._stub.GetBundle(request, timeout=LONG_TIMEOUT):
            yield piece.data


class CatalogClient:
    """Keeps `ports.Catalog`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = catalog_rpc.CatalogServiceStub(channel)

    async def component(self, tenant_id: str, component_type: str, bundle_id: str = "") -> PublishedComponent:
        request = catalog_pb.GetComponentRequest(
            scope=_scope(tenant_id), type=component_type, to_call=True, bundle_id=bundle_id
        )
        return _published((await self._stub.GetComponent(request, timeout=TIMEOUT)).component)

    async def plugins(self, service: str, user_id: str | None) -> ServicePlugins:
        scope = _scope(user_id) if user_id else None
        request = catalog_pb.FindPluginsRequest(scope=scope, service=service, for_platform=user_id is None)
        answer = await self._stub.FindPlugins(request, timeout=TIMEOUT)
        places = [PluginPlace(each.folder, _LANGUAGES.get(each.language, "")) for each in answer.plugins]
        return ServicePlugins(service, answer.bundle_id, places, _object(answer.config))


class FailureClient:
    """Keeps `ports.Failures`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = hook_rpc.HookServiceStub(channel)

    async def tell(self, failures: Sequence[Failure]) -> None:
        told = []
        for each in failures:
            happening = hook_pb.Happening(
                event_id=each.event_id, event=each.event, tenant_id=each.tenant_id, data=orjson.dumps(dict(each.data))
            )
            happening.at.FromDatetime(each.at)
            told.append(happening)
        await self._stub.Announce(hook_pb.AnnounceRequest(happenings=told), timeout=TIMEOUT)


class LogClient:
    """Keeps `ports.Logs`."""

    def __init__(self, channel: Channel) -> None:
        self._stub = log_rpc.LogServiceStub(channel)

    async def write(self, entries: Sequence[LogEntry]) -> None:
        records = []
        for entry in entries:
            record = log_pb.LogRecord(
                record_id=entry.record_id, tenant_id=entry.tenant_id, fields=orjson.dumps(dict(entry.fields))
            )
            record.at.FromDatetime(entry.at)
            records.append(record)
        await self._stub.WriteRecords(log_pb.WriteRecordsRequest(records=records), timeout=TIMEOUT)


def _source(version: flow_pb2.FlowVersion, *, is_active: bool) -> FlowSource:
    return FlowSource(
        flow_id=version.flow_id,
        tenant_id=version.tenant_id,
        is_active=is_active,
        version=version.version,
        name=version.name,
        descriptor=orjson.loads(version.descriptor_json),
        custom_fields=_object(version.custom_fields),
        log_level=_LOG_LEVELS.get(version.log_level, "all"),
        components=[_published(each) for each in version.components],
    )


def _published(component: catalog_pb.Component) -> PublishedComponent:
    language: Literal["python", "javascript", ""] = _LANGUAGES.get(component.language, "")
    return PublishedComponent(
        component.type, _object(component.manifest), component.bundle_id, component.root, language
    )


def _timer(tenant_id: str, flow_id: str, timer: FlowTimer) -> schedule_pb.Timer:
    return schedule_pb.Timer(
        timer_id=timer.timer_id,
        group_id=flow_id,
        tenant_id=tenant_id,
        schedule=orjson.dumps(schedules.to_json(timer.schedule)),
        misfire=schedule_pb.MISFIRE_FIRE_ONCE,
        flow_id=flow_id,
        node_id=timer.node_id,
        port=timer.port,
        immediate=timer.immediate,
        since=_timestamp(timer.since),
    )


def _timestamp(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _record(record: store_pb.Record) -> dict[str, Json]:
    return {
        "key": record.key,
        "storeId": record.store_id,
        "value": orjson.loads(record.value),
        "createdAt": _time(record.created_at.ToDatetime()).isoformat(),
        "updatedAt": _time(record.updated_at.ToDatetime()).isoformat(),
    }


def _file(file: file_pb.File) -> StoredFile:
    return StoredFile(file.file_id, file.filename, file.size_bytes, file.content_type, file.sha256)


def _object(text: bytes) -> Mapping[str, Json]:
    return cast("Mapping[str, Json]", orjson.loads(text)) if text else {}


def _time(naive: datetime) -> datetime:
    return naive.replace(tzinfo=UTC)
