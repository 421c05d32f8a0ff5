"""Calls that mean the same, and calls that only look alike."""

import pytest

from apigen_ray.records import Call, Tool
from apigen_ray.stages.agreement.compare import (
    Ran,
    call_key,
    equal_results,
    is_telling,
    same_calls,
    standard_text,
)

TOOL = Tool(
    "trip",
    "Plan a trip.",
    {
        "type": "object",
        "properties": {
            "to": {"type": "string"},
            "days": {"type": "integer", "default": 3},
            "unit": {"type": "string", "description": "Unit of distance. Default is 'km'."},
            "budget": {"type": "number", "description": "In euros (default: 500)."},
            "quiet": {"type": "boolean", "description": "Defaults to False."},
            "tags": {"type": "array", "items": {"type": "string"}},
            "hotel": {
                "type": "object",
                "properties": {"stars": {"type": "integer", "default": 3}},
            },
        },
        "required": ["to"],
    },
    "Travel",
)
TOOLS = {TOOL.name: TOOL}


def same(ours, theirs):
    return same_calls([Call("trip", ours)], [Call("trip", theirs)], TOOLS)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"to": "Paris"}, {"to": "Paris", "days": 3}),
        ({"to": "Paris"}, {"to": "Paris", "unit": "km"}),
        ({"to": "Paris"}, {"to": "Paris", "budget": 500.0}),
        ({"to": "Paris"}, {"to": "Paris", "quiet": False}),
        ({"to": "Paris"}, {"to": "Paris", "tags": []}),
        ({"to": "Paris"}, {"to": "Paris", "hotel": {"stars": 3}, "tags": None}),
        ({"to": "Paris", "budget": 700}, {"to": "Paris", "budget": 700.0}),
        ({"to": "São Paulo"}, {"to": "sao paulo"}),
        ({"to": "New York, NY"}, {"to": "New York NY"}),
        ({"to": "St. Ives"}, {"to": "st ives"}),
        ({"to": "mount_fuji"}, {"to": "Mount Fuji"}),
        ({"to": "Paris", "budget": 0.1 + 0.2}, {"to": "Paris", "budget": 0.3}),
    ],
)
def test_calls_that_mean_the_same(ours, theirs):
    assert same(ours, theirs)
    assert same(theirs, ours)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"to": "Paris"}, {"to": "Rome"}),
        ({"to": "Paris", "days": 4}, {"to": "Paris"}),
        ({"to": "Paris", "unit": "mi"}, {"to": "Paris"}),
        ({"to": "Paris", "quiet": True}, {"to": "Paris"}),
        ({"to": "Paris", "days": 1}, {"to": "Paris", "days": True}),
        ({"to": "-3.5"}, {"to": "3.5"}),
        ({"to": "3.5"}, {"to": "35"}),
        ({"to": "2024-01-12"}, {"to": "2024-11-2"}),
        ({"to": ""}, {}),  # it is required: nothing stands for it
        ({"to": "C"}, {"to": "C++"}),
        ({"to": "10^3"}, {"to": "103"}),
        ({"to": "2*3"}, {"to": "23"}),
        ({"to": "-5 degrees"}, {"to": "5 degrees"}),
        ({"to": ".5 kg"}, {"to": "5 kg"}),
        ({"to": "SGVsbG8="}, {"to": "sgvsbg8="}),
        ({"to": "Paris", "hotel": {"stars": 5}}, {"to": "Paris"}),
    ],
)
def test_calls_that_do_not(ours, theirs):
    assert not same(ours, theirs)
    assert not same(theirs, ours)


def test_order_does_not_count_and_number_does():
    paris, rome = Call("trip", {"to": "Paris"}), Call("trip", {"to": "Rome"})
    assert same_calls([paris, rome], [rome, paris], TOOLS)
    assert not same_calls([paris, rome], [rome, rome], TOOLS)
    assert not same_calls([paris], [paris, paris], TOOLS)
    assert not same_calls([], [paris], TOOLS)
    assert same_calls([], [], TOOLS)


def test_a_call_of_an_unknown_tool_is_compared_as_it_is():
    assert call_key(Call("x", {"a": 1}), None) == call_key(Call("x", {"a": 1.0}), None)
    assert call_key(Call("x", {"a": 1}), None) != call_key(Call("x", {"b": 1}), None)


def test_punctuation_alone_is_not_nothing():
    assert standard_text("?") != standard_text("!")


def ran(arguments, result, name="f"):
    return Ran(Call(name, arguments), {"ok": True, "result": result})


def test_results_that_few_calls_return_are_evidence():
    assert equal_results(ran({"km": 5}, 5000.0), ran({"m": 5000}, 5000))
    assert not equal_results(ran({"km": 5}, 5000.0), ran({"m": 5000}, 5001))


def test_results_that_many_calls_return_are_evidence_for_the_same_values_only():
    assert not equal_results(ran({"n": 7}, True), ran({"n": 11}, True))
    assert not equal_results(ran({"a": 12, "b": 18}, 6), ran({"a": 6, "b": 24}, 6))
    assert equal_results(ran({"a": 12, "b": 18}, 6), ran({"a": 18, "b": 12}, 6))


