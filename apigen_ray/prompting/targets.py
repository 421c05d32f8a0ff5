"""Targets: how many data points to request, a fixed number or as many as it takes.

Data points are requested in waves. `generated` is one wave. `verified` first requests as many as
are wanted, then what is missing divided by the pass rate so far, until nothing is missing or the
limit is reached. Waves are stored, so a resume requests the same.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from apigen_ray.models.settings import Settings
from apigen_ray.prompting.prompt_specs import Cell, PromptSpecs, plan
from apigen_ray.records import Style

Wave: TypeAlias = Mapping[str, Mapping[Cell, int]]
"""The data points requested from each model, by cell."""

MARGIN = 2.0
"""How many standard deviations more than expected a further wave requests: another wave costs more
time than a few surplus data points."""


class Target(Settings):
    """How the numbers in `points` are meant."""

    count: Literal["generated", "verified"] = "generated"
    """`generated`: this many are requested, as in the paper. `verified`: this many are in the data
    set; surplus verified data points stay in `samples`."""
    per_category: bool = False
    """Whether `points` are wanted for each category of tools: that of the tool drawn first."""
    asked_at_most: Annotated[float, Field(ge=1)] = 5.0
    """For `verified`: the most data points to request, as a multiple of those wanted."""


@dataclass(slots=True)
class Tally:
    """The counts of a model's data points in a cell."""

    asked: int = 0
    settled: int = 0
    """Data points with an outcome other than `error`."""
    verified: int = 0


def goals_of(
    points: Mapping[Style, int], target: Target, categories: Iterable[str]
) -> dict[Cell, int]:
    """The number of data points wanted of each cell, from each model."""
    within = sorted(categories) if target.per_category else [""]
    return {
        Cell(style, category): wanted
        for category in within
        for style, wanted in points.items()
        if wanted
    }


def prompt_specs(
    waves: Sequence[Wave], pairs_per_prompt: int, round_points: int
) -> dict[str, PromptSpecs]:
    """The prompts of each model.

    The prompts of a wave are numbered for the model that needs the most, and the others get the
    first of them, so that prompt i is the same for all.
    """
    specs: dict[str, PromptSpecs] = defaultdict(PromptSpecs)
    first = 0
    for wave in waves:
        cells = dict.fromkeys(cell for wanted in wave.values() for cell in wanted)
        most = {cell: max(wanted.get(cell, 0) for wanted in wave.values()) for cell in cells}
        planned = plan(most, pairs_per_prompt, first=first, round_points=round_points)
        first += len(planned)
        for model, wanted in wave.items():
            left = dict(wanted)
            for spec in planned:
                if left.get(spec.cell, 0) > 0:
                    left[spec.cell] -= spec.count
                    specs[model].append(spec)
    return specs


def next_wave(
    goals: Mapping[Cell, int], target: Target, tallies: Mapping[str, Mapping[Cell, Tally]]
) -> Wave:
    """The next wave; empty if the goals are met or the limit on requests is reached."""
    wave: dict[str, dict[Cell, int]] = {}
    for model, cells in tallies.items():
        for cell, tally in cells.items():
            missing = goals[cell] - tally.verified
            allowed = math.floor(target.asked_at_most * goals[cell]) - tally.asked
            if missing > 0 and allowed > 0:
                passing = (tally.verified + 1) / (tally.settled + 2)  # never zero
                needed = missing / passing
                margin = MARGIN * math.sqrt(needed * (1 - passing) / passing)
                wave.setdefault(model, {})[cell] = min(allowed, math.ceil(needed + margin))
    return wave


def wave_form(wave: Wave) -> dict[str, Any]:
    """A wave as JSON."""
    return {model: {str(c): number for c, number in cells.items()} for model, cells in wave.items()}


def read_wave(form: Mapping[str, Mapping[str, int]]) -> Wave:
    """The wave from its JSON form."""

    def cell(text: str) -> Cell:
        style, _, category = text.partition("/")
        return Cell(Style(style), category)

    return {
        model: {cell(text): number for text, number in cells.items()}
        for model, cells in form.items()
    }
