"""Runs that make conversations: with simulated models, all that is planted is found."""

import json
from collections import Counter

import pytest
from example_runs import ROOT, SEEDS, config, go, planted_by, rows, served, simulated, stats

from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.workflows.manifest import identity_of
from apigen_ray.workflows.prepare import asked_twice

SEED_FILES = [SEEDS, *(str(ROOT / f"configs/seeds-{s}.jsonl") for s in ("sequential", "clarify"))]
POINTS = {"multi_turn": 10, "clarify": 14, "sequential": 4, "simple": 4}
COVERED_BY_ANOTHER_REASON = {"malformed_json", "prose", "infeasible", "mismatch"}
"""Faults that have no reason of their own name."""


@pytest.fixture(scope="module")
def made(shared_ray, tmp_path_factory):
    """A run with answers, and what was planted in it."""
    out = tmp_path_factory.mktemp("conversations")
    with (
        served() as (running, models),
        serving([SimulatedEndpoint(name="writer", latency_s=0.01)]) as writers,
    ):
        writer = writers["writer"].model_dump(mode="json")
        settings = config(out, points=POINTS, seeds=SEED_FILES, answer={"model": writer}, **models)
        assert go(settings) == 0
        planted = planted_by(running["model"])["generate"]
        answers = planted_by(writers["writer"])["answer"]
    return out, planted, answers


def test_all_that_is_planted_is_found_under_its_reason(made):
    out, planted, answers = made
    reasons = Counter(row["reason"] for row in rows(out) if row["reason"])
    assert reasons["answer"] == answers["wrong_again"]
    count = planted["planted"]
    for fault in count.keys() - COVERED_BY_ANOTHER_REASON:
        assert reasons[fault] == count[fault], fault
    assert reasons["invalid_json"] == count["malformed_json"] + count["prose"]
    assert reasons["judged_no"] + reasons["ungrounded"] == count["mismatch"]
    # A chain may give a value that the next tool refuses, and a second call of a tool may have
    # arguments that no example has: those are no planted faults.
    assert reasons["raised"] >= count["infeasible"]


def test_the_ledger_is_exact(made):
    out, _, _ = made
    counts = stats(out)["outcomes"]
    assert sum(counts.values()) == sum(POINTS.values()) == len(rows(out))
    assert counts.get("error", 0) == 0


def test_conversations_have_the_turns_that_were_asked_for_and_real_results(made):
    out, _, _ = made
    verified = [row for row in rows(out) if row["outcome"] == "verified"]
    turns = Counter()
    for row in verified:
        messages = json.loads(row["messages"])
        results = [m["content"] for m in messages if m["role"] == "tool"]
        assert len(results) == len(json.loads(row["answers"])) > 0
        assert messages[-1]["role"] == "assistant"
        assert messages[-1]["content"]
        if row["style"] == "multi_turn":
            turns[sum("tool_calls" in m for m in messages)] += 1
    assert set(turns) <= {2, 3, 4}
    assert turns


def test_what_is_left_out_is_asked_for_and_then_called_with(made):
    out, _, _ = made
    found = [r for r in rows(out) if r["style"] == "clarify" and r["outcome"] == "verified"]
    assert found
    for row in found:
        roles = [message["role"] for message in json.loads(row["messages"])]
        assert roles == ["user", "assistant", "user", "assistant", "tool", "assistant"]


def test_an_answer_changes_nothing_else_of_a_row(made, tmp_path):
    out, _, _ = made
    with served() as (_, models):
        plain = config(tmp_path, points=POINTS, seeds=SEED_FILES, **models)
        assert go(plain) == 0
    with_answers = {row["id"]: row for row in rows(out)}
    same = ("query", "answers", "tools", "style", "completion")
    for row in rows(tmp_path):
        if row["style"] != "multi_turn":
            theirs = with_answers[row["id"]]
            assert [row[key] for key in same] == [theirs[key] for key in same]
            assert row["outcome"] == theirs["outcome"] or theirs["reason"] == "answer"
            assert row["messages"] is None or row["style"] == "clarify"


def test_where_answers_are_asked_for_may_change_on_resume_and_by_whom_may_not(tmp_path):
    def identity(**writer):
        settings = config(tmp_path, answer={"model": simulated("writer", **writer)})
        return identity_of(settings, (), ())

    assert identity(latency_s=1) == identity(latency_s=2)
    assert identity(profile="weak") != identity(profile="default")


def test_who_is_asked_by_two_stages_is_known_so_that_limits_are_kept(tmp_path):
    def asked(**more):
        return asked_twice(config(tmp_path, **more))

    writer = {"model": simulated("writer")}
    assert asked() == []
    assert asked(answer=writer) == ["judge/fast"]
    assert asked(points={"multi_turn": 1}) == ["fast", "judge/fast"]


def test_a_conversation_of_one_turn_is_none(tmp_path):
    with pytest.raises(ValueError, match=r"turns\.min: 1"):
        config(tmp_path, points={"multi_turn": 1}, turns={"min": 1, "max": 2})


def test_calls_first_cannot_leave_something_out(tmp_path):
    with pytest.raises(ValueError, match=r"points\.clarify: needs"):
        config(tmp_path, points={"clarify": 1}, strategy="calls_first")
