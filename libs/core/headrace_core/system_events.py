"""What system webhooks tell of."""

from collections.abc import Mapping
from typing import Final

EVENTS: Final[Mapping[str, str]] = {
    "component.error": "A component failed for good: it is not tried again by itself.",
    "message.unprocessed": "A component gave a message up, and it waits for somebody among the unprocessed messages.",
    "flow.started": "A flow runs now.",
    "flow.stopped": "A flow stopped: somebody stopped it, or it could not go on; then its reason says why.",
    "user.created": "Somebody signed up.",
    "account.connected": "An account was connected, or connected again: what waited for it goes on.",
    "account.invalid": "A service does not accept an account any more: what needs it waits until it is connected anew.",
}
"""Names of events with what each means."""
