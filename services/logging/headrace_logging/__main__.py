"""The log service as a process of its own: `python -m headrace_logging`."""

import os
from contextlib import AsyncExitStack

from headrace_core.clock import SystemClock
from headrace_core.errors import Problem, ValidationFailed
from headrace_runtime import lifecycle, rpc, settings
from headrace_runtime.doctor import Subject
from headrace_runtime.doctor.elasticsearch import elasticsearch as doctor
from headrace_runtime.metrics import Metrics
from headrace_runtime.metrics_listener import open_metrics
from headrace_runtime.sqlite import lock_directory

from headrace_logging.app import open_app
from headrace_logging.settings import ElasticsearchSettings, LoggingSettings, ServerSettings
from headrace_logging.store import LogStore
from headrace_logging.stores import elasticsearch, sqlite
from headrace_logging.stores.elasticsearch import ElasticsearchLogStore
from headrace_logging.stores.elasticsearch_documents import Layout, Names, template


async def main(stack: AsyncExitStack, stopping: lifecycle.Stopping) -> None:
    """Serve until told to stop."""
    metrics = await stack.enter_async_context(open_metrics(os.environ))
    peer = rpc.Peer("logging", os.environ, metrics)
    server = settings.load(ServerSettings, os.environ)
    store = await _open_store(stack, stopping, server, metrics)
    app = await stack.enter_async_context(
        open_app(store, clock=SystemClock(), settings=settings.load(LoggingSettings, os.environ), metrics=metrics)
    )
    search = settings.load(ElasticsearchSettings, os.environ)
    process = peer.process(
        settings=(ServerSettings, LoggingSettings, ElasticsearchSettings),
        subjects=_behind(search),
        data=None if search.url else server.data_directory,
    )
    await stack.enter_async_context(peer.serve(server.listen, app.register, drain=app.drain, process=process))
    await app.start()
    await stopping.wait()


def _behind(search: ElasticsearchSettings) -> list[Subject]:
    """The servers that this process keeps things in."""
    if not search.url:
        return []
    names = Names(search.prefix)
    layout = template(names, Layout(search.shards, search.replicas))
    return [
        doctor(
            search.url,
            api_key=search.api_key,
            ca=search.ca,
            alias=names.alias,
            template=layout,
            replicas=search.replicas,
        )
    ]


async def _open_store(
    stack: AsyncExitStack, stopping: lifecycle.Stopping, server: ServerSettings, metrics: Metrics
) -> LogStore:
    search = settings.load(ElasticsearchSettings, os.environ)
    if search.indexing == "logstash":
        return await _open_logstash(stack, search, metrics)
    if search.url:
        return await _open_elasticsearch(stack, search, metrics)
    folder = server.data_directory / "logging"
    stack.enter_context(lock_directory(folder))
    store = await sqlite.open_store(folder / "log.db", on_broken=stopping.fail)
    stack.push_async_callback(store.close)
    return store


async def _open_elasticsearch(
    stack: AsyncExitStack, search: ElasticsearchSettings, metrics: Metrics
) -> ElasticsearchLogStore:
    return await stack.enter_async_context(
        elasticsearch.open_store(
            search.url,
            prefix=search.prefix,
            layout=Layout(search.shards, search.replicas),
            api_key=search.api_key,
            ca=search.ca,
            metrics=metrics,
        )
    )


async def _open_logstash(stack: AsyncExitStack, search: ElasticsearchSettings, metrics: Metrics) -> LogStore:
    # The drivers of RabbitMQ are for those who chose them.
    from headrace_runtime.bus.feed import Feed
    from headrace_runtime.bus.rabbitmq import RabbitSettings

    from headrace_logging.stores.logstash import FEED, LogstashLogStore

    rabbit = settings.load(RabbitSettings, os.environ)
    given = {"HEADRACE_ELASTICSEARCH_URL": search.url, "HEADRACE_RABBITMQ_URL": rabbit.url}
    if missing := [name for name, url in given.items() if not url]:
        fix = "HEADRACE_LOG_INDEXING=logstash needs both: RabbitMQ to hand records over, Elasticsearch to find them."
        raise ValidationFailed([Problem(name, "It is not set.", fix) for name in missing])
    feed = Feed.connected(rabbit.url or "", FEED, namespace=rabbit.namespace, capacity=rabbit.capacity)
    return LogstashLogStore(await _open_elasticsearch(stack, search, metrics), await stack.enter_async_context(feed))


if __name__ == "__main__":
    lifecycle.run_service("logging", main)
