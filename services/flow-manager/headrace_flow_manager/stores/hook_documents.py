"""Deliveries to system webhooks as both stores keep them: under the names of their fields, moments in microseconds."""

from collections.abc import Mapping
from typing import Any, Final

from headrace_flow_manager import times
from headrace_flow_manager.hooks.model import Delivery
from headrace_flow_manager.stores.values import instant, micros

TEXTS: Final = ("hook_id", "event_id", "event", "tenant_id", "body", "fact", "about")
_CHANGING: Final = ("state", "attempts", "status", "answer", "error")
_KEPT: Final = ("at", "created_at")
_MOMENTS: Final = ("at", "due", "created_at")


def changing_of(delivery: Delivery) -> dict[str, Any]:
    """What of one changes."""
    values = {name: getattr(delivery, name) for name in _CHANGING}
    return {**values, "due": times.to_micros(delivery.due), "ended_at": micros(delivery.ended_at)}


def whole_of(delivery: Delivery) -> dict[str, Any]:
    """All of one but its id."""
    texts = {name: getattr(delivery, name) for name in TEXTS}
    return {**texts, **{name: times.to_micros(getattr(delivery, name)) for name in _KEPT}, **changing_of(delivery)}


def delivery_of(kept: Mapping[str, Any]) -> Delivery:
    """A delivery from what is kept of it."""
    moments: dict[str, Any] = {name: times.from_micros(kept[name]) for name in _MOMENTS}
    rest = {name: kept[name] for name in ("delivery_id", *TEXTS, *_CHANGING)}
    return Delivery(**rest, **moments, ended_at=instant(kept["ended_at"]))
