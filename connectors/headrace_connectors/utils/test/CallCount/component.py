"""Wait for a number of messages."""

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context
from headrace_sdk.reading import as_number, as_object

from headrace_connectors.utils.test import rounds


class CallCount(Component):
    """Keeps the messages of a round and sends them as one list when the number is reached, once per round."""

    async def receive(self, context: Context) -> None:
        wanted = as_number(as_object(context.content).get("callCount"))
        if wanted is None:
            raise CancelError("It is not said how many calls to wait for: fill in the number.")
        test = await rounds.current(context)
        call: Json = {"id": context.idempotency_key, "content": context.messages["in"][0].content}
        calls = await test.state.add_to_set(f"calls {test.id}", call)
        if len(calls) == wanted:
            await rounds.forget_others(test)
            await context.send_json([as_object(each)["content"] for each in calls])
