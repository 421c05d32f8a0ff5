"""An estimate of tokens, cost and time of a run, from a pilot: its first prompts, really asked.

The pilot is the beginning of the run itself: its rows and replies stay in the run folder, so its
cost is not wasted if the run is made.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from apigen_ray.config import RunConfig
from apigen_ray.models.clients import ModelSettings
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import Row
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.run import generated

COLUMNS = (
    "model", "outcome", "prompt_id", "input_tokens", "output_tokens", "cost_usd", "generate_s",
    "judge_s",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of one model's data points, all stages together."""

    model: str
    points: int
    verified: float
    input_tokens: float
    output_tokens: float
    cost_usd: float
    cost_margin_usd: float
    """Half of the 95 % confidence interval of the cost."""
    seconds: float
    """With every slot busy: the slower of generating and judging."""


def print_plan(config: RunConfig, prompts: int, console: Console, command: str) -> int:
    """Run a pilot of some prompts per model, and print an estimate for the whole run, `command`.

    Returns:
        The exit code: 1 if the pilot has no data point of some model, else 0.

    Raises:
        BadInput: if the config, its files or this machine don't allow the run.
    """
    folder = RunFolder(config.out)
    with folder.writing():
        with generated(folder, config, console, prompts_each=prompts, command=command):
            pass
        rows = [row for table in folder.tables(COLUMNS) for row in table.to_pylist()]
    by_model = {
        model.name: [r for r in rows if r["model"] == model.name] for model in config.models
    }
    estimates = [
        estimate(model, by_model[model.name], config)
        for model in config.models
        if any(row["outcome"] != Outcome.ERROR for row in by_model[model.name])
    ]
    console.print(_table(estimates))
    console.print(
        f"from {len(rows)} data points, which stay in {folder.path}; "
        f"the whole run will cost about ${sum(e.cost_usd for e in estimates):,.2f}",
        soft_wrap=True,
    )
    console.print(f"to start it: {command}", soft_wrap=True, markup=False, highlight=False)
    return 0 if len(estimates) == len(config.models) else 1


def estimate(model: ModelSettings, rows: Sequence[Row], config: RunConfig) -> Estimate:
    """Scale the cost of a pilot's rows to all data points of a model."""
    asked = [row for row in rows if row["outcome"] != Outcome.ERROR]
    points = sum(config.points.values())
    if config.target.count == "verified":
        passing = statistics.fmean(row["outcome"] == Outcome.VERIFIED for row in asked)
        most = config.target.asked_at_most
        points = round(points * min(most, 1 / passing if passing else most))

    def scaled(values: Sequence[float]) -> float:
        return points * statistics.fmean(values)

    costs = [row["cost_usd"] for row in asked]
    spread = statistics.stdev(costs) if len(costs) > 1 else 0.0
    # The data points of one prompt share its completion, and so its time.
    per_prompt = len({row["prompt_id"] for row in asked}) / len(asked)
    generating = scaled([per_prompt * (row["generate_s"] or 0.0) for row in asked])
    judging = scaled([row["judge_s"] or 0.0 for row in asked]) * len(config.models)
    judges = min(judge.concurrency for judge in config.judges)
    return Estimate(
        model=model.name,
        points=points,
        verified=scaled([row["outcome"] == Outcome.VERIFIED for row in asked]),
        input_tokens=scaled([row["input_tokens"] for row in asked]),
        output_tokens=scaled([row["output_tokens"] for row in asked]),
        cost_usd=scaled(costs),
        cost_margin_usd=1.96 * points * spread / len(costs) ** 0.5,
        seconds=max(generating / model.concurrency, judging / judges),
    )


def _table(estimates: Sequence[Estimate]) -> Table:
    table = Table(title="Plan", title_justify="left")
    for header in ("model", "points", "verified", "tokens in", "tokens out", "cost", "time"):
        table.add_column(header, justify="left" if header == "model" else "right", no_wrap=True)
    for e in estimates:
        table.add_row(
            e.model,
            f"{e.points:,}",
            f"{e.verified:,.0f}",
            f"{e.input_tokens:,.0f}",
            f"{e.output_tokens:,.0f}",
            f"${e.cost_usd:,.2f} ± {e.cost_margin_usd:,.2f}",
            f"{e.seconds / 3600:.1f} h" if e.seconds >= 3600 else f"{e.seconds / 60:.1f} min",
        )
    return table
