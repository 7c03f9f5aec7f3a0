"""What is sealed opens at its own place, with its own key, and nowhere else."""

import base64
import os
import stat
from pathlib import Path

import pytest
from headrace_core.errors import Conflict, ValidationFailed
from headrace_runtime.vault import KEY_FILE, Vault, open_vault
from hypothesis import given
from hypothesis import strategies as st

OLD, NEW = b"o" * 32, b"n" * 32
PLACE = ("tenant", "service", "field")


@given(value=st.binary(max_size=200), place=st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_a_sealed_value_opens_again(value: bytes, place: list[str]) -> None:
    vault = Vault([NEW])

    assert vault.open(vault.seal(value, place), place) == value
    assert vault.seal(value, place) != vault.seal(value, place)


@pytest.mark.parametrize("place", [("other", "service", "field"), ("tenantservice", "", "field"), ("tenant",), ()])
def test_a_value_that_is_moved_does_not_open(place: tuple[str, ...]) -> None:
    vault = Vault([NEW])

    with pytest.raises(Conflict, match="HEADRACE_VAULT_KEYS"):
        vault.open(vault.seal(b"secret", PLACE), place)


def test_no_bit_of_a_sealed_value_can_be_changed() -> None:
    vault = Vault([NEW])
    sealed = bytearray(base64.b64decode(vault.seal(b"secret", PLACE).removeprefix("hr1:")))
    for number in range(len(sealed)):
        sealed[number] ^= 1
        with pytest.raises(Conflict):
            vault.open("hr1:" + base64.b64encode(sealed).decode(), PLACE)
        sealed[number] ^= 1

    assert b"secret" not in sealed
    for broken in ("", "hr1:", "hr1:AAAA", "hr1:?", "plain"):
        with pytest.raises(Conflict):
            vault.open(broken, PLACE)


def test_an_older_key_still_opens_and_the_newest_seals() -> None:
    sealed = Vault([OLD]).seal(b"secret", PLACE)
    both = Vault([NEW, OLD])

    assert both.open(sealed, PLACE) == b"secret"
    assert [both.is_current(each) for each in (sealed, both.seal(b"x", PLACE))] == [False, True]
    assert Vault([NEW]).open(both.seal(b"x", PLACE), PLACE) == b"x"
    with pytest.raises(Conflict):
        Vault([NEW]).open(sealed, PLACE)


async def test_a_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    first = await open_vault({}, tmp_path)
    second = await open_vault({}, tmp_path)

    assert first is not None and second is not None
    assert second.open(first.seal(b"secret", PLACE), PLACE) == b"secret"
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [KEY_FILE]


async def test_a_key_that_is_damaged_or_none_is_said_so(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("c2hvcnQ=")

    with pytest.raises(Conflict, match="damaged"):
        await open_vault({}, tmp_path)
    with pytest.raises(ValidationFailed, match="HEADRACE_VAULT_KEYS"):
        await open_vault({"HEADRACE_VAULT_KEYS": "c2hvcnQ="}, None)
    assert await open_vault({}, None) is None
