"""Preference pairs: rejected against verified, of the same prompt if there is one."""

import json

from points import TOOL, point

from apigen_ray.datasets.export.formats.dpo import KEYS, Preferences
from apigen_ray.records import Reason, Tool

OTHER = Tool("other", "Do something else.", {"type": "object", "properties": {}}, "Misc")


def rejected(id_="bad", reason=Reason.WRONG_TYPE, **columns):
    return point(id_, reason, **{"query": "add x", "prompt": "p", **columns})


def test_a_counterpart_of_the_same_prompt_comes_first():
    preferences = Preferences([point("a", prompt="other"), point("b", prompt="p")])
    record = preferences.pair(rejected())
    assert [*record] == [*KEYS]
    assert (record["chosen_id"], record["shared"]) == ("b", "prompt")
    assert (record["outcome"], record["reason"], record["detail"]) == (
        "fail_format",
        "wrong_type",
        "why",
    )


def test_else_one_of_the_same_tools():
    preferences = Preferences([point("a", prompt="other"), point("b", tools=[OTHER])])
    record = preferences.pair(rejected())
    assert (record["chosen_id"], record["shared"]) == ("a", "tools")


def test_one_of_other_tools_is_no_counterpart():
    assert Preferences([point("a", tools=[OTHER])]).pair(rejected()) is None


def test_what_was_verified_elsewhere_is_not_rejected():
    """Judges may differ over the same pair: it teaches nothing."""
    verified = point("a", prompt="p")
    assert Preferences([verified]).pair(rejected(query=verified["query"])) is None


def test_another_is_found_beside_those_that_are_the_same():
    same = [point(str(number), query="add x") for number in range(5)]
    for place in range(6):
        verified = [*same[:place], point("other", query="add 2"), *same[place:]]
        assert Preferences(verified).pair(rejected())["chosen_id"] == "other"


def test_the_prompt_shows_the_tools_and_the_answers_are_whole_pairs():
    record = Preferences([point("a", prompt="p")]).pair(rejected())
    [request] = record["prompt"]
    assert f'"name": "{TOOL.name}"' in request["content"]
    [answer] = record["chosen"]
    assert json.loads(answer["content"]) == {
        "query": "add 1",
        "answers": [{"name": "add", "arguments": {"x": 1}}],
    }


def test_what_could_not_be_read_is_the_whole_completion():
    row = rejected(reason=Reason.INVALID_JSON, query=None, answers=None, completion="[{oops")
    record = Preferences([point("a", prompt="p")]).pair(row)
    assert record["rejected"] == [{"role": "assistant", "content": "[{oops"}]


def test_a_rejected_point_without_any_text_is_no_pair():
    row = rejected(reason=Reason.TRUNCATED, query=None, answers=None, completion=None)
    assert Preferences([point("a", prompt="p")]).pair(row) is None
