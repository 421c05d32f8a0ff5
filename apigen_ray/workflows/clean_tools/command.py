"""`tools clean` at the terminal."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.workflows.clean_tools.cleaner import Cause, Excluded, Kept, Settings
from apigen_ray.workflows.clean_tools.resources import beside
from apigen_ray.workflows.clean_tools.run import Cleaning, clean_tools


def run_clean(
    sources: Sequence[str],
    out: Path,
    settings: Settings,
    config: RunConfig | None,
    console: Console,
) -> int:
    """Clean, write and report. Returns 0, or 1 if no tool was kept or some were left by failures.

    Raises:
        BadInput: if a file or the config is wrong, or this machine can't do it.
    """
    try:
        with _progress(console) as on_result:
            cleaning = clean_tools(
                sources, out, settings, config=config, console=console, on_result=on_result
            )
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror or error}") from error
    except KeyboardInterrupt:
        console.print("stopped: calls and replies are kept; run the command again to resume")
        raise
    for notice in cleaning.asked.notices:
        console.print(notice, style="yellow", soft_wrap=True)
    console.print(_clean_table(cleaning))
    console.print(
        f"{cleaning.called:,} calls made, {cleaning.asked.paid:,} model requests sent, "
        f"{cleaning.asked.reused:,} answered from the cache",
        soft_wrap=True,
    )
    failed = _print_left(cleaning, console)
    console.print(f"{out}: {len(cleaning.kept):,} tools", soft_wrap=True)
    if cleaning.excluded:
        console.print(f"{beside(out, 'dropped.jsonl')}: the others, and why", soft_wrap=True)
    return 0 if cleaning.kept and not failed else 1


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[Kept | Excluded], None]]:
    """A line of progress; gives the function that counts a result."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    counts = Counter[str]()
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as progress:
        task = progress.add_task("preparing")

        def on_result(result: Kept | Excluded) -> None:
            counts["kept" if isinstance(result, Kept) else result.outcome] += 1
            text = ", ".join(f"{counts[key]:,} {key}" for key in ("kept", "dropped", "left"))
            progress.update(task, description=text)

        yield on_result


def _print_left(cleaning: Cleaning, console: Console) -> bool:
    """Say what would decide the tools that were left; whether some were left by failures."""
    for reason, advice in _ADVICE.items():
        number = sum(each.outcome == "left" and each.reason == reason for each in cleaning.excluded)
        if number:
            console.print(f"{number:,} tools were left {advice}", style="yellow", soft_wrap=True)
    failed = [each for each in cleaning.excluded if each.failed]
    if failed:
        text = f"{len(failed):,} tools could not be decided; run the command again: "
        console.print(text + failed[0].detail, style="red", soft_wrap=True)
    return bool(failed)


_ADVICE = {
    Cause.NO_ARGUMENTS.value: "without arguments to try: --config with a model proposes some",
    Cause.NO_DESCRIPTION.value: "without a usable description: --config with a model rewrites it",
}


def _clean_table(cleaning: Cleaning) -> Table:
    table = Table(title="tools clean", title_justify="left")
    table.add_column("")
    table.add_column("tools", justify="right")
    table.add_row("given", f"{len(cleaning.kept) + len(cleaning.excluded):,}")
    table.add_row("kept", f"{len(cleaning.kept):,}")
    rewritten = sum(kept.original_description is not None for kept in cleaning.kept)
    table.add_row("  with a new description", f"{rewritten:,}")
    reasons = cleaning.reasons()
    for outcome in ("dropped", "left"):
        parts = [(key, number) for key, number in reasons.most_common() if key[0] == outcome]
        table.add_row(outcome, f"{sum(number for _, number in parts):,}")
        for (_, step, reason), number in parts:
            table.add_row(f"  {step}: {reason}", f"{number:,}")
    return table
