"""Verified pairs join the seed pool (the paper's "added back").

A run goes in rounds. The prompts of round k draw their examples from the seeds and from a sample of
what was verified up to round k-2: round k-1 is under way while the last data points of round k-2
settle, so that the endpoint never waits for a round to end. The first two rounds draw from the
seeds alone.

The pool of a round is a function of the pool before it and of the rows of one more round, whatever
order they came in. It is stored before anyone draws from it, and a resume uses the stored one.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute
from pydantic import BeforeValidator, Field, model_validator

from apigen_ray import strict_json
from apigen_ray.datasets.near_duplicates import NearDuplicateIndex
from apigen_ray.prompting.sampler import Task, point_id
from apigen_ray.records import Call, Outcome, Pair, Seed, Settings, Style, Tool
from apigen_ray.run_folder.rows import Row, as_rows, pair_form
from apigen_ray.run_folder.store import RunFolder, digest

LAG = 2
"""A round draws on the rounds up to this many before it."""
COLUMNS = ("id", "model", "style", "round", "query", "answers", "tools", "outcome")
"""What a pool is made of."""


def _word(value: Any) -> Any:
    """YAML reads the words `on` and `off` as booleans."""
    return {True: "per_model", False: "off"}[value] if isinstance(value, bool) else value


class FeedbackSettings(Settings):
    """Whether verified pairs are shown as examples. `feedback: off` for short."""

    pool: Annotated[Literal["off", "per_model", "shared"], BeforeValidator(_word)] = "per_model"
    """Whose verified pairs a model is shown: nobody's; its own, as in the paper, where each model
    makes a data set of its own; or those of all models of the run, which then are asked exactly the
    same, and go at the pace of the slowest."""
    round_points: Annotated[int, Field(ge=1)] = 2000
    """The data points of a round, of each model. Not much use below some times `concurrency`."""
    cap: Annotated[int, Field(ge=0)] = 1000
    """The most verified pairs in a pool, the same number of each style and category if there are so
    many. None is nearly the same as another, or as a seed."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"pool": value} if isinstance(value, bool | str) else value


@dataclass(frozen=True, slots=True)
class Pool:
    """What the prompts of one round may draw from besides the seeds."""

    owner: str
    """The model whose pairs these are; empty if it is shared."""
    round: int
    pairs: tuple[Seed, ...]


class Feedback:
    """Makes the pools of a run, each as soon as the rows it depends on have settled."""

    def __init__(
        self,
        settings: FeedbackSettings,
        seeds: Sequence[Seed],
        tools: Mapping[str, Tool],
        rounds: Mapping[str, int],
        folder: RunFolder,
    ) -> None:
        """Take up the stored pools, and the rows that the next ones depend on.

        Args:
            settings: What to show to whom.
            seeds: The trusted pairs; what is nearly the same as one of them adds nothing.
            tools: The library, by name.
            rounds: How many rounds each model is asked.
            folder: Where pools are stored.
        """
        self._settings = settings
        self._seeds = seeds
        self._tools = tools
        self._folder = folder
        self._rounds: dict[str, int] = {}
        for model, number in rounds.items():
            owner = self.owner(model)
            self._rounds[owner] = max(number, self._rounds.get(owner, 0))
        self._waiting: dict[tuple[str, int], set[str]] = defaultdict(set)
        self._verified: dict[tuple[str, int], list[Seed]] = defaultdict(list)
        self._last: dict[str, Pool] = {}
        self._stored: list[Pool] = []
        for owner in self._rounds:
            self._last[owner] = Pool(owner, LAG - 1, ())
            while (pool := self._read(owner, self._last[owner].round + 1)) is not None:
                self._last[owner] = pool
                self._stored.append(pool)
        if wanted := self._wanted():
            for table in folder.tables(COLUMNS):
                of_them = pa.compute.is_in(table["round"], pa.array(wanted, pa.int64()))
                self.settle(table.filter(of_them))

    def owner(self, model: str) -> str:
        """Whose pool a model draws from."""
        return model if self._settings.pool == "per_model" else ""

    def expect(self, tasks: Mapping[str, Iterable[Task]]) -> None:
        """Name what is asked of each model: a round has not settled before that of it has."""
        for model, asked in tasks.items():
            for task in asked:
                ids = (point_id(model, task.spec.index, point) for point in task.tried)
                self._waiting[self.owner(model), task.spec.round].update(ids)

    def settle(self, rows: pa.Table) -> None:
        """Take rows into account that are committed, with at least `COLUMNS`.

        An `error` is settled too: it won't wait.
        """
        for row in as_rows(rows.select(COLUMNS)):
            owner, round_ = self.owner(row["model"]), row["round"]
            self._waiting[owner, round_].discard(row["id"])
            needed = self._last[owner].round - LAG < round_ < self._rounds[owner] - LAG
            if row["outcome"] == Outcome.VERIFIED and needed:
                self._verified[owner, round_].append(_verified_pair(row, self._tools))

    def ready(self) -> Iterator[Pool]:
        """The pools that can be drawn from since the last call, each stored."""
        stored, self._stored = self._stored, []
        yield from stored
        for owner, rounds in self._rounds.items():
            while (round_ := self._last[owner].round + 1) < rounds:
                settled = owner, round_ - LAG
                if self._waiting[settled]:
                    break
                pairs = pool_of(
                    self._last[owner].pairs,
                    self._verified.pop(settled, ()),
                    seeds=self._seeds,
                    cap=self._settings.cap,
                )
                text = "".join(strict_json.dumps(_seed_form(pair)) + "\n" for pair in pairs)
                self._folder.write_text(_file(owner, round_), text)
                self._last[owner] = Pool(owner, round_, pairs)
                yield self._last[owner]

    def _read(self, owner: str, round_: int) -> Pool | None:
        text = self._folder.read_text(_file(owner, round_))
        if text is None:
            return None
        pairs = (_seed(json.loads(line), self._tools) for line in text.splitlines())
        return Pool(owner, round_, tuple(pairs))

    def _wanted(self) -> list[int]:
        """The rounds whose rows pools still have to be made of."""
        return sorted(
            {
                round_ - LAG
                for owner, rounds in self._rounds.items()
                for round_ in range(self._last[owner].round + 1, rounds)
            }
        )


