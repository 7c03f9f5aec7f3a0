"""Whether a number or date lies between two others."""

from headrace_sdk import Component, Context

from headrace_connectors.utils.filters import branching, comparison


class Range(Component):
    """Sends the message to `inRange` or `notInRange`. What cannot be compared goes to `notInRange`."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        value = fields.get("sourceData", "")
        passes = comparison.is_above(
            value, fields.get("rangeMin", ""), exclusive=bool(fields.get("exclusiveMin"))
        ) and comparison.is_below(value, fields.get("rangeMax", ""), exclusive=bool(fields.get("exclusiveMax")))
        await branching.branch(context, passes, "inRange", "notInRange")
