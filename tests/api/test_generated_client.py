"""A client that a public generator makes of the served OpenAPI document does a new user's first day.

The generator stands in an environment of its own: what it needs differs from what Headrace needs.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from headrace_gateway.openapi import openapi_document
from headrace_gateway.routes import ROUTES

from tests.servers import install

from .people import HOOK, PASSWORD, People, echo_flow, email_of

pytestmark = pytest.mark.timeout(300)

PINS = Path(__file__).with_name("client_generator.txt")
Module: TypeAlias = Callable[[str], Any]


@pytest.fixture(scope="session")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Module, str]]:
    """The modules of the generated package, by their names inside of it, and what the generator said."""
    folder = tmp_path_factory.mktemp("client")
    document = folder / "openapi.json"
    document.write_text(json.dumps(openapi_document(ROUTES)))
    programs = install.environment("client-generator", PINS, "openapi-python-client") / "bin"
    command = [programs / "openapi-python-client", "generate", "--path", document, "--output-path", folder / "made"]
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder / "made"))
    try:
        yield lambda name: importlib.import_module(f"headrace_client.{name}"), done.stdout + done.stderr
    finally:
        sys.path.remove(str(folder / "made"))
        for name in [each for each in sys.modules if each.partition(".")[0] == "headrace_client"]:
            del sys.modules[name]


def test_the_generator_leaves_out_no_endpoint(generated: tuple[Module, str]) -> None:
    module, said = generated
    folder = Path(module("api").__file__).parent
    paths = openapi_document(ROUTES)["paths"]
    operations = {each["operationId"] for operations in paths.values() for each in operations.values()}  # type: ignore[union-attr, call-overload, index]

    assert "will not be generated" not in said
    made = {file.stem.replace("_", "") for file in folder.rglob("*.py") if file.stem != "__init__"}
    assert {each.replace("_", "").lower() for each in operations} == made


async def test_sign_up_build_run_version_restore_export_delete_import(
    generated: tuple[Module, str], people: People
) -> None:
    async with AsyncExitStack() as stack:
        await first_day(generated[0], people, stack)


async def first_day(module: Module, people: People, stack: AsyncExitStack) -> None:
    models, url = module("models"), str(people.ann.base_url)

    async def signed_in(token: str) -> Any:
        return await stack.enter_async_context(module("client").AuthenticatedClient(base_url=url, token=token))

    async def call(where: str, *values: Any, client: Any, status: int = 200, **named: Any) -> Any:
        answer = await module(f"api.{where}").asyncio_detailed(*values, client=client, **named)
        assert answer.status_code == status, answer.content
        return answer

    # Sign up.
    admin = await signed_in(people.admin.headers["Authorization"].removeprefix("Bearer "))
    new = models.PostUserBody(email=email_of("cleo", people.mark), password=PASSWORD)
    made = (await call("users.post_user", client=admin, body=new, status=201)).parsed
    cleo = await signed_in(made.token)
    assert (await call("users.get_user", client=cleo)).parsed.email == email_of("cleo", people.mark)

    # Build.
    drawn = models.FlowChanges.from_dict({"name": "First", "flow": echo_flow(), "customFields": {"kind": "demo"}})
    flow_id = (await call("flows.post_flows", client=cleo, body=drawn)).parsed.flow_id
    checked = (await call("flows.get_flows_id_validate", flow_id, client=cleo)).parsed
    assert checked.to_dict()["errors"] == []

    # Run.
    start = models.PostFlowsIdCoordinatorBody.from_dict({"command": "start"})
    await call("flows.post_flows_id_coordinator", flow_id, client=cleo, body=start)
    stranger = await stack.enter_async_context(module("client").Client(base_url=url))
    answered = await call("webhooks.post_webhook", flow_id, HOOK, client=stranger, body={"name": "ada"})
    assert answered.content == b"ada"
    runs = (await call("runs.get_runs", client=cleo, flow_id=flow_id)).parsed
    assert runs.total_count == 1 and runs.items[0].flow_id == flow_id

    # Version.
    labelled = models.PostFlowsIdVersionsBody.from_dict({"label": "the first"})
    first = (await call("flow_versions.post_flows_id_versions", flow_id, client=cleo, body=labelled)).parsed
    emptied = models.FlowChanges.from_dict({"flow": {}})
    await call("flows.put_flows_id", flow_id, client=cleo, body=emptied, force_update=True)
    versions = (await call("flow_versions.get_flows_id_versions", flow_id, client=cleo)).parsed
    assert [each.version for each in versions.items] == [first.version + 1, first.version]
    assert versions.items[1].label == "the first"

    # Restore.
    where = "flow_versions.post_flows_id_versions_version_restore"
    await call(where, flow_id, str(first.version), client=cleo, force_update=True)
    answered = await call("webhooks.post_webhook", flow_id, HOOK, client=stranger, body={"name": "eve"})
    assert answered.content == b"eve"

    # Export.
    whole = models.PostExportBody.from_dict({"include": ["flows"]})
    archive = (await call("archives.post_export", client=cleo, body=whole)).content
    assert archive.startswith(b"PK")

    # Delete.
    await call("flows.delete_flows_id", flow_id, client=cleo)
    gone = (await call("flows.get_flows_id", flow_id, client=cleo, status=404)).parsed
    assert (gone.status_code, gone.code) == (404, "not_found")

    # Import: the flow is back, with its id and its versions.
    # Its bodies of bytes are streams that only its synchronous calls can send.
    sent = module("types").File(payload=io.BytesIO(archive))
    send = module("api.archives.post_import").sync_detailed
    with module("client").AuthenticatedClient(base_url=url, token=made.token) as waiting:
        became = (await asyncio.to_thread(send, client=waiting, body=sent)).parsed
    assert became.counts.to_dict()["created"] >= 1
    read = (await call("flows.get_flows_id", flow_id, client=cleo)).parsed
    assert (read.name, read.flow.to_dict()) == ("First", echo_flow())
    versions = (await call("flow_versions.get_flows_id_versions", flow_id, client=cleo)).parsed
    assert "the first" in [each.label for each in versions.items]
