"""Statistics of samples of numbers: summaries, relations, outliers and tests."""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

CATEGORY = "Data"
__all__ = [
    "bin_histogram",
    "calculate_percentile",
    "chi_square_test",
    "correlate_samples",
    "find_outliers",
    "fit_linear_regression",
    "mean_confidence_interval",
    "moving_average",
    "summarize_sample",
    "weighted_mean",
]

_Number = Annotated[float, {"minimum": -1e9, "maximum": 1e9}]
_Sample = Annotated[list[_Number], {"maxItems": 1000}]
_PairedSample = Annotated[list[_Number], {"minItems": 2, "maxItems": 1000}]
_Count = Annotated[float, {"minimum": 0, "maximum": 1e9}]
_Weight = Annotated[float, {"minimum": 0, "maximum": 1e6}]


def summarize_sample(values: _Sample) -> dict[str, float]:
    """Summarize numbers by their center, spread and extremes.

    Args:
        values: The numbers, in any order.

    Returns:
        Count, mean, sample standard deviation (0 for a single number), minimum, lower quartile,
        median, upper quartile and maximum. Quartiles are interpolated linearly.

    Raises:
        ValueError: If there are no numbers.

    Examples:
        >>> summarize_sample([2, 4, 4, 4, 5, 5, 7, 9])["mean"]
        5.0
        >>> summarize_sample([1, 2, 3, 4, 5])["standard_deviation"]
        1.581139
        >>> summarize_sample(values=[3.5, -1.0, 10.25, 6.0])["median"]
        4.75
        >>> summarize_sample([12.5])["count"]
        1
    """
    ordered = _sorted(values)
    return {
        "count": len(ordered),
        "mean": _rounded(_mean(ordered)),
        "standard_deviation": _rounded(_deviation(ordered)),
        "minimum": float(ordered[0]),
        "lower_quartile": _rounded(_quantile(ordered, 0.25)),
        "median": _rounded(_quantile(ordered, 0.5)),
        "upper_quartile": _rounded(_quantile(ordered, 0.75)),
        "maximum": float(ordered[-1]),
    }


def _sorted(values: Sequence[float]) -> list[float]:
    if not values:
        raise ValueError("values must not be empty")
    return sorted(values)


def _rounded(value: float) -> float:
    """Six decimals, and never a negative zero."""
    return round(float(value), 6) + 0.0


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _deviation(values: Sequence[float]) -> float:
    """The sample standard deviation."""
    if len(values) < 2:
        return 0.0
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


def calculate_percentile(
    values: _Sample,
    percentile: Annotated[float, {"minimum": 0, "maximum": 100}],
    method: Literal["linear", "lower", "higher", "nearest_rank"] = "linear",
) -> float:
    """Find the value below which a given share of numbers lies.

    Args:
        values: The numbers, in any order.
        percentile: The share in percent: 50 is the median.
        method: What to do between two numbers: interpolate linearly, take the lower or the higher
            one, or count ranks (the smallest number with at least that share at or below it).

    Returns:
        The percentile.

    Raises:
        ValueError: If there are no numbers, or the share is not from 0 to 100.

    Examples:
        >>> calculate_percentile([15, 20, 35, 40, 50], 40)
        29.0
        >>> calculate_percentile([15, 20, 35, 40, 50], percentile=40, method="nearest_rank")
        20.0
        >>> calculate_percentile(values=[7, 1, 3, 10], percentile=50, method="higher")
        7.0
        >>> calculate_percentile([2.5, 3.5, 8.0], 75, method="lower")
        3.5
    """
    if not 0 <= percentile <= 100:
        raise ValueError("percentile must be from 0 to 100")
    ordered = _sorted(values)
    if method == "linear":
        return _rounded(_quantile(ordered, percentile / 100))
    # Products first: 0.07 * 100 would be a little over 7.
    if method == "nearest_rank":
        return float(ordered[max(0, math.ceil(percentile * len(ordered) / 100) - 1)])
    position = percentile * (len(ordered) - 1) / 100
    return float(ordered[math.floor(position) if method == "lower" else math.ceil(position)])


def weighted_mean(
    values: _Sample,
    weights: Annotated[list[_Weight], {"maxItems": 1000}],
) -> float:
    """Calculate the mean of numbers that count for different amounts.

    Args:
        values: The numbers.
        weights: The weight of each number, in the same order; they need not add up to 1.

    Returns:
        The weighted mean, to six decimals.

    Raises:
        ValueError: If there are no numbers, there is not one weight for each, a weight is negative,
            or all weights are zero.

    Examples:
        >>> weighted_mean([80, 90], [1, 3])
        87.5
        >>> weighted_mean(values=[4.0, 3.0, 3.7], weights=[3, 4, 3])
        3.51
        >>> weighted_mean([10, 20, 30], [0.5, 0.25, 0.25])
        17.5
    """
    if not values or len(values) != len(weights):
        raise ValueError("there must be one weight for each of at least one value")
    if min(weights) < 0 or not any(weights):
        raise ValueError("weights must not be negative, nor all zero")
    products = [value * weight for value, weight in zip(values, weights, strict=True)]
    return _rounded(math.fsum(products) / math.fsum(weights))


