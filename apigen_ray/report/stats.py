"""The funnel in numbers. The same rows give the same numbers, whatever order they came in."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa

from apigen_ray.errors import ApigenError, BadInput
from apigen_ray.records import Outcome

COLUMNS = (
    "model",
    "style",
    "categories",
    "outcome",
    "reason",
    "input_tokens",
    "output_tokens",
    "cost_usd",
)
OUTCOMES = frozenset(Outcome)


class LedgerError(ApigenError):
    """`requested = verified + fail_format + fail_execution + fail_semantic + error` is not true."""


@dataclass
class Funnel:
    """Counts of data points by outcome and reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: str, reason: str | None) -> None:
        """Count one data point."""
        self.outcomes[outcome] += 1
        if reason:
            self.reasons[reason] += 1

    @property
    def total(self) -> int:
        """All data points counted."""
        return self.outcomes.total()

    @property
    def pass_rate(self) -> float | None:
        """Verified among those that were judged on their merits: errors are not the model's."""
        judged = self.total - self.outcomes[Outcome.ERROR]
        return self.outcomes[Outcome.VERIFIED] / judged if judged else None

    def as_json(self) -> dict[str, Any]:
        """The counts, outcomes in the order of the funnel, reasons by number."""
        return {
            "total": self.total,
            "outcomes": {outcome.value: self.outcomes[outcome] for outcome in Outcome},
            "pass_rate": self.pass_rate,
            "reasons": dict(sorted(self.reasons.items(), key=lambda item: (-item[1], item[0]))),
        }


@dataclass
class Stats:
    """A run's funnel, whole and by model, style and category."""

    requested: int
    whole: Funnel = field(default_factory=Funnel)
    by_model: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    by_style: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    by_category: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def missing(self) -> int:
        """Data points asked for that have no row yet: the run was stopped before them."""
        return self.requested - self.whole.total

    def as_json(self) -> dict[str, Any]:
        """The content of stats.json."""
        verified = self.whole.outcomes[Outcome.VERIFIED]
        return {
            "requested": self.requested,
            "missing": self.missing,
            **self.whole.as_json(),
            "by_model": _as_json(self.by_model),
            "by_style": _as_json(self.by_style),
            "by_category": _as_json(self.by_category),
            "tokens": {"input": self.input_tokens, "output": self.output_tokens},
            "cost_usd": round(self.cost_usd, 6),
            "cost_usd_per_verified": round(self.cost_usd / verified, 6) if verified else None,
        }


def requested_of(folder: object, manifest: Mapping[str, Any]) -> int:
    """How many data points the manifest of a run folder says were asked for.

    Raises:
        BadInput: if it doesn't say.
    """
    requested = manifest.get("requested")
    if not isinstance(requested, int):
        raise BadInput(f"{folder}/manifest.json: no number `requested`: made by another version")
    return requested


def count(tables: Iterable[pa.Table], requested: int) -> Stats:
    """Count rows, which have at least `COLUMNS`.

    A data point counts in each category of the tools it was shown.

    Raises:
        LedgerError: if there are more rows than were asked for, or one without an outcome.
    """
    stats = Stats(requested)
    costs: list[float] = []
    for table in tables:
        for row in table.select(COLUMNS).to_pylist():
            if row["outcome"] not in OUTCOMES:
                raise LedgerError(f"a row has the outcome {row['outcome']!r}")
            of_categories = [stats.by_category[name] for name in _categories(row["categories"])]
            of_style = stats.by_style[row["style"] or "unknown"]
            for group in (stats.whole, stats.by_model[row["model"]], of_style, *of_categories):
                group.add(row["outcome"], row["reason"])
            stats.input_tokens += row["input_tokens"]
            stats.output_tokens += row["output_tokens"]
            costs.append(row["cost_usd"])
    stats.cost_usd = sum(sorted(costs))  # sorted: a sum of floats depends on their order
    if stats.missing < 0:
        raise LedgerError(f"{stats.whole.total} rows where {requested} were asked for")
    return stats


@lru_cache(maxsize=4096)
def _categories(text: str) -> list[str]:
    names: list[str] = json.loads(text)
    return names


def _as_json(funnels: Mapping[str, Funnel]) -> dict[str, Any]:
    return {name: funnels[name].as_json() for name in sorted(funnels)}
