"""Where requests may go."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_network

from headrace_core.errors import Forbidden

from headrace_runtime.egress import addresses
from headrace_runtime.egress.addresses import Address, Network

METADATA_NAMES = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.aws.internal",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.packet.net",
        "metadata.platformequinix.com",
        "metadata.tencentyun.com",
    }
)
LOCAL_SUFFIXES = (
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "lan",
    "corp",
    "home.arpa",
    "svc",
    "cluster.local",
    "onion",
)

# Ports below 1024 are closed but for the web's own. Above, these are closed: databases, brokers, control planes and
# old protocols that can be made to misread HTTP. Flows that need one have it opened by `extra_ports`.
CLOSED_PORTS = frozenset(
    {1080, 1433, 1434, 1521, 1719, 1720, 1723, 1883, 2049, 2181, 2375, 2376, 2379, 2380, 3128, 3268, 3306, 3389, 3659}
    | {4045, 4190, 4369, 5060, 5061, 5432, 5671, 5672, 5984, 6000, 6379, 6380, 6443, 6566, 6665, 6666, 6667, 6668}
    | {6669, 6697, 7000, 7001, 9042, 9092, 9200, 9300, 10080, 10250, 10255, 10256, 11211, 11434, 15672, 16379, 25672}
    | {26379, 27017, 27018, 27019, 50051, 61616}
)
FILE_PORTS = frozenset({21, 22, 990})
"""Where servers of files answer by FTP, SFTP and FTP over TLS: no requests go there, and connections may."""

_WEB_PORTS = frozenset({80, 443})
_FIRST_OPEN_PORT = 1024


class EgressRefused(Forbidden):
    """The request may not go there. Trying again changes nothing: ask whoever runs this installation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EgressPolicy:
    """Where requests may go; by default to public addresses on the ports of the web and 1024 and up.

    `allow_private` opens loopback and private networks as a whole. `allowed_networks` opens single ones
    ("10.2.0.0/16"). Neither opens a cloud's metadata service; naming its very address does. `allowed_hosts` closes
    everything else: "api.example.com", or "*.example.com" for what is below.
    """

    allow_private: bool = False
    allowed_networks: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    extra_ports: frozenset[int] = frozenset()
    max_response_bytes: int = 16 * 1024 * 1024
    connect_timeout: timedelta = timedelta(seconds=5)
    _networks: tuple[Network, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        networks = tuple(ip_network(each) for each in self.allowed_networks)
        object.__setattr__(self, "_networks", networks)  # The one way to derive a field of a frozen dataclass.

    def check_port(self, port: int, also: Collection[int] = ()) -> None:
        """Raises EgressRefused where requests may not go to the port. `also` names ports that are open besides."""
        is_open = port in _WEB_PORTS or (port >= _FIRST_OPEN_PORT and port not in CLOSED_PORTS)
        if not is_open and port not in self.extra_ports and port not in also:
            raise EgressRefused(f"Requests to port {port} are not allowed. Use 443, 80 or a port from 1024 up.")

    def check_host(self, host: str, also_within: Iterable[str] = ()) -> None:
        """Raises EgressRefused for a name that may not be asked, before anybody is asked about it.

        `also_within` is a further list of hosts, for instance those a credential may be sent to.
        """
        if host in METADATA_NAMES:
            raise EgressRefused(f"Requests to {host} are not allowed: it is a cloud's metadata service.")
        if _is_local_name(host) and not (self.allow_private or self._networks or host in self.allowed_hosts):
            raise EgressRefused(f"Requests to {host} are not allowed: it is a name of an inner network.")
        for allowed in (self.allowed_hosts, tuple(also_within)):
            if allowed and not any(_matches(host, pattern) for pattern in allowed):
                raise EgressRefused(f"Requests to {host} are not allowed: it is not among the allowed hosts.")

    def check_address(self, address: Address, host: str) -> None:
        """Raises EgressRefused where requests may not go to the address. Its numbers are not told: they are news."""
        kind = addresses.classify(address)
        if kind == addresses.PUBLIC or (self.allow_private and kind in addresses.PRIVATE_KINDS):
            return
        if not any(address in network for network in self._networks if _opens(network, kind)):
            raise EgressRefused(f"Requests to {host} are not allowed: it leads to a {kind} address.")


def _is_local_name(host: str) -> bool:
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in LOCAL_SUFFIXES)


def _matches(host: str, pattern: str) -> bool:
    pattern = pattern.lower().rstrip(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _opens(network: Network, kind: str) -> bool:
    return kind != addresses.METADATA or network.num_addresses == 1
