"""Five questions, six ways."""

from headrace_sdk import Component, Context
from headrace_sdk.reading import as_object

from headrace_connectors.utils.controls import conditions

WAYS = 5


class Switch5(Component):
    """Sends an empty message to the first way whose conditions hold, else to `else`. Ways without any are left out."""

    async def receive(self, context: Context) -> None:
        given = as_object(context.content)
        for way in range(1, WAYS + 1):
            expression = given.get(f"expression{way}")
            if expression is not None and conditions.hold(expression):
                await context.send_json({}, f"out{way}")
                return
        await context.send_json({}, "else")
