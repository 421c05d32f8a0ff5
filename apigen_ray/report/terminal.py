"""The funnel and the live progress of a run, in a terminal or in a log file."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, zip_longest
from operator import itemgetter
from types import TracebackType

import pyarrow as pa
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from apigen_ray.records import OUTCOME_OF, Outcome, Reason, Stage
from apigen_ray.report.activity import AGREE, CONVERSE, Activity
from apigen_ray.report.quality import Quality
from apigen_ray.report.rates import RecentRate, clock, rate_text
from apigen_ray.report.refresh import refresh
from apigen_ray.report.stats import Funnel, Stats
from apigen_ray.run_folder.rows import Row
from apigen_ray.run_folder.store import RunFolder

COLOURS = {
    Outcome.VERIFIED: "green",
    Outcome.FAIL_FORMAT: "yellow",
    Outcome.FAIL_EXECUTION: "magenta",
    Outcome.FAIL_SEMANTIC: "cyan",
    Outcome.ERROR: "red",
}
LOG_EVERY_S = 10.0
LONGEST_NAME = 100


class Progress:
    """Counts by outcome, rates, time left, cost and activity: live, or a line every ten seconds."""

    def __init__(
        self,
        console: Console,
        requested: int,
        before: Mapping[str, int],
        activity: Callable[[], Activity] = Activity,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start from the data points that earlier attempts settled.

        Args:
            console: Where the progress is shown.
            requested: The data points requested in all.
            before: The data points settled already, by outcome.
            activity: Returns what the run is working on.
            now: The clock.
        """
        self._activity = activity
        self._console = console
        self._requested = requested
        self._before = Counter(before)
        self._arrived: Counter[str] = Counter()
        self._cost = 0.0
        self._now = now
        self._start = self._logged = now()
        self._rows = RecentRate(self._start)
        self._tokens = RecentRate(self._start, activity().output_tokens)
        self._live = Live(console=console, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        ended = replace(self._activity(), rows={}, requests={}, settled={})
        self._activity = lambda: ended
        self.show(last=True)
        if self._live:
            self._live.__exit__(kind, error, traceback)

    def add(self, rows: pa.Table) -> None:
        """Count settled data points."""
        self._arrived.update(rows["outcome"].to_pylist())
        self._cost += sum(rows["cost_usd"].to_pylist())

    def show(self, *, last: bool = False) -> None:
        """Refresh the display; outside a terminal, print a line now and then."""
        activity = self._activity()
        settled = self._settled(activity)
        self._tokens.note(self._now(), activity.output_tokens)
        self._rows.note(self._now(), settled.total())
        lines = [self._counts(settled)]
        if settled or self._before.total() < self._requested:
            lines += [self._pace(activity, settled.total()), *_at_work(activity)]
        if self._live:  # each line has a row of its own, however narrow the terminal is
            self._live.update(Text("\n", no_wrap=True, overflow="ellipsis").join(lines))
        elif last or self._now() - self._logged > LOG_EVERY_S:
            self._logged = self._now()
            self._console.print(Text("\n  ").join(lines), soft_wrap=True)

    def _settled(self, activity: Activity) -> Counter[str]:
        """What this wave has settled, by outcome.

        Rejected data points count when they are rejected, not when they have passed through the
        later stages to the driver.
        """
        return self._arrived | Counter(activity.settled)

    def _counts(self, settled: Counter[str]) -> Text:
        outcomes = self._before + settled
        line = Text(f"{min(outcomes.total(), self._requested)}/{self._requested}")
        for outcome in Outcome:
            count = outcomes[outcome]
            name = outcome.removeprefix("fail_")
            line.append(f"  {name} {count}", COLOURS[outcome] if count else "dim")
        return line

    def _pace(self, activity: Activity, settled: int) -> Text:
        """How fast it goes, and how long it takes."""
        now = self._now()
        elapsed = clock(now - self._start)
        left = self._rows.seconds_left(now, self._requested - self._before.total() - settled)
        if left is None and not activity.replies:
            return Text(f"waiting for the first replies, {elapsed}", "dim")
        parts = [f"{elapsed} elapsed"]
        if left is None:
            parts.insert(0, "1 reply" if activity.replies == 1 else f"{activity.replies:,} replies")
        else:
            parts.insert(0, rate_text(self._rows.per_second(now)))
            parts[-1] += f", {clock(left)} left"
        if tokens := self._tokens.per_second(now):
            parts.append(rate_text(tokens, "tokens"))
        if self._cost:
            parts.append(f"${self._cost:.2f}")
        return Text("  ".join(parts))


def _at_work(activity: Activity) -> list[Text]:
    order = [*(stage.value for stage in Stage), AGREE, CONVERSE]
    stages = sorted(
        activity.rows.items(), key=lambda item: (order.index(item[0].partition("(")[0]), item)
    )
    models = sorted(activity.requests.items())
    shown = {
        "at work": [f"{stage} {count:,}" for stage, count in stages],
        "requests": [f"{model} {now:,} of {limit:,}" for model, (now, limit) in models],
    }
    return [
        Text(f"{what}: {_visible(', '.join(parts))}", "dim")
        for what, parts in shown.items()
        if parts
    ]


class Notices:
    """Tells the user things, each once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: set[str] = set()

    def show(self, texts: Iterable[str]) -> None:
        """Print those that are new."""
        new = [text for text in texts if text not in self._shown]
        self._shown.update(new)
        print_warnings(self._console, new)


def print_report(console: Console, path: str) -> None:
    """Print the funnel of a run folder, and write its stats.json and report.html.

    Raises:
        BadInput: if the folder is not a run folder.
    """
    folder = RunFolder(path)
    stats, quality = refresh(folder)
    print_funnel(console, stats)
    print_quality(console, quality)
    print_warnings(console, folder.passed_over)
    console.print(f"report: {folder.path / 'report.html'}", soft_wrap=True)


def print_funnel(console: Console, stats: Stats) -> None:
    """Print the funnel, the reasons, and the outcomes by model and style."""
    console.print(_funnel_table(stats))
    if stats.repeated:
        console.print(
            f"{stats.distinct:,} of the verified pairs are distinct; {len(stats.repeated):,} "
            "repeat another and are left out of dataset/",
            soft_wrap=True,
        )
    if stats.whole.reasons:
        console.print(_reason_table(stats.whole))
    for title, funnels in (("model", stats.by_model), ("style", stats.by_style)):
        if len(funnels) > 1:
            console.print(_group_table(title, funnels))
    if stats.agreement:
        console.print(stats.agreement_line, soft_wrap=True)
    if stats.input_tokens:
        share = stats.cached_share
        cached = "" if share is None else f" ({share:.0%} cached)"
        reasoning = f" ({stats.reasoning_tokens:,} reasoning)" if stats.reasoning_tokens else ""
        cost = f", ${stats.cost_usd:.4f}" if stats.cost_usd else ""
        tokens_in = f"{stats.input_tokens:,} in{cached}"
        console.print(f"tokens: {tokens_in}, {stats.output_tokens:,} out{reasoning}{cost}")


def print_quality(console: Console, quality: Quality) -> None:
    """Print what was measured of the judges, and what follows for the verified rows."""
    judged = quality.judged_by
    warned = {str(judge) for judge in judged.judges if judge.warning} if judged else set()
    for line in quality.lines():
        if line not in warned:
            console.print(_visible(line), markup=False, highlight=False, soft_wrap=True)
    print_warnings(console, quality.warnings)


def print_rows(console: Console, rows: Iterable[Row], number: int = 3) -> None:
    """Print a few data points in full: of different outcomes, as far as there are several."""
    of_outcome: dict[str, list[Row]] = {outcome: [] for outcome in Outcome}
    for row in rows:
        of_outcome[row["outcome"] or ""].append(row)
    turns = zip_longest(*(sorted(found, key=itemgetter("id")) for found in of_outcome.values()))
    for row in islice((row for turn in turns for row in turn if row), number):
        outcome = Outcome(row["outcome"] or "")
        label = ", ".join(filter(None, (outcome, row["reason"]))) + f": {row['id']}"
        console.print(Text(f"\n{_visible(label)}", COLOURS[outcome]))
        said = {"query": row["query"], "calls": row["answers"], "results": row["execution_results"]}
        for name, text in (said | {"detail": row["detail"]}).items():
            if text:
                console.print(Text(f"  {name}: {_visible(text)}"), soft_wrap=True)


def print_warnings(console: Console, lines: Sequence[str]) -> None:
    """Print lines that may have untrusted names and texts in them."""
    for line in lines:
        console.print(_visible(line), style="yellow", markup=False, highlight=False, soft_wrap=True)


def _funnel_table(stats: Stats) -> Table:
    table = Table(title="Funnel", title_justify="left")
    for header, justify in (("", "left"), ("data points", "right"), ("of all", "right")):
        table.add_column(header, justify=justify)  # type: ignore[arg-type]
    table.add_column("")

    def row(label: str, count: int, style: str) -> None:
        share = count / stats.requested if stats.requested else 0.0
        bar = ProgressBar(stats.requested or 1, count, width=30, complete_style=style or "white")
        table.add_row(Text(label, style), f"{count:,}", f"{share:.1%}", bar)

    row("requested", stats.requested, "")
    for outcome in Outcome:
        row(f"  {outcome}", stats.whole.outcomes[outcome], COLOURS[outcome])
    if stats.missing:
        row("  not yet requested", stats.missing, "dim")
    return table


def _reason_table(funnel: Funnel) -> Table:
    table = Table(title="Reasons", title_justify="left")
    table.add_column("outcome")
    table.add_column("reason")
    table.add_column("data points", justify="right")
    for reason in Reason:
        if funnel.reasons[reason]:
            outcome = OUTCOME_OF[reason]
            table.add_row(Text(outcome, COLOURS[outcome]), reason, f"{funnel.reasons[reason]:,}")
    return table


def _group_table(title: str, funnels: Mapping[str, Funnel]) -> Table:
    table = Table(title=f"By {title}", title_justify="left", pad_edge=False)
    table.add_column(title, overflow="fold")
    for outcome in Outcome:
        short = outcome.removeprefix("fail_")
        table.add_column(short, justify="right", header_style=COLOURS[outcome], no_wrap=True)
    table.add_column("pass\nrate", justify="right", no_wrap=True)
    for name in sorted(funnels):
        funnel = funnels[name]
        counts = [f"{funnel.outcomes[outcome]:,}" for outcome in Outcome]
        rate = "-" if funnel.pass_rate is None else f"{funnel.pass_rate:.1%}"
        table.add_row(_visible(name[:LONGEST_NAME]), *counts, rate)
    return table


def _visible(text: str) -> str:
    """An untrusted text, without control characters."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
