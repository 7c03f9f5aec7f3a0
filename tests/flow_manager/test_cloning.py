"""A clone names its own components everywhere, and nobody else's."""

import uuid

from headrace_core import Json
from headrace_flow_manager.flows import cloning
from hypothesis import given, settings
from hypothesis import strategies as st

IDS = {"one": "N1", "two words": "N2", "three-3": "N3"}


def test_links_transforms_paths_and_old_forms_are_rewritten() -> None:
    descriptor: dict[str, Json] = {
        "one": {"type": "a.b.c.D", "source": {}, "label": "$.one.out stays in a label"},
        "two words": {
            "type": "a.b.c.D",
            "source": {"in": {"one": ["out"], "elsewhere": ["out"]}},
            "config": {
                "properties": {"text": "{{{$.one.out.x}}} and {{{$.three-3.out}}} and $.foreign.out", "one": "one"},
                "transform": {
                    "in": {
                        "one": {
                            "out": {
                                "type": "json2new",
                                "modifiers": {"f": {"one": {"variable": "$.one.out.two words", "functions": []}}},
                                "lambda": {"f": "{{{one}}}", "g": ["{{{g_add $.two words.out.n 1}}}"], "h": 1},
                            }
                        }
                    }
                },
            },
        },
    }

    assert cloning.with_ids(descriptor, IDS) == {
        "N1": descriptor["one"],
        "N2": {
            "type": "a.b.c.D",
            "source": {"in": {"N1": ["out"], "elsewhere": ["out"]}},
            "config": {
                "properties": {"text": "{{{$.N1.out.x}}} and {{{$.N3.out}}} and $.foreign.out", "one": "one"},
                "transform": {
                    "in": {
                        "N1": {
                            "out": {
                                "type": "json2new",
                                "modifiers": {"f": {"one": {"variable": "$.N1.out.two words", "functions": []}}},
                                "lambda": {"f": "{{{one}}}", "g": ["{{{g_add $.N2.out.n 1}}}"], "h": 1},
                            }
                        }
                    }
                },
            },
        },
    }


def test_a_wizard_is_rewritten_where_it_names_components() -> None:
    old, new = str(uuid.uuid4()), str(uuid.uuid4())
    wizard: Json = {"fields": [{"componentId": old, f"{old}.x": [f"flow.{old}.config", 1, None]}], "one": "one"}

    rewritten = cloning.wizard_with_ids(wizard, {old: new, "one": "N1"})

    assert rewritten == {"fields": [{"componentId": new, f"{new}.x": [f"flow.{new}.config", 1, None]}], "one": "one"}
    assert cloning.wizard_with_ids({"componentId": "one", "input": "one"}, {"one": "N1"}) == {
        "componentId": "N1",
        "input": "one",
    }


@settings(max_examples=100, deadline=None)
@given(st.lists(st.uuids().map(str), min_size=2, max_size=5, unique=True))
def test_cloning_back_gives_the_original(nodes: list[str]) -> None:
    descriptor: dict[str, Json] = {
        node: {
            "type": "a.b.c.D",
            "source": {"in": {other: ["out"] for other in nodes if other != node}},
            "config": {"transform": {"in": {other: {"out": {"lambda": {"x": f"$.{other}.out.x"}}} for other in nodes}}},
        }
        for node in nodes
    }
    ids = cloning.fresh_ids(descriptor)
    back = {new: old for old, new in ids.items()}

    copy = cloning.with_ids(descriptor, ids)

    assert not any(node in str(copy) for node in nodes)
    assert cloning.with_ids(copy, back) == descriptor
