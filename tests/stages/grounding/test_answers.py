"""Grounding, reversed: the numbers of an answer come from what was said and returned."""

import pytest

from apigen_ray.stages.grounding.answers import LONGEST_SAID, unfounded_numbers

SAID = ["How large is the round table 12 m away?"]
RESULTS = [
    {"area": 3.14159265, "unit": "m2"},
    {"rate": 0.0875, "people": 1234567, "at": "2024-12-24T18:30:00", "items": [1.0, 2.5, 7]},
]


@pytest.mark.parametrize(
    "answer",
    [
        "The area is 3.14159265 m².",
        "The area is about 3.14 m², say 3 square metres.",
        "It grows by 8.75 %, or 0.0875.",
        "There are 1,234,567 people, about 1.23 million.",
        "On 24 December 2024 at 6:30 pm, that is 18:30.",
        "There are 3 items: 1, 2.5 and 7.",
        "1. The area\n2. The rate\n3. The rest",
        "You asked for 12 m, that's 1200 cm.",
        "No number at all.",
    ],
)
def test_what_was_said_or_returned_may_be_rounded_converted_and_counted(answer):
    assert unfounded_numbers(answer, SAID, RESULTS) == []


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("It is 3.2.", "3.2"),
        ("It is 3.142 m², in all 10.5.", "10.5"),  # a sum of its own
        ("On 25 December 2024.", "25"),
        ("There are 1,334,567 people.", "1,334,567"),
        ("There are 45 of them.", "45"),
        ("It is 314 m².", None),  # a share of a hundred: 3.14 as percent
    ],
)
def test_a_number_from_nowhere_is_found(answer, number):
    assert unfounded_numbers(answer, SAID, RESULTS) == ([number] if number else [])


def test_more_than_can_be_read_is_not_looked_at():
    assert unfounded_numbers("45", ["x" * (LONGEST_SAID + 1)], []) == []
