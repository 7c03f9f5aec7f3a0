"""What settings promise."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from headrace_core.errors import ValidationFailed
from headrace_runtime.settings import describe, load, setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    port: int = setting(8080, env="X_PORT", help="Port.", minimum=1, maximum=65535)
    ratio: float = setting(0.5, env="X_RATIO", help="Ratio.", minimum=0, maximum=1)
    name: str = setting(env="X_NAME", help="Name.")
    is_open: bool = setting(False, env="X_OPEN", help="Open.")
    home: Path = setting(Path("data"), env="X_HOME", help="Home.")
    wait: timedelta = setting(
        timedelta(seconds=30), env="X_WAIT", help="Wait.", minimum=timedelta(seconds=1), maximum=timedelta(hours=2)
    )
    style: Literal["json", "console"] = setting("json", env="X_STYLE", help="Style.")
    hosts: tuple[str, ...] = setting((), env="X_HOSTS", help="Hosts.")
    key: str | None = setting(None, env="X_KEY", help="Key.", secret=True)


def test_defaults_stand_where_nothing_is_given() -> None:
    found = load(Sample, {"X_NAME": "n", "X_PORT": "", "X_WAIT": "  "})

    assert found == Sample(name="n")


def test_every_type_is_read() -> None:
    found = load(
        Sample,
        {
            "X_PORT": "9000",
            "X_RATIO": "0.25",
            "X_NAME": "n",
            "X_OPEN": "Yes",
            "X_HOME": "/data",
            "X_WAIT": "1h30m",
            "X_STYLE": "console",
            "X_HOSTS": "a, b,,c",
            "X_KEY": "k",
        },
    )

    assert found == Sample(
        port=9000,
        ratio=0.25,
        name="n",
        is_open=True,
        home=Path("/data"),
        wait=timedelta(minutes=90),
        style="console",
        hosts=("a", "b", "c"),
        key="k",
    )


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("5m", 300), ("1.5h", 5400), ("2d", 172800), ("1m30s", 90)]
)
def test_spans_of_time_have_units(text: str, seconds: float) -> None:
    @dataclass(frozen=True)
    class Span:
        wait: timedelta = setting(env="W", help="")

    assert load(Span, {"W": text}).wait == timedelta(seconds=seconds)


WRONG = {
    "X_PORT": ["0", "65536", "x", "1.5", "１e"],
    "X_RATIO": ["2", "nan", "inf", "-0.1", "half"],
    "X_OPEN": ["maybe", "2"],
    "X_WAIT": ["30", "5 m", "s", "1x", "0s", "3h", "-5m", "99999999999999d"],
    "X_STYLE": ["JSON", "xml"],
}


@pytest.mark.parametrize(("env", "text"), [(env, text) for env, texts in WRONG.items() for text in texts])
def test_a_wrong_value_is_named_with_its_fix(env: str, text: str) -> None:
    with pytest.raises(ValidationFailed) as raised:
        load(Sample, {"X_NAME": "n", env: text})

    assert [problem.where for problem in raised.value.problems] == [env]
    assert raised.value.problems[0].fix


def test_all_wrong_values_are_listed_at_once() -> None:
    with pytest.raises(ValidationFailed) as raised:
        load(Sample, {"X_PORT": "x", "X_OPEN": "x"})

    assert [problem.where for problem in raised.value.problems] == ["X_PORT", "X_NAME", "X_OPEN"]


def test_a_secret_never_shows() -> None:
    found = load(Sample, {"X_NAME": "n", "X_KEY": "hunter2"})

    assert "hunter2" not in repr(found)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("hunter2\n")

    assert load(Sample, {"X_NAME": "n", "X_KEY_FILE": str(path)}).key == "hunter2"
    for environ in ({"X_KEY": "a", "X_KEY_FILE": str(path)}, {"X_KEY_FILE": str(tmp_path / "nowhere")}):
        with pytest.raises(ValidationFailed) as raised:
            load(Sample, {"X_NAME": "n", **environ})
        assert "hunter2" not in raised.value.message


def test_settings_describe_themselves() -> None:
    described = {each.name: each for each in describe(Sample)}

    assert (described["port"].env, described["port"].default, described["port"].maximum) == ("X_PORT", "8080", "65535")
    assert described["name"].default is None
    assert described["wait"].default == "30s"
    assert described["wait"].maximum == "2h"
    assert described["style"].kind == "json | console"
    assert described["key"].is_secret
    assert list(described) == [
        "port",
        "ratio",
        "name",
        "is_open",
        "home",
        "wait",
        "style",
        "hosts",
        "key",
    ]
