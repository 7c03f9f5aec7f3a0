"""An alias is a webhook by another path; it hides nothing."""

import httpx
import pytest
from headrace_core.clock import TestClock

from .services import Services


@pytest.mark.parametrize(
    "alias",
    ["flows", "flows/x", "/users", "FLOWS/a", "ui/x", "docs", "health", ".well-known/x", "insights", "people-tasks/1"],
)
async def test_no_alias_is_made_that_looks_like_an_endpoint(alias: str, user: httpx.AsyncClient) -> None:
    given = {"alias": alias, "flowId": "f", "componentId": "c"}

    assert (await user.post("/url-aliases", json=given)).status_code == 400


async def test_a_path_is_asked_about_once_in_five_seconds_and_endpoints_never(
    nobody: httpx.AsyncClient, services: Services, clock: TestClock
) -> None:
    for path in ("/unknown", "/unknown", "/flows", "/flows/x/y/z", "/" + "x" * 300):
        assert (await nobody.get(path)).status_code in (401, 404)
    assert services.aliases.resolved == ["unknown"]

    clock.advance(5)
    await nobody.get("/unknown")
    assert services.aliases.resolved == ["unknown"] * 2
