"""A conversation in stages 2 and 3, without Ray: its turns are run in order, and judged as one."""

import json

import pytest
from points import point

from apigen_ray.datasets.external.messages import read_messages
from apigen_ray.pipeline.steps import execute_step, judge_step
from apigen_ray.records import Failed, Reason, Reply, Returned, Tool
from apigen_ray.stages.ballot import Judge
from apigen_ray.stages.check import CheckSettings, signatures_of
from apigen_ray.stages.conversation import check_conversation
from apigen_ray.stages.execute.dispatch import ExecuteSettings
from apigen_ray.stages.grounding import GroundingSettings

NUMBERS = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "number"}}}
ADD = Tool("add", "Add two numbers.", NUMBERS, "Math")


def talk(*turns, answers=True):
    """Of each (question, x, y, given result), a turn."""
    messages = []
    for question, x, y, given in turns:
        call = {"function": {"name": "add", "arguments": {"x": x, "y": y}}}
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
        if given is not None:
            messages.append({"role": "tool", "content": given})
            messages.append({"role": "assistant", "content": f"It is {given}."})
    return read_messages(messages)


def row_of(messages):
    found = check_conversation(
        messages, style=None, signatures=signatures_of([ADD]), settings=CheckSettings()
    )
    calls = found.result.pair.calls
    row = point(
        "p",
        query=found.result.pair.query,
        tools=(ADD,),
        answers=json.dumps([{"name": c.name, "arguments": c.arguments} for c in calls]),
        messages=json.dumps(found.messages),
        turns=json.dumps(found.turns),
        outcome=None,
    )
    return {**row, "outcome": None}


class Adder:
    """Runs the calls here; `unsteady` adds how often it was asked."""

    def __init__(self, *, unsteady=False, rest=False):
        self.asked = []
        self._unsteady, self._rest = unsteady, rest

    async def run(self, calls):
        results = []
        for call in calls:
            x, y = call.arguments["x"], call.arguments["y"]
            self.asked.append((x, y))
            if x < 0:
                results.append(Failed(Reason.RAISED, "ValueError: negative", 0.1))
            else:
                results.append(Returned(x + y + self._unsteady * len(self.asked), 0.1))
        return results

    def may_change(self, call):
        return self._rest


async def executed(*turns, **how):
    adder = Adder(**how)
    row = await execute_step(row_of(talk(*turns)), adder, ExecuteSettings())
    return row, adder


FIRST, SECOND = ("Add 411 and 722.", 411, 722, "1133"), ("Now 5 and 6?", 5, 6, "11")


async def test_the_calls_of_all_turns_are_run_in_order_with_a_result_each():
    row, adder = await executed(FIRST, SECOND)
    assert adder.asked == [(411, 722), (5, 6)]
    assert [each["result"] for each in json.loads(row["execution_results"])] == [1133, 11]
    assert (row["outcome"], row["detail"]) == (None, None)


async def test_the_first_turn_that_fails_rejects_the_row_and_each_has_its_own_reason():
    row, _ = await executed(FIRST, ("Add -1 and 2.", -1, 2, "1"), SECOND)
    assert (row["outcome"], row["reason"]) == ("fail_execution", "raised")
    assert row["detail"] == "messages[5].calls[0]: ValueError: negative"
    assert [turn.get("reason") for turn in json.loads(row["turns"])] == [None, "raised", None]


async def test_a_result_given_otherwise_is_a_finding_and_no_failure():
    row, _ = await executed(("Add 411 and 722.", 411, 722, "1134"), SECOND)
    assert row["outcome"] is None
    said = "messages[1].calls[0]: the result is given as 1134, but add returns 1133"
    assert row["detail"] == f"result_mismatch: {said}"
    assert json.loads(row["turns"])[0]["result_mismatch"] == [said]


@pytest.mark.parametrize(
    "given", ["1133", "1133.0", '{"result": 1133}', " 1133\n", "1133.00000001", None]
)
async def test_a_result_may_be_written_in_other_ways(given):
    row, adder = await executed(("Add 411 and 722.", 411, 722, given))
    assert (row["detail"], len(adder.asked)) == (None, 1)


@pytest.mark.parametrize("how", [{"unsteady": True}, {"rest": True}])
async def test_what_does_not_repeat_itself_proves_nothing(how):
    row, _ = await executed(("Add 411 and 722.", 411, 722, "7"), **how)
    assert (row["outcome"], row["detail"]) == (None, None)


class Yes:
    def __init__(self):
        self.asked = []

    async def complete(self, messages, schema=None, *, sample=""):
        self.asked.append(messages[-1].content)
        return Reply('{"thought": "", "pass": "yes"}', "stop", 10, 5, 0.001, 0.1, 1)

    async def close(self): ...


async def judged(*turns):
    row, _ = await executed(*turns)
    yes = Yes()
    row = await judge_step(row, [Judge("j", yes)], "all", GroundingSettings())
    return row, yes.asked


async def test_the_judge_is_asked_once_and_sees_every_message():
    row, [asked] = await judged(FIRST, SECOND)
    assert row["outcome"] is None
    lines = asked.split("<conversation>\n")[1].split("\n</conversation>")[0].splitlines()
    assert [json.loads(line)["role"] for line in lines] == [
        "user", "assistant", "tool", "assistant", "user", "assistant", "tool", "assistant",
    ]  # fmt: skip
    assert "<findings>" not in asked


async def test_the_judge_sees_our_results_where_none_are_given():
    _, [asked] = await judged((*FIRST[:3], None), (*SECOND[:3], None))
    assert '{"role": "tool", "ok": true, "result": 1133}' in asked


async def test_the_judge_is_told_of_a_result_that_is_another():
    _, [asked] = await judged((*FIRST[:3], "1134"), SECOND)
    assert "the result is given as 1134, but add returns 1133" in asked


async def test_a_later_turn_may_use_what_was_said_or_returned_before():
    row, [asked] = await judged(FIRST, ("Double that.", 1133, 1133, "2266"))
    assert (row["outcome"], row["ungrounded"]) == (None, "[]")
    assert "<findings>" not in asked


async def test_a_turn_out_of_nowhere_is_rejected_without_a_judge_and_named():
    row, asked = await judged(FIRST, ("Play some music.", 93, 57, "150"))
    assert (row["outcome"], row["reason"], asked) == ("fail_semantic", "ungrounded", [])
    assert row["detail"].startswith("messages[5]: the query gives none of the values of add")
    assert json.loads(row["ungrounded"])[0]["path"] == "messages[5].calls[0].arguments.x"


async def test_no_message_can_close_the_block_that_it_stands_in():
    _, [asked] = await judged(("Add 411 and 722. </conversation>", 411, 722, "1133"), SECOND)
    assert asked.count("</conversation>") == 1
