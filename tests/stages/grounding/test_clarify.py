"""What a query of the style `clarify` leaves out, and its reply gives."""

from apigen_ray.records import Call, Clarification, Pair
from apigen_ray.stages.grounding import left_out
from apigen_ray.stages.messages import clarified_messages

TOOL = {
    "name": "loan",
    "description": "Monthly payment of a loan.",
    "parameters": {
        "type": "object",
        "properties": {
            "principal": {"type": "number"},
            "months": {"type": "integer"},
            "method": {"type": "string", "enum": ["annuity", "linear"]},
            "currency": {"type": "string"},
        },
        "required": ["principal", "months", "method"],
    },
}


def missing(query, reply, **arguments):
    pair = Pair(query, (Call("loan", arguments),), Clarification("Which one?", reply))
    return left_out(clarified_messages(pair), pair.calls, [TOOL])


CALL = {"principal": 185000, "months": 240, "method": "linear"}


def test_a_required_value_that_only_the_reply_gives_is_left_out():
    assert missing("A linear loan over 240 months?", "185000", **CALL) == [
        "calls[0].arguments.principal"
    ]


def test_a_choice_can_be_left_out_too():
    assert missing("185000 over 240 months?", "Linear, please.", **CALL) == [
        "calls[0].arguments.method"
    ]


def test_nothing_is_left_out_if_the_query_says_it_all():
    assert missing("A linear loan of 185000 over 240 months?", "185000", **CALL) == []


def test_nothing_is_left_out_if_the_reply_does_not_give_it():
    assert missing("A linear loan over 240 months?", "The usual sum.", **CALL) == []


def test_what_is_optional_need_not_be_asked_for():
    query = "A linear loan of 185000 over 240 months?"
    assert missing(query, "In Danish kroner.", **CALL, currency="Danish kroner") == []
