"""What accounts need of others: somebody who runs auth modules, and somebody who tells what became of an account."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Protocol

from headrace_core import Json

from headrace_flow_manager.accounts.model import Account
from headrace_flow_manager.catalog.model import AuthModule


class Absent(Enum):
    """What a module says to a step that it does not have; told apart from null."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


class Rejected(Exception):
    """The service does not accept what it was given. The text is for people."""


class Broken(Exception):
    """The module failed in a way that says nothing about the account. The text is for people."""


class ModuleRunner(Protocol):
    """Where auth modules run."""

    async def describe(self, tenant: str, module: AuthModule) -> Mapping[str, Json]:
        """Its type, its fields, and of which form everything else is. Raises NotFound, Unavailable, Conflict."""
        ...

    async def call(
        self, tenant: str, module: AuthModule, name: str, given: Mapping[str, Json], session: str, once: str
    ) -> Json | Absent:
        """What a step comes to. Raises Rejected, Broken, Unavailable."""
        ...


class AccountNews(Protocol):
    """Tells. Nobody's being away stops anything: those who were not told look by themselves."""

    async def refusing(self, account: Account, reason: str) -> None:
        """Write down that the account is about to be refused, for who wants to hear of it; again changes nothing."""
        ...

    async def connecting(self, account: Account) -> None:
        """Write down that the account is about to be connected, anew or as a new one."""
        ...

    async def refused(self, account: Account) -> None:
        """The account has to be connected anew; components that use it wait until then."""
        ...

    async def accepted(self, account: Account) -> None:
        """The account can be used again."""
        ...
