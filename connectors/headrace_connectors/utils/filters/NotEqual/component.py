"""Whether two values differ."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching, values


class NotEqual(Component):
    """Sends the message to `notEquals` or `equals`. A missing value counts as empty text."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        is_equal = values.are_equal(fields.get("sourceData", ""), fields.get("value", ""))
        await branching.branch(context, not is_equal, "notEquals", "equals")