def _file(owner: str, round_: int) -> str:
    """Where the pool of a round is stored: a seed file, whose tools are named."""
    return f"pools/{f'{owner}/' if owner else ''}round-{round_:04d}.jsonl"


def pool_of(
    before: Iterable[Seed], verified: Iterable[Seed], *, seeds: Sequence[Seed], cap: int
) -> tuple[Seed, ...]:
    """A sample of the pairs of the pool before and of newly verified ones, the cells taking turns.

    A cell is a style and a category. Within one, pairs stand in an order that depends on nothing
    but their ids, so that old and new ones have the same chance.
    """
    cells: dict[tuple[str, str], list[Seed]] = defaultdict(list)
    for pair in (*before, *verified):
        cells[pair.style, _category(pair)].append(pair)
    ranked = [sorted(cell, key=lambda pair: digest([pair.id])) for _, cell in sorted(cells.items())]
    turns = (pair for turn in zip_longest(*ranked) for pair in turn if pair)
    index = NearDuplicateIndex()
    for seed in seeds:
        index.add(f"seed {seed.id}", *_said(seed))
    return tuple(islice((p for p in turns if not index.add(p.id, *_said(p))), cap))


def _said(pair: Seed) -> tuple[str, str]:
    return pair.pair.query, " ".join(sorted(call.name for call in pair.pair.calls))


def _category(pair: Seed) -> str:
    """The category of the tool that is called first; where none is, of the first one shown."""
    called = {call.name for call in pair.pair.calls[:1]}
    return next((t.category for t in pair.tools if t.name in called), pair.tools[0].category)


def _verified_pair(row: Row, tools: Mapping[str, Tool]) -> Seed:
    names = [tool["name"] for tool in json.loads(row["tools"])]
    answers = json.loads(row["answers"] or "[]")
    given = {"id": row["id"], "style": row["style"], "query": row["query"]}
    return _seed({**given, "answers": answers, "tools": names}, tools)


def _seed_form(pair: Seed) -> dict[str, Any]:
    names = [tool.name for tool in pair.tools]
    return {"id": pair.id, "style": pair.style, **pair_form(pair.pair), "tools": names}


def _seed(form: Mapping[str, Any], tools: Mapping[str, Tool]) -> Seed:
    calls = tuple(Call(call["name"], call["arguments"]) for call in form["answers"])
    shown = tuple(tools[name] for name in form["tools"])
    return Seed(form["id"], Style(form["style"]), Pair(form["query"], calls), shown)
