"""Calls that nobody asked for, and calls that only look so."""

import pytest

from apigen_ray.records import Call
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.redundant import redundant

ONE = "What is the greatest common divisor of 36 and 48?"


def found(query, *calls, requests=1):
    return redundant([Call(name, arguments) for name, arguments in calls], Reading(query), requests)


GCD = ("gcd", {"a": 36, "b": 48})
SWAPPED = ("gcd", {"a": 48, "b": 36})


def test_the_same_values_in_other_places():
    assert found(ONE, GCD, SWAPPED) == (0, 1)
    assert found(ONE, GCD, ("gcd", {"a": 36, "b": 60})) == (1,)  # which the query doesn't say


def test_as_many_requests_as_calls_leave_none_too_many():
    assert found(ONE, GCD, SWAPPED, requests=2) == ()


def test_a_call_that_another_one_contains():
    calls = [("weather", {"city": "Oslo"}), ("weather", {"city": "Oslo", "day": "today"})]
    assert found("The weather in Oslo today", *calls) == (0,)


def test_a_count_that_the_query_says_asks_for_equal_calls():
    rolls = [("roll", {"sides": 6})] * 3
    assert found("Roll the dice three times", *rolls) == ()
    assert found("Roll the dice", *rolls) == (0, 1, 2)


def test_a_value_that_the_query_does_not_say():
    solar = ("savings", {"months": 30, "energy": "solar"})
    wind = ("savings", {"months": 30, "energy": "wind"})
    assert found("What do I save in 30 months with renewable energy?", solar, wind) == (0, 1)
    assert found("What do I save in 30 months with solar energy?", solar, wind) == (1,)
    assert found("What do I save in 30 months: solar or wind?", solar, wind) == ()


@pytest.mark.parametrize("names", [("lcm", "gcd"), ("get_details", "find_judge")])
def test_two_functions_of_the_same_values_that_are_named_or_general(names):
    query = "The lcm and gcd for Tesla, the judge"
    assert found(query, *((name, {"of": "Tesla"}) for name in names)) == ()


def test_a_function_that_the_query_has_no_word_for():
    calls = [("linear_regression", {"of": "prices"}), ("random_forest", {"of": "prices"})]
    assert found("Fit a linear regression to the prices", *calls) == (1,)
    other = ("random_forest", {"of": "rents"})
    assert found("Fit a linear regression to the prices", calls[0], other) == ()


def test_a_flood_of_calls_is_not_compared_pair_by_pair():
    assert found("Roll the dice", *[("roll", {"sides": 6})] * 50) == tuple(range(50))
    assert found("Roll the dice", *[("roll", {"sides": 6})] * 10_000) == ()
