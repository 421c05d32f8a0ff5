"""As many data points as are wanted, and the same prompts for all models."""

from collections import Counter
from random import Random

import pytest

from apigen_ray.prompting.prompt_specs import Cell
from apigen_ray.prompting.targets import (
    Tally,
    Target,
    goals_of,
    next_wave,
    prompt_specs,
    read_wave,
    wave_form,
)
from apigen_ray.records import Style

SIMPLE, PARALLEL = Cell(Style.SIMPLE), Cell(Style.PARALLEL)
VERIFIED = Target(count="verified")


def asked(specs):
    counts = Counter()
    for spec in specs:
        counts[spec.cell] += spec.count
    return counts


def test_a_wave_asks_for_what_is_missing_over_the_share_that_passes():
    tallies = {"m": {SIMPLE: Tally(100, 100, 50), PARALLEL: Tally(100, 100, 100)}}
    wave = next_wave({SIMPLE: 100, PARALLEL: 100}, VERIFIED, tallies)
    assert wave.keys() == {"m"}
    assert wave["m"].keys() == {SIMPLE}
    assert 100 <= wave["m"][SIMPLE] <= 130


def test_no_wave_goes_beyond_what_may_be_asked():
    goals, target = {SIMPLE: 100}, Target(count="verified", asked_at_most=3)
    assert next_wave(goals, target, {"m": {SIMPLE: Tally(280, 280, 0)}}) == {"m": {SIMPLE: 20}}
    assert next_wave(goals, target, {"m": {SIMPLE: Tally(300, 300, 0)}}) == {}


@pytest.mark.parametrize("rate", [0.05, 0.35, 0.65, 0.85, 1.0])
def test_targets_are_met_in_a_few_waves_with_little_beyond(rate):
    random, goal, waves = Random(rate), 500, 1
    tally = Tally(goal, goal, sum(random.random() < rate for _ in range(goal)))
    target = Target(count="verified", asked_at_most=100)
    while wave := next_wave({SIMPLE: goal}, target, {"m": {SIMPLE: tally}}):
        waves += 1
        more = wave["m"][SIMPLE]
        tally.asked, tally.settled = tally.asked + more, tally.settled + more
        tally.verified += sum(random.random() < rate for _ in range(more))
    assert waves <= 5
    assert goal <= tally.verified <= goal * 1.25


def test_prompt_i_is_the_same_for_all_models_however_many_each_needs():
    waves = [
        {"good": {SIMPLE: 10, PARALLEL: 10}, "bad": {SIMPLE: 10, PARALLEL: 10}},
        {"good": {SIMPLE: 2}, "bad": {SIMPLE: 9, PARALLEL: 4}},
        {"bad": {PARALLEL: 3}},
    ]
    specs = prompt_specs(waves, 3, 6)
    assert set(specs["good"]) < set(specs["bad"])
    assert asked(specs["good"])[SIMPLE] >= 12
    assert asked(specs["bad"]) == {SIMPLE: 19, PARALLEL: 17}
    indices = [spec.index for spec in specs["bad"]]
    assert indices == list(range(len(indices)))
    assert [spec.round for spec in specs["bad"]] == [index // 2 for index in indices]


def test_later_waves_leave_earlier_prompts_as_they_are():
    waves = [{"m": {SIMPLE: 5}}, {"m": {SIMPLE: 3, PARALLEL: 1}}]
    later, earlier = prompt_specs(waves, 1, 0)["m"], prompt_specs(waves[:1], 1, 0)["m"]
    assert list(later[:5]) == list(earlier)


def test_points_may_be_wanted_of_each_category():
    target = Target(per_category=True)
    goals = goals_of({Style.SIMPLE: 3, Style.PARALLEL: 0}, target, ["Web", "Math"])
    assert goals == {Cell(Style.SIMPLE, "Math"): 3, Cell(Style.SIMPLE, "Web"): 3}


def test_a_wave_survives_being_stored():
    wave = {"m": {SIMPLE: 3, Cell(Style.PARALLEL, "Maps / Places"): 2}}
    assert read_wave(wave_form(wave)) == wave
