"""Rates and their confidence intervals."""

import pytest
import scipy

from apigen_ray.report.intervals import Rate


@pytest.mark.parametrize(
    ("hits", "of"), [(0, 1), (1, 1), (3, 10), (0, 400), (400, 400), (201, 400)]
)
def test_the_interval_is_wilsons(hits, of):
    expected = scipy.stats.binomtest(hits, of).proportion_ci(0.95, method="wilson")
    assert Rate(hits, of).interval == pytest.approx(tuple(expected), abs=1e-9)


def test_a_rate_of_nothing_is_none():
    assert (Rate(0, 0).value, Rate(0, 0).interval, str(Rate(0, 0))) == (None, None, "-")


def test_a_rate_says_its_interval():
    assert str(Rate(201, 400)) == "50.2% [45.4%, 55.1%]"
