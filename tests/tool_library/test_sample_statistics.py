import statistics

import pytest

SAMPLE = [2.5, -1, 7, 7, 3.25, 10, 0]


def test_summaries_agree_with_the_standard_library(tools):
    summary = tools.summarize_sample(SAMPLE)
    quartiles = statistics.quantiles(SAMPLE, n=4, method="inclusive")
    assert summary["mean"] == pytest.approx(statistics.fmean(SAMPLE), abs=1e-6)
    assert summary["standard_deviation"] == pytest.approx(statistics.stdev(SAMPLE), abs=1e-6)
    found = [summary[key] for key in ("lower_quartile", "median", "upper_quartile")]
    assert found == pytest.approx(quartiles, abs=1e-6)


def test_one_number_has_no_spread(tools):
    assert tools.summarize_sample([4])["standard_deviation"] == 0


@pytest.mark.parametrize("method", ["linear", "lower", "higher", "nearest_rank"])
def test_percentiles_begin_and_end_with_the_extremes(tools, method):
    assert tools.calculate_percentile(SAMPLE, 0, method) == -1
    assert tools.calculate_percentile(SAMPLE, 100, method) == 10
    with pytest.raises(ValueError, match="0 to 100"):
        tools.calculate_percentile(SAMPLE, 101, method)


def test_equal_weights_make_the_plain_mean(tools):
    mean = tools.weighted_mean(SAMPLE, [3] * len(SAMPLE))
    assert mean == pytest.approx(statistics.fmean(SAMPLE), abs=1e-6)


@pytest.mark.parametrize("weights", [[1], [0, 0], [2, -1]])
def test_weights_that_do_not_fit_are_refused(tools, weights):
    with pytest.raises(ValueError, match="weight"):
        tools.weighted_mean([1, 2], weights)


def test_equal_numbers_have_no_outliers(tools):
    for method in ("z_score", "iqr"):
        assert tools.find_outliers([0.1] * 7, method)["outliers"] == []
    with pytest.raises(ValueError, match="three"):
        tools.find_outliers([1, 2])


def test_a_line_agrees_with_the_standard_library(tools):
    x, y = list(range(7)), SAMPLE
    line, expected = tools.fit_linear_regression(x, y), statistics.linear_regression(x, y)
    found = (line["slope"], line["intercept"])
    assert found == pytest.approx((expected.slope, expected.intercept), abs=1e-6)
    flat = tools.fit_linear_regression([1, 2], [3, 3])
    assert flat == {"slope": 0.0, "intercept": 3.0, "r_squared": 1.0}
    with pytest.raises(ValueError, match="all be the same"):
        tools.fit_linear_regression([1, 1], [2, 3])


def test_correlation_agrees_with_the_standard_library(tools):
    x = [1, 2, 4, 3, 9, 5, 6]
    expected = statistics.correlation(x, SAMPLE)
    assert tools.correlate_samples(x, SAMPLE) == pytest.approx(expected, abs=1e-6)
    with pytest.raises(ValueError, match="constant"):
        tools.correlate_samples([1, 1], [1, 2])
    with pytest.raises(ValueError, match="length"):
        tools.correlate_samples([1, 2, 3], [1, 2])


def test_windows_fit_the_series(tools):
    assert tools.moving_average([1, 2, 3], 3) == [2]
    assert tools.moving_average([1, 2, 3], 1, "exponential") == [1, 2, 3]
    for window in (0, 4):
        with pytest.raises(ValueError, match="window"):
            tools.moving_average([1, 2, 3], window)


def test_all_numbers_are_in_some_bin(tools):
    values = [index * 0.1 for index in range(101)]
    for bins in (1, 3, 7, 10, 100):
        assert sum(row["count"] for row in tools.bin_histogram(values, bins)) == 101
    with pytest.raises(ValueError, match="several bins"):
        tools.bin_histogram([1, 1], 2)


@pytest.mark.parametrize(
    ("size", "confidence", "t"),
    [(2, 0.95, 12.706), (5, 0.99, 4.604), (11, 0.9, 1.812), (31, 0.95, 2.042)],
)
def test_confidence_intervals_use_the_table_of_student(tools, size, confidence, t):
    values = [0, 1] * (size // 2) + [0.5] * (size % 2)
    error = statistics.stdev(values) / size**0.5
    found = tools.mean_confidence_interval(values, confidence)
    assert found["margin"] == pytest.approx(t * error, rel=3e-4)


@pytest.mark.parametrize(
    ("freedom", "statistic"), [(1, 3.841), (2, 5.991), (5, 11.07), (10, 18.307), (30, 43.773)]
)
def test_chi_square_has_its_critical_values(tools, freedom, statistic):
    # Two categories off by d from n expected each: the statistic is 2 d² / n.
    count = 1e6
    off = (statistic * count / 2) ** 0.5
    observed = [count + off, count - off] + [count] * (freedom - 1)
    found = tools.chi_square_test(observed)
    assert found["statistic"] == pytest.approx(statistic, abs=1e-5)
    assert found["p_value"] == pytest.approx(0.05, abs=5e-5)


@pytest.mark.parametrize(("observed", "expected"), [([5], None), ([0, 0], None), ([1, 2], [1])])
def test_counts_that_prove_nothing_are_refused(tools, observed, expected):
    with pytest.raises(ValueError, match=r"categories|observed"):
        tools.chi_square_test(observed, expected)