def find_outliers(
    values: _Sample,
    method: Literal["z_score", "iqr"] = "z_score",
    threshold: Annotated[float, {"minimum": 0.5, "maximum": 10}] = 2,
) -> dict[str, object]:
    """Find the numbers that lie unusually far from the others.

    Args:
        values: The numbers; at least three.
        method: `z_score` measures the distance from the mean in standard deviations; `iqr` measures
            the distance below the lower or above the upper quartile in interquartile ranges, where
            1.5 is a usual threshold.
        threshold: The distance beyond which a number is an outlier.

    Returns:
        The outliers with their positions counted from 0, and the lower and upper limit used.

    Raises:
        ValueError: If there are fewer than three numbers.

    Examples:
        >>> find_outliers([10, 12, 11, 13, 12, 11, 50])["outliers"]
        [{'position': 6, 'value': 50.0}]
        >>> find_outliers([10, 12, 11, 13, 12, 11, 50], threshold=3.0)["outliers"]
        []
        >>> find_outliers(values=[1, 2, 3, 4, 100], method="iqr", threshold=1.5)
        {'outliers': [{'position': 4, 'value': 100.0}], 'lower_limit': -1.0, 'upper_limit': 7.0}
        >>> find_outliers([5.5, 5.5, 5.5])["upper_limit"]
        5.5
    """
    if len(values) < 3:
        raise ValueError("at least three values are needed")
    ordered = sorted(values)
    if method == "z_score":
        low = high = _mean(values)
        reach = threshold * _deviation(values)
    else:
        low, high = _quantile(ordered, 0.25), _quantile(ordered, 0.75)
        reach = threshold * (high - low)
    lower, upper = low - reach, high + reach
    slack = 1e-12 * max(abs(ordered[0]), abs(ordered[-1]))  # the mean of equal values is inexact
    return {
        "outliers": [
            {"position": position, "value": float(value)}
            for position, value in enumerate(values)
            if not lower - slack <= value <= upper + slack
        ],
        "lower_limit": _rounded(lower),
        "upper_limit": _rounded(upper),
    }


def fit_linear_regression(
    x: _PairedSample,
    y: _PairedSample,
    predict_at: Annotated[float | None, {"minimum": -1e9, "maximum": 1e9}] = None,
) -> dict[str, float]:
    """Fit a straight line to points by least squares.

    Args:
        x: The independent variable; not all the same.
        y: The dependent variable, in the same order.
        predict_at: A value of x for which to predict y.

    Returns:
        The `slope` and `intercept` of the line, the share of variance that it explains
        (`r_squared`, 1 if y is constant), and the `prediction` if one was asked for.

    Raises:
        ValueError: If x and y differ in length, there are fewer than two points, or all x are the
            same.

    Examples:
        >>> fit_linear_regression([1, 2, 3], [3, 5, 7])
        {'slope': 2.0, 'intercept': 1.0, 'r_squared': 1.0}
        >>> fit_linear_regression([1, 2, 3], [3, 5, 7], predict_at=10)["prediction"]
        21.0
        >>> fit_linear_regression(x=[1, 2, 3, 4, 5], y=[2, 4, 5, 4, 5])
        {'slope': 0.6, 'intercept': 2.2, 'r_squared': 0.6}
        >>> fit_linear_regression([0, 10, 20], [98.6, 95.2, 91.8], predict_at=5.0)["slope"]
        -0.34
    """
    xx, xy, yy = _centered_products(x, y)
    if xx < 1e-30:
        raise ValueError("the x values must not all be the same")
    slope = xy / xx
    intercept = _mean(y) - slope * _mean(x)
    explained = min(1.0, slope * xy / yy) if yy else 1.0
    line = {
        "slope": _rounded(slope),
        "intercept": _rounded(intercept),
        "r_squared": _rounded(explained),
    }
    if predict_at is not None:
        line["prediction"] = _rounded(intercept + slope * predict_at)
    return line


