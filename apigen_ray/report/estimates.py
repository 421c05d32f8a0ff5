"""What an audit lets us conclude: whether a judge says anything, and how clean the data are."""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from apigen_ray.report.intervals import Rate

DRAWS = 10_000
LEVEL = 0.05
"""The p-value above which two rates are taken for equal."""


def differ(one: Rate, other: Rate) -> float:
    """The p-value of two rates being equal (Fisher's exact test); 1 if nothing was counted."""
    from scipy.stats import fisher_exact  # noqa: PLC0415 - takes half a second to import

    table = [[rate.hits, rate.of - rate.hits] for rate in (one, other)]
    return float(fisher_exact(table).pvalue)


def kappa(tally: Counter[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two judges; None if one of them always gives the same verdict.

    Args:
        tally: How often the first and the second gave these verdicts about the same thing.
    """
    of = tally.total()
    agreed = (tally[True, True] + tally[False, False]) / of
    first = (tally[True, True] + tally[True, False]) / of
    second = (tally[True, True] + tally[False, True]) / of
    if {first, second} & {0, 1}:
        return None
    by_chance = first * second + (1 - first) * (1 - second)
    return (agreed - by_chance) / (1 - by_chance)


@dataclass(frozen=True, slots=True)
class CleanShare:
    """An estimate of how many of the rows that a judge passed are right, with its 95 % interval."""

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.1%} [{self.low:.1%}, {self.high:.1%}]"


def clean_share(passed: Rate, right: Rate, wrong: Rate) -> CleanShare | None:
    """The share of right rows among those that a judge passed; None if it can't be told.

    Of all rows, the judge passes the share `p = t π + f (1 - π)`, where it passes the share `t` of
    the right and `f` of the wrong ones. So `π = (p - f) / (t - f)` of all are right (Rogan and
    Gladen, Am J Epidemiol 107:71-76, 1978), and `t π / p` of those passed. For the interval, all
    three rates are drawn anew, from Jeffreys' distribution around what was counted: 12 of 12 is
    no certainty.

    It assumes that the judge errs on the rows of the run as often as on those of the audit: that
    right rows are like the audited right ones, and, above all, that the wrong rows are no harder
    to see than the mutations. Where models err in more subtle ways, the data are less clean.

    Args:
        passed: The rows of the run that the judge passed, of those it was asked about.
        right: The right rows of the audit that it passed.
        wrong: The wrong ones that it passed.
    """
    if not (passed.hits and right.of and wrong.of) or differ(right, wrong) > LEVEL:
        return None
    observed = _clean(*(np.array([rate.hits / rate.of]) for rate in (passed, right, wrong)))
    random = np.random.default_rng(0)
    drawn = _clean(
        *(
            random.beta(rate.hits + 0.5, rate.of - rate.hits + 0.5, DRAWS)
            for rate in (passed, right, wrong)
        )
    )
    low, high = np.quantile(drawn, (0.025, 0.975))
    return CleanShare(float(observed[0]), float(low), float(high))


def _clean(
    passed: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    right: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    wrong: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """The estimate for each draw; 0 where the judge passes no more right than wrong rows."""
    informed = np.maximum(right - wrong, 1e-9)
    share = np.clip((passed - wrong) / informed, 0, 1)
    return np.where(right > wrong, np.clip(right * share / passed, 0, 1), 0.0)
