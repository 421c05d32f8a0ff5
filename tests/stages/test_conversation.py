"""Every turn of a conversation is checked by itself; the first that fails decides."""

import json

import pytest

from apigen_ray.datasets.external.messages import read_messages
from apigen_ray.records import Checked, Style
from apigen_ray.stages.check import CheckSettings, signatures_of
from apigen_ray.stages.conversation import (
    check_conversation,
    is_one_question,
    is_pair,
    query_of,
    turns_of,
)
from apigen_ray.tools.read_forms import read_tool

AREA = read_tool(
    {
        "name": "area",
        "description": "Area of a rectangle.",
        "parameters": {
            "type": "object",
            "properties": {"w": {"type": "number"}, "h": {"type": "number"}},
            "required": ["w", "h"],
        },
    }
)


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def calls(*arguments, name="area"):
    made = [{"function": {"name": name, "arguments": each}} for each in arguments]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(text):
    return {"role": "tool", "content": text}


SIDES = {"w": 3, "h": 4}
ONE = (user("Area of 3 by 4?"), calls(SIDES), result("12"), says("It is 12."))
TWO = (*ONE, user("And 5 by 6?"), calls({"w": 5, "h": 6}), result("30"), says("30."))


def checked(*messages, style=None, coerce="none"):
    return check_conversation(
        read_messages(messages),
        style=style,
        signatures=signatures_of([AREA]),
        settings=CheckSettings(coerce=coerce),
    )


def test_a_question_with_result_and_answer_is_the_pair_that_it_was():
    found = checked(*ONE)
    assert found.result.pair.query == "Area of 3 by 4?"
    assert [call.arguments for call in found.result.pair.calls] == [SIDES]
    assert found.turns == [{"message": 1}]


def test_the_calls_of_all_turns_are_one_list_in_their_order():
    pair = checked(*TWO).result.pair
    assert [call.arguments["w"] for call in pair.calls] == [3, 5]
    assert pair.query == "user: Area of 3 by 4?\nassistant: It is 12.\nuser: And 5 by 6?"


def test_a_flaw_is_named_by_message_and_call_and_the_other_turns_are_good():
    found = checked(*ONE, user("And?"), calls({"w": "5", "h": 6}), result("30"), says("30."))
    assert found.result.reason == "wrong_type"
    assert found.result.detail.startswith("messages[5].calls[0].arguments.w: '5' is not of type")
    assert len(found.result.answers) == 2
    assert [turn.get("reason") for turn in found.turns] == [None, "wrong_type"]


def test_of_one_turn_the_call_is_named_as_in_a_pair():
    found = checked(user("?"), calls({"w": "5", "h": 6}), result("30"))
    assert found.result.detail.startswith("calls[0].arguments.w")


def test_a_call_may_be_made_again_in_a_later_turn_but_not_in_the_same():
    again = (user("Once more?"), calls(SIDES), result("12"), says("12."))
    assert isinstance(checked(*ONE, *again).result, Checked)
    twice = checked(user("?"), calls(SIDES, SIDES), result("12"), result("12"))
    assert twice.result.reason == "duplicate_call"


def test_coerced_arguments_stand_in_the_messages_too():
    found = checked(user("5 by 6?"), calls({"w": "5", "h": 6}), result("30"), coerce="lossless")
    assert found.result.coerced
    assert found.messages[1]["tool_calls"][0]["function"]["arguments"] == {"w": 5, "h": 6}


@pytest.mark.parametrize(
    ("style", "messages", "reason"),
    [
        (None, (user("Hi."), says("Hello.")), "no_calls"),
        (Style.IRRELEVANCE, (user("Sing."), says("I can't.")), None),
        (Style.IRRELEVANCE, ONE, "style_mismatch"),
        (Style.MULTI_TURN, ONE, "style_mismatch"),
        (Style.MULTI_TURN, TWO, None),
        (None, (user(" "), *ONE[1:]), "empty_query"),
    ],
)
def test_the_style_asked_for_is_held_against_the_whole(style, messages, reason):
    assert getattr(checked(*messages, style=style).result, "reason", None) == reason


def test_results_in_another_order_belong_to_the_calls_of_their_ids():
    made = calls({"w": 1, "h": 1}, {"w": 2, "h": 2})
    for id_, call in zip("ab", made["tool_calls"], strict=True):
        call["id"] = id_
    given = [{"role": "tool", "tool_call_id": id_, "content": id_} for id_ in "ba"]
    [turn] = turns_of(read_messages([user("?"), made, *given]))
    assert turn.given == {0: "a", 1: "b"}


def test_a_pair_has_nothing_else_and_one_question_may_have_a_system():
    system = {"role": "system", "content": "Today is Monday."}
    pair = read_messages([user("?"), calls(SIDES)])
    assert is_pair(pair)
    assert not is_pair(read_messages([system, user("?"), calls(SIDES)]))
    assert not is_pair(read_messages([user("?"), {**calls(SIDES), "reasoning_content": "So."}]))
    assert is_one_question(read_messages([system, user("?"), calls(SIDES)]))
    assert not is_one_question(read_messages(ONE))
    assert query_of(pair) == "?"


def test_a_thousand_turns_are_checked_in_a_moment():
    turns = [m for n in range(1000) for m in (user(f"{n}?"), calls({"w": n, "h": 2}), result("1"))]
    found = checked(*turns)
    assert len(found.result.pair.calls) == 1000
    assert json.dumps(found.turns).count("message") == 1000
