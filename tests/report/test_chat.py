"""A conversation as bubbles: nothing is shown twice, and no bubble is empty."""

import json

import pytest

from apigen_ray.report.chat import chat

CALL = {"id": "c0", "function": {"name": "add", "arguments": {"x": 1}}}


def bubbles(content, result, *, said="", turns=({"message": 1},)):
    messages = [
        {"role": "user", "content": "Add."},
        {"role": "assistant", "content": said, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c0", "content": content},
    ]
    row = {"messages": messages, "turns": turns, "execution_results": [result]}
    return chat({key: json.dumps(value) for key, value in row.items()})


def labels(found):
    return [label for label, _ in found[-1].folded]


@pytest.mark.parametrize(
    ("content", "value"), [("one", "one"), ('{"a": [1, "é"]}', {"a": [1, "é"]}), ("null", None)]
)
def test_a_given_result_that_is_ours_is_shown_once(content, value):
    assert labels(bubbles(content, {"ok": True, "result": value})) == ["Call", "Result"]


@pytest.mark.parametrize("ours", [{"ok": True, "result": 2}, {"ok": False, "message": "1"}])
def test_a_given_result_that_differs_stands_below_ours(ours):
    assert labels(bubbles("1", ours)) == ["Call", "Result", "Result that is given"]


def test_calls_without_words_have_no_empty_bubble_before_them():
    result = {"ok": True, "result": 1}
    assert [bubble.role for bubble in bubbles("1", result)] == ["user", "call"]
    assert [bubble.role for bubble in bubbles("1", result, said="Hm.")][1] == "assistant"
    flawed = [{"message": 1, "reason": "raised", "detail": "why"}]
    assert bubbles("1", result, turns=flawed)[1].flaw == "raised: why"
