"""What report.html shows besides the funnel, gathered in one pass over the rows.

Everything is counted exactly, except what compares rows with each other: query diversity and the
examples come from samples. A sample is drawn by a hash of the id, so the same rows give the same
report, in any order; queries are drawn by their prompts, so that models are compared
on the same prompts.
"""

import statistics
import zlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from apigen_ray.records import Outcome
from apigen_ray.stages.similarity import (
    NEAR_DUPLICATE,
    functions_text,
    shingles,
    similarities,
    words_of,
)

COLUMNS = (
    "id",
    "model",
    "style",
    "prompt_id",
    "query",
    "answers",
    "tools",
    "messages",
    "turns",
    "outcome",
    "reason",
    "detail",
    "execution_results",
    "thought",
    "votes",
    "completion",
    "reasoning",
    "input_tokens",
    "output_tokens",
    "cost_usd",
    "generate_s",
    "execute_s",
    "judge_s",
)
DRAWN_BY = ("id", "model", "style", "prompt_id", "outcome", "reason")
TIMED = ("generate", "execute", "judge")
EXAMPLES_PER_KIND = 8
"""Examples kept of each reason, and of each style among the verified."""
DIVERSITY_SAMPLE = 1000
"""The most verified queries of a model that are compared with each other. Distinct n-grams and
neighbours depend on the number of queries, so runs are compared on samples of the same size."""


@dataclass
class Usage:
    """The tokens and the cost of a model's data points."""

    points: int = 0
    verified: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0

    @property
    def cost_per_verified(self) -> float | None:
        """Dollars per verified data point; None if there is none."""
        return self.cost_usd / self.verified if self.verified else None


@dataclass
class Coverage:
    """How often a tool was shown and called, and why data points that should call it failed."""

    shown: int = 0
    called: int = 0
    verified: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Latency:
    """Seconds that a stage took for a data point."""

    stage: str
    count: int
    median: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True)
class Diversity:
    """How much the verified queries of a model differ, in a sample of them."""

    model: str
    queries: int
    words: float
    distinct: tuple[float, float, float]
    """Distinct word 1-, 2- and 3-grams, as shares of all."""
    nearest: Sequence[float]
    """For each query, the similarity of the most similar other one."""
    near_duplicates: float
    """The share of queries that have a near-duplicate."""

    @property
    def median_nearest(self) -> float:
        """The median of `nearest`."""
        return statistics.median(self.nearest) if self.nearest else 0.0


@dataclass
class Summary:
    """Usage, latency, tool coverage, diversity and examples of a run."""

    usage: dict[str, Usage] = field(default_factory=lambda: defaultdict(Usage))
    tools: dict[str, Coverage] = field(default_factory=lambda: defaultdict(Coverage))
    seconds: "dict[str, array[float]]" = field(
        default_factory=lambda: defaultdict(lambda: array("d"))
    )
    _queries: "dict[str, Sample]" = field(
        default_factory=lambda: defaultdict(lambda: Sample(DIVERSITY_SAMPLE))
    )
    _examples: "dict[tuple[str, str], Sample]" = field(
        default_factory=lambda: defaultdict(lambda: Sample(EXAMPLES_PER_KIND))
    )

    def add(self, table: pa.Table) -> None:
        """Count rows that have at least `COLUMNS`."""
        for stage in TIMED:
            self.seconds[stage].frombytes(table[f"{stage}_s"].drop_null().to_numpy().tobytes())
        self._add_usage(table)
        self._add_tools(table)
        self._draw(table)

    def _add_usage(self, table: pa.Table) -> None:
        taken = [(name, "sum") for name in ("input_tokens", "output_tokens", "cost_usd")]
        groups = table.group_by(["model", "outcome"], use_threads=False)
        for group in groups.aggregate([([], "count_all"), *taken]).to_pylist():
            usage = self.usage[group["model"]]
            usage.points += group["count_all"]
            if group["outcome"] == Outcome.VERIFIED:
                usage.verified += group["count_all"]
            usage.input_tokens += group["input_tokens_sum"]
            usage.output_tokens += group["output_tokens_sum"]
            usage.cost_usd += group["cost_usd_sum"]

    def _add_tools(self, table: pa.Table) -> None:
        texts = table["tools"].combine_chunks().dictionary_encode()
        shown = [
            {tool.name for tool in _NAMED.decode(text)} for text in texts.dictionary.to_pylist()
        ]
        for names, number in zip(shown, np.bincount(texts.indices).tolist(), strict=True):
            for name in names:
                self.tools[name].shown += number
        columns = table.select(["answers", "outcome", "reason"]).to_pydict().values()
        for place, answers, outcome, reason in zip(
            texts.indices.to_pylist(), *columns, strict=True
        ):
            called = shown[place].intersection(called_names(answers))
            for name in called:
                self.tools[name].called += 1
                self.tools[name].verified += outcome == Outcome.VERIFIED
            if reason:
                # A point that calls none of its tools counts for its tool if it has only one.
                for name in called or (shown[place] if len(shown[place]) == 1 else ()):
                    self.tools[name].reasons[reason] += 1

    def _draw(self, table: pa.Table) -> None:
        """Offer rows to the samples; only rows that may be drawn become Python objects."""
        rows = zip(*table.select(DRAWN_BY).to_pydict().values(), strict=True)
        wanted = [
            place
            for place, (id_, model, style, prompt_id, outcome, reason) in enumerate(rows)
            if self._examples[outcome, _kind(reason, style)].wants(id_)
            or (outcome == Outcome.VERIFIED and self._queries[model].wants(prompt_id))
        ]
        for row in table.take(pa.array(wanted, pa.int64())).to_pylist():
            self._examples[row["outcome"], _kind(row["reason"], row["style"])].add(row["id"], row)
            if row["outcome"] == Outcome.VERIFIED and (row["query"] or "").strip():
                functions = functions_text(called_names(row["answers"]))
                self._queries[row["model"]].add(row["prompt_id"], (row["query"], functions))

    def latencies(self) -> list[Latency]:
        """The latency of each stage that ran."""
        found = []
        for stage in TIMED:
            if seconds := self.seconds[stage]:
                median, p95, p99, longest = np.percentile(seconds, (50, 95, 99, 100)).tolist()
                found.append(Latency(stage, len(seconds), median, p95, p99, longest))
        return found

    def diversities(self) -> list[Diversity]:
        """The diversity of the verified queries of each model."""
        drawn = {model: self._queries[model].items() for model in sorted(self._queries)}
        return [diversity(model, queries) for model, queries in drawn.items() if queries]

    def never_passed(self) -> list[tuple[str, Coverage]]:
        """The tools without a verified call, most often shown first."""
        found = [(name, tool) for name, tool in self.tools.items() if not tool.verified]
        return sorted(found, key=lambda item: (-item[1].shown, item[0]))

    def examples(self) -> list[dict[str, Any]]:
        """Sampled rows, in the order of the funnel."""
        order = {outcome.value: place for place, outcome in enumerate(Outcome)}
        kinds = sorted(self._examples, key=lambda kind: (order[kind[0]], kind[1]))
        return [row for kind in kinds for row in self._examples[kind].items()]


