"""The charts of the pages: SVG drawn by matplotlib, in the colours of the page.

A chart is drawn in placeholder colours, which become CSS variables: one drawing serves light, dark
and print. Text stays text, so it can be searched and copied; matplotlib escapes it.
"""

import io
import re
import warnings
from collections.abc import Mapping, Sequence
from itertools import cycle, product
from typing import Any

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from apigen_ray.records import OUTCOME_OF, Outcome, Reason
from apigen_ray.report.audit_record import Audit
from apigen_ray.report.audit_tables import columns
from apigen_ray.report.intervals import Rate
from apigen_ray.report.page_figures import Diversity
from apigen_ray.report.stats import Funnel, Stats

FOREGROUND, GRID = "#010101", "#020202"
OUTCOME_COLOURS = {outcome: f"#0101{10 + place}" for place, outcome in enumerate(Outcome)}
SERIES_COLOURS = [f"#0202{10 + place}" for place in range(6)]
VARIABLES = {
    FOREGROUND: "--text",
    GRID: "--line",
    **{colour: f"--{outcome}" for outcome, colour in OUTCOME_COLOURS.items()},
    **{colour: f"--series-{place}" for place, colour in enumerate(SERIES_COLOURS)},
}
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "apigen_ray",
    "text.parse_math": False,
    "font.size": 9,
    "text.color": FOREGROUND,
    "axes.edgecolor": GRID,
    "axes.labelcolor": FOREGROUND,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "legend.frameon": False,
    "xtick.color": FOREGROUND,
    "ytick.color": FOREGROUND,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
WIDTH = 4.2
"""In inches, so that a chart is legible at the full width of a phone."""
LONGEST_LABEL = 24
MANY_TIMES = 100
"""The range of an axis on which powers of ten are numbers enough."""
SHORTEST_S = 1e-4
"""The least that the axis of seconds starts at: points without calls take no time to execute."""


def funnel(stats: Stats) -> Markup:
    """A waterfall from data points requested to verified, with the losses of each stage."""
    lost = [(o.value, stats.whole.outcomes[o], OUTCOME_COLOURS[o]) for o in Outcome][1:]
    if stats.missing:
        lost.insert(0, ("not yet requested", stats.missing, GRID))
    verified = stats.whole.outcomes[Outcome.VERIFIED]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(lost) + 2)
        axes.barh("requested", stats.requested, color=GRID)
        left = stats.requested
        for label, count, colour in lost:
            left -= count
            axes.barh(label, count, left=left, color=colour)
        axes.barh("verified", verified, color=OUTCOME_COLOURS[Outcome.VERIFIED])
        counts = [stats.requested, *(count for _, count, _ in lost), verified]
        for place, count in enumerate(counts):
            share = f"{count / stats.requested:.1%}" if stats.requested else "-"
            axes.text(stats.requested * 1.02, place, f"{count:,} · {share}", va="center", size=8)
        axes.set_xlim(0, max(stats.requested, 1) * 1.35)
        _labelled_bars(axes)
        return _svg(figure, "Funnel: data points requested, lost at each stage, and verified")


def outcome_shares(funnels: Mapping[str, Funnel], title: str) -> Markup:
    """A stacked bar for each group, with the shares of its outcomes."""
    names = list(funnels)
    labels = [f"{_short(name)} ({funnels[name].total:,})" for name in names]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(names) + 1.2)
        left = np.zeros(len(names))
        for outcome in Outcome:
            shares = np.array([funnels[n].outcomes[outcome] / funnels[n].total for n in names])
            colour = OUTCOME_COLOURS[outcome]
            axes.barh(range(len(names)), shares, left=left, color=colour, label=outcome.value)
            left += shares
        axes.set_yticks(range(len(names)), labels)
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_ylim(len(names) - 0.5, -0.5)
        _legend(figure, axes)
        return _svg(figure, title)


