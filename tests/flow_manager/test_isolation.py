"""What one tenant has, another cannot see, change, or even tell from nothing. Every method of every service is here."""

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from headrace.file.v1 import file_service_pb2 as file_pb
from headrace.flow.v1 import flow_service_pb2 as flow_pb
from headrace.integration.v1 import integration_service_pb2 as integration_pb
from headrace.store.v1 import store_service_pb2 as store_pb
from headrace_core.errors import NotFound
from headrace_flow_manager import stores

from .house import ANN, BOB, House, scope
from .test_data_stores import new_store, put, relay
from .test_files import save

THEIRS = scope(BOB)

NAMED: dict[str, Callable[[dict[str, str]], Any]] = {
    "flows.GetFlow": lambda ids: flow_pb.GetFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.UpdateFlow": lambda ids: flow_pb.UpdateFlowRequest(scope=THEIRS, flow_id=ids["flow"], changes=b"{}"),
    "flows.DeleteFlow": lambda ids: flow_pb.DeleteFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.CloneFlow": lambda ids: flow_pb.CloneFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.StartFlow": lambda ids: flow_pb.StartFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.StopFlow": lambda ids: flow_pb.StopFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.PinFlow": lambda ids: flow_pb.PinFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.ValidateFlow": lambda ids: flow_pb.ValidateFlowRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.ListFlowVersions": lambda ids: flow_pb.ListFlowVersionsRequest(scope=THEIRS, flow_id=ids["flow"]),
    "flows.GetFlowVersion": lambda ids: flow_pb.GetFlowVersionRequest(scope=THEIRS, flow_id=ids["flow"], version=1),
    "flows.LabelFlowVersion": lambda ids: flow_pb.LabelFlowVersionRequest(
        scope=THEIRS, flow_id=ids["flow"], version=1, label="x"
    ),
    "flows.RestoreFlowVersion": lambda ids: flow_pb.RestoreFlowVersionRequest(
        scope=THEIRS, flow_id=ids["flow"], version=1
    ),
    "integrations.UpdateInstances": lambda ids: integration_pb.UpdateInstancesRequest(
        scope=THEIRS, template_id=ids["flow"]
    ),
    "integrations.PreviewUpdate": lambda ids: integration_pb.PreviewUpdateRequest(
        scope=THEIRS, template_id=ids["flow"]
    ),
    "integrations.DeleteIntegration": lambda ids: integration_pb.DeleteIntegrationRequest(
        scope=THEIRS, flow_id=ids["flow"]
    ),
    "integrations.PublishDraft": lambda ids: integration_pb.PublishDraftRequest(scope=THEIRS, flow_id=ids["flow"]),
    "integrations.GetIntegrationWork": lambda ids: integration_pb.GetIntegrationWorkRequest(
        scope=THEIRS, ticket=ids["ticket"]
    ),
    "stores.GetStore": lambda ids: store_pb.GetStoreRequest(scope=THEIRS, store_id=ids["store"]),
    "stores.RenameStore": lambda ids: store_pb.RenameStoreRequest(scope=THEIRS, store_id=ids["store"], name="x"),
    "stores.DeleteStore": lambda ids: store_pb.DeleteStoreRequest(scope=THEIRS, store_id=ids["store"]),
    "stores.GetRecord": lambda ids: store_pb.GetRecordRequest(scope=THEIRS, store_id=ids["store"], key="k"),
    "stores.PutRecord": lambda ids: store_pb.PutRecordRequest(
        scope=THEIRS, store_id=ids["store"], key="k", value=b"2", request_id="r"
    ),
    "stores.MoveRecord": lambda ids: store_pb.MoveRecordRequest(
        scope=THEIRS, store_id=ids["store"], key="k", new_key="l"
    ),
    "stores.DeleteRecords": lambda ids: store_pb.DeleteRecordsRequest(scope=THEIRS, store_id=ids["store"], all=True),
    "stores.ListRecords": lambda ids: store_pb.ListRecordsRequest(scope=THEIRS, store_id=ids["store"]),
    "stores.Listen": lambda ids: store_pb.ListenRequest(
        scope=THEIRS,
        store_id=ids["store"],
        listener=store_pb.StoreListener(flow_id="f", node_id="n", events=["insert"]),
    ),
    "files.WriteFile": lambda ids: file_pb.WriteFileRequest(scope=THEIRS, upload_id=ids["upload"], data=b"x"),
    "files.FinishFile": lambda ids: file_pb.FinishFileRequest(scope=THEIRS, upload_id=ids["upload"]),
    "files.GetFile": lambda ids: file_pb.GetFileRequest(scope=THEIRS, file_id=ids["file"]),
    "files.ReadFile": lambda ids: file_pb.ReadFileRequest(scope=THEIRS, file_id=ids["file"]),
    "files.DeleteFile": lambda ids: file_pb.DeleteFileRequest(scope=THEIRS, file_id=ids["file"]),
}
"""Calls that name something of Ann's, asked by Bob."""

LISTS: dict[str, Any] = {
    "flows.ListFlows": flow_pb.ListFlowsRequest,
    "stores.ListStores": store_pb.ListStoresRequest,
    "files.ListFiles": file_pb.ListFilesRequest,
}

ELSEWHERE = {
    "flows.CreateFlow", "flows.GetFlowUse", "flows.ResolveFlow", "flows.ListActiveFlows", "stores.CreateStore",
    "stores.Unlisten", "files.OpenFile", "files.DeleteFiles",
}  # fmt: skip
"""Calls that name nothing of a tenant's, or work across tenants on purpose; tests of their own hold them."""


