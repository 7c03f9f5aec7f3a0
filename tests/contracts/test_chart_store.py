"""What every ChartStore promises."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from headrace_core.errors import AlreadyExists, NotFound, RevisionConflict
from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.insights.store import ChartStore
from headrace_flow_manager.scope import EVERY_TENANT

from tests.contracts.flow_manager import KINDS, OpenStores, opener

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ANN, BOB = "a" * 24, "b" * 24
CHART = Chart("c1", ANN, {"name": "One", "type": "bar", "query": {"a.b": {"$gt": 2**60}}}, 1, NOW, NOW)


@pytest.fixture(params=KINDS)
def open_stores(request: pytest.FixtureRequest) -> Iterator[OpenStores]:
    with opener(request) as opens:
        yield opens


@pytest.fixture
async def charts(open_stores: OpenStores, tmp_path: Path) -> AsyncIterator[ChartStore]:
    async with open_stores(tmp_path) as opened:
        yield opened.charts


async def test_a_chart_comes_back_as_it_was_kept_and_once(charts: ChartStore) -> None:
    for _ in range(2):
        await charts.add(CHART)

    assert await charts.get(ANN, "c1") == CHART
    assert await charts.all(ANN) == [CHART]


async def test_an_id_is_one_charts_whoever_has_it(charts: ChartStore) -> None:
    await charts.add(CHART)

    for other in (replace(CHART, tenant_id=BOB), replace(CHART, document={"name": "Two", "type": "bar"})):
        with pytest.raises(AlreadyExists):
            await charts.add(other)

    assert await charts.all(EVERY_TENANT) == [CHART]


async def test_charts_come_by_when_they_were_made(charts: ChartStore) -> None:
    for number in (3, 1, 2):
        await charts.add(replace(CHART, chart_id=f"c{number}", created_at=NOW + timedelta(seconds=number)))

    assert [chart.chart_id for chart in await charts.all(ANN)] == ["c1", "c2", "c3"]


async def test_of_two_who_save_the_same_revision_one_is_told(charts: ChartStore) -> None:
    await charts.add(CHART)
    after = replace(CHART, document={"name": "Two", "type": "pie"}, revision=2, updated_at=NOW + timedelta(seconds=1))

    await charts.replace(after, 1)
    with pytest.raises(RevisionConflict):
        await charts.replace(replace(after, document={"name": "Three"}), 1)

    assert await charts.get(ANN, "c1") == after


async def test_what_another_tenant_has_is_not_there(charts: ChartStore) -> None:
    await charts.add(CHART)
    theirs = replace(CHART, tenant_id=BOB, revision=2)

    assert await charts.all(BOB) == []
    assert await charts.all(EVERY_TENANT) == [await charts.get(EVERY_TENANT, "c1")]
    with pytest.raises(NotFound):
        await charts.get(BOB, "c1")
    with pytest.raises(NotFound):
        await charts.replace(theirs, 1)
    with pytest.raises(NotFound):
        await charts.delete(BOB, "c1")
    assert await charts.get(ANN, "c1") == CHART


async def test_a_chart_is_deleted_once(charts: ChartStore) -> None:
    await charts.add(CHART)

    await charts.delete(ANN, "c1")

    with pytest.raises(NotFound):
        await charts.delete(ANN, "c1")
    with pytest.raises(NotFound):
        await charts.replace(CHART, 1)


async def test_a_tenant_who_leaves_takes_every_chart_and_no_other(charts: ChartStore) -> None:
    theirs = replace(CHART, chart_id="c2", tenant_id=BOB)
    for chart in (CHART, replace(CHART, chart_id="c3"), theirs):
        await charts.add(chart)

    for _ in range(2):
        await charts.delete_owned(ANN)

    assert await charts.all(EVERY_TENANT) == [theirs]
