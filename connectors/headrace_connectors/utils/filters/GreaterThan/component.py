"""Whether a number or date is greater than another."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching, comparison


class GreaterThan(Component):
    """Sends the message to `greater` or `notGreater`. What cannot be compared goes to `notGreater`."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        passes = comparison.is_above(
            fields.get("sourceData", ""), fields.get("greaterThan", ""), exclusive=bool(fields.get("exclusive"))
        )
        await branching.branch(context, passes, "greater", "notGreater")
