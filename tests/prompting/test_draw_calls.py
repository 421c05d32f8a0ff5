"""Drawn calls are valid, look like what users have, and are never made from nothing."""

import json
from pathlib import Path
from random import Random

import pytest

from apigen_ray.prompting.draw_calls import MOST_CHARACTERS, draw_calls
from apigen_ray.records import Tool
from apigen_ray.stages.check import signatures_of
from apigen_ray.tools.library import load_library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def library():
    return load_library([str(ROOT / "sandbox" / "tools")]).tools


def tool(examples=(), required=("a",), **properties):
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    if examples:
        parameters["examples"] = list(examples)
    return Tool("f", "F.", parameters, "")


def arguments(tool, known=(), wanted=20):
    return [call.arguments for call in draw_calls(tool, known, wanted, Random(0))]


def test_every_call_of_the_library_satisfies_its_schema_and_none_comes_twice(library):
    for each in library:
        calls = draw_calls(each, (), 6, Random(each.name))
        assert calls
        accepts = signatures_of([each])[each.name].arguments.accepts
        assert all(accepts(call.arguments) for call in calls)
        texts = [json.dumps(call.arguments, sort_keys=True) for call in calls]
        assert len(set(texts)) == len(texts)
        assert max(map(len, texts)) <= 1.2 * MOST_CHARACTERS


def test_the_same_seed_draws_the_same_calls(library):
    for each in library[:20]:
        first, second = (draw_calls(each, (), 5, Random("x")) for _ in range(2))
        assert first == second


def test_a_text_that_nothing_is_known_of_is_not_made_up():
    assert arguments(tool(a={"type": "string"})) == []


def test_what_a_seed_calls_is_known():
    found = arguments(tool(a={"type": "string"}), [{"a": "blue moon"}])
    assert found == [{"a": "blue moon"}]


def test_a_text_is_known_by_its_name_or_its_format():
    cities = {
        call["a_city"] for call in arguments(tool(required=["a_city"], a_city={"type": "string"}))
    }
    assert "Lisbon" in cities
    addresses = arguments(tool(a={"type": "string", "format": "email"}))
    assert addresses
    assert all("@example." in call["a"] for call in addresses)


def test_enums_booleans_and_ranges_are_drawn_from():
    schema = {"type": "integer", "minimum": 3, "maximum": 5}
    both = tool(required=["a", "b"], a={"enum": ["x", "y"]}, b=schema)
    found = arguments(both)
    assert {call["a"] for call in found} == {"x", "y"}
    assert {call["b"] for call in found} == {3, 4, 5}


def test_an_example_s_numbers_keep_their_size_and_exactness():
    found = arguments(tool([{"a": 2.5}], a={"type": "number"}))
    assert len(found) > 5
    assert all(1 <= call["a"] <= 5.1 and round(call["a"], 1) == call["a"] for call in found)


def test_a_date_stays_a_date():
    found = arguments(tool([{"a": "2024-02-29"}], a={"type": "string"}))
    assert len(found) > 5
    assert all(len(call["a"]) == 10 and call["a"][4] == "-" for call in found)
