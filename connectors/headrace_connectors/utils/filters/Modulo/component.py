"""The rest of a division."""

import math

from headrace_core import Json
from headrace_sdk import CancelError, Component, Context

from headrace_connectors.utils.filters import branching, values


class Modulo(Component):
    """Sends the remainder; it has the sign of the number that is divided."""

    async def receive(self, context: Context) -> None:
        fields = branching.fields(context)
        dividend, divisor = _number(fields.get("sourceData"), "sourceData"), _number(fields.get("value"), "value")
        if divisor == 0:
            raise CancelError("The field value is 0: nothing can be divided by it.")
        if math.isinf(dividend):
            raise CancelError("The field sourceData is infinite: it has no remainder.")
        await context.send_json(_remainder(dividend, divisor), "modulo")


def _remainder(dividend: int | float, divisor: int | float) -> int | float:
    if isinstance(dividend, int) and isinstance(divisor, int):
        whole = abs(dividend) % abs(divisor)
        return -whole if dividend < 0 else whole
    rest = math.fmod(dividend, divisor)
    return int(rest) if rest.is_integer() else rest


def _number(value: Json, field: str) -> int | float:
    number = values.leading_number(value)
    if number is None:
        raise CancelError(f"The field {field} must be a number, not {value!r}.")
    return number
