"""The end of a run: its data set, statistics and report are written, its result is told."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from rich.console import Console
from upath import UPath

from apigen_ray.datasets.card import dataset_card
from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome, Reason
from apigen_ray.report.page import write_report
from apigen_ray.report.quality import Quality, quality_of
from apigen_ray.report.stats import Stats, stats_of
from apigen_ray.report.terminal import print_funnel, print_quality, print_rows, print_warnings
from apigen_ray.report.tracking import TrackSettings, track
from apigen_ray.run_folder.rows import Row, as_rows, with_value
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.resume import RunPlan

if TYPE_CHECKING:
    import pandas as pd


SMALL_RUN = 100
"""Up to so many data points, a run is a trial: some rows are shown besides the counts."""


@dataclass(frozen=True, repr=False)
class RunResult:
    """What a run has come to, and where its files are."""

    folder: RunFolder
    stats: Stats
    """The funnel: whole, and by model, style and category."""
    shortfalls: tuple[str, ...] = ()
    """What the run will not deliver, a line each: data points given up, targets missed."""

    @property
    def path(self) -> UPath:
        """The run folder."""
        return self.folder.path

    @property
    def dataset(self) -> UPath:
        """The folder of the verified data set, which `datasets.load_dataset` reads."""
        return self.path / "dataset"

    @property
    def report(self) -> UPath:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def requested(self) -> int:
        """How many data points were asked for."""
        return self.stats.requested

    @property
    def missing(self) -> int:
        """How many of them have no outcome yet."""
        return self.stats.missing

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many data points ended with each outcome."""
        return {outcome: self.stats.whole.outcomes[outcome] for outcome in Outcome}

    @property
    def reasons(self) -> dict[Reason, int]:
        """How many data points were not verified, by reason; only the reasons that occurred."""
        found = self.stats.whole.reasons
        return {reason: found[reason] for reason in Reason if found[reason]}

    @property
    def complete(self) -> bool:
        """Whether every data point has an outcome other than `error`, and no target was missed."""
        return not (self.missing or self.outcomes[Outcome.ERROR] or self.shortfalls)

    @property
    def exit_code(self) -> int:
        """The exit code of the command: 0 if the run is complete, else 1."""
        return 0 if self.complete else 1

    def rows(self, outcome: Outcome | str | None = None) -> Iterator[Row]:
        """The data points, in the columns of `samples`, where JSON is text.

        Args:
            outcome: Only those with this outcome.
        """
        for table in self.folder.tables():
            yield from as_rows(with_value(table, "outcome", outcome) if outcome else table)

    def to_pandas(self, outcome: Outcome | str | None = None) -> "pd.DataFrame":
        """The same as a data frame."""
        import pandas as pd  # noqa: PLC0415 - takes half a second, and few need it

        return pd.DataFrame(list(self.rows(outcome)), columns=list(Row.__annotations__))

    def __repr__(self) -> str:
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self.outcomes.items())
        return f"<{type(self).__name__} {self.path}: {self.requested} requested, {counts}>"


def import_ahead() -> None:
    """Import in a thread what is needed late in a run: it takes two seconds."""

    def import_both() -> None:
        import_module("scipy.stats")  # for the audit of judges, before the first row
        import_module("apigen_ray.report.charts")

    Thread(target=import_both, daemon=True).start()


def finish(
    folder: RunFolder,
    requested: int,
    console: Console,
    run_plan: RunPlan | None = None,
    tracking: TrackSettings | None = None,
) -> RunResult:
    """Count the rows, write the data set, the statistics and the report, print the funnel."""
    surplus = run_plan.surplus_ids() if run_plan else set()
    stats, quality = _write_outputs(folder, requested, surplus)
    print_funnel(console, stats)
    print_quality(console, quality)
    if requested <= SMALL_RUN:
        print_rows(console, (row for table in folder.tables() for row in as_rows(table)))
    print_warnings(console, folder.passed_over)
    if tracking:
        try:
            track(tracking, folder, stats)
        except BadInput as error:  # the run itself is complete without it
            console.print(f"not tracked: {error}", style="yellow", soft_wrap=True)
    if surplus:
        console.print(f"{len(surplus):,} verified data points beyond the target stay in samples")
    result = RunResult(folder, stats, tuple(run_plan.shortfalls()) if run_plan else ())
    for shortfall in result.shortfalls:
        console.print(shortfall, style="yellow", soft_wrap=True)
    console.print(f"run folder: {folder.path}", soft_wrap=True)
    errors = result.outcomes[Outcome.ERROR]
    if errors or result.missing:
        console.print(
            f"{result.missing} data points are missing and {errors} ended in an error; "
            "run the same command to continue",
            style="yellow",
            soft_wrap=True,
        )
    return result


def _write_outputs(folder: RunFolder, requested: int, surplus: set[str]) -> tuple[Stats, Quality]:
    stats = stats_of(folder, requested)
    quality = quality_of(folder, stats.whole)
    quality.add_usage(stats)
    manifest = folder.read_manifest() or {}
    card = dataset_card(
        stats, manifest, folder.first_verified(), quality=quality, surplus=len(surplus)
    )
    folder.write_json("stats.json", stats.as_json() | quality.as_json())
    with ThreadPoolExecutor(1) as pool:  # Arrow writes the data set while Python makes the report
        written = pool.submit(folder.write_dataset, card, surplus | stats.repeated)
        write_report(folder, stats, quality)
        written.result()
    return stats, quality
