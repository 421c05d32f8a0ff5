"""`tools clean` at the terminal."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.workflows.clean_tools.cleaner import Cause, Kept, Lost, Settings
from apigen_ray.workflows.clean_tools.run import Cleaning, beside, clean_tools


def run_clean(
    sources: Sequence[str],
    out: Path,
    settings: Settings,
    config: RunConfig | None,
    console: Console,
) -> int:
    """Clean, write and report. Returns 0, or 1 if no tool was kept or some could not be decided.

    Raises:
        BadInput: if a file, the config or this machine don't allow it.
    """
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    counts = Counter[str]()
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as progress:
        task = progress.add_task("preparing")

        def seen(result: Kept | Lost) -> None:
            counts["kept" if isinstance(result, Kept) else result.outcome] += 1
            told = ", ".join(f"{counts[key]:,} {key}" for key in ("kept", "dropped", "left"))
            progress.update(task, description=told)

        try:
            cleaning = clean_tools(
                sources, out, settings, config=config, console=console, seen=seen
            )
        except OSError as error:
            raise BadInput(f"--out {out}: {error.strerror or error}") from error
        except KeyboardInterrupt:
            console.print("stopping: what was called and asked is kept; run the command again")
            raise
    for notice in cleaning.asked.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    console.print(_clean_table(cleaning))
    console.print(
        f"{cleaning.called:,} calls were made, and {cleaning.asked.paid:,} questions asked; "
        f"{cleaning.asked.reused:,} answers were there already",
        soft_wrap=True,
    )
    for reason, advice in _ADVICE.items():
        number = sum(lost.outcome == "left" and lost.reason == reason for lost in cleaning.lost)
        if number:
            console.print(f"{number:,} tools were left {advice}", style="yellow", soft_wrap=True)
    failed = [lost for lost in cleaning.lost if lost.failed]
    if failed:
        why = f"{len(failed):,} tools could not be decided; run the command again: "
        console.print(why + failed[0].detail, style="red", soft_wrap=True)
    console.print(f"{out}: {len(cleaning.kept):,} tools", soft_wrap=True)
    if cleaning.lost:
        console.print(f"{beside(out, 'dropped.jsonl')}: all others, and why", soft_wrap=True)
    return 0 if cleaning.kept and not failed else 1


_ADVICE = {
    Cause.NO_ARGUMENTS.value: "without arguments to try: --config with a model proposes some",
    Cause.NO_DESCRIPTION.value: "without a usable description: --config with a model rewrites it",
}


def _clean_table(cleaning: Cleaning) -> Table:
    table = Table(title="tools clean", title_justify="left")
    table.add_column("")
    table.add_column("tools", justify="right")
    table.add_row("given", f"{len(cleaning.kept) + len(cleaning.lost):,}")
    table.add_row("kept", f"{len(cleaning.kept):,}")
    rewritten = sum(kept.before is not None for kept in cleaning.kept)
    table.add_row("  with a new description", f"{rewritten:,}")
    reasons = cleaning.reasons()
    for outcome in ("dropped", "left"):
        parts = [(key, number) for key, number in reasons.most_common() if key[0] == outcome]
        table.add_row(outcome, f"{sum(number for _, number in parts):,}")
        for (_, step, reason), number in parts:
            table.add_row(f"  {step}: {reason}", f"{number:,}")
    return table
