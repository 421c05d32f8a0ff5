"""`tools import` and `tools stats` at the terminal."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from apigen_ray.errors import BadInput
from apigen_ray.tools.importers import mcp
from apigen_ray.tools.importers.findings import (
    Finding,
    Found,
    Import,
    Refused,
    gather,
    write_import,
)
from apigen_ray.tools.importers.importer import Importer
from apigen_ray.tools.stats import ToolStats, count_tools, draw

Reader: TypeAlias = Callable[[Sequence[str], Any], Iterator[Finding]]
SHOWN = 8
"""The most notes and refusals shown; the file has all refusals."""


def reader_of(importer: Importer[Any]) -> Reader:
    """What reads an importer's sources; MCP servers of a config start in the sandbox for it."""
    if importer.name == mcp.IMPORTER.name:
        from apigen_ray.workflows.import_mcp import read_mcp  # noqa: PLC0415 - brings Docker

        return read_mcp
    return importer.read


def run_import(findings: Iterable[Finding], out: Path, console: Console) -> int:
    """Import, write and report. Returns 0, or 1 if nothing was imported.

    Raises:
        BadInput: if the file can't be written.
    """
    if out.is_dir():
        raise BadInput(f"--out {out}: is a folder; must be a file")
    began = time.monotonic()
    result = gather(_with_progress(findings, console))
    try:
        refused = write_import(result, out)
    except OSError as error:
        raise BadInput(f"--out {out}: {error.strerror or error}") from error
    _print_lines(result, console)
    console.print(_table(result))
    seconds = time.monotonic() - began
    console.print(f"{out}: {len(result.imported):,} tools, in {seconds:.1f} s")
    if result.refused:
        console.print(f"{refused}: what was refused, and why")
    return 0 if result.imported else 1


def _with_progress(findings: Iterable[Finding], console: Console) -> Iterator[Finding]:
    """The findings, with a line of progress on a terminal."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, refresh_per_second=5) as progress:
        task = progress.add_task("reading")
        found = refused = 0
        for finding in findings:
            found += isinstance(finding, Found)
            refused += isinstance(finding, Refused)
            if not (found + refused) % 50:
                text = f"{found:,} tools found, {refused:,} refused; {finding.where[-60:]}"
                progress.update(task, description=text)
            yield finding
        progress.update(task, description="checking names")


def _print_lines(result: Import, console: Console) -> None:
    """Notes, and a few refusals of each reason, one unwrapped line each."""
    by_text: dict[str, list[str]] = {}
    for note in result.notes:
        by_text.setdefault(note.text, []).append(note.where)
    for text, places in list(by_text.items())[:SHOWN]:
        more = f" (and {len(places) - 1} more)" if len(places) > 1 else ""
        console.print(f"note: {places[0]}{more}: {text}", soft_wrap=True)
    if len(by_text) > SHOWN:
        console.print(f"note: {len(by_text) - SHOWN} more notes of other kinds")
    shown = Counter[str]()
    for item in result.refused:
        shown[item.reason] += 1
        if shown[item.reason] <= max(2, SHOWN // len(result.reasons())):
            line = f"refused ({item.reason}): {item.where}: {item.detail}"
            console.print(line, soft_wrap=True)


def _table(result: Import) -> Table:
    table = Table(title="tools import", title_justify="left")
    table.add_column("")
    table.add_column("tools", justify="right")
    table.add_row("found", f"{result.found:,}")
    table.add_row("imported", f"{len(result.imported):,}")
    renamed = sum(item.tool.name != item.original_name for item in result.imported)
    uncallable = sum(item.tool.backend is None for item in result.imported)
    table.add_row("  under another name", f"{renamed:,}")
    table.add_row("  not callable: no backend", f"{uncallable:,}")
    table.add_row("refused", f"{len(result.refused):,}")
    for reason, count in result.reasons().most_common():
        table.add_row(f"  {reason}", f"{count:,}")
    return table


def run_stats(paths: list[Path], picture: Path | None, console: Console) -> int:
    """Print counts over tool lists, and draw them.

    Raises:
        BadInput: if a file is not a tool list, or the picture can't be written.
    """
    stats = count_tools(paths)
    for table in _stats_tables(stats):
        console.print(table)
    if picture is not None:
        try:
            draw(stats, picture)
        except OSError as error:
            raise BadInput(f"--picture {picture}: {error.strerror or error}") from error
        console.print(f"{picture}: a picture of the distribution")
    return 0


def _stats_tables(stats: ToolStats) -> Iterator[Table]:
    for title, rows in (
        ("source", stats.sources.most_common()),
        ("backend", stats.backends.most_common()),
        ("category", stats.categories.most_common()),
        ("parameters", stats.parameter_rows()),
    ):
        table = Table(title=f"tools by {title}", title_justify="left")
        table.add_column(title)
        table.add_column("tools", justify="right")
        table.add_column("", justify="right")
        for name, count in rows:
            table.add_row(name, f"{count:,}", f"{count / stats.tools:.1%}")
        yield table
