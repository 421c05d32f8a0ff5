"""A plan scales a pilot to the whole run."""

import pytest

from apigen_ray.config import RunConfig
from apigen_ray.workflows.plan import estimate


def config(**more):
    model = {"kind": "simulated", "name": "m", "concurrency": 10}
    values = {"out": "x", "points": {"simple": 1000}, "tools": ["t"], "models": [model]}
    return RunConfig.model_validate(values | {"judge": model | {"name": "j"}} | more)


def row(number, **columns):
    return {
        "model": "m", "outcome": "verified", "prompt_id": str(number), "input_tokens": 100,
        "output_tokens": 10, "cost_usd": 0.5, "generate_s": 2.0, "judge_s": 1.0,
    } | columns  # fmt: skip


def planned(rows, settings):
    return estimate(settings.models[0], rows, settings)


def test_tokens_cost_and_time_are_scaled_to_the_points_of_the_run():
    plan = planned([row(0), row(1, outcome="fail_format", judge_s=None)], config())
    assert (plan.points, plan.verified) == (1000, 500)
    assert (plan.input_tokens, plan.output_tokens) == (100_000, 10_000)
    assert (plan.cost_usd, plan.cost_margin_usd) == (500, 0)
    assert plan.seconds == pytest.approx(200)


def test_pairs_of_one_completion_share_its_time():
    plan = planned([row(0), row(0), row(0), row(0)], config())
    assert plan.seconds == pytest.approx(max(1000 / 4 * 2 / 10, 1000 * 1 / 10))


def test_a_slow_judge_sets_the_time():
    judge = {"kind": "simulated", "name": "j", "concurrency": 1}
    assert planned([row(0)], config(judge=judge)).seconds == pytest.approx(1000)


def test_errors_say_nothing_about_the_cost_and_few_points_say_little():
    points = [row(0, cost_usd=0.4), row(1, cost_usd=0.6), row(2, outcome="error", cost_usd=9)]
    plan = planned(points, config())
    assert plan.cost_usd == pytest.approx(500)
    assert plan.cost_margin_usd == pytest.approx(196, abs=1)


@pytest.mark.parametrize(("asked_at_most", "points"), [(5, 2000), (1.5, 1500)])
def test_a_target_of_verified_points_takes_as_many_as_pass_rarely(asked_at_most, points):
    target = {"count": "verified", "asked_at_most": asked_at_most}
    plan = planned([row(0), row(1, outcome="fail_format")], config(target=target))
    assert plan.points == points
