"""What a count says about a rate."""

import math
from dataclasses import dataclass
from statistics import NormalDist

Z = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Rate:
    """A share of counted things, with its 95 % confidence interval."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None of nothing."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval: it holds for few data points and for rates near 0 and 1."""
        if not self.of:
            return None
        share, weight = self.hits / self.of, Z**2 / self.of
        centre = share + weight / 2
        spread = Z * math.sqrt(share * (1 - share) / self.of + weight / (4 * self.of))
        low, high = (centre - spread) / (1 + weight), (centre + spread) / (1 + weight)
        return max(0.0, min(low, share)), min(1.0, max(high, share))  # in spite of rounding

    def __str__(self) -> str:
        if self.interval is None:
            return "-"
        low, high = self.interval
        return f"{self.value:.1%} [{low:.1%}, {high:.1%}]"
