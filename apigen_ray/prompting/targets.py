"""How many data points are asked for: a number of them, or as many as it takes.

What is asked goes in waves. `generated` is one wave. `verified` asks for as many as are wanted, and
then again for what is missing, divided by the share that passed so far, until nothing is missing
or too many were asked for. The waves are stored: a resume asks the same.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from apigen_ray.prompting.sampler import Cell, PromptSpec, plan
from apigen_ray.records import Settings, Style

Wave: TypeAlias = Mapping[str, Mapping[Cell, int]]
"""The data points asked of each model, by cell."""

MARGIN = 2.0
"""Standard deviations by which a further wave asks for more than it should take: one more wave
costs more time than a few data points too many."""


class Target(Settings):
    """What the numbers of `points` mean."""

    count: Literal["generated", "verified"] = "generated"
    """`generated`: so many are asked for, as in the paper. `verified`: so many are in the data set;
    what passes beyond that stays in `samples`."""
    per_category: bool = False
    """Whether `points` are wanted of each category of tools, by the tool that is drawn first."""
    asked_at_most: Annotated[float, Field(ge=1)] = 5.0
    """Of `verified`: the most data points asked for, as a multiple of those wanted."""


@dataclass(slots=True)
class Tally:
    """What became of the data points of a model and a cell."""

    asked: int = 0
    settled: int = 0
    """Those with an outcome other than `error`."""
    verified: int = 0


def goals_of(
    points: Mapping[Style, int], target: Target, categories: Iterable[str]
) -> dict[Cell, int]:
    """How many data points are wanted of each cell, by each model."""
    within = sorted(categories) if target.per_category else [""]
    return {
        Cell(style, category): wanted
        for category in within
        for style, wanted in points.items()
        if wanted
    }


def prompt_specs(
    waves: Sequence[Wave], pairs_per_prompt: int, round_points: int
) -> dict[str, list[PromptSpec]]:
    """The prompts of each model.

    Those of a wave are numbered for the model that needs the most; another one is asked the first
    of them. So prompt i is the same for all.
    """
    specs: dict[str, list[PromptSpec]] = {}
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
                    specs.setdefault(model, []).append(spec)
    return specs


def next_wave(
    goals: Mapping[Cell, int], target: Target, tallies: Mapping[str, Mapping[Cell, Tally]]
) -> Wave:
    """What is to be asked for next; empty where the goals are met, or enough was asked for."""
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
    """The wave of a JSON form."""

    def cell(text: str) -> Cell:
        style, _, category = text.partition("/")
        return Cell(Style(style), category)

    return {
        model: {cell(text): number for text, number in cells.items()}
        for model, cells in form.items()
    }
