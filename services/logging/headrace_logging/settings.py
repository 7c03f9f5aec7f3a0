"""What can be set about the log service."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from headrace_runtime.settings import setting

Indexing = Literal["service", "logstash"]


@dataclass(frozen=True, slots=True)
class LoggingSettings:
    """How long records stay, how much room they take, and what readers may ask."""

    retention: timedelta = setting(
        timedelta(days=30),
        env="HEADRACE_LOG_RETENTION",
        help="How long log records are kept.",
        minimum=timedelta(hours=1),
    )
    max_bytes: int = setting(
        5 * 1024**3,
        env="HEADRACE_LOG_MAX_BYTES",
        help="Room that log records may take; the oldest go first.",
        minimum=64 * 1024**2,
    )
    trim_every: timedelta = setting(
        timedelta(minutes=1),
        env="HEADRACE_LOG_TRIM_EVERY",
        help="How often the log service looks for records to forget.",
        minimum=timedelta(seconds=1),
    )
    query_timeout: timedelta = setting(
        timedelta(seconds=8),
        env="HEADRACE_LOG_QUERY_TIMEOUT",
        help="How long one query may take.",
        minimum=timedelta(milliseconds=100),
    )
    max_tails: int = setting(
        200, env="HEADRACE_LOG_MAX_TAILS", help="How many readers may follow the log at once.", minimum=1
    )
    tail_queue: int = setting(
        2_000,
        env="HEADRACE_LOG_TAIL_QUEUE",
        help="Records that wait for a slow reader before the oldest are dropped.",
        minimum=1,
    )


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where the log service runs as a process of its own."""

    listen: str = setting(
        "127.0.0.1:7105", env="HEADRACE_LOGGING_LISTEN", help="Address the log service answers gRPC at."
    )
    data_directory: Path = setting(
        Path("data"), env="HEADRACE_DATA_DIR", help="Directory of the service's files; one process may use it."
    )


@dataclass(frozen=True, slots=True)
class ElasticsearchSettings:
    """The Elasticsearch that keeps log records in place of the data directory."""

    url: str = setting(
        "",
        env="HEADRACE_ELASTICSEARCH_URL",
        help="Elasticsearch that keeps log records, as https://user:password@host:9200, several with commas between; "
        "empty keeps them in the directory.",
        secret=True,
    )
    api_key: str = setting(
        "", env="HEADRACE_ELASTICSEARCH_API_KEY", help="API key in place of user and password.", secret=True
    )
    ca: str = setting(
        "",
        env="HEADRACE_ELASTICSEARCH_CA",
        help="File with the certificate of the authority that signed Elasticsearch's; empty for the usual ones.",
    )
    prefix: str = setting(
        "headrace",
        env="HEADRACE_ELASTICSEARCH_PREFIX",
        help="Begin of the names of indices, alias and template: <prefix>-logs.",
    )
    shards: int = setting(
        1, env="HEADRACE_ELASTICSEARCH_SHARDS", help="Shards of each day's index.", minimum=1, maximum=64
    )
    replicas: int = setting(
        1,
        env="HEADRACE_ELASTICSEARCH_REPLICAS",
        help="Copies of each shard beside the first; 0 on a cluster of one node.",
        minimum=0,
        maximum=8,
    )
    indexing: Indexing = setting(
        "service",
        env="HEADRACE_LOG_INDEXING",
        help="Who writes log records to Elasticsearch: service, this one; logstash, which reads them from RabbitMQ.",
    )
