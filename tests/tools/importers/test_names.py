"""Names that every model can emit, one for each tool."""

import re
from random import Random

from apigen_ray.tools.importers.names import legal, unique

LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def test_a_legal_name_is_kept():
    for name in ("get_weather", "_x", "a-b", "A" * 64, "a__b"):
        assert legal(name) == name


def test_other_characters_become_underscores():
    assert legal("math.sin") == "math_sin"
    assert legal("GET /pets/{id}") == "GET_pets_id"
    assert legal("日本") == "tool"


def test_long_names_that_begin_alike_stay_apart():
    names = [legal("x" * 80 + end) for end in "ab"]
    assert len(set(names)) == 2
    assert all(LEGAL.fullmatch(name) for name in names)


def test_a_name_that_one_tool_has_is_kept_and_shared_ones_are_told_apart_by_scope():
    pairs = [("search", "YouTube"), ("search", "Spotify"), ("play", "Spotify")]
    assert unique(pairs) == ["search_for_YouTube", "search_for_Spotify", "play"]


def test_a_number_never_takes_the_name_of_another_tool():
    assert unique([("b", ""), ("b", ""), ("b_2", "")]) == ["b", "b_3", "b_2"]


def test_whatever_the_names_are_they_become_legal_and_unique():
    draw = Random(0)
    for _ in range(300):
        pairs = [
            (
                "".join(draw.choices("ab_.2é ", k=draw.choice((1, 2, 70)))),
                draw.choice(("", "s", "t.")),
            )
            for _ in range(40)
        ]
        names = unique(pairs)
        assert len(set(names)) == len(names)
        assert all(LEGAL.fullmatch(name) for name in names)