class Sample:
    """Up to `size` of the items added, drawn by a hash of their ids."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._kept: list[tuple[int, str, Any]] = []
        self._highest = 1 << 32

    def wants(self, id_: str) -> bool:
        """Whether an item of this id may still be drawn."""
        return zlib.crc32(id_.encode()) <= self._highest

    def add(self, id_: str, item: Any) -> None:
        """Offer an item."""
        self._kept.append((zlib.crc32(id_.encode()), id_, item))
        if len(self._kept) >= 2 * self._size:
            self._shrink()

    def items(self) -> list[Any]:
        """The items drawn, in the order of their hashes."""
        self._shrink()
        return [item for _, _, item in self._kept]

    def _shrink(self) -> None:
        self._kept.sort(key=lambda kept: kept[:2])
        del self._kept[self._size :]
        if len(self._kept) == self._size:
            self._highest = self._kept[-1][0]


def summarise(tables: Iterable[pa.Table]) -> Summary:
    """Gather what report.html shows."""
    summary = Summary()
    for table in tables:
        summary.add(table)
    return summary


def _kind(reason: str | None, style: str | None) -> str:
    return reason or style or "unknown"


class _Named(msgspec.Struct):
    name: str


_NAMED = msgspec.json.Decoder(list[_Named])
"""Decodes the names of tools only, which is five times as fast as decoding all of them."""


def called_names(answers: str | None) -> list[str]:
    """The function that each call of a row names; anything that is not a call is skipped."""
    calls = msgspec.json.decode(answers) if answers else None
    if not isinstance(calls, list):
        return []
    names = (call.get("name") for call in calls if isinstance(call, dict))
    return [name for name in names if isinstance(name, str)]


def diversity(model: str, queries: Sequence[tuple[str, str]]) -> Diversity:
    """How much queries differ, each given with the text of the functions that answer it."""
    words = [words_of(query) for query, _ in queries]
    by_length = [Counter(gram for line in words for gram in _ngrams(line, n)) for n in (1, 2, 3)]
    distinct = [len(grams) / grams.total() if grams else 0.0 for grams in by_length]
    similar = similarities([shingles(query) for query, _ in queries])
    functions = np.array([functions for _, functions in queries])
    near_duplicates = (similar >= NEAR_DUPLICATE) & (functions[:, None] == functions[None, :])
    return Diversity(
        model=model,
        queries=len(queries),
        words=statistics.median(map(len, words)),
        distinct=(distinct[0], distinct[1], distinct[2]),
        nearest=similar.max(axis=1).tolist() if len(queries) > 1 else [],
        near_duplicates=float(near_duplicates.any(axis=1).mean()),
    )


def _ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return list(zip(*(words[start:] for start in range(n)), strict=False))
