"""Names for things: random ones for what people make, derived ones for what a run makes.

A derived id is a digest of its cause, so a step that is repeated makes the same messages and
duplicates vanish on insert.
"""

import hashlib
import secrets
import uuid

_DIGITS = 32


def new_id() -> str:
    """A fresh random id: the text of a version 4 UUID."""
    return str(uuid.uuid4())


def new_user_id() -> str:
    """A fresh random id of 24 hexadecimal digits, the form that user ids have."""
    return secrets.token_hex(12)


def derive_id(*parts: str | bytes | int) -> str:
    """The id of what these parts cause: 32 hexadecimal digits, the same for the same parts in the same order.

    Parts keep their borders and kinds: ("ab", "c"), ("a", "bc") and (1,), ("1",) all differ.
    """
    text = "".join([f"s{len(part)}:{part}" if isinstance(part, str) else _tagged(part) for part in parts])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def _tagged(part: bytes | int) -> str:
    if isinstance(part, bytes):
        return f"b{len(part)}:{part.decode('latin-1')}"
    return f"i{part};"


def run_id(flow_id: str, trigger: str, event_id: str) -> str:
    """The run that this event starts at this trigger of this flow."""
    return derive_id("run", flow_id, trigger, event_id)


def message_id(run_id: str, node_id: str, cause_id: str, port: str, index: int) -> str:
    """The `index`-th message that the node sends out of `port` because of `cause_id`: its idempotency key."""
    return derive_id("message", run_id, node_id, cause_id, port, index)


def delivery_id(message_id: str, node_id: str, in_port: str) -> str:
    """The arrival of a message at one in-port of one node."""
    return derive_id("delivery", message_id, node_id, in_port)
