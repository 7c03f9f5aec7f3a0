"""Whether two values are equal."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching, values


class Equal(Component):
    """Sends the message to `equals` or `notEquals`. A missing value counts as empty text."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        is_equal = values.are_equal(fields.get("sourceData", ""), fields.get("value", ""))
        await branching.branch(context, is_equal, "equals", "notEquals")
