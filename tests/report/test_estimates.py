"""Estimates that can be checked: against known figures, and against data made to be estimated."""

import random

import pytest

from apigen_ray.report.estimates import clean_share, differ
from apigen_ray.report.intervals import Rate


def test_fishers_test_on_the_lady_who_tastes_tea():
    assert differ(Rate(3, 4), Rate(1, 4)) == pytest.approx(0.4857, abs=1e-4)
    assert differ(Rate(12, 12), Rate(1, 12)) < 1e-4
    assert differ(Rate(12, 12), Rate(12, 12)) == 1
    assert differ(Rate(0, 0), Rate(0, 0)) == 1


def test_the_estimate_of_rogan_and_gladen():
    # 80 % of all rows are right; the judge passes 90 % of these, and 20 % of the others.
    found = clean_share(Rate(7600, 10_000), Rate(900, 1000), Rate(200, 1000))
    assert found.share == pytest.approx(0.72 / 0.76)
    assert found.low < found.share < found.high
    assert found.high - found.low < 0.05


def test_a_judge_that_says_nothing_tells_no_share():
    assert clean_share(Rate(90, 100), Rate(12, 12), Rate(12, 12)) is None
    assert clean_share(Rate(90, 100), Rate(0, 0), Rate(0, 0)) is None
    assert clean_share(Rate(0, 0), Rate(12, 12), Rate(0, 12)) is None


def test_few_audited_pairs_give_a_wide_interval():
    few = clean_share(Rate(900, 1000), Rate(12, 12), Rate(1, 12))
    many = clean_share(Rate(900, 1000), Rate(600, 600), Rate(50, 600))
    assert few.high - few.low > 2 * (many.high - many.low)
    assert few.low < 1.0  # 12 of 12 is no certainty


def test_the_interval_holds_what_it_should_nineteen_times_in_twenty():
    random_ = random.Random(0)

    def counted(rate, of):
        return Rate(sum(random_.random() < rate for _ in range(of)), of)

    held = estimated = 0
    for _ in range(200):
        right_of_all, sensitivity, missed = 0.8, 0.9, 0.25
        passed = sensitivity * right_of_all + missed * (1 - right_of_all)
        truth = sensitivity * right_of_all / passed
        found = clean_share(counted(passed, 400), counted(sensitivity, 60), counted(missed, 60))
        if found:
            estimated += 1
            held += found.low <= truth <= found.high
    assert estimated == 200
    assert held / estimated > 0.9
