"""Stage 3, without Ray: a judge is asked only about what nothing cheaper rejects."""

import json

import pytest
from points import TOOL, point

from apigen_ray.pipeline.steps import judge_step
from apigen_ray.records import Reply
from apigen_ray.stages.ballot import Judge
from apigen_ray.stages.grounding import GroundingSettings


class Yes:
    """A judge that says yes, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    async def complete(self, messages, schema=None, *, sample=""):
        self.asked.append(messages[-1].content)
        return Reply('{"thought": "", "pass": "yes"}', "stop", 10, 5, 0.001, 0.1, 1)

    async def close(self): ...


async def judged(query, reject="call", **columns):
    calls = [{"name": TOOL.name, "arguments": {"x": 411, "y": 722}}]
    row = point("p", query=query, answers=json.dumps(calls), outcome=None, **columns)
    yes = Yes()
    settings = GroundingSettings(reject=reject)
    return await judge_step({**row, "outcome": None}, [Judge("j", yes)], "all", settings), yes.asked


async def test_values_that_the_query_gives_go_to_the_judge_without_a_finding():
    row, [asked] = await judged("Add 411 and 722")
    assert (row["outcome"], row["ungrounded"], row["unused"]) == (None, "[]", "[]")
    assert "<findings>" not in asked


async def test_a_single_value_out_of_nowhere_is_the_judges_to_weigh():
    row, [asked] = await judged("Add 411 and the rest")
    assert row["outcome"] is None
    assert json.loads(row["ungrounded"]) == [{"path": "calls[0].arguments.y", "value": 722}]
    assert "calls[0].arguments.y = 722" in asked


@pytest.mark.parametrize(
    ("query", "reject"), [("Add 411 and the rest", "argument"), ("Play some music", "call")]
)
async def test_what_is_ungrounded_costs_no_judge(query, reject):
    row, asked = await judged(query, reject)
    assert (row["outcome"], row["stage"], row["reason"]) == ("fail_semantic", "judge", "ungrounded")
    assert row["ungrounded"]
    assert not asked


async def test_off_looks_at_nothing():
    row, [asked] = await judged("Play some music", "off")
    assert (row["outcome"], row["ungrounded"], row["unused"]) == (None, None, None)
    assert "<findings>" not in asked


async def test_what_no_call_uses_is_kept():
    row, _ = await judged("Add 411 and 722 for Anna")
    assert json.loads(row["unused"]) == [{"kind": "name", "text": "Anna"}]


async def test_a_copied_pair_is_rejected_as_such():
    row, asked = await judged("Play some music", copied="the prompt shows this pair")
    assert row["reason"] == "copied"
    assert not asked
