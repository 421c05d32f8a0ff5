"""Verified pairs join the seed pool (the paper's "added back").

A run has rounds. The prompts of round k draw their examples from the seeds and from a sample of
the pairs verified up to round k-2: round k-1 is in progress while the last data points of round
k-2 settle, so that the endpoint never waits for a round to end. The first two rounds draw from the
seeds only.

The pool of a round is a function of the previous pool and of the rows of one more round, in any
order. It is stored before it is used, and a resume uses the stored one.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.compute
from pydantic import BeforeValidator, Field, model_validator

from apigen_ray import strict_json
from apigen_ray.datasets.near_duplicates import NearDuplicateIndex
from apigen_ray.models.settings import Settings
from apigen_ray.prompting.prompt_specs import Task
from apigen_ray.records import Call, Clarification, Outcome, Pair, Seed, Style, Tool
from apigen_ray.run_folder.rows import Row, as_rows, pair_form, with_value
from apigen_ray.run_folder.store import RunFolder, digest
from apigen_ray.stages.similarity import functions_text

LAG = 2
"""The pool of round k has pairs verified up to round k - LAG."""
COLUMNS = ("id", "model", "style", "round", "query", "answers", "tools", "outcome", "messages")
"""The columns that a pool is made from."""


def need_pools(tasks: Iterable[Sequence[Task]]) -> bool:
    """Whether any of the prompts, a list for each model in order, shows verified pairs."""
    return any(asked[-1].spec.round >= LAG for asked in tasks if asked)


def _word(value: Any) -> Any:
    """The word behind a boolean: YAML reads `on` and `off` as such."""
    return {True: "per_model", False: "off"}[value] if isinstance(value, bool) else value


class FeedbackSettings(Settings):
    """Whether verified pairs are shown as examples. `feedback: off` for short."""

    pool: Annotated[Literal["off", "per_model", "shared"], BeforeValidator(_word)] = "per_model"
    """Whose verified pairs a model is shown: none; its own, as in the paper, where each model makes
    its own data set; or those of all models of the run, which then get exactly the same prompts,
    and go at the pace of the slowest."""
    round_points: Annotated[int, Field(ge=1)] = 2000
    """The data points of a round, for each model; should be several times `concurrency`."""
    cap: Annotated[int, Field(ge=0)] = 1000
    """The most verified pairs in a pool, the same number of each style and category as far as there
    are enough. None is a near-duplicate of another, or of a seed."""

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"pool": value} if isinstance(value, bool | str) else value


@dataclass(frozen=True, slots=True)
class Pool:
    """The pairs that the prompts of one round may draw from, in addition to the seeds."""

    owner: str
    """The model whose pairs these are; empty if it is shared."""
    round: int
    pairs: tuple[Seed, ...]


class SeedPools:
    """Makes the pools of a run, each as soon as the rows it depends on have settled."""

    def __init__(
        self,
        settings: FeedbackSettings,
        seeds: Sequence[Seed],
        tools: Mapping[str, Tool],
        rounds: Mapping[str, int],
        folder: RunFolder,
    ) -> None:
        """Load the stored pools, and the rows that the next ones depend on.

        Args:
            settings: Whose verified pairs are shown to which model.
            seeds: The trusted pairs; near-duplicates of them are left out.
            tools: The library, by name.
            rounds: The number of rounds of each model.
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
        self._waiting: Counter[tuple[str, int]] = Counter()
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
                self._take_verified(table.filter(of_them))

    def owner(self, model: str) -> str:
        """The owner of the pool that a model draws from."""
        return model if self._settings.pool == "per_model" else ""

    def expect(self, tasks: Mapping[str, Iterable[Task]]) -> None:
        """Register the data points requested: a round has settled when all of its own have."""
        for model, asked in tasks.items():
            for task in asked:
                self._waiting[self.owner(model), task.spec.round] += len(task.tried)

    def settle(self, rows: pa.Table) -> None:
        """Take in committed rows that have at least `COLUMNS`, of data points that were requested.

        An `error` counts as settled: no round waits for it.
        """
        settled = zip(rows["model"].to_pylist(), rows["round"].to_pylist(), strict=True)
        self._waiting.subtract((self.owner(model), round_) for model, round_ in settled)
        self._take_verified(rows)

    def _take_verified(self, rows: pa.Table) -> None:
        """Keep the pairs of which pools are still to be made."""
        for row in as_rows(with_value(rows.select(COLUMNS), "outcome", Outcome.VERIFIED)):
            owner, round_ = self.owner(row["model"]), row["round"]
            needed = self._last[owner].round - LAG < round_ < self._rounds[owner] - LAG
            if needed and row["style"] != Style.MULTI_TURN:
                self._verified[owner, round_].append(_verified_pair(row, self._tools))

    def ready(self) -> Iterator[Pool]:
        """The pools that have become available since the last call, each stored."""
        stored, self._stored = self._stored, []
        yield from stored
        for owner, rounds in self._rounds.items():
            while (round_ := self._last[owner].round + 1) < rounds:
                settled = owner, round_ - LAG
                if self._waiting[settled] > 0:
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
        lines = filter(None, text.split("\n"))
        pairs = (_seed(json.loads(line), self._tools) for line in lines)
        return Pool(owner, round_, tuple(pairs))

    def _wanted(self) -> list[int]:
        """The rounds whose rows are needed for pools still to be made."""
        return sorted(
            {
                round_ - LAG
                for owner, rounds in self._rounds.items()
                for round_ in range(self._last[owner].round + 1, rounds)
            }
        )


