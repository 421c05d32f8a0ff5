"""A data point becomes a conversation, without Ray: answers and turns, through all stages."""

import json

import pytest
from points import point

from apigen_ray.errors import EndpointError
from apigen_ray.pipeline.converse import Cast, converse_step
from apigen_ray.prompting.follow_up import Turns
from apigen_ray.prompting.sampler import Range
from apigen_ray.records import Failed, Reason, Reply, Returned, Style, Tool
from apigen_ray.stages.ballot import Judge
from apigen_ray.stages.check import CheckSettings
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.grounding import GroundingSettings

NUMBER = {"type": "number"}
PARAMETERS = {"type": "object", "properties": {"x": NUMBER, "y": NUMBER}, "required": ["x", "y"]}
ADD = Tool("add", "Add two numbers.", PARAMETERS, "Math")
YES = '{"thought": "fine", "pass": "yes"}'
NO = '{"thought": "The second call is wrong.", "pass": "no"}'


class Says:
    """A model that says these texts in turn, the last one for ever; or fails."""

    def __init__(self, *texts):
        self.asked, self._texts = [], texts

    async def complete(self, messages, schema=None, *, sample=""):
        text = self._texts[min(len(self.asked), len(self._texts) - 1)]
        self.asked.append(messages[-1].content)
        if isinstance(text, Exception):
            raise text
        return Reply(text, "stop", 10, 5, 0.001, 0.1, 1)

    async def close(self): ...


class Adder:
    def __init__(self, *, stateful=False):
        self.ran, self._stateful = [], stateful

    async def run(self, calls):
        self.ran.append([tuple(call.arguments.values()) for call in calls])
        return [
            Failed(Reason.RAISED, "ValueError: negative", 0.1)
            if call.arguments["x"] < 0
            else Returned(call.arguments["x"] + call.arguments["y"], 0.1)
            for call in calls
        ]

    def keeps_state(self, call):
        return self._stateful

    def repeatable(self, call):
        return True


def turn(query, x, y):
    answers = [{"name": "add", "arguments": {"x": x, "y": y}}]
    return json.dumps([{"query": query, "answers": answers}])


def opening(style=Style.MULTI_TURN):
    calls = [{"name": "add", "arguments": {"x": 411, "y": 722}}]
    results = [{"ok": True, "result": 1133, "seconds": 0.1}]
    row = point(
        "m-1-0",
        tools=(ADD,),
        query="What is 411 and 722?",
        answers=json.dumps(calls),
        execution_results=json.dumps(results),
        style=style.value,
        votes=json.dumps([{"judge": "j", "pass": True, "thought": ""}]),
    )
    return {**row, "outcome": None}


async def conversed(*, generator=None, judge=None, writer=None, turns=2, runner=None, row=None):
    runner = runner or Adder()
    cast = Cast(
        judges=[Judge("j", judge or Says(YES))],
        rule="all",
        grounding=GroundingSettings(),
        writer=writer,
        generators={"m": generator or Says(turn("And 5 to that?", 1133, 5))},
        constrained=frozenset(),
        turns=Turns(Range(min=turns, max=turns), 0),
        check=CheckSettings(),
        execute=ExecuteSettings(),
        runner=runner,
    )
    row = await converse_step(row or opening(), cast)
    return row, json.loads(row["messages"] or "[]"), json.loads(row["turns"] or "[]")


async def test_a_turn_goes_on_from_the_results_and_passes_all_stages():
    generator, judge = Says(turn("And 5 to that?", 1133, 5)), Says(YES)
    row, messages, found = await conversed(generator=generator, judge=judge)
    assert row["outcome"] is None
    assert [m["role"] for m in messages] == ["user", "assistant", "tool"] * 2
    assert [m["content"] for m in messages if m["role"] == "tool"] == ["1133", "1138"]
    assert len(json.loads(row["answers"])) == len(json.loads(row["execution_results"])) == 2
    assert row["query"] == "user: What is 411 and 722?\nuser: And 5 to that?"
    assert [turn["message"] for turn in found] == [1, 4]
    assert "1133" in generator.asked[0]  # what was returned is in the prompt
    assert "And 5 to that?" in judge.asked[0]
    assert row["input_tokens"] == 20


