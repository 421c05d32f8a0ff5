"""The calls that the strategy `calls_first` asks about: drawn once for a run, and run before."""

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from rich.console import Console

from apigen_ray import strict_json
from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.pipeline.dataset import verify
from apigen_ray.pipeline.executor import Executor
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.prompting.draw_calls import draw_calls
from apigen_ray.prompting.draw_chains import draw_chains, without_references
from apigen_ray.records import Call, Json, JsonObject, Outcome, Seed, Style, Tool
from apigen_ray.run_folder.rows import Row, as_rows, as_table, calls_form, new_row, with_values
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.tools.write_forms import tool_columns

FILE, CHAINS = "calls.jsonl", "chains.jsonl"
"""The calls of a run, and its chains of calls: a resume asks about the same."""
FEWEST, MOST = 8, 400
"""Calls drawn of each tool."""
CALLS_PER_POINT = 2
"""Parallel queries have several, and a call that was asked about should not come again soon."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """What a run of `calls_first` asks about."""

    calls: Mapping[str, Sequence[Call]]
    """The calls by the name of their tool."""
    chains: Sequence[tuple[Call, ...]]
    """Calls of which one takes its value from the result of another; none if none are wanted."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """What calls are drawn from, and what runs them."""

    folder: RunFolder
    config: RunConfig
    tools: Sequence[Tool]
    seeds: Sequence[Seed]
    executor: Executor
    coordinator: RemoteCoordinator
    console: Console

    def drawn(self) -> Drawn:
        """The calls that stage 2 lets through, and those that have nothing to run them with.

        Raises:
            BadInput: if no tool yields a call, or chains are wanted and there are none.
        """
        singles = self._kept(FILE, self._singles)
        calls = by_tool(call for single in singles for call in single)
        if not self.config.points.get(Style.SEQUENTIAL):
            return Drawn(calls, ())
        chains = self._kept(CHAINS, lambda: chain_candidates(self.config, self.tools, calls))
        if not chains:
            raise BadInput("points.sequential: no chain of drawn calls succeeds")
        return Drawn(calls, chains)

    def _singles(self) -> list[tuple[Call, ...]]:
        return [(call,) for call in draw_candidates(self.config, self.tools, self.seeds)]

    def _kept(
        self, file: str, draw: Callable[[], Sequence[tuple[Call, ...]]]
    ) -> list[tuple[Call, ...]]:
        """What was drawn and can be asked about: as it is stored, if it is."""
        stored = self.folder.read_text(file)
        if stored is not None:
            return [_calls(json.loads(line)) for line in stored.split("\n") if line]
        drawn = draw()
        kept = list(self._successful(drawn, chained=file == CHAINS))
        if file == FILE:
            _report(drawn, kept, self.tools, self.console)
        else:
            text = f"chains of calls: {len(drawn):,} drawn, {len(kept):,} can be asked about"
            self.console.print(text, style="dim")
        lines = (strict_json.dumps(_form(calls)) + "\n" for calls in kept)
        self.folder.write_text(file, "".join(lines))
        return kept

    def _successful(
        self, drawn: Sequence[tuple[Call, ...]], *, chained: bool
    ) -> Iterator[tuple[Call, ...]]:
        can_run = [all(self.executor.can_run(call.name) for call in calls) for calls in drawn]
        known = {tool.name: tool for tool in self.tools}
        rows: list[Row] = []
        for number, calls in enumerate(drawn):
            if can_run[number]:
                id_ = f"call-{number:07d}"
                style = Style.SEQUENTIAL if chained else None
                new = new_row(id_, model="", style=style, prompt_id=id_, tried=0)
                shown = tool_columns([known[call.name] for call in calls]) if chained else {}
                text = strict_json.dumps(calls_form(calls))
                rows.append(with_values(new, answers=text, **shown))
        succeeded = set(self._verified(rows)) if rows else set()
        for number, calls in enumerate(drawn):
            if not can_run[number] or f"call-{number:07d}" in succeeded:
                yield calls

    def _verified(self, rows: Sequence[Row]) -> Iterator[str]:
        """The ids of rows whose calls all return something."""
        stream = verify(
            as_table(rows),
            executor=self.executor,
            jury=None,
            coordinator=self.coordinator,
            actors=self.config.actors,
        )
        for table in stream:
            yield from (r["id"] for r in as_rows(table) if r["outcome"] == Outcome.VERIFIED)


def _form(calls: Sequence[Call]) -> Json:
    """A line of the file: one call, or a list of several."""
    forms = calls_form(calls)
    return forms[0] if len(forms) == 1 else forms


def _calls(form: Any) -> tuple[Call, ...]:
    listed = form if isinstance(form, list) else [form]
    return tuple(Call(call["name"], call["arguments"]) for call in listed)


def by_tool(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """The calls by the name of their tool.

    Raises:
        BadInput: if there is none.
    """
    calls_of: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        calls_of[call.name].append(call)
    if not calls_of:
        raise BadInput(
            "strategy: calls_first needs tools with example calls, or seeds that call them; "
            "none of these tools yields a call that succeeds"
        )
    return dict(calls_of)


def draw_candidates(
    config: RunConfig, tools: Sequence[Tool], seeds: Sequence[Seed]
) -> Iterator[Call]:
    """Draw the calls of each tool; none of them has been run."""
    known: dict[str, list[JsonObject]] = defaultdict(list)
    for seed in seeds:
        for call in without_references(seed.pair.calls):
            known[call.name].append(call.arguments)
    points = sum(config.points.values())
    wanted = min(MOST, max(FEWEST, math.ceil(points * CALLS_PER_POINT / len(tools))))
    for tool in tools:
        random = Random(f"{config.seed}:calls:{tool.name}")
        yield from draw_calls(tool, known[tool.name], wanted, random)


def chain_candidates(
    config: RunConfig, tools: Sequence[Tool], calls: Mapping[str, Sequence[Call]]
) -> list[tuple[Call, ...]]:
    """Draw chains of calls; none of them has been run."""
    wanted = max(FEWEST, config.points.get(Style.SEQUENTIAL, 0) * CALLS_PER_POINT)
    return draw_chains(tools, calls, wanted, Random(f"{config.seed}:chains"))


def _report(
    drawn: Sequence[tuple[Call, ...]],
    kept: Sequence[tuple[Call, ...]],
    tools: Iterable[Tool],
    console: Console,
) -> None:
    called = {call.name for calls in kept for call in calls}
    without = [tool.name for tool in tools if tool.name not in called]
    console.print(f"calls: {len(drawn):,} drawn, {len(kept):,} can be asked about", style="dim")
    if without:
        shown = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        console.print(
            f"calls: {len(without)} tools have none and are only shown beside others: {shown}",
            style="yellow",
            soft_wrap=True,
        )
