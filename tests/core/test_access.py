"""Rules name components in either vendor's spelling, whichever the flow has."""

import pytest
from headrace_core.access import Rule, allows_component

NAMES = ("headrace.utils.http.Get", "appmixer.utils.http.Get")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("resource", [*NAMES, "headrace.utils", "appmixer.utils", "*"])
def test_a_component_is_withheld_in_whatever_spelling(resource: str, name: str) -> None:
    rules = [Rule("user", resource, ("!*",))]

    assert not allows_component(rules, {"user"}, name, is_private=False)
    assert allows_component(rules, {"user", "admin"}, name, is_private=False)
    assert allows_component(rules, {"guest"}, name, is_private=False)
    assert allows_component(rules, {"user"}, "acme.utils.http.Get", is_private=False) is (resource != "*")


def test_what_is_not_about_private_ones_passes_them_by() -> None:
    rules = [Rule("*", "acme.mail", ("!read",), ("non-private",))]

    assert allows_component(rules, {"user"}, "acme.mail.core.Send", is_private=True)
    assert not allows_component(rules, {"user"}, "acme.mail.core.Send", is_private=False)
