"""Whose data a call may touch."""

from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias


class EveryTenant(Enum):
    """The one value that reads across tenants. It is asked for by name, never by leaving something out."""

    EVERY_TENANT = "every tenant"


EVERY_TENANT: Final = EveryTenant.EVERY_TENANT

Tenants: TypeAlias = str | EveryTenant
"""What a read may see: one tenant's data, or everybody's."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant whose data a call may touch, and who acts. Only reads honour `all_tenants`."""

    tenant_id: str
    actor_id: str
    all_tenants: bool = False

    @property
    def readable(self) -> Tenants:
        """What a read of this scope may see."""
        return EVERY_TENANT if self.all_tenants else self.tenant_id
