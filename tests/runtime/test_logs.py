"""What log lines promise."""

import base64
import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote

import pytest
from headrace_runtime import logs


@pytest.fixture(autouse=True)
def the_root_logger_is_given_back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def written(style: Literal["json", "console"] = "json", **options: Any) -> io.StringIO:
    stream = io.StringIO()
    logs.setup(style=style, stream=stream, **options)
    return stream


def test_a_line_is_one_json_object_with_its_fields() -> None:
    stream = written(service="executor")

    with logs.working_on("r-1"):
        logging.getLogger("x").info("Took %d\nitems", 3, extra={"flow_id": "f", "sizes": [1, 2], "odd": object})

    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert (line["level"], line["logger"], line["message"]) == ("info", "x", "Took 3\nitems")
    assert (line["service"], line["requestId"], line["flow_id"], line["sizes"]) == ("executor", "r-1", "f", [1, 2])
    assert line["at"].endswith("+00:00")


def test_extra_fields_cannot_pose_as_ours() -> None:
    stream = written()

    logging.getLogger("x").info("said", extra={"level": "fake", "logger": "fake"})

    line = json.loads(stream.getvalue())
    assert (line["level"], line["logger"]) == ("info", "x")


def test_levels_below_the_chosen_one_are_left_out() -> None:
    stream = written(level="warning")

    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")

    assert [json.loads(line)["message"] for line in stream.getvalue().splitlines()] == ["yes"]


def test_setting_up_again_replaces_the_first() -> None:
    first, second = written(), written()

    logging.getLogger("x").info("once")

    assert not first.getvalue()
    assert second.getvalue().count("\n") == 1


SECRET = 'pa"ss/wörd+1'


@pytest.mark.parametrize("style", ["json", "console"])
def test_secrets_in_scope_appear_nowhere_in_any_spelling(style: Literal["json", "console"]) -> None:
    stream = written(style)
    spellings = [
        SECRET,
        quote(SECRET, safe=""),
        json.dumps(SECRET)[1:-1],
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ]

    with logs.hiding(SECRET, "abc"):
        for spelling in spellings:
            logging.getLogger("x").info("with %s in it", spelling, extra={"field": {"deep": [spelling]}})
        try:
            raise ValueError(SECRET)
        except ValueError:
            logging.getLogger("x").exception("abc failed")

    for spelling in spellings:
        assert spelling not in stream.getvalue()
    assert logs.HIDDEN in stream.getvalue()
    assert "abc failed" in stream.getvalue()  # Too short to be told from ordinary words.


def test_secrets_are_only_hidden_in_their_scope() -> None:
    with logs.hiding("outer-secret"):
        with logs.hiding("inner-secret"):
            assert logs.redact("outer-secret inner-secret") == "*** ***"
        assert logs.redact("outer-secret inner-secret") == "*** inner-secret"
    assert logs.redact("outer-secret") == "outer-secret"


def test_the_console_line_cannot_be_forged_or_steer_the_terminal() -> None:
    stream = written("console")

    logging.getLogger("x").info("one\n12:00:00 ERROR forged \x1b[2J", extra={"field": "v"})

    assert stream.getvalue().count("\n") == 1
    assert "\x1b" not in stream.getvalue()
    assert "field=v" in stream.getvalue()
