"""Auth modules: code of connectors that says how accounts are opened. It runs at the executor, where it is confined."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from headrace_core import Json
from headrace_core.errors import NotFound, Problem, ValidationFailed
from headrace_core.flow import normalize_type
from headrace_core.webhook_signatures import SERVICE

from headrace_flow_manager.accounts import model
from headrace_flow_manager.accounts.model import AuthType
from headrace_flow_manager.accounts.store import ABSENT, Absent, Broken, ModuleRunner, Rejected
from headrace_flow_manager.catalog.model import AuthModule
from headrace_flow_manager.catalog.service import CatalogService
from headrace_flow_manager.settings.sealed import SealedSettings

REMEMBERED: Final = 500


@dataclass(frozen=True, slots=True)
class Opening:
    """How the accounts of a service are opened."""

    module: AuthModule
    auth_type: AuthType
    described: Mapping[str, Json]

    @property
    def service(self) -> str:
        return self.module.service

    @property
    def forms(self) -> Mapping[str, Json]:
        """Which steps there are, and of which form."""
        forms = self.described.get("forms")
        return forms if isinstance(forms, dict) else {}

    @property
    def fields(self) -> Mapping[str, Json]:
        """What a person writes down to open an account."""
        found = self.described.get("auth")
        if isinstance(found, dict):
            return found
        if self.auth_type == "pwd":
            return {
                "username": {"type": "text", "name": "Username"},
                "password": {"type": "password", "name": "Password"},
            }
        return {}

    @property
    def before(self) -> Mapping[str, Json]:
        """What a person writes down before the service is visited."""
        found = self.described.get("pre")
        return found if isinstance(found, dict) else {}

    @property
    def scope(self) -> tuple[str, ...]:
        """What is always asked for."""
        found = self.described.get("scope")
        return tuple(str(each) for each in found) if isinstance(found, list) else ()


_WEBHOOKS = Opening(
    AuthModule(SERVICE, "", "", ""),
    "apiKey",
    {
        "type": "apiKey",
        "auth": {"secret": {"type": "password", "name": "Secret", "tooltip": "What the sender signs with."}},
    },
)
"""Secrets of webhooks are accounts, too: they lie in the vault, and nothing asks a service about them."""


class AuthModules:
    """Finds auth modules and asks them, with the stored configuration of their services."""

    def __init__(self, catalog: CatalogService, runner: ModuleRunner, sealed: SealedSettings) -> None:
        self._catalog = catalog
        self._runner = runner
        self._sealed = sealed
        self._described: OrderedDict[tuple[str, str], Mapping[str, Json]] = OrderedDict()

    async def service_of(self, tenant: str, subject: str) -> tuple[str, tuple[str, ...]]:
        """The service that a component needs an account of, with the scope it needs; or the service itself, with
        what all its components need. Raises NotFound."""
        catalog = await self._catalog.seen_by(tenant)
        if subject in catalog.auth_modules:
            needs = (catalog.get(each).parsed.auth for each in catalog.types)
            found = (each.scope for each in needs if each is not None and each.service == subject)
            return subject, _united(*found)
        entry = catalog.find(normalize_type(subject)) or catalog.find(subject)
        need = None if entry is None else entry.parsed.auth
        if need is None:
            raise NotFound("component or service with accounts", subject[:256])
        return need.service, tuple(need.scope)

    async def icons(self, tenant: str) -> Mapping[str, Json]:
        """The icon of each service and module that the tenant sees, by the name that accounts have it under."""
        apps = (await self._catalog.seen_by(tenant)).apps
        return {each.app_id.replace(".", ":"): each.description.get("icon") for each in apps}

    async def opening(self, tenant: str, service: str) -> Opening:
        """How accounts of the service are opened. Raises NotFound, Unavailable, Conflict."""
        if service == SERVICE:
            return _WEBHOOKS
        module = (await self._catalog.seen_by(tenant)).auth_modules.get(service)
        if module is None:
            raise NotFound("service with accounts", service[:256])
        key = (module.bundle_id, module.folder)
        if key not in self._described:
            self._described[key] = await self._runner.describe(tenant, module)
            if len(self._described) > REMEMBERED:
                self._described.popitem(last=False)
        described = self._described[key]
        return Opening(module, model.auth_type_of(described.get("type")), described)

    async def config(self, service: str) -> dict[str, Json]:
        """What administrators stored for the service, or for the one that it is a module of."""
        vendor, _, rest = service.partition(":")
        for name in (service, f"{vendor}:{rest.partition(':')[0]}"):
            try:
                found, _ = await self._sealed.service(name)
            except NotFound:
                continue
            return {key: value for key, value in found.items() if key != "serviceId"}
        return {}

    async def call(
        self,
        tenant: str,
        opening: Opening,
        name: str,
        given: Mapping[str, Json],
        *,
        session: str = "",
        once: str = "",
    ) -> Json | Absent:
        """What a step of the module comes to. Raises Rejected, Broken, Unavailable."""
        if opening is _WEBHOOKS:
            return ABSENT
        config = await self.config(opening.service)
        whole: dict[str, Json] = {**config, **_client(opening.auth_type, config), **given, "config": config}
        return await self._runner.call(tenant, opening.module, name, whole, session, once)

    async def checked(self, tenant: str, opening: Opening, name: str, given: Mapping[str, Json]) -> Json | Absent:
        """The same for a step that checks what a person wrote: whatever it fails at is the person's to know.

        Raises ValidationFailed, Unavailable.
        """
        try:
            found = await self.call(tenant, opening, name, given)
        except (Rejected, Broken) as error:
            raise refused(opening.service, str(error)) from None
        if found is False:
            raise refused(opening.service, "")
        return found


def refused(service: str, said: str) -> ValidationFailed:
    """The service does not accept what a person gave."""
    words = f"{service} does not accept it" + (f": {said[:500]}" if said else ".")
    return ValidationFailed([Problem("token", words, "Check what you gave, and try again.", field="token")])


def client_of(config: Mapping[str, Json]) -> tuple[Json, Json]:
    """Id and secret of the installation's own registration at a service."""
    identity = config.get("clientId", config.get("client_id", config.get("consumerKey")))
    secret = config.get("clientSecret", config.get("client_secret", config.get("consumerSecret")))
    return identity, secret


def needs_registration(opening: Opening, config: Mapping[str, Json]) -> bool:
    """Whether an administrator has to configure the service before anybody can connect."""
    return opening.auth_type in ("oauth", "oauth2") and not client_of(config)[0]


def _client(auth_type: AuthType, config: Mapping[str, Json]) -> dict[str, Json]:
    identity, secret = client_of(config)
    names = ("consumerKey", "consumerSecret") if auth_type == "oauth" else ("clientId", "clientSecret")
    return {name: value for name, value in zip(names, (identity, secret), strict=True) if value is not None}


def _united(*scopes: Collection[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for scope in scopes for each in scope))
