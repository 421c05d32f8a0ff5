"""Counts of the tools in a library: by source, category and number of parameters."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from apigen_ray.errors import BadInput
from apigen_ray.tools.categories import CATEGORIES, OTHER

MANY = 8
"""Tools with this many parameters or more are counted together."""
_DARK, _MIDDLE, _GRID = "#1f4e79", "#2e86ab", "#dddddd"


@dataclass(slots=True)
class ToolStats:
    """Counts over one or more tool lists."""

    tools: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)
    parameters: Counter[int] = field(default_factory=Counter)
    backends: Counter[str] = field(default_factory=Counter)

    def parameter_rows(self) -> list[tuple[str, int]]:
        """How many tools have 0, 1, 2, ... parameters, up to `MANY` and more."""
        rows = [(str(number), self.parameters[number]) for number in range(MANY)]
        many = sum(count for number, count in self.parameters.items() if number >= MANY)
        return [*rows, (f"{MANY}+", many)]


def count_tools(paths: Sequence[Path]) -> ToolStats:
    """Count the tools of lists that `tools import` wrote.

    Raises:
        BadInput: naming the file and line that is not a tool.
    """
    stats = ToolStats()
    for path in paths:
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise BadInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                _count(line, f"{path}:{number}", path, stats)
    if not stats.tools:
        raise BadInput(f"{', '.join(map(str, paths))}: no tools")
    return stats


def _count(line: str, where: str, path: Path, stats: ToolStats) -> None:
    try:
        tool = json.loads(line)
        properties = tool["parameters"].get("properties", {})
        backend = (tool.get("backend") or {}).get("kind", "none")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{where}: not a tool of `tools import`: {error!r}") from error
    stats.tools += 1
    stats.sources[str(tool.get("source") or path.name)] += 1
    stats.categories[str(tool.get("category") or OTHER)] += 1
    stats.parameters[len(properties)] += 1
    stats.backends[str(backend)] += 1


def draw(stats: ToolStats, out: Path) -> None:
    """Draw the distribution over categories, numbers of parameters and sources (PNG, SVG or PDF).

    Raises:
        BadInput: if the file has another suffix.
    """
    # Without a display, and without matplotlib's global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    if out.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise BadInput(f"{out}: must end in .png, .svg or .pdf")
    known = [(name, stats.categories[name]) for name in CATEGORIES if stats.categories[name]]
    others = [(name, n) for name, n in stats.categories.items() if name not in CATEGORIES]
    by_category = sorted([*known, *others], key=lambda row: row[1])
    by_source = stats.sources.most_common(12)
    if rest := sum(stats.sources.values()) - sum(count for _, count in by_source):
        by_source.append((f"{len(stats.sources) - 12} others", rest))
    figure = Figure(figsize=(12, max(4.5, 0.28 * len(by_category) + 1.6)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=[3, 2])
    figure.suptitle(f"{stats.tools:,} tools", fontsize=14, fontweight="bold", color="#222222")
    left = figure.add_subplot(grid[:, 0])
    right, below = figure.add_subplot(grid[0, 1]), figure.add_subplot(grid[1, 1])
    bars = left.barh([n for n, _ in by_category], [c for _, c in by_category], color=_DARK)
    shares = [f"{count:,}  ({count / stats.tools:.1%})" for _, count in by_category]
    left.bar_label(bars, shares, padding=3, fontsize=8)
    left.margins(x=0.25, y=0.01)
    rows = stats.parameter_rows()
    bars = right.bar([name for name, _ in rows], [count for _, count in rows], color=_MIDDLE)
    right.bar_label(bars, [f"{count:,}" for _, count in rows], padding=2, fontsize=8)
    right.margins(y=0.15)
    shown = [(name if len(name) <= 34 else f"{name[:33]}…", count) for name, count in by_source]
    bars = below.barh(range(len(shown))[::-1], [count for _, count in shown], color=_MIDDLE)
    below.set_yticks(range(len(shown))[::-1], [name for name, _ in shown])
    below.bar_label(bars, [f"{count:,}" for _, count in shown], padding=3, fontsize=8)
    below.margins(x=0.2)
    for axes, title in ((left, "by category"), (right, "by parameters"), (below, "by source")):
        axes.set_title(title, fontsize=10, loc="left", color="#444444")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8, length=0)
        axes.set_axisbelow(True)
        axes.grid(axis="y" if axes is right else "x", color=_GRID, linewidth=0.6)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=150)
