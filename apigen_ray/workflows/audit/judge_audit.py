"""The judges of a run, tested before its first data point is asked for."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from random import Random
from typing import TypeAlias

from rich.console import Console

from apigen_ray.config import RunConfig
from apigen_ray.errors import BadInput, InfrastructureError
from apigen_ray.models.caching_model import CachingModel
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.response_cache import ResponseCacheClient
from apigen_ray.pipeline.executor import Executor
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Seed
from apigen_ray.report.audit_record import JUDGE_AUDIT, Audit, read_audit
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.ballot import Judge
from apigen_ray.tools.library import Library
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.checks import Runner, examine_case, open_runner
from apigen_ray.workflows.audit.judges import Question, hear
from apigen_ray.workflows.audit.measure import examine_many, is_wrong
from apigen_ray.workflows.audit.mutations import MUTATIONS, Group, Mutation, mutate
from apigen_ray.workflows.audit.sources import as_cases
from apigen_ray.workflows.prepare import run_async

SPARE = 2
"""Seeds that are looked at for each pair wanted: some fail a check, or can't be made wrong."""


Pairs: TypeAlias = Callable[[], Sequence[Question]]
"""Waits for the pairs that judges are asked about."""


@contextmanager
def choosing_pairs(
    folder: RunFolder, config: RunConfig, seeds: Sequence[Seed], executor: Executor | None
) -> Iterator[Pairs]:
    """Choose the pairs in a thread, while Ray starts.

    Args:
        folder: The run folder: if it has an audit, no pairs are needed.
        config: The run.
        seeds: Its seeds.
        executor: What runs their calls; without one, judges see no results.
    """
    with ThreadPoolExecutor(1) as thread:
        if not config.judge_audit.pairs or _known(folder, config):
            yield list
        else:
            yield thread.submit(asyncio.run, _chosen(config, seeds, executor)).result


async def _chosen(
    config: RunConfig, seeds: Sequence[Seed], executor: Executor | None
) -> list[Question]:
    if not seeds:
        return []
    async with open_runner(executor) as runner:
        return await choose(as_cases(seeds), config, runner)


def audit_judges(
    folder: RunFolder,
    config: RunConfig,
    pairs: Pairs,
    *,
    judges: Mapping[str, Endpoint],
    cache: ResponseCacheClient,
    console: Console,
) -> None:
    """Ask the judges about seeds, half of them made wrong, and say what they are worth.

    A resume finds the answers in the folder. A judge that fails, or seeds that don't suffice, cost
    the audit and not the run.

    Args:
        folder: The run folder, which gets `judge_audit.json`.
        config: The run.
        pairs: What they are asked about.
        judges: Their endpoints.
        cache: The response cache of the run.
        console: Where a line on each judge is shown.
    """
    if not config.judge_audit.pairs:
        return
    found = _known(folder, config)
    if found is None:
        try:
            asked = pairs()
            if not asked:
                console.print(
                    "judges: not audited: the run has no seeds that pass its checks",
                    style="yellow",
                )
                return
            console.print(f"asking the judges about {len(asked)} known pairs ...", style="dim")
            found = run_async(_audit(config, asked, judges, cache))
        except InfrastructureError as error:
            console.print(f"judges: not audited: {error}", style="yellow", soft_wrap=True)
            return
        if not any(judge.error for judge in found.judges):  # else a resume tries again
            folder.write_json(JUDGE_AUDIT, found.as_json())
    for judge in found.judges:
        style = "dim" if judge.is_informative else "yellow"
        console.print(judge.warning or str(judge), style=style, soft_wrap=True)
    for notice in found.notices:
        console.print(notice, style="yellow", soft_wrap=True)


def audit_judges_with(
    library: Library,
    folder: RunFolder,
    config: RunConfig,
    *,
    executor: Executor | None,
    judges: Sequence[Endpoint],
    cache: ResponseCacheClient,
    console: Console,
) -> None:
    """As `audit_judges`, with the config's seeds, if their tools are in a library."""
    try:
        seeds, _ = load_seeds(config.seeds, library.by_name())
    except BadInput as error:
        console.print(f"judges: not audited: {error}", style="yellow", soft_wrap=True)
        return
    with choosing_pairs(folder, config, seeds, executor) as pairs:
        named = {judge.name: judge for judge in judges}
        audit_judges(folder, config, pairs, judges=named, cache=cache, console=console)


def _known(folder: RunFolder, config: RunConfig) -> Audit | None:
    """The audit that an earlier attempt at the run has made."""
    try:
        found = read_audit(folder, JUDGE_AUDIT)
    except BadInput:
        return None
    return found if found and found.sample == config.judge_audit.pairs else None


async def _audit(
    config: RunConfig,
    asked: Sequence[Question],
    endpoints: Mapping[str, Endpoint],
    cache: ResponseCacheClient,
) -> Audit:
    reject = config.grounding.reject
    notices: list[str] = []
    async with AsyncExitStack() as stack:
        judges = []
        for endpoint in endpoints.values():
            model = CachingModel(client_of(endpoint, notices.append), endpoint, cache)
            stack.push_async_callback(model.close)
            judges.append(Judge(endpoint.name, model, endpoint.lists_requests))
        hearing = await hear(judges, asked, config.votes, reject)
    return Audit(
        source="seeds of the run",
        rows=len(asked),
        sample=config.judge_audit.pairs,
        grounding=reject,
        judges=hearing.judges,
        jury=hearing.jury,
        agreements=hearing.agreements,
        notices=tuple(notices),
    )


async def choose(cases: Sequence[Case], config: RunConfig, runner: Runner | None) -> list[Question]:
    """The pairs that judges are asked about: as many wrong ones as right ones.

    None of them is refused by a check before the judge. The wrong ones are of as many kinds as
    possible, and made of other rows than the right ones while these last.

    Raises:
        InfrastructureError: if the sandbox failed.
    """
    reject, pairs = config.grounding.reject, config.judge_audit.pairs
    random = Random(f"{config.seed}:judge audit")
    drawn = random.sample(cases, min(len(cases), SPARE * pairs))
    examined = await examine_many(drawn, config.check, runner)
    right = [each.case for each in examined if not each.is_caught(reject)]
    kinds = [kind for kind in MUTATIONS.values() if kind.group is not Group.FORMAT]
    random.shuffle(kinds)
    wrong: list[Case] = []
    others = [*right[pairs // 2 :], *right[: pairs // 2]]
    for case in others:
        if len(wrong) == pairs // 2:
            break
        for kind in list(kinds):
            if made := await _made_wrong(case, kind, right, config, runner):
                wrong.append(made)
                kinds.remove(kind)
                kinds.append(kind)  # its turn comes again after the others'
                break
    half = min(pairs // 2, len(right), len(wrong))
    return [
        *(Question(case, wrong=False) for case in right[:half]),
        *(Question(case, wrong=True) for case in wrong[:half]),
    ]


async def _made_wrong(
    case: Case, kind: Mutation, donors: Sequence[Case], config: RunConfig, runner: Runner | None
) -> Case | None:
    """The case made wrong in a way that no check before the judge finds; None if it can't be."""
    changed = mutate(case, kind, donors, Random(f"{config.seed}:{case.id}:{kind.name}"))
    if changed is None:
        return None
    after = await examine_case(changed, config.check, runner)
    if after.is_caught(config.grounding.reject) or not is_wrong(kind, case, after.case):
        return None
    return after.case
