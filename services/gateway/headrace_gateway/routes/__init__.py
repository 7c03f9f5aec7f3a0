"""Every endpoint, by noun. The order here is the order of the reference."""

from headrace_gateway.routes import (
    aliases,
    catalog,
    configuration,
    files,
    flow_versions,
    flows,
    integrations,
    live,
    logs,
    modifiers,
    records,
    runs,
    stores,
    system,
    tokens,
    unprocessed,
    users,
    variables,
)
from headrace_gateway.routing import Route

ROUTES: tuple[Route, ...] = (
    *system.ROUTES,
    *users.ROUTES,
    *tokens.ROUTES,
    *flows.ROUTES,
    *flow_versions.ROUTES,
    *integrations.ROUTES,
    *variables.ROUTES,
    *live.ROUTES,
    *runs.ROUTES,
    *unprocessed.ROUTES,
    *aliases.ROUTES,
    *catalog.ROUTES,
    *stores.ROUTES,
    *records.ROUTES,
    *files.ROUTES,
    *logs.ROUTES,
    *modifiers.ROUTES,
    *configuration.ROUTES,
)
