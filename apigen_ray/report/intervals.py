"""Rates with their confidence intervals."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """A share of counted things, with its 95 % confidence interval."""

    hits: int
    of: int

    @property
    def value(self) -> float | None:
        """The share; None if nothing was counted."""
        return self.hits / self.of if self.of else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's score interval, which holds for small counts and for rates near 0 and 1."""
        from scipy.stats import binomtest  # noqa: PLC0415 - takes half a second to import

        if not self.of:
            return None
        low, high = binomtest(self.hits, self.of).proportion_ci(0.95, method="wilson")
        return float(low), float(high)

    def __str__(self) -> str:
        if self.interval is None:
            return "-"
        low, high = self.interval
        return f"{self.value:.1%} [{low:.1%}, {high:.1%}]"
