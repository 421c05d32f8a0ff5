"""Models side by side, and pair by pair over the prompts they share.

Data points of one prompt depend on each other, so differences are tested over prompts: which of
two models had more of a prompt's points verified. With one point a prompt, this is McNemar's exact
test. Points that ended in an error say nothing about a model and are left out.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome
from apigen_ray.report.audit_record import AgreementRecord, agreements
from apigen_ray.report.quality import Quality, quality_of
from apigen_ray.report.stats import Funnel
from apigen_ray.run_folder.store import RunFolder, digest

COLUMNS = (
    "id",
    "model",
    "style",
    "prompt_id",
    "tools",
    "categories",
    "outcome",
    "reason",
    "votes",
    "input_tokens",
    "output_tokens",
    "cost_usd",
)
RESAMPLES = 10_000
"""Draws of the bootstrap."""


@dataclass
class ComparedModel:
    """A model of a run, with the counts of its data points."""

    name: str
    whole: Funnel = field(default_factory=Funnel)
    by_style: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    by_category: dict[str, Funnel] = field(default_factory=lambda: defaultdict(Funnel))
    tokens: int = 0
    cost_usd: float = 0.0
    passed: dict[tuple[str, str | None, str], dict[str, bool]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    """Whether each point of a prompt was verified. Two prompts are the same if they have the same
    number, style and tools; their examples may come from each model's own pool."""

    @property
    def cost_per_verified(self) -> float | None:
        """Dollars per verified data point; None if there is none."""
        verified = self.whole.outcomes[Outcome.VERIFIED]
        return self.cost_usd / verified if verified else None

    def add(self, row: Mapping[str, Any]) -> None:
        """Count a data point."""
        categories = [self.by_category[name] for name in json.loads(row["categories"])]
        for funnel in (self.whole, self.by_style[row["style"] or "unknown"], *categories):
            funnel.add(row["outcome"], row["reason"])
        self.tokens += row["input_tokens"] + row["output_tokens"]
        self.cost_usd += row["cost_usd"]
        if row["outcome"] != Outcome.ERROR:
            prompt = row["prompt_id"], row["style"], digest([row["tools"]])
            point = row["id"].removeprefix(f"{row['model']}-")
            self.passed[prompt][point] = row["outcome"] == Outcome.VERIFIED


@dataclass(frozen=True)
class Difference:
    """How two models differ on the data points that both were asked for."""

    first: str
    second: str
    prompts: int
    points: int
    only_first: int
    """Data points that were verified for the first model only."""
    only_second: int
    difference: float
    """The pass rate of the first model minus that of the second."""
    interval: tuple[float, float]
    """Its 95 % bootstrap interval, over prompts."""
    p_value: float


@dataclass(frozen=True)
class Comparison:
    """Models side by side."""

    models: Sequence[ComparedModel]
    differences: Sequence[Difference]
    agreements: Sequence[AgreementRecord]
    passed_over: Sequence[str] = ()
    """A line on each part of a run folder that can't be read."""
    qualities: Mapping[str, Quality] = field(default_factory=dict)
    """By run folder: what audits and reviewers say of it, where anybody looked."""


def compare(paths: Sequence[str | Path]) -> Comparison:
    """Compare the models of run folders.

    Raises:
        BadInput: if a folder is not a run folder, or there are not two models to compare.
    """
    found: dict[tuple[str | Path, str], ComparedModel] = {}
    votes: list[dict[str, bool]] = []
    passed_over: list[str] = []
    qualities: dict[str, Quality] = {}
    for path in dict.fromkeys(paths):
        folder = RunFolder(path)
        if folder.read_manifest() is None:
            raise BadInput(f"{path}: not a run folder (no manifest.json)")
        whole = Funnel()
        for table in folder.tables(COLUMNS):
            for row in table.to_pylist():
                whole.add(row["outcome"], row["reason"])
                found.setdefault((path, row["model"]), ComparedModel(row["model"])).add(row)
                given = json.loads(row["votes"]) if row["votes"] else []
                votes.append({vote["judge"]: vote["pass"] for vote in given})
        passed_over += folder.passed_over
        quality = quality_of(folder, whole)
        if quality.lines() or quality.audit:
            qualities[str(path)] = quality
        passed_over += quality.problems
    if len(found) < 2:
        few = f"{', '.join(map(str, paths))}: fewer than two models with data points"
        raise BadInput("; ".join([few, *passed_over]))
    names = Counter(name for _, name in found)
    for (path, name), model in found.items():
        if names[name] > 1:
            model.name = f"{path}: {name}"
    models = sorted(found.values(), key=lambda model: model.name)
    pairs = (difference(*pair) for pair in combinations(models, 2))
    differences = [pair for pair in pairs if pair]
    return Comparison(models, differences, agreements(votes), passed_over, qualities)


def difference(first: ComparedModel, second: ComparedModel) -> Difference | None:
    """How two models differ on the points they share; None if they share none."""
    from scipy.stats import binomtest  # noqa: PLC0415 - takes half a second to import

    prompts = []  # for each shared prompt: points, verified for the first only, for the second only
    for prompt in sorted(first.passed.keys() & second.passed.keys(), key=str):
        of_first, of_second = first.passed[prompt], second.passed[prompt]
        shared = of_first.keys() & of_second.keys()
        wins = sum(of_first[point] > of_second[point] for point in shared)
        losses = sum(of_first[point] < of_second[point] for point in shared)
        if shared:
            prompts.append((len(shared), wins, losses))
    if not prompts:
        return None
    points, only_first, only_second = (int(total) for total in np.sum(prompts, axis=0))
    won = sum(wins > losses for _, wins, losses in prompts)
    lost = sum(wins < losses for _, wins, losses in prompts)
    return Difference(
        first=first.name,
        second=second.name,
        prompts=len(prompts),
        points=points,
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / points,
        interval=_bootstrap(Counter((n, wins - losses) for n, wins, losses in prompts)),
        p_value=float(binomtest(won, won + lost).pvalue) if won + lost else 1.0,
    )


def _bootstrap(prompts: Counter[tuple[int, int]]) -> tuple[float, float]:
    """The 95 % interval of a mean difference, by resampling prompts.

    Prompts with the same number of points and the same difference are interchangeable, so a
    resample only draws how many of each kind there are.

    Args:
        prompts: The number of prompts by their points and the difference over these.
    """
    kinds = np.array(list(prompts))
    counts = np.array(list(prompts.values()))
    drawn = np.random.default_rng(0).multinomial(
        counts.sum(), counts / counts.sum(), size=RESAMPLES
    )
    points, differences = (drawn @ kinds).T
    low, high = np.quantile(differences / points, (0.025, 0.975))
    return float(low), float(high)
