"""Rates and times left, of fast and of slow runs, by a fake clock."""

from itertools import pairwise

import pytest

from apigen_ray.report.rates import RecentRate, clock, rate_text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (1234.5, "1,234/s"),
        (100, "100/s"),
        (12.34, "12.3/s"),
        (0.1, "0.1/s"),
        (0.06, "3.6/min"),
        (0.02, "1.2/min"),
        (0.0004, "1.4/h"),
        (0.0, "0.0/h"),
    ],
)
def test_a_rate_is_told_by_the_second_minute_or_hour(per_second, text):
    assert rate_text(per_second) == text


def test_a_rate_may_have_a_unit():
    assert rate_text(18.25, "tokens") == "18.2 tokens/s"
    assert rate_text(0.5 / 60, "tokens") == "0.5 tokens/min"


def test_a_time_is_told_in_minutes_or_hours():
    assert [clock(s) for s in (0, 59.6, 125, 3725)] == ["0:00", "1:00", "2:05", "1:02:05"]


def lefts(arrivals, whole, until):
    """The time left at each second of a run whose rows settle at the times given."""
    rate, left = RecentRate(0.0), []
    for second in range(until):
        rate.note(second, sum(at <= second for at in arrivals))
        left.append(rate.seconds_left(second, whole - sum(at <= second for at in arrivals)))
    return left


def test_nothing_is_foretold_before_the_first_row():
    assert lefts([50], 10, 50) == [None] * 50


def test_the_time_left_of_a_steady_slow_run_runs_down_with_the_clock():
    left = lefts(range(60, 1000, 60), 15, 900)
    assert left[60] == 14 * 60
    assert all(left[second] == pytest.approx(900 - second) for second in range(60, 900))


def test_the_time_left_stands_while_a_row_is_overdue_and_does_not_jump_when_it_comes():
    left = lefts([60, 120, 180, 300], 15, 310)
    assert left[180] == 12 * 60
    assert left[239] == pytest.approx(11 * 60, abs=2)
    assert max(abs(b - a) for a, b in pairwise(left[60:])) < 15
    assert left[300] == 11 * 75


def test_the_time_left_of_a_server_that_works_on_eight_at_once_does_not_jump():
    arrivals = [at + n for at in range(30, 600, 30) for n in range(4) for _ in range(2)]
    left = lefts(arrivals, 150, 560)
    assert all(abs(b - a) < 0.2 * a + 10 for a, b in pairwise(left[90:]))
    assert left[300] == pytest.approx(150 / 8 * 30 - 300, rel=0.25)


def test_a_rate_follows_the_last_minute_of_a_fast_run():
    rate = RecentRate(0.0)
    for second in range(1, 301):  # rows that were kept are read again, then new ones are made
        rate.note(second, 1000 * min(second, 100) + max(0, second - 100))
    assert rate.per_second(300) == pytest.approx(1, rel=0.05)


def test_a_rate_falls_while_nothing_comes():
    rate = RecentRate(0.0)
    for second in range(1, 11):
        rate.note(second, second)
    assert rate.per_second(11) == pytest.approx(1)
    assert rate.per_second(109) == pytest.approx(0.1, rel=0.02)
