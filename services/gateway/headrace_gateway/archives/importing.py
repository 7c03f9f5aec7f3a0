"""Brings back what is in an archive, one kind after the other: what others link to comes first.

Nothing is ever deleted. What is here already and says the same stays as it is, so a second import changes nothing, and
one that was interrupted is finished by importing again.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from headrace_gateway.archives import aliases, charts, files, flows, installation, stores
from headrace_gateway.archives.verdicts import Report
from headrace_gateway.archives.work import Work

_STEPS: Final[Sequence[Callable[[Work], Awaitable[None]]]] = (
    installation.bring_settings,
    stores.bring,
    files.bring,
    flows.bring,
    charts.bring,
    aliases.bring,
    installation.bring,
    installation.bring_secrets,
)


async def bring_back(work: Work) -> Report:
    """Do it all, or rehearse it. Raises Unavailable, saying how to go on, when a service goes away meanwhile."""
    for step in _STEPS:
        await step(work)
    return work.report
