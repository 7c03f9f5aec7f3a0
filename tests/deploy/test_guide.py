"""The guide to server mode names what is there."""

import re

import pytest

from . import compose, known
from .chart import CHART
from .compose import ROOT

GUIDE = (ROOT / "docs" / "how-to" / "deploy.md").read_text()
PAGES = (GUIDE, (ROOT / "deploy" / "README.md").read_text(), (ROOT / "README.md").read_text())


def test_every_variable_is_a_setting_or_one_of_compose() -> None:
    named = set(re.findall(r"\bHEADRACE_[A-Z_]*[A-Z]\b", GUIDE))

    assert not named - set(known.settings()) - compose.variables()


def test_every_file_it_names_is_there() -> None:
    made = {"deploy/secrets", "deploy/secrets/tls", "deploy/secrets/admin_password", "deploy/secrets/vault_keys"}
    named = {path.rstrip("/.") for page in PAGES for path in re.findall(r"\bdeploy/[\w./-]+", page)}

    assert named
    for path in named - made:
        if not path.startswith("deploy/secrets/tls/"):
            assert (ROOT / path).exists(), path


def test_every_target_of_make_is_one() -> None:
    makefile = (ROOT / "Makefile").read_text()

    for page in PAGES:
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page, re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("option", re.findall(r"--set ([A-Za-z.]+)=", GUIDE))
def test_every_value_of_the_chart_is_one(option: str) -> None:
    found = compose.read(CHART / "values.yaml")
    for part in option.split("."):
        assert part in found
        found = found[part]


def test_every_service_it_scales_is_one() -> None:
    for page in PAGES:
        assert set(re.findall(r"--scale ([\w-]+)=", page)) <= set(compose.SERVICES)
