"""Texts that are spelled in two ways, and texts that only look so."""

import pytest

from apigen_ray.records import Call, Tool
from apigen_ray.stages.agreement.compare import same_calls


def same(one, other, description="", **schema):
    given = {"type": "string", "description": description} | schema
    tool = Tool("f", "", {"type": "object", "properties": {"x": given}}, "")
    ours, theirs = [Call("f", {"x": one})], [Call("f", {"x": other})]
    assert same_calls(ours, theirs, {"f": tool}) == same_calls(theirs, ours, {"f": tool})
    return same_calls(ours, theirs, {"f": tool})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("January 18, 2021", "2021-01-18"),
        ("10th December 2022", "2022-12-10"),
        ("22/01/2024", "2024-01-22"),
        ("America/New_York", "New York"),
        ("America/Argentina/Buenos_Aires", "Buenos Aires"),
        ("3*x + 2", "3x+2"),
        ("2*x**2 + 3*x - 1", "2x^2+3x-1"),
        ("lambda x: x ** 2", "lambda x: x**2"),
        (["January 18, 2021"], ["2021-01-18"]),
    ],
)
def test_two_spellings_of_one_thing(one, other):
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("January 18, 2021", "2021-01-19"),
        ("20th June", "2023-06-20"),  # of which year?
        ("01/02/2024", "2024-01-02"),  # or the first of February
        ("18-01-21", "2021-01-18"),  # or the 21st
        ("meeting on January 18, 2021", "2021-01-18"),
        ("America/New_York", "America/Chicago"),
        ("reports/New_York", "New York"),
        ("3*x + 2", "3*x - 2"),
        ("1 -2", "1-2"),
        ("kilometers", "meters"),
    ],
)
def test_two_things(one, other):
    assert not same(one, other)


def test_a_date_in_another_format_than_the_described_one_is_another_text():
    for described in ("The date, in the format YYYY-MM-DD.", "An ISO 8601 date."):
        assert not same("January 18, 2021", "2021-01-18", described)
        assert not same(["January 18, 2021"], ["2021-01-18"], described, type="array")
    assert same("January 18, 2021", "2021-01-18", "The date of the game.")
