"""Which prompts a run has, and which of their data points are still wanted.

A run may have millions of prompts, so that lists of them hold a few bytes for each, and make the
records when they are looked at.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, repeat, zip_longest
from typing import NamedTuple, overload

from apigen_ray.records import Style


class Cell(NamedTuple):
    """A style, within one category of tools or in all: data points are counted by cell."""

    style: Style
    category: str = ""

    def __str__(self) -> str:
        return f"{self.style}/{self.category}" if self.category else self.style.value


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """The specification of prompt `index` of a run: it asks for `count` data points of `style`."""

    index: int
    style: Style
    count: int
    round: int = 0
    """Decides which pool its examples are drawn from."""
    category: str = ""
    """The category that its first tool is drawn from; any category if empty."""

    @property
    def cell(self) -> Cell:
        """The cell that its data points count towards."""
        return Cell(self.style, self.category)


@dataclass(frozen=True, slots=True)
class Task:
    """A prompt to send, and the data points of it that are still wanted.

    `tried` maps the index of each wanted point to the number of earlier attempts; all other points
    are settled.
    """

    spec: PromptSpec
    tried: Mapping[int, int]


class PromptSpecs(Sequence[PromptSpec]):
    """The specifications of prompts, in twelve bytes each."""

    def __init__(self, specs: Iterable[PromptSpec] = ()) -> None:
        self._cells: list[Cell] = []
        self._number: dict[Cell, int] = {}
        self._index, self._round = array("I"), array("I")
        self._cell, self._count = array("H"), array("H")
        for spec in specs:
            self.append(spec)

    def append(self, spec: PromptSpec) -> None:
        """Add a specification at the end."""
        self._index.append(spec.index)
        self._round.append(spec.round)
        if spec.cell not in self._number:
            self._number[spec.cell] = len(self._cells)
            self._cells.append(spec.cell)
        self._cell.append(self._number[spec.cell])
        self._count.append(spec.count)

    @property
    def points(self) -> int:
        """How many data points they ask for in all."""
        return sum(self._count)

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, place: int) -> PromptSpec: ...
    @overload
    def __getitem__(self, place: slice) -> "PromptSpecs": ...
    def __getitem__(self, place: int | slice) -> "PromptSpec | PromptSpecs":
        if isinstance(place, slice):
            return PromptSpecs(self[i] for i in range(*place.indices(len(self))))
        style, category = self._cells[self._cell[place]]
        return PromptSpec(
            self._index[place], style, self._count[place], self._round[place], category
        )


class Tasks(Sequence[Task]):
    """Tasks of one model, in four bytes each beside their prompts'."""

    def __init__(self, specs: PromptSpecs) -> None:
        self._specs = specs
        self._places = array("I")
        self._tried: dict[int, Mapping[int, int]] = {}

    def append(self, place: int, tried: Mapping[int, int]) -> None:
        """Add the prompt at a place of the specifications, with the points that are wanted."""
        if tried != _untried(self._specs[place]):
            self._tried[len(self._places)] = tried
        self._places.append(place)

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, place: int) -> Task: ...
    @overload
    def __getitem__(self, place: slice) -> "list[Task]": ...
    def __getitem__(self, place: int | slice) -> "Task | list[Task]":
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        spec = self._specs[self._places[place]]
        return Task(spec, self._tried.get(place) or _untried(spec))


def _untried(spec: PromptSpec) -> Mapping[int, int]:
    return dict.fromkeys(range(spec.count), 0)


def point_id(model: str, index: int, point: int) -> str:
    """The id of the data point `point` of prompt `index`."""
    return f"{model}-{index:06d}-{point}"


def plan(
    points: Mapping[Cell, int], pairs_per_prompt: int, *, first: int = 0, round_points: int = 0
) -> PromptSpecs:
    """The prompts that ask for the wanted data points, alternating between cells.

    Args:
        points: The number of data points wanted of each cell.
        pairs_per_prompt: How many data points a prompt asks for.
        first: The index of the first prompt.
        round_points: The data points of a round; 0 for a single round.
    """
    columns = [_in_prompts(cell, wanted, pairs_per_prompt) for cell, wanted in points.items()]
    turns = (entry for turn in zip_longest(*columns) for entry in turn if entry is not None)
    per_round = max(1, round_points // pairs_per_prompt)
    return PromptSpecs(
        PromptSpec(
            index, cell.style, count, index // per_round if round_points else 0, cell.category
        )
        for index, (cell, count) in enumerate(turns, first)
    )


def _in_prompts(cell: Cell, wanted: int, pairs_per_prompt: int) -> Iterator[tuple[Cell, int]]:
    """How many data points of a cell each of its prompts asks for."""
    full, rest = divmod(wanted, pairs_per_prompt)
    return chain(repeat((cell, pairs_per_prompt), full), [(cell, rest)] if rest else [])
