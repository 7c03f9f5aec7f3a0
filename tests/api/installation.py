"""What holds for everybody on an installation, taken away again where tests share one."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping

import httpx

REMOVED: Mapping[str, str] = {
    "/flows": "flowId",
    "/stores": "storeId",
    "/charts": "chartId",
    "/files": "fileId",
    "/url-aliases": "id",
    "/groups": "groupId",
    "/origins": "vendor",
    "/service-config": "serviceId",
    "/config": "key",
    "/public-files": "filename",
    "/people-task/tasks": "taskId",
    "/accounts": "accountId",
    "/system/webhooks": "id",
}
"""Lists of which nothing is left → the name of an id there. The first of them are the administrator's own."""


async def set_back(admin: httpx.AsyncClient) -> None:
    """Remove whatever administrators set for everybody and whatever this one owns: both are as when new."""
    for kind in ("routes", "components"):
        await _done(admin.post(f"/acl/{kind}", json=[]))
    await _done(admin.delete("/modifiers"))
    for quota in (await _done(admin.get("/quota"))).json():
        if quota["isCustom"]:
            await _done(admin.delete(f"/quota/{quota['id']}"))
    for path, name in REMOVED.items():
        for each in (await _done(admin.get(path))).json():
            await _done(admin.delete(f"{path}/{each[name]}"))


async def _done(request: Awaitable[httpx.Response]) -> httpx.Response:
    answer = await request
    assert answer.status_code == 200, (answer.request.url, answer.text)
    return answer
