"""Asks Elasticsearch. Never `GET /`, which some distributions lack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from elastic_transport import ConnectionTimeout, TransportError
from elasticsearch import ApiError, AsyncElasticsearch, NotFoundError, UnsupportedProductError

from headrace_runtime.doctor.findings import Finding, error, ok
from headrace_runtime.doctor.rules import elasticsearch as rules
from headrace_runtime.doctor.running import Check, Subject
from headrace_runtime.elasticsearch import connect, shown

NAME = "Elasticsearch"
TIMEOUT_SECONDS = 3.0

_RIGHTS = (
    "Give the user the privileges monitor and manage_index_templates of the cluster, "
    "and all on HEADRACE_ELASTICSEARCH_PREFIX-logs*."
)


def elasticsearch(
    urls: str, *, api_key: str, ca: str, alias: str, template: Mapping[str, Any], replicas: int
) -> Subject:
    """The cluster at these URLs, in which the log service puts this template under the name of the alias."""

    @asynccontextmanager
    async def opening() -> AsyncIterator[Sequence[Check]]:
        client = connect(urls, api_key=api_key, ca=ca)
        try:
            patient = client.options(request_timeout=TIMEOUT_SECONDS, max_retries=0)
            yield _Asking(patient, shown(urls), alias, template, replicas).checks()
        finally:
            await client.close()

    return Subject(NAME, opening)


class _Asking:
    def __init__(
        self, client: AsyncElasticsearch, address: str, alias: str, template: Mapping[str, Any], replicas: int
    ) -> None:
        self._client = client
        self._address = address
        self._alias = alias
        self._template = template
        self._replicas = replicas

    def checks(self) -> list[Check]:
        return [
            Check("connection", self._connection, "Start it, or correct HEADRACE_ELASTICSEARCH_URL.", is_needed=True),
            Check("version", self._version, _RIGHTS, is_needed=True),
            Check("health", self._health, _RIGHTS),
            Check("disk", self._disks, _RIGHTS),
            Check("blocks", self._blocks, _RIGHTS),
            Check("template", self._installed, _RIGHTS),
            Check("alias", self._days, _RIGHTS),
        ]

    async def _connection(self) -> Finding:
        try:
            await self._client.cluster.health(filter_path=["status"])
        except UnsupportedProductError:
            advice = "Take Elasticsearch 8 or 9: its client refuses OpenSearch and other products."
            return error("connection", f"what answers at {self._address} is no Elasticsearch", advice)
        except ConnectionTimeout:
            advice = "Look at its log and its load."
            return error("connection", f"{self._address} did not answer in {TIMEOUT_SECONDS:g} s", advice)
        except TransportError as away:
            advice = "Start it, or correct HEADRACE_ELASTICSEARCH_URL and HEADRACE_ELASTICSEARCH_CA."
            return error("connection", f"{self._address} cannot be reached: {_short(away)}", advice)
        except ApiError as refused:
            return self._refusal(refused)
        return ok("connection", self._address)

    def _refusal(self, refused: ApiError) -> Finding:
        said = f"{self._address} answers {refused.status_code}: {_short(refused)}"
        if refused.status_code in (401, 403):
            advice = "Correct user and password in HEADRACE_ELASTICSEARCH_URL, or HEADRACE_ELASTICSEARCH_API_KEY."
            return error("connection", said, advice)
        if refused.status_code in (400, 406):
            return error("connection", said, "It is older than 8.0, it seems: take Elasticsearch 8 or 9.")
        return error("connection", said, "Look at its log.")

    async def _version(self) -> Finding:
        told = await self._client.nodes.info(filter_path=["nodes.*.version"])
        return rules.versions([str(each["version"]) for each in told["nodes"].values()])

    async def _health(self) -> Finding:
        return rules.health((await self._client.cluster.health()).body, self._replicas)

    async def _disks(self) -> list[Finding]:
        told = await self._client.nodes.stats(metric="fs", filter_path=["nodes.*.name", "nodes.*.fs.total"])
        nodes = [{"name": each["name"], **each["fs"]["total"]} for each in told["nodes"].values()]
        return rules.disks(await self._settings(), nodes)

    async def _blocks(self) -> list[Finding]:
        told = await self._client.options(ignore_status=404).indices.get_settings(
            index=f"{self._alias}*", name="index.blocks.*", flat_settings=True, expand_wildcards="all"
        )
        indices = {name: each.get("settings", {}) for name, each in told.body.items() if isinstance(each, dict)}
        return rules.blocks(await self._settings(), indices)

    async def _installed(self) -> Finding:
        try:
            told = await self._client.indices.get_index_template(name=self._alias)
        except NotFoundError:
            return rules.template(self._alias, None, self._template)
        return rules.template(self._alias, told["index_templates"][0]["index_template"], self._template)

    async def _days(self) -> Finding:
        try:
            told = (await self._client.indices.get_alias(index=self._alias)).body
        except NotFoundError:
            return rules.alias(self._alias, False, 0)
        return rules.alias(self._alias, self._alias in told, len(told))

    async def _settings(self) -> Mapping[str, Any]:
        """The settings of the cluster as they are now, flat: what was set last goes before the defaults."""
        told = (await self._client.cluster.get_settings(include_defaults=True, flat_settings=True)).body
        return {**told.get("defaults", {}), **told.get("persistent", {}), **told.get("transient", {})}


def _short(failure: Exception) -> str:
    return " ".join(str(failure).split())[:200]