async def furnish(house: House) -> dict[str, str]:
    """Something of everything for Ann."""
    flow, store_id = await house.create("secret", type="integration-template"), await new_store(house, "secret")
    order = integration_pb.UpdateInstancesRequest(scope=scope(ANN), template_id=flow.flow_id)
    ticket = (await house.integrations.UpdateInstances(order)).work.ticket
    await put(house, store_id, "k", 1, request_id="r")
    await save(house, b"secret", "file")
    request = file_pb.OpenFileRequest(scope=scope(ANN), file_id="open", filename="x")
    upload_id = (await house.files.OpenFile(request)).upload_id
    return {"flow": flow.flow_id, "ticket": ticket, "store": store_id, "file": "file", "upload": upload_id}


async def everything(house: House, ids: dict[str, str]) -> list[Any]:
    """All that Ann has."""
    records = store_pb.ListRecordsRequest(scope=scope(ANN), store_id=ids["store"])
    lists = [await call(house, name, request(scope=scope(ANN))) for name, request in LISTS.items()]
    return [*lists, await house.stores.ListRecords(records)]


async def call(house: House, name: str, request: Any) -> Any:
    service, method = name.split(".")
    return await getattr(getattr(house, service), method)(request)


@pytest.mark.parametrize("name", sorted(NAMED))
async def test_what_another_tenant_has_does_not_exist(house: House, name: str) -> None:
    ids = await furnish(house)
    before = await everything(house, ids)

    with pytest.raises(NotFound) as theirs:
        await call(house, name, NAMED[name](ids))
    with pytest.raises(NotFound) as nobodys:
        await call(house, name, NAMED[name](dict.fromkeys(ids, "x")))

    assert str(theirs.value).split("'")[0] == str(nobodys.value).split("'")[0]
    assert await everything(house, ids) == before
    assert house.execution.calls == []


@pytest.mark.parametrize("name", sorted(LISTS))
async def test_lists_show_the_callers_own(house: House, name: str) -> None:
    await furnish(house)

    assert not (await call(house, name, LISTS[name](scope=THEIRS))).ListFields()
    assert (await call(house, name, LISTS[name](scope=scope(ANN)))).ListFields()
    assert (await call(house, name, LISTS[name](scope=scope(BOB, every=True)))).ListFields()


async def test_only_reads_go_across_tenants(house: House) -> None:
    ids = await furnish(house)
    everywhere = scope(BOB, every=True)

    assert (await house.flows.GetFlow(flow_pb.GetFlowRequest(scope=everywhere, flow_id=ids["flow"]))).flow.tenant_id
    for name in ("flows.UpdateFlow", "flows.DeleteFlow", "flows.StartFlow", "stores.PutRecord", "files.DeleteFile"):
        request = NAMED[name](ids)
        request.scope.CopyFrom(everywhere)
        with pytest.raises(NotFound):
            await call(house, name, request)


async def test_the_same_file_id_is_another_file_for_another_tenant(house: House) -> None:
    await furnish(house)
    opened = await house.files.OpenFile(file_pb.OpenFileRequest(scope=THEIRS, file_id="file", filename="mine"))
    await house.files.FinishFile(file_pb.FinishFileRequest(scope=THEIRS, upload_id=opened.upload_id))

    mine = (await house.files.GetFile(file_pb.GetFileRequest(scope=scope(ANN), file_id="file"))).file

    assert (mine.filename, mine.size_bytes) == ("a.txt", 6)


async def test_nobody_can_take_away_anothers_listener(house: House) -> None:
    ids = await furnish(house)
    listener = store_pb.StoreListener(flow_id="f", node_id="n", events=["insert"])
    await house.stores.Listen(store_pb.ListenRequest(scope=scope(ANN), store_id=ids["store"], listener=listener))

    await house.stores.Unlisten(store_pb.UnlistenRequest(scope=THEIRS, flow_id="f", node_id="n"))
    await put(house, ids["store"], "new", 1)
    await relay(house)

    assert [event.flow_id for event in house.execution.events] == ["f"]


def test_every_method_with_a_scope_is_held_to_this() -> None:
    services = {
        "flows": flow_pb.DESCRIPTOR.services_by_name["FlowService"],
        "integrations": integration_pb.DESCRIPTOR.services_by_name["IntegrationService"],
        "stores": store_pb.DESCRIPTOR.services_by_name["StoreService"],
        "files": file_pb.DESCRIPTOR.services_by_name["FileService"],
    }
    methods = {f"{name}.{method.name}" for name, service in services.items() for method in service.methods}

    assert methods == set(NAMED) | set(LISTS) | ELSEWHERE


def test_no_query_of_mongodb_puts_anything_over_its_tenants() -> None:
    """Of two conditions on one field in a dict the later counts: what is asked for stood once where its asker did."""
    folder = Path(stores.__file__).parent
    over = [
        f"{file.name}:{display.lineno}"
        for file in sorted(folder.glob("mongo*.py"))
        for display in ast.walk(ast.parse(file.read_text()))
        if isinstance(display, ast.Dict) and _is_covered(display)
    ]

    assert _is_covered(ast.parse("{**of_tenants(a), **asked}", mode="eval").body)
    assert _is_covered(ast.parse("{**of_tenants(a), 'tenant_id': b}", mode="eval").body)
    assert not _is_covered(ast.parse("{**asked, **of_tenants(a), 'name': b}", mode="eval").body)
    assert over == []


def _is_covered(display: Any) -> bool:
    """Whether something in the display may take the place of the tenants before it."""
    scopes = [
        place
        for place, (key, value) in enumerate(zip(display.keys, display.values, strict=True))
        if key is None and isinstance(value, ast.Call) and getattr(value.func, "id", "") == "of_tenants"
    ]
    after = display.keys[scopes[0] + 1 :] if scopes else ()
    return any(key is None or not isinstance(key, ast.Constant) or key.value == "tenant_id" for key in after)
