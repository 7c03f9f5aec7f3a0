"""Which servers and services the environment names, read as the services read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import headrace_executor.stores.mongo_documents
import headrace_executor.stores.schema
import headrace_flow_manager.stores.mongo
import headrace_flow_manager.stores.sqlite
import headrace_logging.stores.sqlite
import headrace_scheduler.stores.sqlite
from headrace_core.errors import Problem, ValidationFailed
from headrace_embedded.settings import EmbeddedSettings
from headrace_executor.fleet import GROUP, READY
from headrace_gateway.settings import Addresses, GatewaySettings
from headrace_logging.settings import ElasticsearchSettings
from headrace_logging.stores.elasticsearch_documents import Layout, Names, template
from headrace_runtime import logs
from headrace_runtime.bus.rabbitmq import RabbitSettings
from headrace_runtime.bus.topology import Topology
from headrace_runtime.doctor import Subject
from headrace_runtime.doctor.elasticsearch import elasticsearch
from headrace_runtime.doctor.embedded import data_directory
from headrace_runtime.doctor.host import this_machine
from headrace_runtime.doctor.mongo import mongo
from headrace_runtime.doctor.rabbitmq import rabbitmq
from headrace_runtime.doctor.redis import redis
from headrace_runtime.doctor.services import service
from headrace_runtime.mongo import MongoSettings
from headrace_runtime.rpc.peer import PeerSettings
from headrace_runtime.settings import describe, load
from headrace_scheduler.settings import ServerSettings as SchedulerServer

FILES = {
    "flow_manager.db": len(headrace_flow_manager.stores.sqlite.MIGRATIONS),
    "executor.db": len(headrace_executor.stores.schema.MIGRATIONS),
    "scheduler.db": len(headrace_scheduler.stores.sqlite.MIGRATIONS),
    "logging.db": len(headrace_logging.stores.sqlite.MIGRATIONS),
}
"""What the embedded platform keeps, and the version of each that this release knows."""

DATABASES = {
    "flow-manager": len(headrace_flow_manager.stores.mongo.VERSIONS),
    "executor": len(headrace_executor.stores.mongo_documents.VERSIONS),
}
"""What the services keep in MongoDB, and the version of each that this release knows."""


@dataclass(slots=True)
class Installation:
    """What there is to look at, and what is wrong before anybody was asked."""

    subjects: list[Subject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """What our things are called there, which is no secret."""

    @contextmanager
    def telling(self) -> Iterator[None]:
        """What is raised about settings in the block is told as a problem, and nothing more is added by it."""
        try:
            yield
        except ValidationFailed as refused:
            self.problems += [each for each in refused.problems if each not in self.problems]

    def keep_secret(self, url: str) -> None:
        """Let the password of the URL appear nowhere."""
        for each in url.split(","):
            password = _password(each)
            self.secrets += [password, unquote(password)] if password else []


def installation(environ: Mapping[str, str]) -> Installation:
    """All that the environment names; the embedded platform's data directory where it names no server."""
    found = Installation()
    for add in (_add_machine, _add_mongo, _add_rabbitmq, _add_redis, _add_elasticsearch, _add_services):
        with found.telling():
            add(found, environ)
    if len(found.subjects) <= 1 and not found.problems:
        with found.telling():
            found.subjects.append(data_directory(load(EmbeddedSettings, environ).data_dir, FILES))
    return found


def _add_machine(found: Installation, environ: Mapping[str, str]) -> None:
    gateway = load(GatewaySettings, environ)
    found.subjects.append(this_machine(environ, gateway.host, gateway.port))


def _add_mongo(found: Installation, environ: Mapping[str, str]) -> None:
    settings = load(MongoSettings, environ)
    if settings.url:
        found.keep_secret(settings.url)
        found.names.append(settings.namespace)
        known = {settings.database(service): version for service, version in DATABASES.items()}
        found.subjects.append(mongo(settings.url, known))


def _add_rabbitmq(found: Installation, environ: Mapping[str, str]) -> None:
    settings = load(RabbitSettings, environ)
    if settings.url:
        found.keep_secret(settings.url)
        found.names.append(settings.namespace)
        topology = Topology(settings.namespace, settings.capacity)
        found.subjects.append(rabbitmq(settings.url, topology, [(READY, GROUP)]))


def _add_redis(found: Installation, environ: Mapping[str, str]) -> None:
    settings = load(SchedulerServer, environ)
    if settings.redis_url:
        found.keep_secret(settings.redis_url)
        found.names.append(settings.redis_namespace)
        found.subjects.append(redis(settings.redis_url, f"{settings.redis_namespace}.scheduler"))


def _add_elasticsearch(found: Installation, environ: Mapping[str, str]) -> None:
    settings = load(ElasticsearchSettings, environ)
    if settings.url:
        found.keep_secret(settings.url)
        found.secrets += [settings.api_key] if settings.api_key else []
        found.names.append(settings.prefix)
        names = Names(settings.prefix)
        found.subjects.append(
            elasticsearch(
                settings.url,
                api_key=settings.api_key,
                ca=settings.ca,
                alias=names.alias,
                template=template(names, Layout(settings.shards, settings.replicas)),
                replicas=settings.replicas,
            )
        )


def _add_services(found: Installation, environ: Mapping[str, str]) -> None:
    addresses = load(Addresses, environ)
    given = [each for each in describe(Addresses) if environ.get(each.env, "").strip()]
    identity = load(PeerSettings, environ).identity() if given else None
    for each in given:
        name = each.name.replace("_", "-")
        found.subjects.append(service(name, getattr(addresses, each.name), each.env, identity))


def _password(url: str) -> str:
    try:
        return urlsplit(url.strip()).password or ""
    except ValueError:
        return ""


@contextmanager
def hiding(found: Installation) -> Iterator[None]:
    """No text that is redacted in the block shows a secret of the installation.

    A password that is part of a name, as on a developer's machine, is none: hiding it would blacken every line.
    """
    with logs.hiding(*(each for each in found.secrets if not any(each in name for name in found.names))):
        yield
