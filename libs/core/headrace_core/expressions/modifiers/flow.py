"""Values that need no variable: the flow's own, time and chance."""

import math
import uuid

from headrace_core.expressions.environment import Evaluation, Value
from headrace_core.expressions.modifiers.moments import iso_text, timestamp_of
from headrace_core.expressions.modifiers.registry import Arguments, modifier


@modifier("flowId", "Flow ID", "The id of this flow.", category="flow", returns="string")
def flow_id(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return ev.env.flow.flow_id


@modifier("flowName", "Flow name", "The name of this flow.", category="flow", returns="string")
def flow_name(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return ev.env.flow.flow_name


@modifier("random", "Random number", "A number from 0 up to, but not including, 1.", category="flow", returns="number")
def random_number(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return (int.from_bytes(ev.draw(arguments.place, 8)) >> 11) / (1 << 53)


@modifier("pi", "Pi", "The ratio of a circle's circumference to its diameter.", category="flow", returns="number")
def pi(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return math.pi


@modifier("uuid4", "UUID", "An identifier that nothing else has.", category="flow", returns="string")
def uuid4(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return str(uuid.UUID(bytes=ev.draw(arguments.place), version=4))


@modifier("timestamp", "Timestamp", "Milliseconds since 1970 at this moment.", category="flow", returns="number")
def timestamp(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return timestamp_of(ev.env.now)


@modifier("now", "Now", "This moment as an ISO date in UTC.", category="flow", returns="date")
def now(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return iso_text(ev.env.now)


@modifier("userId", "User ID", "The id of the user whose flow this is.", category="flow", returns="string")
def user_id(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return ev.env.flow.user_id


@modifier(
    "webhookUrl", "Webhook URL", "The address at which this component listens.", category="flow", returns="string"
)
def webhook_url(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return ev.env.flow.webhook_url


@modifier("customFields", "Custom fields", "The custom fields of this flow.", category="flow", returns="object")
def custom_fields(value: Value, arguments: Arguments, ev: Evaluation) -> Value:
    return dict(ev.env.flow.custom_fields)
