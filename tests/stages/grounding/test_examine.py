"""What is found before a judge is asked, what it rejects, and what the judge is told."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from apigen_ray.records import Call, Pair, Reason
from apigen_ray.stages.grounding import GroundingSettings, examine
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import shown_form

ROOT = Path(__file__).parents[3]
TOOLS = [
    {
        "name": "weather",
        "description": "The weather of a city.",
        "parameters": {"city": {"type": "str"}, "days": {"type": "int"}},
    }
]
CALL, ARGUMENT, OFF = (GroundingSettings(reject=each) for each in ("call", "argument", "off"))
QUITO = Pair("The weather in Quito, please", (Call("weather", {"city": "Quito", "days": 45}),))
SWAPPED = Pair("Sort my books by title", (Call("weather", {"city": "Quito", "days": 45}),))


def test_a_call_without_any_value_of_the_query_is_rejected():
    rejected = examine(SWAPPED, TOOLS, CALL).rejection
    assert rejected.reason is Reason.UNGROUNDED
    assert rejected.detail == (
        'the query gives none of the values of weather: {"city": "Quito", "days": 45}'
    )


def test_one_such_call_of_several_is_enough():
    pair = Pair("The weather in Quito", (*QUITO.calls, Call("weather", {"city": "Oslo"})))
    assert "Oslo" in examine(pair, TOOLS, CALL).rejection.detail


def test_a_single_value_is_rejected_only_if_asked_for_and_else_told_to_the_judge():
    found = examine(QUITO, TOOLS, CALL)
    assert found.rejection is None
    assert [(each.path, each.value) for each in found.ungrounded] == [
        ("calls[0].arguments.days", 45)
    ]
    assert found.remarks == (
        "Values of the calls that do not stand in the query: calls[0].arguments.days = 45. "
        "Pass only if they follow from it.",
    )
    assert examine(QUITO, TOOLS, ARGUMENT).rejection.detail == (
        "the query does not give calls[0].arguments.days = 45"
    )


def test_a_judge_is_told_what_no_call_uses_if_it_puts_the_number_of_calls_in_doubt():
    calls = (Call("weather", {"city": "Quito", "days": 45}),)
    doubtful = examine(
        Pair("The weather of 45 days in Quito, and then of 31 days in Oslo", calls), TOOLS, CALL
    )
    assert doubtful.remarks == ('What the query mentions and no call uses: "31 days"; "Oslo".',)
    slight = examine(Pair("The weather of 45 days in Quito for Anna", calls), TOOLS, CALL)
    assert [each.text for each in slight.unused] == ["Anna"]
    assert not slight.remarks


def test_earlier_turns_of_a_conversation_are_no_unused_requests():
    query = "user: The weather of Oslo?\nassistant: Rain.\nuser: And of Quito in 45 days?"
    found = examine(Pair(query, QUITO.calls), TOOLS, CALL)
    assert found.unused is None
    assert not found.ungrounded


@pytest.mark.parametrize(
    "pair",
    [
        Pair("Sort my books", ()),
        Pair("Sort my books " * 400, SWAPPED.calls),
        Pair("Sort my books", (Call("weather", {"city": "Quito " * 2000}),)),
    ],
    ids=["no call", "long query", "long calls"],
)
def test_what_is_not_looked_at_passes(pair):
    assert examine(pair, TOOLS, ARGUMENT) is None


def test_with_off_nothing_is_looked_at():
    assert examine(SWAPPED, TOOLS, OFF) is None
    assert GroundingSettings.model_validate({"reject": False}) == OFF  # as YAML reads `off`
    with pytest.raises(ValidationError):
        GroundingSettings.model_validate({"reject": True})


def test_remarks_stay_short():
    values = [f"w{number}" * 200 for number in range(15)]
    calls = (Call("weather", {"city": "Quito"}), Call("weather", {"city": values}))
    found = examine(Pair("The weather in Quito", calls[:1]), TOOLS, CALL)
    assert not found.remarks
    short = (Call("weather", {"city": [each[:300] for each in values]}),)
    [remark] = examine(Pair("The weather in Quito", short), TOOLS, CALL).remarks
    assert len(remark) < 3000
    assert "; and 5 more. Pass only" in remark


def test_no_trusted_seed_is_rejected():
    tools = load_library([str(ROOT / "sandbox" / "tools")]).by_name()
    lines = (ROOT / "configs" / "seeds.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 200
    for line in lines:
        seed = json.loads(line)
        calls = tuple(Call(call["name"], call["arguments"]) for call in seed["answers"])
        shown = [shown_form(tools[name]) for name in seed["tools"]]
        for settings in (CALL, ARGUMENT):
            found = examine(Pair(seed["query"], calls), shown, settings)
            assert found is None or found.rejection is None, line
