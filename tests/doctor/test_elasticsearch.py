"""Elasticsearch as it is, and as it should not be."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from elasticsearch import AsyncElasticsearch
from headrace_logging.stores.elasticsearch_documents import Layout, Names, template
from headrace_runtime.doctor import Subject
from headrace_runtime.doctor.elasticsearch import elasticsearch

from tests.doctor.asked import asked, levels
from tests.doors import door
from tests.servers import Elasticsearch
from tests.servers.places import free_port


@pytest.fixture(scope="module")
def server(servers_folder: Path) -> Iterator[Elasticsearch]:
    """One that these tests may hurt; each leaves it running."""
    with Elasticsearch(servers_folder / "hurt-elasticsearch") as running:
        yield running


@pytest.fixture
def names() -> Names:
    return Names(f"doctor-{uuid.uuid4().hex[:8]}")


def subject(url: str, names: Names, *, replicas: int = 0) -> Subject:
    expected = template(names, Layout(1, replicas))
    return elasticsearch(url, api_key="", ca="", alias=names.alias, template=expected, replicas=replicas)


async def test_a_new_cluster_has_no_errors(server: Elasticsearch, names: Names) -> None:
    found = await asked(subject(server.url, names))

    assert [each for each in found.values() if each.level == "error"] == []
    assert found["template"].found.endswith("made at the first start")
    assert found["disk"].level == "warning"  # the tests' own server has its watermarks off
    assert {"connection", "version", "health", "disk", "blocks", "template", "alias"} == set(found)


async def test_disks_are_held_against_the_watermarks(server: Elasticsearch, names: Names) -> None:
    flag, low = "cluster.routing.allocation.disk.threshold_enabled", "cluster.routing.allocation.disk.watermark.low"
    async with AsyncElasticsearch(server.url) as client:
        await client.cluster.put_settings(transient={flag: True})
        well = await asked(subject(server.url, names))
        await client.cluster.put_settings(transient={flag: True, low: "0.1%"})
        warned = await asked(subject(server.url, names))
        await client.cluster.put_settings(transient={flag: None, low: None})

    assert well["disk"].level == "ok"
    assert warned["disk"].level == "warning"
    assert "low watermark" in warned["disk"].found


async def test_a_block_of_an_index_is_an_error_that_says_how_it_goes(server: Elasticsearch, names: Names) -> None:
    index = names.index("20260301")
    async with AsyncElasticsearch(server.url) as client:
        await client.indices.put_index_template(name=names.alias, **template(names, Layout(1, 0)))
        await client.indices.create(index=index)
        await client.indices.put_settings(index=index, settings={"index.blocks.read_only_allow_delete": True})
        found = await asked(subject(server.url, names))
        await client.indices.delete(index=index)
        await client.indices.delete_index_template(name=names.alias)

    assert found["blocks"].level == "error"
    assert index in found["blocks"].found and "read_only_allow_delete" in found["blocks"].advice
    assert (found["template"].level, found["alias"].level) == ("ok", "ok")
    assert found["alias"].found.endswith("days: 1")


async def test_a_template_of_another_release_and_a_name_that_is_taken_are_told(
    server: Elasticsearch, names: Names
) -> None:
    async with AsyncElasticsearch(server.url) as client:
        await client.indices.create(index=names.alias)
        other = {"mappings": {"properties": {"old": {"type": "keyword"}}}}
        await client.indices.put_index_template(name=names.alias, index_patterns=[f"{names.alias}-*"], template=other)
        found = await asked(subject(server.url, names))
        await client.indices.delete(index=names.alias)
        await client.indices.delete_index_template(name=names.alias)

    assert found["template"].level == "warning"
    assert found["alias"].level == "error" and f"DELETE {names.alias}" in found["alias"].advice


async def test_copies_that_have_no_place_are_told_with_the_setting(server: Elasticsearch, names: Names) -> None:
    index = names.index("20260302")
    async with AsyncElasticsearch(server.url) as client:
        await client.indices.create(index=index, settings={"number_of_replicas": 1})
        found = await asked(subject(server.url, names, replicas=1))
        await client.indices.delete(index=index)

    assert found["health"].level == "warning"
    assert "HEADRACE_ELASTICSEARCH_REPLICAS" in found["health"].advice


async def test_one_that_is_away_or_frozen_is_told_in_time(server: Elasticsearch, names: Names) -> None:
    away = await asked(subject(f"http://127.0.0.1:{free_port()}", names))
    server.pause()
    began = time.monotonic()
    frozen = await asked(subject(server.url, names))
    took = time.monotonic() - began
    server.resume()

    assert levels(away) == levels(frozen) == {"connection": "error"}
    assert took < 8


@pytest.mark.parametrize(
    ("status", "head", "body", "told"),
    [
        (200, "", b'{"status":"green"}', "no Elasticsearch"),  # as OpenSearch answers
        (401, "X-Elastic-Product: Elasticsearch\r\n", None, "answers 401"),
        (400, "X-Elastic-Product: Elasticsearch\r\n", b'{"error":"Accept version must be..."}', "answers 400"),
    ],
)
async def test_another_product_another_version_and_wrong_credentials_are_told(
    names: Names, status: int, head: str, body: bytes | None, told: str
) -> None:
    async with door(status, [], head=head, body=body) as address:
        found = await asked(subject(f"http://someone:a-secret-of-mine@{address}", names))

    assert levels(found) == {"connection": "error"}
    assert told in found["connection"].found
    assert "a-secret-of-mine" not in str(found)
