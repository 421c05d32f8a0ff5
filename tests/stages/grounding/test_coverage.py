import pytest

from apigen_ray.records import Call, Tool
from apigen_ray.stages.grounding import Kind, cover, requests, unused

TOOLS = {
    "weather": Tool("weather", "The weather of a city.", {"type": "object"}, "test"),
    "find_hotel": Tool("find_hotel", "Hotels of a town.", {"type": "object"}, "test"),
}


def call(**arguments: str | int) -> Call:
    return Call("weather", dict(arguments))


def test_all_used_is_nothing_unused() -> None:
    assert unused("The weather in Oslo on 31 May", [call(city="Oslo", day="05-31")], TOOLS) == ()


def test_a_second_name_behind_an_and_is_found() -> None:
    found = cover("The weather in Oslo and in Quito", [call(city="Oslo")], TOOLS)
    assert [(each.kind, each.text, each.listed) for each in found.unused] == [
        (Kind.NAME, "Quito", True)
    ]


def test_a_number_that_no_call_uses_is_found() -> None:
    found = unused("Square 31 and 47", [call(number=31)], TOOLS)
    assert [each.text for each in found] == ["47"]


def test_a_number_in_another_unit_is_used() -> None:
    assert not unused("Drive 5 km", [call(meters=5000)], TOOLS)


def test_a_quoted_text_that_no_call_uses_is_found() -> None:
    found = unused("Look up 'red barn' and 'old mill'", [call(name="red barn")], TOOLS)
    assert [(each.kind, each.text) for each in found if each.kind is Kind.QUOTED] == [
        (Kind.QUOTED, "old mill")
    ]


def test_a_listed_word_beside_a_used_one_is_found() -> None:
    found = unused("proteins of the nucleus and cytoplasm", [call(part="nucleus")], TOOLS)
    assert [(each.kind, each.text) for each in found] == [(Kind.ITEM, "cytoplasm")]


def test_a_tool_whose_name_the_query_says_is_found() -> None:
    found = unused("The weather in Oslo, then find a hotel", [call(city="Oslo")], TOOLS)
    assert [(each.kind, each.text) for each in found] == [(Kind.TOOL, "find_hotel")]


def test_decimal_places_are_no_value() -> None:
    assert not unused("Round it to 2 decimal places", [call()], TOOLS)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("The weather in Oslo", 1),
        ("What is it? And what is that?", 2),
        ("Find a hotel, then book a car. Finally, send a mail.", 3),
        ("1. Find it\n2. Book it\n3. Pay it", 3),
        ("The area, and could you also show the volume?", 2),
        ("A room, check-in on May 1 and check-out on May 5", 1),
        ("The return on 2000. Do the same for 5000.", 2),
        ("A tree of depth 5, another with depth 10", 2),
    ],
)
def test_requests_are_counted_by_their_marks(query: str, count: int) -> None:
    assert requests(query) == count


def test_one_call_for_two_listed_numbers_is_doubtful() -> None:
    assert cover("Factor 4567 and also factor 7890.", [call(number=4567)], TOOLS).doubtful
    both = [call(number=4567), call(number=7890)]
    assert not cover("Factor 4567 and also factor 7890.", both, TOOLS).doubtful


def test_a_call_that_another_contains_is_redundant() -> None:
    calls = [call(city="Oslo"), call(city="Oslo", day="today")]
    assert cover("The weather in Oslo today", calls, TOOLS).redundant == (0,)


def test_a_name_is_used_if_what_stands_in_brackets_behind_it_is() -> None:
    query = "Weather for Rome (41.9028, 12.4964)"
    assert not unused(query, [call(at="41.9028, 12.4964")], TOOLS)
    assert unused(query, [call(at="48.85")], TOOLS)[0].text == "Rome"


def test_where_a_place_is_is_no_item_of_a_list() -> None:
    calls = [call(city="paris"), call(city="london")]
    assert not unused("weather in paris, france and london", calls, TOOLS)
    found = unused("weather in paris, oslo and london", calls, TOOLS)
    assert [(each.kind, each.text) for each in found] == [(Kind.ITEM, "oslo")]


def test_a_rank_is_no_value() -> None:
    assert not unused("The 1st move is e4", [call(move="e4")], TOOLS)
    assert unused("Number 1 is e4", [call(move="e4")], TOOLS)
