"""The calls that the strategy `calls_first` asks about: drawn once for a run, and run before."""

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from rich.console import Console

from apigen_ray import strict_json
from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput
from apigen_ray.pipeline.dataset import verify
from apigen_ray.pipeline.operators import Executor
from apigen_ray.pipeline.shared_actors import RemoteCoordinator
from apigen_ray.prompting.draw_calls import draw_calls
from apigen_ray.records import Call, JsonObject, Outcome, Seed, Tool
from apigen_ray.run_folder.rows import Row, as_rows, as_table, calls_form, new_row, with_values
from apigen_ray.run_folder.store import RunFolder

FILE = "calls.jsonl"
"""The calls of a run: a resume asks about the same."""
FEWEST, MOST = 8, 400
"""Calls drawn of each tool."""
CALLS_PER_POINT = 2
"""Parallel queries have several, and a call that was asked about should not come again soon."""


def drawn_calls(
    folder: RunFolder,
    config: RunConfig,
    tools: Sequence[Tool],
    seeds: Sequence[Seed],
    *,
    executor: Executor,
    coordinator: RemoteCoordinator,
    console: Console,
) -> dict[str, list[Call]]:
    """The calls by the name of their tool; those of tools that can be executed succeeded.

    Raises:
        BadInput: if no tool yields a call.
    """
    stored = folder.read_text(FILE)
    if stored is None:
        drawn = list(draw_candidates(config, tools, seeds))
        kept = list(_successful(drawn, executor, coordinator, config))
        _report(drawn, kept, tools, console)
        lines = (strict_json.dumps(form) + "\n" for form in calls_form(kept))
        folder.write_text(FILE, "".join(lines))
    else:
        forms = map(json.loads, filter(None, stored.split("\n")))
        kept = [Call(form["name"], form["arguments"]) for form in forms]
    return by_tool(kept)


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
        for call in seed.pair.calls:
            known[call.name].append(call.arguments)
    points = sum(config.points.values())
    wanted = min(MOST, max(FEWEST, math.ceil(points * CALLS_PER_POINT / len(tools))))
    for tool in tools:
        random = Random(f"{config.seed}:calls:{tool.name}")
        yield from draw_calls(tool, known[tool.name], wanted, random)


def _successful(
    calls: Sequence[Call], executor: Executor, coordinator: RemoteCoordinator, config: RunConfig
) -> Iterator[Call]:
    """The calls that stage 2 lets through, and those that have nothing to run them with."""
    rows: dict[str, Row] = {}
    for number, call in enumerate(calls):
        if executor.can_run(call.name):
            id_ = f"call-{number:07d}"
            new = new_row(id_, model="", style=None, prompt_id=id_, tried=0)
            rows[id_] = with_values(new, answers=strict_json.dumps(calls_form([call])))
    succeeded: set[str] = set()
    if rows:
        stream = verify(
            as_table(list(rows.values())),
            executor=executor,
            jury=None,
            coordinator=coordinator,
            actors=config.actors,
        )
        for table in stream:
            done = as_rows(table)
            succeeded.update(row["id"] for row in done if row["outcome"] == Outcome.VERIFIED)
    for number, call in enumerate(calls):
        if not executor.can_run(call.name) or f"call-{number:07d}" in succeeded:
            yield call


def _report(
    drawn: Sequence[Call], kept: Sequence[Call], tools: Iterable[Tool], console: Console
) -> None:
    called = {call.name for call in kept}
    without = [tool.name for tool in tools if tool.name not in called]
    console.print(f"calls: {len(drawn):,} drawn, {len(kept):,} can be asked about", style="dim")
    if without:
        shown = ", ".join(without[:5]) + (", ..." if len(without) > 5 else "")
        console.print(
            f"calls: {len(without)} tools have none and are only shown beside others: {shown}",
            style="yellow",
            soft_wrap=True,
        )
