"""What the gateway asks of the services behind it: one client per noun, answers in the public API's shapes.

Proto types end here. Every call carries a deadline, and every refusal arrives as a HeadraceError.
"""

from dataclasses import dataclass

from headrace_runtime.rpc import Channel

from headrace_gateway.clients.accounts import AccountClient
from headrace_gateway.clients.aliases import AliasClient
from headrace_gateway.clients.audit import AuditClient
from headrace_gateway.clients.belongings import BelongingsClient
from headrace_gateway.clients.catalog import CatalogClient
from headrace_gateway.clients.charts import ChartClient
from headrace_gateway.clients.executions import ExecutionClient
from headrace_gateway.clients.files import FileClient
from headrace_gateway.clients.flows import FlowClient
from headrace_gateway.clients.groups import GroupClient
from headrace_gateway.clients.hooks import HookClient
from headrace_gateway.clients.integrations import IntegrationClient
from headrace_gateway.clients.logs import LogClient
from headrace_gateway.clients.modifiers import ModifierClient
from headrace_gateway.clients.people import PeopleClient
from headrace_gateway.clients.schedules import ScheduleClient
from headrace_gateway.clients.settings import SettingClient
from headrace_gateway.clients.stores import StoreClient
from headrace_gateway.clients.tasks import TaskClient


@dataclass(frozen=True, slots=True)
class Channels:
    """Ways to the services: flow-manager, scheduler, executor and logging."""

    flow: Channel
    schedule: Channel
    execution: Channel
    log: Channel


@dataclass(frozen=True, slots=True)
class Clients:
    """Everybody the gateway asks."""

    people: PeopleClient
    groups: GroupClient
    flows: FlowClient
    integrations: IntegrationClient
    catalog: CatalogClient
    aliases: AliasClient
    stores: StoreClient
    files: FileClient
    modifiers: ModifierClient
    settings: SettingClient
    executions: ExecutionClient
    logs: LogClient
    charts: ChartClient
    schedules: ScheduleClient
    tasks: TaskClient
    accounts: AccountClient
    belongings: BelongingsClient
    audit: AuditClient
    hooks: HookClient


def open_clients(channels: Channels, timeout_seconds: float) -> Clients:
    """Clients over the channels; a call that takes longer than `timeout_seconds` raises DeadlineExceeded."""
    return Clients(
        people=PeopleClient(channels.flow, timeout_seconds),
        groups=GroupClient(channels.flow, timeout_seconds),
        flows=FlowClient(channels.flow, timeout_seconds),
        integrations=IntegrationClient(channels.flow, timeout_seconds),
        catalog=CatalogClient(channels.flow, timeout_seconds),
        aliases=AliasClient(channels.flow, timeout_seconds),
        stores=StoreClient(channels.flow, timeout_seconds),
        files=FileClient(channels.flow, timeout_seconds),
        modifiers=ModifierClient(channels.flow, timeout_seconds),
        settings=SettingClient(channels.flow, timeout_seconds),
        executions=ExecutionClient(channels.execution, timeout_seconds),
        logs=LogClient(channels.log, timeout_seconds),
        charts=ChartClient(channels.flow, timeout_seconds),
        schedules=ScheduleClient(channels.schedule, timeout_seconds),
        tasks=TaskClient(channels.flow, timeout_seconds),
        accounts=AccountClient(channels.flow, timeout_seconds),
        belongings=BelongingsClient(channels.flow, timeout_seconds),
        audit=AuditClient(channels.flow, timeout_seconds),
        hooks=HookClient(channels.flow, timeout_seconds),
    )
