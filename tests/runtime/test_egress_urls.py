"""How URLs and addresses are read before anybody connects to them."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from headrace_core.errors import BadRequest
from headrace_runtime.egress import EgressPolicy, EgressRefused, addresses, urls
from hypothesis import given, settings
from hypothesis import strategies as st

KINDS = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "shared",
    "100.100.100.200": "cloud metadata",
    "100.127.255.255": "shared",
    "100.128.0.1": "public",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "cloud metadata",
    "169.254.0.1": "link local",
    "169.254.169.254": "cloud metadata",
    "169.254.170.2": "cloud metadata",
    "172.15.255.255": "public",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "172.32.0.1": "public",
    "192.0.0.8": "protocol assignments",
    "192.0.2.1": "documentation",
    "192.88.99.1": "6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmark",
    "198.51.100.7": "documentation",
    "203.0.113.9": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "1.1.1.1": "public",
    "8.8.8.8": "public",
    "::": "unspecified",
    "::1": "loopback",
    "::127.0.0.1": "loopback",
    "::10.0.0.1": "private",
    "::8.8.8.8": "IPv4-compatible",
    "::ffff:127.0.0.1": "loopback",
    "::ffff:8.8.8.8": "public",
    "::ffff:0:127.0.0.1": "loopback",
    "::ffff:0:8.8.8.8": "reserved",
    "64:ff9b::127.0.0.1": "loopback",
    "64:ff9b::169.254.169.254": "cloud metadata",
    "64:ff9b::8.8.8.8": "public",
    "64:ff9b:1::1": "local NAT64",
    "100::1": "discard",
    "2001::1": "Teredo",
    "2001:2::1": "protocol assignments",
    "2001:10::1": "protocol assignments",
    "2001:db8::1": "documentation",
    "3fff::1": "documentation",
    "2002:7f00:1::": "loopback",
    "2002:a9fe:a9fe::1": "cloud metadata",
    "2002:0808:0808::1": "public",
    "2606:4700::5efe:10.0.0.1": "private",
    "2606:4700::200:5efe:127.0.0.1": "loopback",
    "2606:4700:4700::1111": "public",
    "4000::1": "reserved",
    "5f00::1": "reserved",
    "fc00::1": "unique local",
    "fd00:ec2::254": "cloud metadata",
    "fd12:3456::1": "unique local",
    "fe80::1": "link local",
    "fe80::1%eth0": "link local",
    "febf::1": "link local",
    "fec0::1": "site local",
    "ff02::1": "multicast",
}


@pytest.mark.parametrize(("text", "kind"), KINDS.items())
def test_every_kind_of_address_is_known(text: str, kind: str) -> None:
    assert addresses.classify(ip_address(text)) == kind


@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2**80 - 1))
def test_an_address_with_another_inside_is_never_better_than_that(inner: int, rest: int) -> None:
    kind = addresses.classify(IPv4Address(inner))
    around = [
        inner,
        (0xFFFF << 32) | inner,
        (0x64FF9B << 96) | inner,
        (0x2002 << 112) | (inner << 80) | rest,
        (0x26064700 << 96) | (0x5EFE << 32) | inner,
    ]

    for outer in around:
        found = addresses.classify(IPv6Address(outer))
        assert kind == addresses.PUBLIC or found != addresses.PUBLIC


GOOD = {
    "https://example.com": "https://example.com/",
    "HTTPS://EXAMPLE.com:443/a": "https://example.com/a",
    "http://example.com:80": "http://example.com/",
    "http://example.com:/x": "http://example.com/x",
    "http://example.com:8080/a?b=c#d": "http://example.com:8080/a?b=c",
    "http://example.com.": "http://example.com/",
    "http://example.com?x=1": "http://example.com/?x=1",
    "http://example.com#x": "http://example.com/",
    "  http://example.com/ ": "http://example.com/",
    "http://under_score.example/": "http://under_score.example/",
    "http://Bücher.example/ä b?q=ü&r=%20": "http://xn--bcher-kva.example/%C3%A4%20b?q=%C3%BC&r=%20",
    "http://ｅｘａｍｐｌｅ。ｃｏｍ/": "http://example.com/",
    "http://8.8.8.8/": "http://8.8.8.8/",
    "http://[2606:4700:4700::1111]:8443/": "http://[2606:4700:4700::1111]:8443/",
    "http://example.com/a\\b": "http://example.com/a%5Cb",
    "http://example.com/a@b": "http://example.com/a@b",
    "http://example.com/{id}": "http://example.com/%7Bid%7D",
}


@pytest.mark.parametrize(("text", "meaning"), GOOD.items())
def test_a_url_has_one_meaning(text: str, meaning: str) -> None:
    assert str(urls.parse(text)) == meaning
    assert str(urls.parse(meaning)) == meaning


BAD = [
    "",
    "example.com",
    "/path",
    "//example.com/",
    "http:",
    "http:/example.com",
    "http:///path",
    "http://",
    "http://:80/",
    "http://?x",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///run/docker.sock",
    "http+unix://%2Frun%2Fdocker.sock/",
    "http://user@example.com/",
    "http://user:pass@example.com/",
    "http://example.com@127.0.0.1/",
    "http://a@b@c/",
    "http://example.com\\@127.0.0.1/",
    "http://example.com\\.evil/",
    "http://exa%6dple.com/",
    "http://example.com%00.evil/",
    "http://example.com\r\nHost: x/",
    "http://example.com/\r\nX: y",
    "http://exam\tple.com/",
    "http://example.com/\x00",
    "http://exam ple.com/",
    "http://example..com/",
    "http://.example.com/",
    "http://example.com../",
    "http://-example.com/",
    "http://example-.com/",
    "http://" + "a" * 64 + ".com/",
    "http://" + "a." * 130 + "com/",
    "http://example.com:99999/",
    "http://example.com:0/",
    "http://example.com:-1/",
    "http://example.com:８０/",
    "http://example.com:80:80/",
    "http://example.com:x/",
    "http://[::1/",
    "http://[::1]x/",
    "http://[]/",
    "http://[fe80::1%25eth0]/",
    "http://[v1.x]/",
    "http://[127.0.0.1]/",
    "http://::1/",
    "http://<script>/",
    "http://exa$mple.com/",
    "http://256.1.1.1/",
    "http://1.2.3.4.5/",
    "http://example.1/",
    "http://example.0x1/",
    "http://example.com/\ud800",
    "http://example.com/" + "a" * 20_000,
]


@pytest.mark.parametrize("text", BAD)
def test_what_two_readers_could_read_in_two_ways_is_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        urls.parse(text)


@settings(max_examples=200)
@given(st.text(alphabet=st.sampled_from("hHtps:/.@#?%[]\\0127x①。ａ\t\u00ad ß"), max_size=20))
def test_any_text_is_a_target_that_reads_the_same_again_or_a_bad_request(text: str) -> None:
    try:
        target = urls.parse(f"http://{text}")
    except BadRequest:
        return

    assert urls.parse(str(target)) == target
    assert target.host.isascii()


def test_ports_of_the_web_and_from_1024_up_are_open_but_for_inner_services() -> None:
    policy = EgressPolicy(extra_ports=frozenset({25}))

    for port in (80, 443, 1024, 3000, 8080, 8443, 65535, 25):
        policy.check_port(port)
    for port in (1, 21, 22, 23, 110, 143, 445, 1023, 2375, 3306, 5432, 5672, 6379, 9200, 10250, 11211, 27017):
        with pytest.raises(EgressRefused):
            policy.check_port(port)


def test_names_of_metadata_services_are_refused_even_where_private_is_allowed() -> None:
    policy = EgressPolicy(allow_private=True, allowed_networks=("10.0.0.0/8",), allowed_hosts=("metadata",))

    for host in ("metadata.google.internal", "metadata", "instance-data", "metadata.goog"):
        with pytest.raises(EgressRefused):
            policy.check_host(host)


def test_names_of_inner_networks_are_refused_unless_something_inner_is_allowed() -> None:
    names = (
        "localhost",
        "a.localhost",
        "db.internal",
        "printer.local",
        "kubernetes.default.svc",
        "x.svc.cluster.local",
    )

    for name in names:
        with pytest.raises(EgressRefused):
            EgressPolicy().check_host(name)
        EgressPolicy(allow_private=True).check_host(name)
        EgressPolicy(allowed_networks=("10.0.0.0/8",)).check_host(name)
    EgressPolicy(allowed_hosts=("db.internal",)).check_host("db.internal")


def test_an_allow_list_of_hosts_closes_everything_else() -> None:
    policy = EgressPolicy(allowed_hosts=("api.example.com", "*.Example.org"))

    for host in ("api.example.com", "a.example.org", "a.b.example.org"):
        policy.check_host(host)
    for host in ("example.com", "xapi.example.com", "api.example.com.evil", "example.org", "evilexample.org"):
        with pytest.raises(EgressRefused):
            policy.check_host(host)


def test_a_request_may_narrow_the_list_and_never_widen_it() -> None:
    policy = EgressPolicy(allowed_hosts=("*.example.com",))

    policy.check_host("api.example.com", ("api.example.com",))
    for host, narrowed in (("other.example.com", ("api.example.com",)), ("x.org", ("x.org",))):
        with pytest.raises(EgressRefused):
            policy.check_host(host, narrowed)


def test_private_addresses_open_as_a_whole_or_by_network_and_metadata_only_by_its_very_address() -> None:
    whole = EgressPolicy(allow_private=True)
    single = EgressPolicy(allowed_networks=("10.2.0.0/16", "169.254.0.0/16"))
    very = EgressPolicy(allowed_networks=("169.254.169.254/32",))

    def is_open(policy: EgressPolicy, text: str) -> bool:
        try:
            policy.check_address(ip_address(text), "host")
        except EgressRefused:
            return False
        return True

    for text in ("127.0.0.1", "10.1.1.1", "192.168.0.1", "100.64.0.1", "::1", "fd00::1"):
        assert is_open(whole, text)
    for text in ("169.254.169.254", "169.254.1.1", "fe80::1", "224.0.0.1", "0.0.0.0", "fd00:ec2::254", "168.63.129.16"):
        assert not is_open(whole, text)
    assert is_open(single, "10.2.3.4")
    assert not is_open(single, "10.3.0.1")
    assert not is_open(single, "169.254.169.254")
    assert is_open(very, "169.254.169.254")
    assert is_open(EgressPolicy(), "8.8.8.8")


def test_a_refusal_does_not_tell_the_address() -> None:
    with pytest.raises(EgressRefused) as raised:
        EgressPolicy().check_address(ip_address("10.11.12.13"), "host.example")

    assert "10.11.12.13" not in raised.value.message