def _centered_products(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Sums of squares and products of the distances from the means; exactly 0 for constants."""
    if len(x) != len(y) or len(x) < 2:
        raise ValueError("x and y must have the same length, at least 2")
    mean_x, mean_y = _mean(x), _mean(y)
    dx = [value - mean_x if min(x) < max(x) else 0.0 for value in x]
    dy = [value - mean_y if min(y) < max(y) else 0.0 for value in y]
    xy = math.fsum(a * b for a, b in zip(dx, dy, strict=True))
    return math.fsum(a * a for a in dx), xy, math.fsum(b * b for b in dy)


def correlate_samples(
    x: _PairedSample,
    y: _PairedSample,
    method: Literal["pearson", "spearman"] = "pearson",
) -> float:
    """Measure how strongly two variables move together, from -1 to 1.

    Args:
        x: The first variable; not all the same.
        y: The second variable, in the same order; not all the same.
        method: `pearson` measures a linear relation, `spearman` any monotonic one, by ranks.

    Returns:
        The correlation coefficient, to six decimals.

    Raises:
        ValueError: If x and y differ in length, there are fewer than two values, or one variable is
            constant.

    Examples:
        >>> correlate_samples([1, 2, 3], [10, 20, 30])
        1.0
        >>> correlate_samples(x=[1, 2, 3, 4], y=[8, 6, 4, 2])
        -1.0
        >>> correlate_samples([1, 2, 3, 4, 5], [2, 4, 5, 4, 5])
        0.774597
        >>> correlate_samples([1, 2, 3, 4], [1, 10, 100, 1000], method="spearman")
        1.0
    """
    if method == "spearman":
        x, y = _ranks(x), _ranks(y)
    xx, xy, yy = _centered_products(x, y)
    if not (xx and yy):
        raise ValueError("neither variable may be constant")
    return _rounded(max(-1.0, min(1.0, xy / math.sqrt(xx) / math.sqrt(yy))))


def _ranks(values: Sequence[float]) -> list[float]:
    """Ranks from 1; equal values share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values), start=1):
        places.setdefault(value, []).append(place)
    return [_mean(places[value]) for value in values]


def moving_average(
    values: _Sample,
    window: Annotated[int, {"minimum": 1, "maximum": 365}],
    kind: Literal["simple", "exponential"] = "simple",
) -> list[float]:
    """Smooth a series by averaging each value with those before it.

    Args:
        values: The series, oldest first.
        window: How many values are averaged; not more than there are. The exponential average
            weighs the newest value by 2 / (window + 1).
        kind: `simple` weighs the values in the window equally and starts at the first full window;
            `exponential` weighs newer values more and starts at the first value.

    Returns:
        The averages, to six decimals, oldest first.

    Raises:
        ValueError: If there are no values, or fewer than the window needs.

    Examples:
        >>> moving_average([1, 2, 3, 4, 5], 3)
        [2.0, 3.0, 4.0]
        >>> moving_average(values=[10, 20, 30], window=3, kind="exponential")
        [10.0, 15.0, 22.5]
        >>> moving_average([4.5, 5.5, 8.0], window=2)
        [5.0, 6.75]
    """
    if not 1 <= window <= len(values):
        raise ValueError(f"window must be from 1 to the number of values, {len(values)}")
    if kind == "simple":
        starts = range(len(values) - window + 1)
        return [_rounded(_mean(values[start : start + window])) for start in starts]
    average, weight = values[0], 2 / (window + 1)
    averages = []
    for value in values:
        average += weight * (value - average)
        averages.append(_rounded(average))
    return averages


def bin_histogram(
    values: _Sample,
    bins: Annotated[int, {"minimum": 1, "maximum": 100}] = 10,
) -> list[dict[str, float]]:
    """Count how many numbers fall into each of several equally wide bins.

    Args:
        values: The numbers, in any order; not all the same unless one bin is asked for.
        bins: The number of bins between the smallest and the largest number.

    Returns:
        For each bin its limits, `start` and `end`, and its `count`. A number on a limit belongs to
        the bin that starts there, the largest number to the last bin.

    Raises:
        ValueError: If there are no numbers, or they are all the same and there are several bins.

    Examples:
        >>> bin_histogram([1, 2, 2, 3, 9], bins=2)
        [{'start': 1.0, 'end': 5.0, 'count': 4}, {'start': 5.0, 'end': 9.0, 'count': 1}]
        >>> [b["count"] for b in bin_histogram([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])]
        [1, 1, 1, 1, 1, 1, 1, 1, 1, 2]
        >>> bin_histogram(values=[2.5, 7.5, 5.0], bins=1)
        [{'start': 2.5, 'end': 7.5, 'count': 3}]
    """
    ordered = _sorted(values)
    low, high = ordered[0], ordered[-1]
    if low == high and bins > 1:
        raise ValueError("equal values can't be divided into several bins")
    width = (high - low) / bins
    counts = [0] * bins
    for value in ordered:
        counts[min(bins - 1, math.floor((value - low) * bins / (high - low or 1)))] += 1
    return [
        {
            "start": _rounded(low + index * width),
            "end": _rounded(low + (index + 1) * width),
            "count": count,
        }
        for index, count in enumerate(counts)
    ]


