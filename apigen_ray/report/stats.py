"""The funnel in numbers. The same rows give the same numbers in any order."""

import json
import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute

from apigen_ray.errors import ApigenError, BadInput
from apigen_ray.records import Outcome
from apigen_ray.report import repeats
from apigen_ray.report.repeats import repeated_ids
from apigen_ray.run_folder.store import RunFolder

COLUMNS = (
    "model",
    "style",
    "categories",
    "outcome",
    "reason",
    "input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cached_tokens",
    "cost_usd",
    "agreement",
)
OUTCOMES = frozenset(Outcome)


class LedgerError(ApigenError):
    """`requested = verified + fail_format + fail_execution + fail_semantic + error` is violated."""


@dataclass
class Funnel:
    """Counts of data points by outcome and reason."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, outcome: str, reason: str | None, number: int = 1) -> None:
        """Count data points."""
        self.outcomes[outcome] += number
        if reason:
            self.reasons[reason] += number

    @property
    def total(self) -> int:
        """All data points counted."""
        return self.outcomes.total()

    @property
    def pass_rate(self) -> float | None:
        """The verified share of all data points but errors, which are not the model's."""
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
    """A run's funnel, overall and by model, style and category."""

    requested: int
    repeated: Set[str] = frozenset()
    """The ids of verified pairs that repeat another: they are left out of the data set."""
    whole: Funnel = field(default_factory=Funnel)
    by_model: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    by_style: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    by_category: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cached_tokens: int = 0
    cache_reported_for: int = 0
    """The input tokens of the data points whose endpoints say how many of them were cached."""
    cost_usd: float = 0.0
    agreement: Counter[str] = field(default_factory=Counter)
    """Data points by how many of the solvers that were asked agree, such as `2 of 3`."""

    @property
    def agreement_line(self) -> str:
        """How many of the solvers that were asked agreed, in words."""
        counts = (f"{text} for {number:,}" for text, number in sorted(self.agreement.items()))
        return f"solvers that made the calls of a data point: {', '.join(counts)}"

    @property
    def cached_share(self) -> float | None:
        """The share of input tokens that were cached; None if no endpoint reports it."""
        return self.cached_tokens / self.cache_reported_for if self.cache_reported_for else None

    @property
    def distinct(self) -> int:
        """Verified pairs without those that repeat another."""
        return self.whole.outcomes[Outcome.VERIFIED] - len(self.repeated)

    def add_usage(self, input_tokens: int, output_tokens: int, cost_usd: float) -> None:
        """Count what was used for no data point in particular."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.cost_usd += cost_usd

    @property
    def missing(self) -> int:
        """Data points requested that have no row yet, because the run was stopped."""
        return self.requested - self.whole.total

    def as_json(self) -> dict[str, Any]:
        """The content of stats.json."""
        verified = self.whole.outcomes[Outcome.VERIFIED]
        return {
            "requested": self.requested,
            "missing": self.missing,
            **self.whole.as_json(),
            "distinct_verified": self.distinct,
            "by_model": _as_json(self.by_model),
            "by_style": _as_json(self.by_style),
            "by_category": _as_json(self.by_category),
            "tokens": {
                "input": self.input_tokens,
                "output": self.output_tokens,
                "reasoning": self.reasoning_tokens,
                "cached_share": self.cached_share,
            },
            **({"agreement": dict(sorted(self.agreement.items()))} if self.agreement else {}),
            "cost_usd": round(self.cost_usd, 6),
            "cost_usd_per_verified": round(self.cost_usd / verified, 6) if verified else None,
        }


def requested_of(folder: object, manifest: Mapping[str, Any]) -> int:
    """How many data points were requested, from the manifest of a run folder.

    Raises:
        BadInput: if the manifest does not say.
    """
    requested = manifest.get("requested")
    if not isinstance(requested, int):
        raise BadInput(
            f"{folder}/manifest.json: `requested` is missing; another version wrote this folder"
        )
    return requested


def stats_of(folder: RunFolder, requested: int) -> Stats:
    """Count the rows of a run folder.

    Raises:
        LedgerError: as `count` raises it.
    """
    return count(folder.tables(COLUMNS), requested, repeated_ids(folder.tables(repeats.COLUMNS)))


def count(tables: Iterable[pa.Table], requested: int, repeated: Set[str] = frozenset()) -> Stats:
    """Count rows that have at least `COLUMNS`.

    A data point counts in each category of its tools.

    Args:
        tables: The rows.
        requested: How many were asked for.
        repeated: The ids of the verified ones that repeat another.

    Raises:
        LedgerError: if there are more rows than were requested, or a row has an unknown outcome.
    """
    stats = Stats(requested, repeated)
    costs = array("d")
    for table in tables:
        for model, style, *rest in _tally(table, "model", "style", "outcome", "reason"):
            for group in (stats.whole, stats.by_model[model], stats.by_style[style or "unknown"]):
                group.add(*rest)
        for categories, *rest in _tally(table, "categories", "outcome", "reason"):
            for name in _categories(categories):
                stats.by_category[name].add(*rest)
        for agreement, number in _tally(table.select(["agreement"]).drop_null(), "agreement"):
            stats.agreement[agreement] += number
        stats.input_tokens += _sum(table["input_tokens"])
        stats.output_tokens += _sum(table["output_tokens"])
        stats.reasoning_tokens += _sum(table["reasoning_tokens"])
        stats.cached_tokens += _sum(table["cached_tokens"])
        reported = pa.compute.is_valid(table["cached_tokens"])
        stats.cache_reported_for += _sum(table["input_tokens"].filter(reported))
        costs.frombytes(table["cost_usd"].to_numpy().tobytes())
    if unknown := stats.whole.outcomes.keys() - OUTCOMES:
        raise LedgerError(f"a row has the outcome {unknown.pop()!r}")
    stats.cost_usd = math.fsum(costs)  # a plain sum of floats depends on their order
    if stats.missing < 0:
        raise LedgerError(f"{stats.whole.total} rows, but only {requested} were requested")
    return stats


def _sum(counts: pa.ChunkedArray) -> int:
    total: int = pa.compute.sum(counts, min_count=0).as_py()
    return total


def _tally(table: pa.Table, *columns: str) -> Iterator[tuple[Any, ...]]:
    """The combinations of values in columns, each with the number of rows that have it."""
    counted = table.group_by(columns, use_threads=False).aggregate([([], "count_all")])
    return zip(*counted.select([*columns, "count_all"]).to_pydict().values(), strict=True)


@lru_cache(maxsize=4096)
def _categories(text: str) -> list[str]:
    names: list[str] = json.loads(text)
    return names


def _as_json(funnels: Mapping[str, Funnel]) -> dict[str, Any]:
    return {name: funnels[name].as_json() for name in sorted(funnels)}
