"""Whether a number or date is less than another."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching, comparison


class LessThan(Component):
    """Sends the message to `less` or `notLess`. What cannot be compared goes to `notLess`."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        passes = comparison.is_below(
            fields.get("sourceData", ""), fields.get("lessThan", ""), exclusive=bool(fields.get("exclusive"))
        )
        await branching.branch(context, passes, "less", "notLess")
