"""What kind of place an address is, by our own table.

Python's `is_global` is not asked: it calls NAT64, site-local, IPv4-compatible and multicast addresses global, and
changes between releases.
"""

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PUBLIC = "public"
METADATA = "cloud metadata"
PRIVATE_KINDS = frozenset({"loopback", "private", "shared", "unique local", "site local"})
"""Kinds that an installation may open for its flows as a whole."""

# First match wins.
_TABLE_4: Mapping[str, tuple[str, ...]] = {
    # The last three are public or nearly so by their numbers, and answer only inside of one cloud each.
    METADATA: ("169.254.169.254/32", "169.254.170.2/32", "100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"),
    "this network": ("0.0.0.0/8",),
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "shared": ("100.64.0.0/10",),
    "loopback": ("127.0.0.0/8",),
    "link local": ("169.254.0.0/16",),
    "protocol assignments": ("192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24"),
    "documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
    "6to4 relay": ("192.88.99.0/24",),
    "benchmark": ("198.18.0.0/15",),
    "multicast": ("224.0.0.0/4",),
    "reserved": ("240.0.0.0/4",),
}
_TABLE_6: Mapping[str, tuple[str, ...]] = {
    METADATA: ("fd00:ec2::254/128", "fd00:ec2::23/128", "fd20:ce::254/128", "fd00:42::42/128"),
    "unspecified": ("::/128",),
    "loopback": ("::1/128",),
    "local NAT64": ("64:ff9b:1::/48",),
    "discard": ("100::/64",),
    "Teredo": ("2001::/32",),
    "protocol assignments": ("2001::/23",),
    "documentation": ("2001:db8::/32", "3fff::/20"),
    "unique local": ("fc00::/7",),
    "link local": ("fe80::/10",),
    "site local": ("fec0::/10",),
    "multicast": ("ff00::/8",),
    PUBLIC: ("2000::/3",),
}


def _networks(table: Mapping[str, tuple[str, ...]]) -> tuple[tuple[str, Network], ...]:
    return tuple((kind, ip_network(each)) for kind, listed in table.items() for each in listed)


NETWORKS_4 = _networks(_TABLE_4)
NETWORKS_6 = _networks(_TABLE_6)

_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_6TO4 = IPv6Network("2002::/16")
_ISATAP = (0x00005EFE, 0x02005EFE)


def classify(address: Address) -> str:
    """The kind of place: PUBLIC, METADATA, or what it is else. An address with another inside is as bad as that."""
    if isinstance(address, IPv4Address):
        return next((kind for kind, network in NETWORKS_4 if address in network), PUBLIC)
    if address in _COMPATIBLE and int(address) > 1:
        inner = classify(IPv4Address(int(address) & 0xFFFFFFFF))
        return "IPv4-compatible" if inner == PUBLIC else inner
    inside = embedded(address)
    if inside is not None and (kind := classify(inside)) != PUBLIC:
        return kind
    if address in _MAPPED or address in _NAT64:
        return PUBLIC
    return next((kind for kind, network in NETWORKS_6 if address in network), "reserved")


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 address, for the forms that lead there."""
    bits = int(address)
    if address in _MAPPED or address in _NAT64 or address in _TRANSLATED:
        return IPv4Address(bits & 0xFFFFFFFF)
    if address in _6TO4:
        return IPv4Address((bits >> 80) & 0xFFFFFFFF)
    if (bits >> 32) & 0xFFFFFFFF in _ISATAP:
        return IPv4Address(bits & 0xFFFFFFFF)
    return None


def unmapped(address: Address) -> Address:
    """The IPv4 address where an IPv4-mapped one is given: the system would connect to that one anyway."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
