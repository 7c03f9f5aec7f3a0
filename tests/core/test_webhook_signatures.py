"""S9: whatever is changed about a signed request, it is refused; what is left alone comes in under its signed name."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from headrace_core import webhook_signatures
from headrace_core.errors import Unauthenticated
from headrace_core.webhook_signatures import SignedRequest, verify

from tests.signing import BODY, SCHEMES, SECRETS, Signed, mutants, signed

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def admitted(scheme: str, request: Signed, secret: str | None = None, now: datetime = NOW) -> str:
    asked = SignedRequest(request.body, request.headers)
    return verify(scheme, SECRETS[scheme] if secret is None else secret, asked, now)


def test_every_scheme_is_tried() -> None:
    assert SCHEMES == webhook_signatures.SCHEMES
    assert {name for scheme in SCHEMES for name, _ in signed(scheme, NOW).headers} == webhook_signatures.HEADERS


@pytest.mark.parametrize("scheme", SCHEMES)
def test_what_is_signed_comes_in_under_one_name(scheme: str) -> None:
    first, again = admitted(scheme, signed(scheme, NOW)), admitted(scheme, signed(scheme, NOW))
    other = admitted(scheme, signed(scheme, NOW, b"other", name="msg_2"))
    empty = admitted(scheme, signed(scheme, NOW, b"", name="msg_3"))

    assert first == again
    assert len({first, other, empty}) == 3


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whatever_is_changed_is_refused(scheme: str) -> None:
    request = signed(scheme, NOW)
    tried = mutants(request)

    assert len(tried) > len(BODY) + 60
    for what, mutant in tried:
        with pytest.raises(Unauthenticated):
            pytest.fail(f"{what} came in as {admitted(scheme, mutant)}")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("secret", ["", "another", "whsec_", "whsec_***", base64.b64encode(b"another").decode()])
def test_another_secret_and_none_are_refused(scheme: str, secret: str) -> None:
    with pytest.raises(Unauthenticated):
        admitted(scheme, signed(scheme, NOW), secret)


@pytest.mark.parametrize("scheme", ["standard", "stripe", "slack"])
def test_old_and_early_requests_are_refused(scheme: str) -> None:
    request = signed(scheme, NOW)

    for seconds in (-299, 299):
        assert admitted(scheme, request, now=NOW + timedelta(seconds=seconds))
    for seconds in (-302, 302, 10**8):
        with pytest.raises(Unauthenticated):
            admitted(scheme, request, now=NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_signature_of_another_scheme_is_none(scheme: str) -> None:
    for other in {*SCHEMES} - {scheme}:
        with pytest.raises(Unauthenticated):
            verify(scheme, SECRETS[other], SignedRequest(BODY, signed(other, NOW).headers), NOW)


@pytest.mark.parametrize("scheme", ["", "none", "Standard", "hmac"])
def test_an_unknown_scheme_lets_nobody_in(scheme: str) -> None:
    with pytest.raises(Unauthenticated):
        verify(scheme, "secret", SignedRequest(BODY, signed("github", NOW, secret="secret").headers), NOW)


def test_a_secret_that_is_changed_is_accepted_beside_the_new_one_of_the_sender() -> None:
    old, new = signed("standard", NOW, secret=base64.b64encode(b"old").decode()), signed("standard", NOW)
    both = f"{dict(old.headers)['webhook-signature']} {dict(new.headers)['webhook-signature']}"
    headers = [(name, both if name == "webhook-signature" else value) for name, value in new.headers]

    assert admitted("standard", Signed(BODY, headers)) == "msg_1"


def test_the_border_between_id_and_time_cannot_be_moved() -> None:
    moment = str(int(NOW.timestamp()))
    whole = signed("standard", NOW, b"body", name=f"a.{moment}")

    with pytest.raises(Unauthenticated):
        admitted("standard", whole)
    moved = [("webhook-id", "a"), ("webhook-timestamp", moment), whole.headers[2]]
    assert admitted("standard", Signed(f"{moment}.body".encode(), moved)) == "a", "the same bytes, read the one way"
