"""The index template for operators is the one that the log service installs."""

import json
import runpy
from collections.abc import AsyncIterator

import pytest
from elasticsearch import AsyncElasticsearch
from headrace_core.ids import new_id
from headrace_logging.stores import elasticsearch
from headrace_logging.stores.elasticsearch_documents import Layout
from headrace_runtime.elasticsearch import open_elasticsearch

from .compose import ROOT

FOLDER = ROOT / "deploy" / "elasticsearch"
FILE = FOLDER / "headrace-logs.json"


@pytest.fixture
async def client(elasticsearch_url: str) -> AsyncIterator[AsyncElasticsearch]:
    async with open_elasticsearch(elasticsearch_url) as made:
        yield made


def test_the_file_is_what_the_code_generates() -> None:
    generated = runpy.run_path(str(FOLDER / "generate.py"))["text"]()

    assert FILE.read_text() == generated


async def test_installed_by_hand_it_is_what_the_log_service_installs(
    client: AsyncElasticsearch, elasticsearch_url: str
) -> None:
    prefix = f"test-{new_id()}".lower()
    by_hand = json.loads(FILE.read_text().replace("headrace-logs", f"{prefix}-logs"))
    await client.indices.put_index_template(name=f"{prefix}-logs", **by_hand)
    before = await client.indices.get_index_template(name=f"{prefix}-logs")

    async with elasticsearch.open_store(elasticsearch_url, prefix=prefix, layout=Layout()):
        after = await client.indices.get_index_template(name=f"{prefix}-logs")

    assert before["index_templates"] == after["index_templates"]
    await client.indices.delete_index_template(name=f"{prefix}-logs")
