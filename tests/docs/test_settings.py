"""Laws of every setting: one name for one meaning, loud when wrong, and known to who warns of unknown ones."""

from __future__ import annotations

import pytest
from headrace_core.errors import ValidationFailed
from headrace_runtime import failpoints, variables
from headrace_runtime.settings import SettingDescription, describe, load

from docs.generate import SETTINGS

ALL = [(cls, each) for cls in SETTINGS.values() for each in describe(cls)]
TYPED = [(cls, each) for cls, each in ALL if each.kind not in ("text", "path", "list")]
NUMBERS = [(cls, each) for cls, each in ALL if each.kind in ("whole number", "number")]
CLIENTS = {"HEADRACE_RPC_ADDRESS", "HEADRACE_PROFILE", "HEADRACE_URL", "HEADRACE_TOKEN"}  # of the command line
TOOLS = CLIENTS | {failpoints.VARIABLE}  # and of the chaos tests


def name(value: object) -> str:
    return value.env if isinstance(value, SettingDescription) else getattr(value, "__name__", "")


def problems(cls: type, variable: str, value: str) -> list[str]:
    """The lines that are said when one variable has this value."""
    with pytest.raises(ValidationFailed) as refused:
        load(cls, {variable: value})
    return [str(each) for each in refused.value.problems]


def test_two_settings_of_one_name_are_one_setting() -> None:
    kinds: dict[str, set[tuple[str, bool, str | None, str | None]]] = {}
    for _, each in ALL:
        meaning = (each.kind, each.is_secret, each.minimum, each.maximum)
        kinds.setdefault(each.env, set()).add(meaning)

    assert {variable: found for variable, found in kinds.items() if len(found) > 1} == {}


def test_no_setting_is_named_like_the_file_of_a_secret() -> None:
    assert [each.env for _, each in ALL if each.env.endswith("_FILE")] == []


@pytest.mark.parametrize(("cls", "each"), ALL, ids=name)
def test_every_setting_is_explained_in_a_sentence(cls: type, each: SettingDescription) -> None:
    assert each.help.endswith(".") and len(each.help) > 10, each.help


@pytest.mark.parametrize(("cls", "each"), TYPED, ids=name)
def test_a_wrong_value_is_one_line_that_names_the_variable_and_not_the_value(
    cls: type, each: SettingDescription
) -> None:
    [line] = problems(cls, each.env, "no-such-value")

    assert line.startswith(f"{each.env}: ") and "no-such-value" not in line


@pytest.mark.parametrize(("cls", "each"), NUMBERS, ids=name)
def test_a_number_has_a_least_value(cls: type, each: SettingDescription) -> None:
    [line] = problems(cls, each.env, "-1000000000")

    assert line.startswith(f"{each.env}: It is too small. Set at least ")


@pytest.mark.parametrize(("cls", "each"), [(cls, each) for cls, each in ALL if each.is_secret], ids=name)
def test_a_secret_may_come_from_a_file_and_not_from_two_places(cls: type, each: SettingDescription) -> None:
    with pytest.raises(ValidationFailed, match=f"{each.env}_FILE"):
        load(cls, {each.env: "a", f"{each.env}_FILE": "/nowhere"})


def test_whoever_warns_of_unknown_variables_knows_every_setting() -> None:
    plain = {each.env for _, each in ALL if not each.is_secret and each.env.startswith(variables.PREFIX)}

    assert plain | TOOLS == variables.PLAIN, "PLAIN of headrace_runtime/variables.py has to follow the settings"
    assert {each.env for _, each in ALL if each.is_secret} == variables.SECRETS, "so does SECRETS"