def rates(found: Mapping[str, Rate]) -> Markup:
    """A point with its interval for each rate."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(found) + 1)
        for place, rate in enumerate(found.values()):
            if rate.value is not None and rate.interval is not None:
                low, high = rate.interval
                spread = [[rate.value - low], [high - rate.value]]
                colour = OUTCOME_COLOURS[Outcome.VERIFIED]
                axes.errorbar(rate.value, place, xerr=spread, fmt="o", color=colour, capsize=3)
        axes.set_yticks(range(len(found)), [_short(name) for name in found])
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="x", linewidth=0.5)
        axes.set_ylim(len(found) - 0.4, -0.6)
        return _svg(figure, "Rates with their 95 % intervals")


def reasons(funnel: Funnel) -> Markup:
    """A bar for each reason, in the colour of its outcome."""
    found = [(reason, funnel.reasons[reason]) for reason in Reason if funnel.reasons[reason]]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(found) + 0.5)
        for reason, count in found:
            bar = axes.barh(reason.value, count, color=OUTCOME_COLOURS[OUTCOME_OF[reason]])
            axes.bar_label(bar, [f"{count:,}"], padding=3, size=8)
        axes.margins(x=0.15)
        _labelled_bars(axes)
        return _svg(figure, "Data points by the reason for their rejection")


def latencies(seconds: Mapping[str, Sequence[float]]) -> Markup:
    """For each stage, the share of data points it finished within a number of seconds."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(9)
        shares = np.linspace(0, 1, 101)
        for colour, (stage, taken) in zip(cycle(SERIES_COLOURS), seconds.items(), strict=False):
            if taken:
                axes.plot(np.quantile(taken, shares), shares, color=colour, label=stage)
        axes.set_xscale("log")
        axes.set_xlim(left=max(axes.get_xlim()[0], SHORTEST_S))
        axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        low, high = axes.get_xlim()
        if high < MANY_TIMES * low:  # powers of ten alone would leave the axis without a number
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("seconds")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(linewidth=0.5)
        _legend(figure, axes)
        return _svg(figure, "Latency: share of data points finished, by seconds in a stage")


def neighbours(diversities: Sequence[Diversity]) -> Markup:
    """For each model, a histogram of the similarity of queries to the nearest other one."""
    with mpl.rc_context(STYLE):
        figure, axes = _figure(9)
        styles = product(("-", "--", ":"), SERIES_COLOURS)
        for (line, colour), found in zip(cycle(styles), diversities, strict=False):
            counts, edges = np.histogram(found.nearest, bins=20, range=(0, 1))
            shares = counts / max(len(found.nearest), 1)
            label = _short(found.model)
            axes.stairs(shares, edges, color=colour, linestyle=line, label=label, linewidth=1.5)
        axes.set_xlabel("similarity of the nearest other query")
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(linewidth=0.5)
        _legend(figure, axes)
        return _svg(figure, "Queries by their similarity to the nearest other query")


def heat_map(audit: Audit) -> Markup:
    """For each mutation and stage, the share that was refused: the more, the darker the cell."""
    stages = columns(audit)
    names = [mutation.name for mutation in audit.mutations]
    with mpl.rc_context(STYLE):
        figure, axes = _figure(len(names) + 4)
        for row, mutation in enumerate(audit.mutations):
            for column, stage in enumerate(stages):
                rate = mutation.refused.get(stage)
                if rate is None or rate.value is None:
                    continue
                place = (column - 0.48, row - 0.46)
                colour = OUTCOME_COLOURS[Outcome.VERIFIED]
                cell = Rectangle(place, 0.96, 0.92, color=colour, alpha=0.7 * rate.value, lw=0)
                axes.add_patch(cell)
                axes.text(column, row, f"{rate.value:.0%}", ha="center", va="center", size=7)
        axes.set_xlim(-0.5, len(stages) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_yticks(range(len(names)), [_short(name.replace("_", " ")) for name in names])
        labels = [_short(stage) for stage in stages]
        axes.set_xticks(range(len(stages)), labels, rotation=40, ha="left", rotation_mode="anchor")
        axes.xaxis.tick_top()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return _svg(figure, "Share of wrong rows that each stage refused")


def _figure(rows: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(WIDTH, 0.5 + 0.26 * rows), layout="constrained")
    return figure, figure.add_subplot()


def _legend(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    points = 35 + 4.5 * max(map(len, labels))  # of a handle and its label
    columns = min(3, int(72 * WIDTH / points))
    figure.legend(handles, labels, loc="outside upper left", ncols=columns, fontsize=8)


def _labelled_bars(axes: Axes) -> None:
    """Hide the axis of numbers: each bar is labelled with its own."""
    axes.xaxis.set_visible(False)
    axes.spines.bottom.set_visible(False)
    axes.margins(y=0.02)
    axes.invert_yaxis()


def _short(text: str) -> str:
    """The start and the end of a long text: names of models and folders differ in either."""
    text, half = " ".join(text.split()), LONGEST_LABEL // 2
    return text if len(text) <= LONGEST_LABEL else f"{text[: half - 1]}…{text[-half:]}"


def _svg(figure: Figure, title: str) -> Markup:
    """The drawing as an element of a page, without what only a separate file needs."""
    file = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the browser's fonts have it
        figure.savefig(file, format="svg", metadata={"Date": None})
    drawing = file.getvalue()
    drawing = drawing[drawing.index("<svg") :]
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'<g id="[^"]*">', "<g>", drawing)
    drawing = re.sub("|".join(VARIABLES), lambda found: f"var({VARIABLES[found[0]]})", drawing)
    label = f'<svg class="chart" role="img" aria-label="{escape(title)}"'
    return Markup(drawing.replace("<svg", label, 1))  # noqa: S704 (matplotlib escapes texts)
