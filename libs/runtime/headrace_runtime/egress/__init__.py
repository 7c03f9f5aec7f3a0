"""The only way out: every HTTP request that the platform or a component makes leaves through here.

A name is resolved once, all its addresses have to be allowed, and the connection goes to an address that was
checked. A redirect starts all of it again. What comes back is bounded in size, unpacked size and time.
"""

from headrace_runtime.egress.client import Egress, EgressResponse
from headrace_runtime.egress.connections import Resolver, resolve_by_system
from headrace_runtime.egress.policy import EgressPolicy, EgressRefused

__all__ = ["Egress", "EgressPolicy", "EgressRefused", "EgressResponse", "Resolver", "resolve_by_system"]
