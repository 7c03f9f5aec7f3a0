"""The pure heart of Headrace: values, rules and decisions.

Nothing here reads a file or a socket. Every other room imports this one; this one imports none of them.
"""

from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""Any JSON value, as `json.loads` and `orjson.loads` give it."""

__all__ = ["Json"]
