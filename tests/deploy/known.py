"""Which settings each service reads, from the code."""

from __future__ import annotations

from collections.abc import Iterable

from headrace_executor.__main__ import ServerSettings as ExecutorServer
from headrace_executor.settings import ExecutorSettings, RunnerSettings
from headrace_flow_manager.configuration import FlowManagerSettings
from headrace_flow_manager.configuration import ServerSettings as FlowManagerServer
from headrace_gateway.settings import Addresses, GatewaySettings
from headrace_logging.settings import ElasticsearchSettings, LoggingSettings
from headrace_logging.settings import ServerSettings as LoggingServer
from headrace_runtime.bus.rabbitmq import RabbitSettings
from headrace_runtime.kms import KmsSettings
from headrace_runtime.mail import MailSettings
from headrace_runtime.metrics_listener import MetricsSettings
from headrace_runtime.mongo import MongoSettings
from headrace_runtime.rpc import PeerSettings
from headrace_runtime.settings import SettingDescription, describe
from headrace_runtime.vault import VaultSettings
from headrace_scheduler.settings import SchedulerSettings
from headrace_scheduler.settings import ServerSettings as SchedulerServer

READS: dict[str, tuple[type, ...]] = {
    "gateway": (GatewaySettings, Addresses, PeerSettings),
    "flow-manager": (
        FlowManagerSettings,
        FlowManagerServer,
        PeerSettings,
        MongoSettings,
        RabbitSettings,
        MetricsSettings,
        VaultSettings,
        KmsSettings,
        MailSettings,
    ),
    "scheduler": (SchedulerSettings, SchedulerServer, PeerSettings, MetricsSettings),
    "executor": (
        ExecutorSettings,
        RunnerSettings,
        ExecutorServer,
        PeerSettings,
        MongoSettings,
        RabbitSettings,
        MetricsSettings,
    ),
    "logging": (LoggingSettings, LoggingServer, ElasticsearchSettings, PeerSettings, RabbitSettings, MetricsSettings),
}


def settings(services: Iterable[str] = tuple(READS)) -> dict[str, SettingDescription]:
    """By name of the variable."""
    return {each.env: each for service in services for kind in READS[service] for each in describe(kind)}


def unread(service: str, names: Iterable[str]) -> set[str]:
    """Those of the variables that the service does not read. A secret may come by the name of its file."""
    found = settings([service])
    known = {*found, *(f"{each.env}_FILE" for each in found.values() if each.is_secret)}
    return set(names) - known
