"""JSONPath: what paths find, and what is refused."""

from collections.abc import Callable

import pytest
from headrace_core import Json
from headrace_core.errors import ValidationFailed
from headrace_core.expressions import Environment, apply_modifier

MakeEnvironment = Callable[..., Environment]
STORE: Json = {
    "book": [
        {"category": "reference", "title": "Sayings", "price": 8.95},
        {"category": "fiction", "title": "Sword", "price": 12.99, "isbn": "0-553"},
        {"category": "fiction", "title": "Moby Dick", "price": 8.99, "tags": ["sea", "whale"]},
    ],
    "bicycle": {"color": "red", "price": 19.95},
    "Test Deal Name": {"a.b": 1},
    "limit": 9,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("$", STORE),
        ("", STORE),
        ("limit", 9),
        ("$.bicycle.color", "red"),
        ("bicycle['color']", "red"),
        ("$['Test Deal Name']['a.b']", 1),
        ("Test Deal Name['a.b']", 1),
        ("book.0.title", "Sayings"),
        ("$.book[0].title", "Sayings"),
        ("$.book.[1].title", "Sword"),
        ("$.book[-1].title", "Moby Dick"),
        ("$.book[(@.length-1)].title", "Moby Dick"),
        ("$.book[9]", None),
        ("$.nothing.here", None),
        ("$.book.length", 3),
        ("$.book[*].title", ["Sayings", "Sword", "Moby Dick"]),
        ("$.book.*.title", ["Sayings", "Sword", "Moby Dick"]),
        ("$.book[0,2].title", ["Sayings", "Moby Dick"]),
        ("$.book[0:2].title", ["Sayings", "Sword"]),
        ("$.book[-2:].title", ["Sword", "Moby Dick"]),
        ("$.book[::2].title", ["Sayings", "Moby Dick"]),
        ("$..price", [8.95, 12.99, 8.99, 19.95]),
        ("$..book[0].title", ["Sayings"]),
        ("$.bicycle['color','price']", ["red", 19.95]),
        ("$.book[?(@.isbn)].title", ["Sword"]),
        ("$.book[?(!@.isbn)].title", ["Sayings", "Moby Dick"]),
        ("$.book[?(@.price < $.limit)].title", ["Sayings", "Moby Dick"]),
        ("$.book[?@.price >= 8.99 && @.category == 'fiction'].title", ["Sword", "Moby Dick"]),
        ("$.book[?(@.title == 'Sword' || @.price==8.95)].title", ["Sayings", "Sword"]),
        ("$.book[?((@.price < 9 || @.isbn) && @.category != \"reference\")].title", ["Sword", "Moby Dick"]),
        ("$.book[?(@.title =~ /^mo/i)].title", ["Moby Dick"]),
        ("$.book[?match(@.category, 'ref.*')].title", ["Sayings"]),
        ("$.book[?search(@.title, 'wor')].title", ["Sword"]),
        ("$.book[?(length(@.tags) == 2)].title", ["Moby Dick"]),
        ("$.book[?(count(@.tags[*]) > 1)].title", ["Moby Dick"]),
        ("$.book[?(@.tags[0] === 'sea')].title", ["Moby Dick"]),
        ("$.nothing[*]", []),
        ("__class__", None),
    ],
)  # fmt: skip
def test_path_finds_what_the_table_says(environment: MakeEnvironment, path: str, expected: Json) -> None:
    assert apply_modifier("g_jsonPath", STORE, [path], {}, environment()) == expected


@pytest.mark.parametrize(
    "path",
    [
        "$.book[",
        "$..",
        "$.book[?(",
        "$.book[?(@.x == nope)]",
        "$.book[?(@.title.includes('x'))]",
        "$.book[(process.exit())]",
        "$.book[?(process.exit())]",
        "$.book[?(@.title =~ /(?=x)/)]",
        "$.book[?(@.title =~ /x)]",
        "$" + "[?(" * 60,
        "x" * 3_000,
    ],
)
def test_path_that_cannot_be_read_is_refused(environment: MakeEnvironment, path: str) -> None:
    with pytest.raises(ValidationFailed) as caught:
        apply_modifier("g_jsonPath", STORE, [path], {}, environment())

    assert "the pa" in str(caught.value)
