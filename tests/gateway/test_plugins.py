"""What a plugin is told of a request, and what of its answer goes out."""

import httpx
import orjson
import pytest

from .services import Services

AT = "/plugins/acme/mail"


async def test_a_plugin_learns_who_calls_and_not_by_which_token(user: httpx.AsyncClient, services: Services) -> None:
    answer = await user.post(f"{AT}/a%2Fb/c d?x=1&x=2", content=b"\0raw", headers={"Cookie": "a=b", "X-Kind": "k"})

    (asked,) = services.executor.plugin_calls
    assert (asked.service, asked.method, asked.path, asked.body) == ("acme.mail", "POST", "/a%2Fb/c%20d", b"\0raw")
    assert orjson.loads(asked.query) == {"x": ["1", "2"]}
    assert asked.scope.tenant_id == "a" * 24
    ann = {"id": "a" * 24, "username": "ann", "email": "ann@example.com", "scope": ["user"]}
    assert orjson.loads(asked.user) == ann
    assert asked.headers["x-kind"] == "k" and asked.hostname == "gateway.test"
    assert asked.headers["x-request-id"] == answer.headers["x-request-id"]
    assert not {"authorization", "cookie"} & {*asked.headers}
    assert 0 < asked.within.seconds <= 120


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer of-a-far-service"])
async def test_whoever_is_not_signed_in_is_nobody_and_speaks_for_itself(
    authorization: str, nobody: httpx.AsyncClient, services: Services
) -> None:
    given = {"Authorization": authorization} if authorization else {}

    assert (await nobody.get(f"{AT}/hook", headers=given)).status_code == 201

    (asked,) = services.executor.plugin_calls
    assert not asked.HasField("scope") and asked.user == b""
    assert asked.headers.get("authorization", "") == authorization


async def test_a_plugin_s_answer_says_nothing_for_the_platform(user: httpx.AsyncClient) -> None:
    answer = await user.get(f"{AT}/page")

    assert (answer.status_code, answer.text) == (201, "<b>fine</b>")
    assert (answer.headers["x-mine"], answer.headers["content-length"]) == ("yes", "11")
    assert "set-cookie" not in answer.headers
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert (await user.head(f"{AT}/page")).status_code == 201


async def test_what_is_too_long_or_nowhere_reaches_no_plugin(user: httpx.AsyncClient, services: Services) -> None:
    assert (await user.post(f"{AT}/x", content=b"x" * 4096)).status_code == 413
    assert (await user.get("/plugins/acme/other/x")).status_code == 404
    for path in ("/plugins/acme/mail", "/plugins/acme/mail/", f"{AT}//x", f"{AT}/x/", "/plugins/a-b/mail/x"):
        assert (await user.get(path)).status_code == 404, path
    for verb in ("put", "patch", "delete"):
        assert (await getattr(user, verb)(f"{AT}/x")).status_code == 201

    assert [each.method for each in services.executor.plugin_calls] == ["PUT", "PATCH", "DELETE"]


async def test_people_tasks_stay_where_they_are(user: httpx.AsyncClient, services: Services) -> None:
    assert (await user.get("/plugins/appmixer/utils/tasks/tasks")).status_code == 200

    assert services.executor.plugin_calls == []
