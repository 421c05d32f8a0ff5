"""Stage 1 checks what arguments refer to; stage 2 puts the values there and runs call by call."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from apigen_ray.records import Call, Checked, Failed, Reason, Rejected, Returned, Style, Tool
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.stages.execute.chained import ChainedRunner
from apigen_ray.stages.execute.dispatch import execute, execute_twice, result_forms
from apigen_ray.stages.grounding import ground
from apigen_ray.stages.judge import judge_messages


def ref(text):
    return {"$ref": text}


DEPOT = Tool(
    "depot",
    "Find the depot for a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "Test",
    returns={
        "type": "object",
        "properties": {"id": {"type": "string"}, "km": {"type": "number"}},
    },
)
COST = Tool(
    "cost",
    "What a delivery costs.",
    {
        "type": "object",
        "properties": {
            "km": {"type": "number", "minimum": 0, "maximum": 100},
            "kind": {"enum": ["slow", "fast"], "type": "string"},
        },
        "required": ["km"],
    },
    "Test",
)
SIGNATURES = signatures_of([DEPOT, COST])
FIRST = ("depot", {"city": "Ghent"})


def checked(*calls, style=Style.SEQUENTIAL):
    answers = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return check_pair(
        {"query": "What does it cost to Ghent?", "answers": answers},
        style=style,
        signatures=SIGNATURES,
        settings=CheckSettings(),
    )


def test_a_chain_passes_as_it_is_written():
    found = checked(FIRST, ("cost", {"km": ref("calls[0].result.km")}))
    assert isinstance(found, Checked)
    assert found.pair.calls[1].arguments == {"km": ref("calls[0].result.km")}


@pytest.mark.parametrize(
    ("calls", "reason", "detail"),
    [
        (
            [FIRST, ("cost", {"km": ref("calls[0].result.km.x")})],
            Reason.BAD_REFERENCE,
            "calls[1].arguments.km: calls[0].result.km.x: depot returns nothing at .km.x",
        ),
        (
            [FIRST, ("cost", {"km": ref("calls[0].result.id")})],
            Reason.BAD_REFERENCE,
            "calls[1].arguments.km: calls[0].result.id is string, where number belongs",
        ),
        (
            [FIRST, ("cost", {"km": ref("calls[1].result")})],
            Reason.BAD_REFERENCE,
            "calls[1].arguments.km: calls[1].result is not the result of an earlier call",
        ),
        (
            [("cost", {"km": ref("calls[1].result.km")}), FIRST],
            Reason.BAD_REFERENCE,
            "calls[0].arguments.km: calls[1].result.km is not the result of an earlier call",
        ),
        (
            [FIRST, ("cost", {"km": ref("$.km")})],
            Reason.BAD_REFERENCE,
            "calls[1].arguments.km: {'$ref': '$.km'} is not of the form calls[0].result.key[0]",
        ),
        (
            [FIRST, ("cost", {"km": 3})],
            Reason.STYLE_MISMATCH,
            "answers: sequential needs an argument that refers to an earlier result, not 2 calls "
            "of 2 functions",
        ),
        (
            [FIRST, ("cost", {"km": ref("calls[0].result.km"), "kind": "slowly"})],
            Reason.CONSTRAINT,
            "calls[1].arguments.kind: 'slowly' is not one of ['slow', 'fast']",
        ),
        (
            [FIRST, ("cost", {"kind": ref("calls[0].result.id")})],
            Reason.MISSING_ARGUMENT,
            "calls[1].arguments: 'km' is a required property",
        ),
    ],
)
def test_each_flaw_has_its_reason_and_place(calls, reason, detail):
    found = checked(*calls)
    assert isinstance(found, Rejected)
    assert (found.reason, found.detail) == (reason, detail)


def test_what_an_unknown_result_has_is_left_to_stage_2():
    assert isinstance(checked(FIRST, ("cost", {"km": 1}), style=None), Checked)
    chain = (("cost", {"km": 1}), ("cost", {"km": ref("calls[0].result.a[3].b")}))
    assert isinstance(checked(*chain), Checked)


def test_in_other_styles_a_reference_is_a_value_of_the_wrong_type():
    found = checked(
        FIRST, ("cost", {"km": ref("calls[0].result.km")}), style=Style.PARALLEL_MULTIPLE
    )
    assert isinstance(found, Rejected)
    assert found.reason is Reason.WRONG_TYPE


# --- stage 2


class Runner:
    """Answers from a table, and remembers what was run together."""

    def __init__(self, **results):
        self.results = results
        self.asked = []

    @asynccontextmanager
    async def data_point(self, calls):
        yield self.run

    async def run(self, calls):
        self.asked.append(list(calls))
        return [self._result(call) for call in calls]

    def _result(self, call):
        found = self.results[call.name]
        return found if isinstance(found, Failed) else Returned(found, 0.25)

    def repeatable(self, call):
        return True


CHAIN = (
    Call("depot", {"city": "Ghent"}),
    Call("cost", {"km": 5}),
    Call("cost", {"km": ref("calls[0].result.km"), "kind": "slow"}),
)


def run(runner, calls=CHAIN, how=execute):
    chain = ChainedRunner(runner, SIGNATURES)
    return asyncio.run(how(calls, chain)), chain


def test_values_take_the_place_of_references_and_both_forms_are_kept():
    runner = Runner(depot={"id": "D1", "km": 12.5}, cost=9.9)
    done, chain = run(runner)
    assert done.rejection is None
    assert runner.asked == [
        [CHAIN[0], CHAIN[1]],
        [Call("cost", {"km": 12.5, "kind": "slow"})],
    ]
    assert result_forms(done.results, chain.arguments) == [
        {"ok": True, "result": {"id": "D1", "km": 12.5}, "seconds": 0.25},
        {"ok": True, "result": 9.9, "seconds": 0.25},
        {
            "ok": True,
            "result": 9.9,
            "seconds": 0.25,
            "arguments": {"km": 12.5, "kind": "slow"},
        },
    ]


@pytest.mark.parametrize(
    ("depot", "detail"),
    [
        (
            {"id": "D1"},
            "calls[2]: arguments.km: calls[0].result.km: there is no .km in the result",
        ),
        (
            ["D1"],
            "calls[2]: arguments.km: calls[0].result.km: there is no .km in the result",
        ),
        (
            {"km": "12"},
            "calls[2]: with the values referred to, cost.arguments.km: '12' is not of type "
            "'number'",
        ),
        (
            {"km": 400},
            "calls[2]: with the values referred to, cost.arguments.km: 400 is greater than the "
            "maximum of 100",
        ),
    ],
)
def test_what_has_no_right_value_is_not_run(depot, detail):
    runner = Runner(depot=depot, cost=9.9)
    done, _ = run(runner)
    assert done.rejection == Rejected(Reason.UNRESOLVED_REFERENCE, detail)
    assert len(runner.asked) == 1


def test_a_call_that_failed_decides_and_nothing_is_made_of_its_result():
    runner = Runner(depot=Failed(Reason.RAISED, "no such city", 0.1), cost=9.9)
    done, _ = run(runner)
    assert done.rejection == Rejected(Reason.RAISED, "calls[0]: no such city")
    assert done.results[2].reason is Reason.UNRESOLVED_REFERENCE


def test_a_chain_can_be_run_twice():
    done, _ = run(Runner(depot={"id": "D1", "km": 1}, cost=9.9), how=execute_twice)
    assert [result.deterministic for result in done.results] == [True] * 3


def test_items_are_counted_from_the_end_too():
    calls = (Call("depot", {"city": "x"}), Call("cost", {"km": ref("calls[0].result[-1]")}))
    done, chain = run(Runner(depot=[1, 2, 7], cost=9.9), calls)
    assert chain.arguments == {1: {"km": 7}}
    done, _ = run(Runner(depot=[], cost=9.9), calls)
    assert done.rejection.reason is Reason.UNRESOLVED_REFERENCE


# --- stage 3


def test_a_reference_is_no_value_that_the_query_has_to_give():
    tools = {"depot": DEPOT, "cost": COST}
    calls = [CHAIN[0], Call("cost", {"km": ref("calls[0].result.km")})]
    assert ground("What does it cost to Ghent?", calls, tools).ungrounded == ()
    found = ground("What does it cost?", calls, tools)
    assert [each.path for each in found.ungrounded] == ["calls[0].arguments.city"]
    assert found.unsupported == (0,)


def test_a_judge_is_told_about_references_only_where_there_are_any():
    def said(calls):
        pair = checked(*[(call.name, call.arguments) for call in calls], style=None)
        assert isinstance(pair, Checked)
        return judge_messages(pair.pair, [], [])[1].content

    plain = said(CHAIN[:2])
    assert "$ref" not in plain
    pair = checked(FIRST, ("cost", {"km": ref("calls[0].result.km")})).pair
    text = judge_messages(pair, [], [])[1].content
    assert "takes its value from the result of an earlier call" in text
    assert judge_messages(replace(pair, calls=pair.calls[:1]), [], [])[1].content.count("$ref") == 0
