"""Where charts are kept."""

from collections.abc import Sequence
from typing import Protocol

from headrace_flow_manager.insights.model import Chart
from headrace_flow_manager.scope import Tenants


class ChartStore(Protocol):
    """Charts by tenant and id. What another tenant has is not there."""

    async def add(self, chart: Chart) -> None:
        """Keep a new chart. Adding the same one again changes nothing. Raises AlreadyExists for another of its id."""
        ...

    async def get(self, tenants: Tenants, chart_id: str) -> Chart:
        """The chart. Raises NotFound."""
        ...

    async def all(self, tenants: Tenants) -> Sequence[Chart]:
        """Every chart, by when it was made."""
        ...

    async def replace(self, chart: Chart, before: int) -> None:
        """Keep the chart in place of the one of revision `before`. Raises NotFound or RevisionConflict."""
        ...

    async def delete(self, tenant: str, chart_id: str) -> None:
        """Take the chart away. Raises NotFound."""
        ...

    async def delete_owned(self, tenant: str) -> None:
        """Take away every chart of a tenant who leaves. Again, it changes nothing."""
        ...
