"""URLs, read once and strictly. What was checked is what is connected to and sent: nobody reads the text again."""

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import quote, urljoin

import idna
from headrace_core.errors import BadRequest

from headrace_runtime.egress.addresses import Address

MAX_URL_LENGTH = 16 * 1024

_PORTS = {"http": 80, "https": 443}
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)([^?#]*)(\?[^#]*)?(?:#.*)?", re.DOTALL)
_AUTHORITY = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:]+)(?::([0-9]{0,5}))?")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PLAIN_IPV4 = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}")
_LEFT_AS_IT_IS = "%/:?@!$&'()*+,;=-._~[]|"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes. `address` is there when the URL names one instead of a host."""

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Who it is, as far as credentials go."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as the Host header has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(url: str) -> Target:
    """Read a URL. Raises BadRequest for everything that two readers could read in two ways."""
    url = url.strip(" ")
    if len(url) > MAX_URL_LENGTH:
        raise _bad(f"has {len(url)} characters, more than {MAX_URL_LENGTH}")
    if _UNSEEN.search(url):
        raise _bad("holds a line break or another control character")
    found = _URL.fullmatch(url)
    if not found:
        raise _bad("is not complete: it starts with https:// and a host")
    scheme, authority, path, query = found[1].lower(), found[2], found[3], found[4] or ""
    if scheme not in _PORTS:
        raise _bad(f"begins with {scheme}: only http and https are spoken")
    host, address, port = _read_authority(authority)
    return Target(scheme, host, _PORTS[scheme] if port is None else port, _encoded(path or "/", query), address)


def join(base: Target, location: str) -> Target:
    """Where a redirect from `base` leads."""
    try:
        return parse(urljoin(str(base), location.strip(" ")))
    except ValueError:
        raise _bad("of the redirect cannot be read") from None


def _read_authority(authority: str) -> tuple[str, Address | None, int | None]:
    if "@" in authority:
        raise _bad("holds a user name or password: send them in the Authorization header")
    if "\\" in authority or "%" in authority:
        raise _bad("has a host with a character that does not belong there")
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        raise _bad("has no host that could be read")
    port = int(found[2]) if found[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise _bad(f"names the port {port}: ports are from 1 to 65535")
    host, address = _read_host(found[1])
    return host, address, port


def _read_host(text: str) -> tuple[str, Address | None]:
    if text.startswith("["):
        try:
            address = IPv6Address(text[1:-1])
        except AddressValueError:
            raise _bad("has brackets without an IPv6 address in them") from None
        return address.compressed, address
    name = _normal_name(text)
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        return name, _read_ipv4(name)
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise _bad("has a host that is no valid name")
    return name, None


def _normal_name(text: str) -> str:
    """The name in lower case ASCII: digits in circles become digits before anybody decides what they mean."""
    try:
        name = text.lower() if text.isascii() else idna.uts46_remap(text, std3_rules=False, transitional=False)
        name = name.removesuffix(".")
        return name if name.isascii() else idna.encode(name).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise _bad("has a host that is no valid name") from None


def _read_ipv4(name: str) -> IPv4Address:
    # 127.1, 0177.0.0.1, 0x7f000001 and 2130706433 are all 127.0.0.1 to some readers and not to others.
    if not _PLAIN_IPV4.fullmatch(name):
        raise _bad("has an unusual spelling of an address: write four decimal numbers without leading zeros")
    try:
        return IPv4Address(name)
    except AddressValueError:
        raise _bad("has an address with a number above 255") from None


def _encoded(path: str, query: str) -> str:
    try:
        return quote(path + query, safe=_LEFT_AS_IT_IS)
    except UnicodeEncodeError:
        raise _bad("holds half of a character") from None


def _bad(what: str) -> BadRequest:
    return BadRequest(f"The URL {what}.")
