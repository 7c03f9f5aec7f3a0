"""Whether there is a value."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching


class IsNotEmpty(Component):
    """Null, empty text, [] and {} are empty. Numbers and booleans never are."""

    async def receive(self, context: Context) -> None:
        value = branching.fields(context).get("sourceData")
        is_empty = value is None or (isinstance(value, (str, list, dict)) and not value)
        await branching.branch(context, not is_empty, "notEmpty", "empty")
