"""Accounts that steps act with: had before a step begins, given up when a service refuses them, waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

from headrace_core.clock import Clock
from headrace_core.errors import HeadraceError
from headrace_core.expressions import Json
from headrace_core.manifest import Manifest
from headrace_sdk.errors import ComponentError, ConnectionExpired, HttpStatusError

from headrace_executor.model import HOOK_PORTS, Delivery, Parked, Run
from headrace_executor.plan import PlannedNode
from headrace_executor.ports import Accounts, Credentials
from headrace_executor.redaction import Secrets
from headrace_executor.retry import describe

ASK_AGAIN = timedelta(seconds=5)
"""When nobody can say whether an account can be used."""

UNAUTHORIZED = 401


class NoAccount(ComponentError):
    """The component needs an account and has none: trying again does not help, assigning one does."""

    code = "no_account"
    is_temporary: ClassVar[bool] = False


class AccountDesk:
    """Asks the flow manager for what steps act with."""

    def __init__(self, accounts: Accounts, clock: Clock, *, shows_all: bool = False) -> None:
        """`shows_all` breaks it on purpose, for the chaos tests: nothing that accounts are opened with is hidden."""
        self._accounts = accounts
        self._clock = clock
        self._shows_all = shows_all

    async def open(self, node: PlannedNode, run: Run, delivery: Delivery) -> Credentials | Parked | None:
        """What the step acts with, or what it waits for first; None where it needs nothing. Raises NoAccount."""
        needs_account, service = node.manifest.auth is not None, service_of(node.manifest)
        if not service:
            return None
        chosen = _chosen(node) if needs_account else ""
        try:
            found = await self._accounts.credentials(run.tenant_id, run.flow_id, node.id, service, chosen)
        except (HeadraceError, ConnectionError) as error:
            if delivery.port in HOOK_PORTS or (isinstance(error, HeadraceError) and not error.is_temporary):
                raise NoAccount(f"The account of {service} cannot be had: {error}") from error
            due = self._clock.now() + ASK_AGAIN
            return Parked("account", f"The account of {service} cannot be had now: {error}", due)
        if found.auth is not None or not needs_account:
            return replace(found, secrets=()) if self._shows_all else found
        if not found.account_id or delivery.port in HOOK_PORTS:
            raise NoAccount(f"{found.reason or 'There is no account.'} Assign one: PUT /auth/component/{node.id}/….")
        return _waits(service, found, found.reason)

    async def for_call(self, manifest: Manifest, asked: tuple[str, str, str]) -> Credentials | None:
        """What a component that is called by itself acts with: the account of the node that asks (tenant, flow, node).

        None where it needs nothing. Raises NoAccount, Unavailable.
        """
        service = service_of(manifest)
        if not service:
            return None
        tenant_id, flow_id, node_id = asked
        found = await self._accounts.credentials(tenant_id, flow_id, node_id, service, "")
        if found.auth is None and manifest.auth is not None:
            raise NoAccount(f"{found.reason or 'There is no account.'} Assign one to the component that asks.")
        return found

    async def refused(self, node: PlannedNode, run: Run, found: Credentials, error: Exception) -> Parked | None:
        """What a step waits for whose service refused the account; None where it failed at something else."""
        if not found.account_id or not is_refusal(error):
            return None
        service = service_of(node.manifest)
        said = Secrets(found.secrets).text(describe(error))
        try:
            try_again = await self._accounts.rejected(run.tenant_id, found.account_id, found.token_id, said)
        except (HeadraceError, ConnectionError) as away:
            due = self._clock.now() + ASK_AGAIN
            return Parked("account", f"The account of {service} cannot be looked after now: {away}", due)
        if try_again:
            return Parked("account", f"The account of {service} was renewed: {said}", self._clock.now())
        return _waits(service, found, said)


def is_refusal(error: Exception) -> bool:
    """Whether a service says with it that it does not accept the account."""
    return isinstance(error, ConnectionExpired) or (isinstance(error, HttpStatusError) and error.status == UNAUTHORIZED)


def service_of(manifest: Manifest) -> str:
    """The service whose account or stored configuration a component needs; "" for none."""
    if manifest.auth is not None:
        return manifest.auth.service
    for name in ("authConfig", "config"):
        named = manifest.raw.get(name)
        found = named.get("service") if isinstance(named, Mapping) else named
        if isinstance(found, str) and found:
            return found
    return ""


def _waits(service: str, found: Credentials, reason: str) -> Parked:
    words = f"The account of {service} has to be connected anew: {reason or 'its service does not accept it.'}"
    return Parked("account", words, None, found.account_id)


def _chosen(node: PlannedNode) -> str:
    auth: Json = node.node.config.auth
    found = auth.get("accountId") if isinstance(auth, dict) else None
    return found if isinstance(found, str) else ""