def test_another_function_or_a_failure_never_agrees():
    assert not equal_results(ran({"km": 5}, 5000.0), ran({"km": 5}, 5000.0, name="g"))
    failed = Ran(Call("f", {"km": 5}), {"ok": False, "reason": "raised", "message": "no"})
    assert not equal_results(failed, failed)


@pytest.mark.parametrize(
    ("result", "telling"),
    [
        (True, False),
        (None, False),
        (7, False),
        (7.25, True),
        (120, True),
        ("ok", False),
        ("2024-03-01", True),
        ([], False),
        ({"status": "ok"}, False),
        ({"status": "ok", "total": 99}, True),
    ],
)
def test_what_is_telling(result, telling):
    assert is_telling(result) is telling


@pytest.mark.parametrize(
    ("described", "value"),
    [
        ("Type of gas, with 'air' as default.", "air"),
        ("Default is 'general information'.", "general information"),
        ("Type of the MRI. Default to be 'brain'", "brain"),
        ("the value is set to false by default.", False),
        ("Unit (default 10)", 10),
        ("Defaults to -1.5 if not given", -1.5),
        ("Metric (default) or imperial", "metric"),
        ("Electrostatic constant. Default is 8.99e9.", 8.99e9),
        ("Default is 12.57e-7 (of a vacuum)", 1.257e-6),
        ("Default value is approximately 9.81 m/s^2.", 9.81),
        ("Defaults to square meters.", "square meters"),
        ("The country. Default to United States", "United States"),
        ("By default this is set to false.", False),
        ("Price range. Default is 'mid' if not specified.", ["mid"]),
    ],
)
def test_defaults_that_a_description_states(described, value):
    kind = {"type": "array"} if isinstance(value, list) else {}
    schema = {"type": "object", "properties": {"x": kind | {"description": described}}}
    tool = Tool("f", "", schema, "")
    assert same_calls([Call("f", {"x": value})], [Call("f", {})], {"f": tool})
    assert not same_calls([Call("f", {"x": "other"})], [Call("f", {})], {"f": tool})


@pytest.mark.parametrize(
    ("described", "value"),
    [
        ("Defaults to square meters.", "square"),
        ("Default to United States", "United"),
        ("Default is 8.99e9.", 8),
        ("From when on. Default is 2024-01-01.", 2024),
        ("Default is 'mid' if not specified.", ["low"]),
    ],
)
def test_a_part_of_a_default_is_another_value(described, value):
    kind = {"type": "array"} if isinstance(value, list) else {}
    schema = {"type": "object", "properties": {"x": kind | {"description": described}}}
    tool = Tool("f", "", schema, "")
    assert not same_calls([Call("f", {"x": value})], [Call("f", {})], {"f": tool})


def test_a_default_may_be_written_as_text():
    schema = {"type": "object", "properties": {"x": {"type": "boolean", "default": "false"}}}
    tools = {"f": Tool("f", "", schema, "")}
    assert same_calls([Call("f", {"x": False})], [Call("f", {})], tools)
    assert not same_calls([Call("f", {"x": True})], [Call("f", {})], tools)


def test_lists_of_texts_have_no_order_and_lists_of_numbers_do():
    def same_list(one, other):
        return same_calls([Call("f", {"x": one})], [Call("f", {"x": other})], {})

    assert same_list(["rating", "Player count"], ["player count", "rating"])
    assert not same_list(["a", "a"], ["a", "b"])
    assert not same_list([48.2, 2.3], [2.3, 48.2])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3*x**2 + 2*x - 1", "3x^2 + 2x - 1"),
        ("3*x + 2", "3x+2"),
        ("lambda x: x ** 2", "lambda x: x**2"),
        ("sin(x) / 2", "sin(x)/2"),
    ],
)
def test_a_formula_is_the_same_in_both_spellings(one, other):
    assert standard_text(one) == standard_text(other)


@pytest.mark.parametrize(
    ("one", "other"), [("3*x + 2", "3*x - 2"), ("1 -2", "1-2"), ("well - 2 do", "well-2 do")]
)
def test_other_formulas_and_texts_that_are_none(one, other):
    assert standard_text(one) != standard_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("January 18, 2021", "2021-01-18"), ("km", "kilometers"), ("Boston", "Boston, MA")],
)
def test_what_a_tool_may_take_in_one_spelling_alone_is_left_to_the_results(one, other):
    assert not same({"to": one}, {"to": other})


def test_a_huge_text_takes_no_time():
    text = "." * 1_000_000 + "5"
    assert standard_text(text) == text


def test_a_number_too_large_for_a_float_is_compared_all_the_same():
    def same_number(one, other):
        return same_calls([Call("f", {"x": one})], [Call("f", {"x": other})], {})

    assert same_number(10**400, 10**400)
    assert not same_number(10**400, 10**400 + 1)
    assert is_telling(10**400)