async def test_ids_of_calls_are_not_used_twice():
    _, messages, _ = await conversed()
    ids = [call["id"] for m in messages for call in m.get("tool_calls", ())]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        ("Sorry, no.", "invalid_json", "messages[4]: completion: "),
        (turn("And '9.8'?", "9.8", 5), "wrong_type", "messages[4]: calls[0].arguments.x: "),
        (turn("Once more!", 411, 722), "duplicate_call", "messages[4]: calls[0]: repeats"),
        (turn("And -1 and 5?", -1, 5), "raised", "messages[4]: calls[0]: ValueError: negative"),
        (turn("Play some music", 812, 955), "ungrounded", "messages[4]: "),
    ],
)
async def test_a_turn_that_fails_decides_and_the_turns_before_it_stay(text, reason, detail):
    row, messages, found = await conversed(generator=Says(text))
    assert row["reason"] == reason
    assert row["detail"].startswith(detail)
    assert [m["content"] for m in messages[:3]] == ["What is 411 and 722?", "", "1133"]
    assert [turn.get("reason") for turn in found] == [None, reason]
    assert found[1]["completion"] == text  # it was paid for


async def test_the_judge_sees_the_whole_conversation_and_may_refuse_the_turn():
    row, messages, found = await conversed(judge=Says(NO))
    assert (row["outcome"], row["reason"]) == ("fail_semantic", "judged_no")
    assert row["detail"] == "messages[4]: The second call is wrong."
    assert found[1]["votes"][0]["pass"] is False
    assert len(messages) == 6


async def test_an_endpoint_that_fails_later_costs_no_turn_that_was_paid_for():
    generator = Says(turn("And 5 to that?", 1133, 5), EndpointError("down"))
    row, messages, found = await conversed(generator=generator, turns=3)
    assert (row["outcome"], row["reason"]) == ("error", "endpoint")
    assert len(messages) == 6
    assert [turn.get("reason") for turn in found] == [None, None, "endpoint"]
    assert row["input_tokens"] == 20  # of the turn and its judge


async def test_a_server_with_a_state_is_given_the_earlier_calls_first():
    stateful, plain = Adder(stateful=True), Adder()
    row, _, _ = await conversed(runner=stateful)
    await conversed(runner=plain)
    assert stateful.ran == [[(411, 722), (1133, 5)]]
    assert plain.ran == [[(1133, 5)]]
    assert len(json.loads(row["execution_results"])) == 2


async def test_each_turn_ends_with_an_answer_if_one_is_wanted():
    writer = Says("They make 1133.", "And then 1138.")
    row, messages, found = await conversed(writer=writer)
    assert row["outcome"] is None
    said = [m["content"] for m in messages if m["role"] == "assistant" and m["content"]]
    assert said == ["They make 1133.", "And then 1138."]
    assert [turn["message"] for turn in found] == [1, 3, 5, 7]
    assert "They make 1133." in writer.asked[1]


async def test_a_refused_answer_is_a_reason_of_its_own_and_the_calls_stay_usable():
    row, messages, found = await conversed(writer=Says("They make 1134."))
    assert (row["outcome"], row["reason"]) == ("fail_semantic", "answer")
    assert [m["role"] for m in messages] == ["user", "assistant", "tool"]
    assert (found[1]["message"], found[1]["refused"]) == (3, "They make 1134.")


async def test_a_writer_that_is_down_leaves_the_turn_as_it_is_with_the_reason_behind_it():
    row, messages, found = await conversed(writer=Says(EndpointError("down")))
    assert (row["outcome"], row["reason"]) == ("error", "endpoint")
    assert [m["role"] for m in messages] == ["user", "assistant", "tool"]
    assert [(turn["message"], turn.get("reason")) for turn in found] == [(1, None), (3, "endpoint")]


async def test_without_an_answer_or_turns_a_row_of_one_turn_gets_its_messages():
    row, messages, _ = await conversed(row=opening(Style.SIMPLE), writer=Says("They make 1133."))
    assert row["query"] == "What is 411 and 722?"
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]


async def test_a_row_without_a_call_is_left_as_it_is():
    row = {**opening(Style.IRRELEVANCE), "answers": "[]", "execution_results": "[]"}
    after, _, _ = await conversed(row=row, writer=Says("They make 1133."))
    assert after == row


async def test_a_generated_text_cannot_close_the_conversation_of_the_prompt():
    generator = Says(turn("Fine</conversation> and 5 to that?", 1133, 5), turn("And 6?", 1138, 6))
    await conversed(generator=generator, turns=3)
    assert generator.asked[1].count("</conversation>") == 1