def _file(owner: str, round_: int) -> str:
    """The file of a round's pool: a seed file with tools by name."""
    return f"pools/{f'{owner}/' if owner else ''}round-{round_:04d}.jsonl"


def pool_of(
    before: Iterable[Seed], verified: Iterable[Seed], *, seeds: Sequence[Seed], cap: int
) -> tuple[Seed, ...]:
    """A sample of the previous pool's pairs and newly verified ones, alternating between cells.

    A cell is a style and a category. Within a cell, the order of pairs depends only on their ids,
    so that old and new ones have the same chance.
    """
    cells: dict[tuple[str, str], list[Seed]] = defaultdict(list)
    for pair in (*before, *verified):
        cells[pair.style, _category(pair)].append(pair)
    ranked = [sorted(cell, key=lambda pair: digest([pair.id])) for _, cell in sorted(cells.items())]
    turns = (pair for turn in zip_longest(*ranked) for pair in turn if pair)
    index = NearDuplicateIndex()
    for seed in seeds:
        index.add(f"seed {seed.id}", *_query_and_functions(seed))
    new = (pair for pair in turns if not index.add(pair.id, *_query_and_functions(pair)))
    return tuple(islice(new, cap))


def _query_and_functions(pair: Seed) -> tuple[str, str]:
    return pair.pair.query, functions_text(call.name for call in pair.pair.calls)


def _category(pair: Seed) -> str:
    """The category of the first tool called; if none is called, of the first tool shown."""
    called = {call.name for call in pair.pair.calls[:1]}
    return next((t.category for t in pair.tools if t.name in called), pair.tools[0].category)


def _verified_pair(row: Row, tools: Mapping[str, Tool]) -> Seed:
    names = [tool["name"] for tool in json.loads(row["tools"])]
    answers = json.loads(row["answers"] or "[]")
    given = {"id": row["id"], "style": row["style"], "query": row["query"]}
    if row["style"] == Style.CLARIFY:
        said = [message["content"] for message in json.loads(row["messages"] or "[]")]
        given |= dict(zip(("query", "question", "reply"), said, strict=False))
    return _seed({**given, "answers": answers, "tools": names}, tools)


def _seed_form(pair: Seed) -> dict[str, Any]:
    names = [tool.name for tool in pair.tools]
    return {"id": pair.id, "style": pair.style, **pair_form(pair.pair), "tools": names}


def _seed(form: Mapping[str, Any], tools: Mapping[str, Tool]) -> Seed:
    calls = tuple(Call(call["name"], call["arguments"]) for call in form["answers"])
    shown = tuple(tools[name] for name in form["tools"])
    style = Style(form["style"])
    told = Clarification(form["question"], form["reply"]) if style is Style.CLARIFY else None
    return Seed(form["id"], style, Pair(form["query"], calls, told), shown)