def mean_confidence_interval(
    values: Annotated[list[_Number], {"minItems": 2, "maxItems": 500}],
    confidence: Annotated[float, {"minimum": 0.5, "maximum": 0.999}] = 0.95,
) -> dict[str, float]:
    """Estimate the mean of a population from a sample, with a confidence interval.

    The interval uses Student's t distribution, which suits small samples.

    Args:
        values: The sample.
        confidence: The confidence wanted, as a share: 0.95 for 95 %.

    Returns:
        The `mean` of the sample, the `margin` on either side, and the `lower` and `upper` end.

    Raises:
        ValueError: If there are fewer than two values, or the confidence is out of range.

    Examples:
        >>> mean_confidence_interval([1, 2, 3, 4, 5])
        {'mean': 3.0, 'margin': 1.963243, 'lower': 1.036757, 'upper': 4.963243}
        >>> mean_confidence_interval(values=[10, 12], confidence=0.5)
        {'mean': 11.0, 'margin': 1.0, 'lower': 10.0, 'upper': 12.0}
        >>> mean_confidence_interval([7.5, 7.5, 7.5], confidence=0.99)["margin"]
        0.0
    """
    if len(values) < 2:
        raise ValueError("at least two values are needed")
    if not 0.5 <= confidence <= 0.999:
        raise ValueError("confidence must be from 0.5 to 0.999")
    mean = _mean(values)
    margin = _student_t(confidence, len(values) - 1) * _deviation(values) / math.sqrt(len(values))
    return {
        "mean": _rounded(mean),
        "margin": _rounded(margin),
        "lower": _rounded(mean - margin),
        "upper": _rounded(mean + margin),
    }


def _student_t(confidence: float, freedom: int) -> float:
    """The t between whose positive and negative lies a given share of the distribution."""
    low, high = 0.0, math.pi / 2  # of the angle whose tangent is t / sqrt(freedom)
    for _ in range(60):
        middle = (low + high) / 2
        if _share_within(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return math.tan(low) * math.sqrt(freedom)


def _share_within(angle: float, freedom: int) -> float:
    """The share of Student's distribution between -t and t (Abramowitz & Stegun, 26.7.3-4)."""
    cosine_squared = math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = 0.0
    for index in range(odd + 2, freedom + 1, 2):
        total += term
        term *= (index - 1) / index * cosine_squared
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def chi_square_test(
    observed: Annotated[list[_Count], {"minItems": 2, "maxItems": 60}],
    expected: Annotated[
        list[Annotated[float, {"minimum": 0.01, "maximum": 1e9}]] | None, {"maxItems": 60}
    ] = None,
) -> dict[str, float]:
    """Test whether observed counts fit expected ones (Pearson's chi-square test).

    Args:
        observed: The count observed in each category.
        expected: The count expected in each category, in the same order. They are scaled to the
            same total; without them all categories are expected to be equally frequent.

    Returns:
        The chi-square `statistic`, the `degrees_of_freedom`, and the `p_value`: how likely a
        deviation at least as large is by chance.

    Raises:
        ValueError: If there are fewer than two categories, nothing was observed, or the expected
            counts don't match in number or are not positive.

    Examples:
        >>> chi_square_test([16, 18, 16, 14, 12, 12])
        {'statistic': 2.0, 'degrees_of_freedom': 5, 'p_value': 0.849145}
        >>> chi_square_test(observed=[60, 40])
        {'statistic': 4.0, 'degrees_of_freedom': 1, 'p_value': 0.0455}
        >>> chi_square_test([315, 108, 101, 32], expected=[9, 3, 3, 1])["statistic"]
        0.470024
    """
    if expected is None:
        expected = [1.0] * len(observed)
    if not 2 <= len(observed) == len(expected):
        raise ValueError("at least two categories are needed, as many observed as expected")
    if min(expected) <= 0 or min(observed) < 0 or not any(observed):
        raise ValueError("expected counts must be positive, observed not negative nor all zero")
    scale = math.fsum(observed) / math.fsum(expected)
    pairs = zip(observed, (count * scale for count in expected), strict=True)
    statistic = math.fsum((seen - count) ** 2 / count for seen, count in pairs)
    freedom = len(observed) - 1
    return {
        "statistic": _rounded(statistic),
        "degrees_of_freedom": freedom,
        "p_value": _rounded(_chi_square_tail(statistic, freedom)),
    }


def _chi_square_tail(statistic: float, freedom: int) -> float:
    """The probability of a larger value (Abramowitz & Stegun, 26.4.4-5)."""
    half = statistic / 2
    if not half:
        return 1.0
    shape = 0.5 if freedom % 2 else 1.0
    tail = math.erfc(math.sqrt(half)) if freedom % 2 else math.exp(-half)
    while shape < freedom / 2:
        tail += math.exp(shape * math.log(half) - half - math.lgamma(shape + 1))
        shape += 1
    return tail
