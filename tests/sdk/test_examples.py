"""The example connector can be published, and its components do what they say."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from headrace_core import Json, bundles
from headrace_core.bundle_rules import findings
from headrace_sdk import CancelError, ConnectionExpired, HttpResponse, RateLimitedError
from headrace_sdk.auth import AuthContext
from headrace_sdk.plugins import Listener
from headrace_sdk.routes import RouteError
from headrace_sdk.testing import (
    HttpHandler,
    HttpRequest,
    MemoryPluginContext,
    World,
    run_component,
    run_job,
    run_route,
    run_tick,
)
from headrace_sdk.testing.world import MemoryHttp, MemoryTcp

EXAMPLES = Path(__file__).parents[2] / "libs" / "sdk" / "examples"
URL = "https://weather.example.com/v1"
DAYS: list[Json] = [{"day": "Monday", "degrees": 20}, {"day": "Tuesday", "degrees": 18}]


@pytest.fixture
def weather(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The modules of the example, by name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))

    def module(name: str) -> Any:
        return importlib.import_module(f"acme.weather.{name}")

    yield SimpleNamespace(
        auth=module("auth"),
        forecast=module("core.Forecast.component").Forecast,
        news=module("core.NewForecast.component").NewForecast,
        cities=module("core.ListCities.component").ListCities,
        routes=module("routes"),
    )
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]


def far_side(**answers: HttpResponse) -> HttpHandler:
    async def answer(request: HttpRequest) -> HttpResponse:
        return answers[request.url.removeprefix(f"{URL}/").partition("?")[0]]

    return answer


def json_of(value: str, status: int = 200) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], value.encode())


def test_it_passes_the_rules_of_publishing_and_offers_what_it_says() -> None:
    files = {
        path.relative_to(EXAMPLES).as_posix(): path.read_bytes()
        for path in EXAMPLES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    offered = bundles.describe(files)

    assert findings(files, files, lambda name: False) == []
    assert sorted(each.type for each in offered.components) == [
        "acme.weather.core.Forecast",
        "acme.weather.core.ListCities",
        "acme.weather.core.NewForecast",
    ]
    assert offered.quotas.keys() == {"acme:weather"}


async def test_forecasts_leave_one_by_one_or_not_at_all(weather: Any) -> None:
    some = far_side(forecasts=json_of('[{"day": "Monday", "degrees": 20, "x": 1}]'))
    none = far_side(forecasts=json_of("[]"))
    limited = far_side(forecasts=HttpResponse(429, [("retry-after", "3")]))

    outcome = await run_component(weather.forecast, content={"city": "Brno"}, http=some)

    assert outcome.outputs == [("out", {"day": "Monday", "degrees": 20})]
    assert outcome.world.requests[0].url == f"{URL}/forecasts?city=Brno"
    assert (await run_component(weather.forecast, content={"city": "Brno"}, http=none)).on("none") == [{"city": "Brno"}]
    with pytest.raises(RateLimitedError):
        await run_component(weather.forecast, content={"city": "Brno"}, http=limited)


async def test_each_forecast_is_news_once(weather: Any) -> None:
    world = World()
    monday = '{"day": "Monday", "degrees": 20}'
    first = far_side(forecasts=json_of(f"[{monday}]"))
    second = far_side(forecasts=json_of(f'[{monday}, {{"day": "Tuesday", "degrees": 18}}]'))
    properties: dict[str, Json] = {"city": "Brno"}

    seen = [
        (await run_tick(weather.news, world=world, http=far, properties=properties)).on("out")
        for far in (first, first, second)
    ]

    assert seen == [DAYS[:1], [], DAYS[1:]]


async def test_cities_are_asked_for_once_and_offered_as_options(weather: Any) -> None:
    world = World(http=far_side(cities=json_of('[{"id": "b", "name": "Brno"}]')))

    for _ in range(2):
        outcome = await run_component(weather.cities, world=world, component_type="acme.weather.core.ListCities")

    assert len(world.requests) == 1
    assert weather.cities.transforms["to_options"](outcome.on("out")[0]) == [{"label": "Brno", "value": "b"}]


async def test_keys_are_checked(weather: Any) -> None:
    def context(answer: HttpResponse, key: str) -> AuthContext:
        return AuthContext({"apiKey": key}, MemoryHttp(World(http=far_side(me=answer))), MemoryTcp())

    await weather.auth.validate(context(json_of('{"name": "Ada"}'), "k"))
    with pytest.raises(ConnectionExpired, match="does not know this key"):
        await weather.auth.validate(context(json_of("{}", 401), "wrong"))


async def test_who_listens_to_a_city_hears_of_its_storms(weather: Any) -> None:
    plugin, routes = MemoryPluginContext(World()), weather.routes
    plugin.world.listeners["f1", "n1", "storm"] = Listener("storm", {"city": "Brno"}, "f1", "n1", "u1")
    plugin.world.listeners["f2", "n2", "storm"] = Listener("storm", {"city": "Graz"}, "f2", "n2", "u1")

    brno: dict[str, Any] = {"params": {"city": "Brno"}, "context": plugin}
    told = await run_route(routes.storm, method="POST", body={"force": 9}, **brno)
    await run_route(routes.storm, method="POST", body={"force": 1}, params={"city": "Linz"}, context=plugin)
    with pytest.raises(RouteError, match="Say how strong"):
        await run_route(routes.storm, method="POST", body={}, **brno)
    await run_job(routes.forget_breezes, plugin)

    assert (told.status, told.body) == (201, {"noted": "Brno", "heard": 1})
    assert [(each.flow_id, each.data) for each in plugin.triggered] == [("f1", {"force": 9})]
    assert (await run_route(routes.last_storm, **brno)).body == {"force": 9}
    assert await plugin.collection("storms").distinct("_id") == ["Brno"]
    assert plugin.logs == [("info", "1 breezes are forgotten.")]
    with pytest.raises(CancelError, match="of which city"):
        await routes.accept(Listener("storm", None, "f1", "n1", "u1"), plugin)
