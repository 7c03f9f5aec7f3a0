"""Rules take away from roles, never add, and never bind administrators."""

import pytest
from headrace_gateway.access import Rule, allows, allows_component, resource_of
from headrace_gateway.identity import Caller

ANN = Caller("a" * 24, frozenset({"user"}), "")
ADA = Caller("b" * 24, frozenset({"user", "admin"}), "")


def rule(resource: str, *actions: str, role: str = "user", attributes: tuple[str, ...] = ()) -> Rule:
    return Rule(role, resource, actions, attributes)


@pytest.mark.parametrize(
    ("rules", "is_allowed"),
    [
        ([], True),
        ([rule("flows", "read")], False),
        ([rule("flows", "read", "create")], True),
        ([rule("flows", "*")], True),
        ([rule("flows", "!create")], False),
        ([rule("flows", "*", "!create")], False),
        ([rule("flows", "!delete")], True),
        ([rule("*", "!*")], False),
        ([rule("*", "read"), rule("flows", "create")], True),
        ([rule("stores", "!*")], True),
        ([rule("flows", "!*", role="guest")], True),
        ([rule("flows", "!create", role="*")], False),
    ],
)
def test_what_a_role_may_do_follows_from_the_rules_about_it(rules: list[Rule], is_allowed: bool) -> None:
    assert allows(rules, ANN, "flows", "create") is is_allowed
    assert allows(rules, ADA, "flows", "create")


def test_a_rule_may_name_a_group_as_it_names_a_role() -> None:
    kim = Caller("c" * 24, frozenset({"user"}), "", groups=frozenset({"sales"}))
    rules = [rule("flows", "!create", role="group:sales")]

    assert not allows(rules, kim, "flows", "create")
    assert allows(rules, kim, "flows", "read") and allows(rules, ANN, "flows", "create")
    assert allows(rules, Caller("d" * 24, frozenset({"user", "sales"}), ""), "flows", "create")


def test_tasks_are_one_thing_to_rules_wherever_they_are() -> None:
    places = (
        "/people-task/tasks/{id}",
        "/plugins/appmixer/utils/tasks/tasks",
        "/plugins/headrace/utils/tasks/webhooks",
    )

    assert {resource_of(place) for place in places} == {"people-task"}


def test_a_rule_about_a_service_is_about_its_components() -> None:
    rules = [rule("acme.mail", "!*"), rule("acme.chat.core.Send", "!read", attributes=("non-private",))]

    def sees(name: str, *, is_private: bool = False) -> bool:
        return allows_component(rules, ANN, name, is_private=is_private)

    assert not sees("acme.mail.core.Send") and not sees("acme.chat.core.Send")
    assert sees("acme.chat.core.Send", is_private=True) and sees("acme.chat.core.Read")
