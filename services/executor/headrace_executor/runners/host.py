"""What components in a runner ask for: answered by the `StepContext` of the call that they belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC
from typing import Any, cast

import orjson
from headrace.runner.v1 import runner_pb2 as data_pb
from headrace.runner.v1 import runner_service_pb2 as pb
from headrace.runner.v1 import runner_service_pb2_grpc as rpc
from headrace_core.errors import BadRequest, Fenced, Forbidden
from headrace_core.expressions import Json
from headrace_core.ids import new_id
from headrace_runtime.failures import failure_of
from headrace_runtime.rpc import Server
from headrace_sdk.context import Condition, FileInfo, State
from headrace_sdk.errors import CancelError, ComponentError, LockUnavailable

from headrace_executor.context import StepContext
from headrace_executor.doors import HeldLock
from headrace_executor.hearing import Trigger
from headrace_executor.runners.encoding import failure_to_proto, send
from headrace_executor.runners.plugins import PluginContext

MAX_LOCKS = 100


@dataclass(slots=True)
class Call:
    """A call under way, as its questions find it."""

    context: StepContext
    locks: dict[str, HeldLock] = field(default_factory=dict)
    fenced: Fenced | None = None  # the run is somebody else's by now, whatever the component makes of that


class HostServicer(rpc.HostServiceServicer):
    """Keeps `HostService` for one runner. Only calls that the runner was given are answered."""

    def __init__(self) -> None:
        self.ready = asyncio.Event()
        self._calls: dict[str, Call] = {}

    def register(self, server: Server) -> None:
        rpc.add_HostServiceServicer_to_server(self, server)

    @contextmanager
    def answering(self, call_id: str, context: StepContext) -> Iterator[Call]:
        """Answer questions of a call while the block runs."""
        call = self._calls[call_id] = Call(context)
        try:
            yield call
        finally:
            del self._calls[call_id]

    async def ReportReady(self, request: pb.ReportReadyRequest, context: Any) -> pb.ReportReadyResponse:
        self.ready.set()
        return pb.ReportReadyResponse()

    async def Ask(self, request: pb.AskRequest, context: Any) -> pb.AskResponse:
        call = self._calls.get(request.call_id)
        if call is None:
            raise Forbidden("No call of this id is under way here.")
        call.context.answering(request.number)
        try:
            return await self._answer(call, request)
        except ComponentError as error:
            return pb.AskResponse(failure=failure_to_proto(failure_of(error)))
        except Fenced as error:
            call.fenced = error
            raise

    async def _answer(self, call: Call, request: pb.AskRequest) -> pb.AskResponse:
        context = call.context
        match request.WhichOneof("question"):
            case "state":
                return _json(await _ask_state(_room(context, request.state.room), request.state))
            case "store":
                return _json(await _ask_store(context, request.store))
            case "file":
                return await _ask_file(context, request.file)
            case "timeout":
                return _json(await _ask_timeout(context, request.timeout))
            case "lock":
                return _json(await _ask_lock(call, request.lock))
            case "outputs":
                for output in request.outputs.outputs:
                    await send(context, output)
                return pb.AskResponse()
            case "task":
                return _json(await _ask_task(context, request.task))
            case "call":
                return _json(await _ask_component(context, request.call))
            case "listen":
                return _json(await _ask_listen(context, request.listen))
            case "api":
                asked = request.api
                query = cast("dict[str, Json]", orjson.loads(asked.query or b"{}"))
                body = orjson.loads(asked.body) if asked.body else None
                return _json(await context.call_api(asked.method, asked.end_point, query, body))
            case "signal":
                await context.send_signal(orjson.loads(request.signal.content))
                return pb.AskResponse()
            case "offers":
                return _json(context.offers(request.offers.node_id))
            case "flow":
                return _json(await _ask_flow(context, request.flow))
            case "scope":
                return _json(await context.scope())
            case "trigger":
                return _json(await _ask_trigger(context, request.trigger))
            case _:
                raise BadRequest("The question is of no kind that this release knows.")


async def release_locks(locks: Mapping[str, HeldLock]) -> None:
    """Give back what a call left behind."""
    async with AsyncExitStack() as stack:
        for lock in locks.values():
            stack.push_async_exit(lock.__aexit__)


def _room(context: StepContext, room: data_pb.Room.ValueType) -> State:
    match room:
        case data_pb.ROOM_NODE:
            return context.state
        case data_pb.ROOM_FLOW:
            return context.flow_state
        case data_pb.ROOM_SERVICE:
            return context.service_state
        case data_pb.ROOM_RUN:
            return context.run_state
        case _:
            raise BadRequest("The question does not say whose state it is about.")


async def _ask_state(state: State, question: data_pb.StateQuestion) -> Json:
    key = question.key
    value: Json = orjson.loads(question.value) if question.value else None
    match question.verb:
        case "get":
            return [found] if (found := await state.get(key, _ABSENT)) is not _ABSENT else []
        case "all":
            return cast("Json", await state.all())
        case "set":
            await state.set(key, value)
        case "unset":
            await state.unset(key)
        case "clear":
            await state.clear()
        case "replace":
            await state.clear()
            for name, each in _fields(value).items():
                await state.set(name, each)
        case "inc":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise CancelError("Only a number can be added to a number.")
            return await state.inc(key, value)
        case "add":
            return await state.add_to_set(key, value)
        case "remove":
            return await state.remove_from_set(key, value)
        case _:
            raise BadRequest(f"A state knows no {question.verb!r}.")
    return None


def _fields(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise CancelError("It is no object.")
    return value


_ABSENT: Json = {"absent": True}
"""Told apart by identity, so that a value that looks alike is one."""


async def _ask_store(context: StepContext, question: data_pb.StoreQuestion) -> Json:
    given = cast("dict[str, Any]", orjson.loads(question.arguments))
    store = context.store
    match question.verb:
        case "list_stores":
            return cast("Json", await store.list_stores())
        case "create_store":
            return await store.create_store(str(given["name"]))
        case "get":
            return await store.get(str(given["store_id"]), str(given["key"]))
        case "set":
            return await store.set(str(given["store_id"]), str(given["key"]), given["value"])
        case "remove":
            return await store.remove(str(given["store_id"]), str(given["key"]))
        case "clear":
            return await store.clear(str(given["store_id"]))
        case "find":
            query = [Condition(str(each["field"]), each["operator"], each["value"]) for each in given["query"]]
            found = await store.find(
                str(given["store_id"]), given["pattern"], query, int(given["offset"]), int(given["limit"])
            )
            return cast("Json", found)
        case "listen":
            await store.listen(str(given["store_id"]), cast("Sequence[str]", given["events"]))
        case "unlisten":
            await store.unlisten(str(given["store_id"]))
        case _:
            raise BadRequest(f"A data store knows no {question.verb!r}.")
    return None


async def _ask_task(context: StepContext, question: data_pb.TaskQuestion) -> Json:
    given = cast("dict[str, Any]", orjson.loads(question.arguments))
    tasks = context.tasks
    match question.verb:
        case "create":
            return await tasks.create(_fields(given["document"]))
        case "get":
            return await tasks.get(str(given["task_id"]), str(given["secret"]))
        case "decide":
            return await tasks.decide(str(given["task_id"]), str(given["secret"]), approves=given["approves"] is True)
        case "mail":
            await tasks.mail(str(given["task_id"]), str(given["link"]))
            return None
        case _:
            raise BadRequest(f"Tasks know no {question.verb!r}.")


async def _ask_file(context: StepContext, question: data_pb.FileQuestion) -> pb.AskResponse:
    files = context.files
    filename = question.filename if question.HasField("filename") else None
    kind = question.content_type if question.HasField("content_type") else None
    match question.verb:
        case "save":
            return _file(await files.save(filename or "", question.content, kind))
        case "replace":
            return _file(await files.replace(question.file_id, question.content, filename=filename, content_type=kind))
        case "load":
            return pb.AskResponse(content=await files.load(question.file_id))
        case "read":
            return pb.AskResponse(content=await files.read(question.file_id, question.offset))
        case "open":
            return _json(await files.open(filename or "", kind))
        case "write":
            await files.write(question.upload_id, question.offset, question.content)
            return pb.AskResponse()
        case "finish":
            return _file(await files.finish(question.upload_id))
        case "info":
            return _file(await files.info(question.file_id))
        case "remove":
            await files.remove(question.file_id)
            return pb.AskResponse()
        case _:
            raise BadRequest(f"Files know no {question.verb!r}.")


async def _ask_component(context: StepContext, question: data_pb.CallQuestion) -> Json:
    return await context.call(
        question.type,
        question.out_port,
        messages=cast("dict[str, Json]", orjson.loads(question.messages)),
        properties=cast("dict[str, Json]", orjson.loads(question.properties)),
        transform=question.transform,
    )


async def _ask_listen(context: StepContext | PluginContext, question: data_pb.ListenQuestion) -> Json:
    match question.verb:
        case "add":
            await context.listen(question.event, orjson.loads(question.params or b"null"))
        case "remove":
            await context.unlisten(question.event)
        case "list" if isinstance(context, PluginContext):
            return await context.listeners(question.event)
        case _:
            raise CancelError(f"Only a plugin can {question.verb!r} listeners.")
    return None


async def _ask_flow(context: StepContext | PluginContext, question: data_pb.FlowQuestion) -> Json:
    if not isinstance(context, PluginContext):
        raise CancelError("A component asks for flows by callAppmixer.")
    return await context.flow(question.flow_id)


async def _ask_trigger(context: StepContext | PluginContext, question: data_pb.TriggerQuestion) -> Json:
    if not isinstance(context, PluginContext):
        raise CancelError("Only a plugin fires nodes.")
    asked = Trigger(
        question.flow_id,
        question.node_id,
        orjson.loads(question.content),
        "",
        question.correlation_id,
        question.waits,
        question.event,
    )
    return await context.trigger(asked)


async def _ask_timeout(context: StepContext, question: data_pb.TimeoutQuestion) -> Json:
    if question.timeout_id:
        await context.clear_timeout(question.timeout_id)
        return None
    return await context.set_timeout(orjson.loads(question.content), question.due.ToDatetime(tzinfo=UTC))


async def _ask_lock(call: Call, question: data_pb.LockQuestion) -> Json:
    if question.verb == "acquire":
        if len(call.locks) >= MAX_LOCKS:
            raise CancelError(f"One call holds at most {MAX_LOCKS} locks.")
        held = call.context.lock(
            question.name,
            ttl=question.ttl.ToTimedelta(),
            retry_delay=question.retry_delay,
            retries=question.retries,
        )
        handle = new_id()
        call.locks[handle] = await held.__aenter__()
        return handle
    lock = call.locks.get(question.handle)
    if lock is None:
        raise LockUnavailable(question.name)
    if question.verb == "extend":
        await lock.extend(question.ttl.ToTimedelta())
    else:
        del call.locks[question.handle]
        await lock.__aexit__(None, None, None)
    return None


def _json(value: Json) -> pb.AskResponse:
    return pb.AskResponse(answer=orjson.dumps(value))


def _file(info: FileInfo) -> pb.AskResponse:
    return _json(cast("Json", asdict(info)))
