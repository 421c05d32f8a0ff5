"""An audit: right rows, and the same made wrong in known ways, before every check and judge."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from random import Random
from typing import TypeAlias

from apigen_ray.report.audit_record import MutationRecord
from apigen_ray.report.intervals import Rate
from apigen_ray.stages.check import CheckSettings
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.checks import (
    ANSWERS,
    STAGES,
    Examination,
    Runner,
    examine_case,
    returned,
)
from apigen_ray.workflows.audit.judges import Question
from apigen_ray.workflows.audit.mutations import MUTATIONS, Mutation, mutate

AT_ONCE = 64
"""Cases that are examined at a time: more would only wait for the sandbox."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A way of being wrong."""

    name: str
    group: str
    """Of a mutation, what should find it; else `labelled`."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What became of right rows, and of wrong ones."""

    right: tuple[Examination, ...]
    wrong: Mapping[Kind, tuple[Examination, ...]]


async def examine_all(
    right: Sequence[Case],
    settings: CheckSettings,
    runner: Runner | None,
    *,
    seed: int,
    mutations: Iterable[Mutation] = tuple(MUTATIONS.values()),
) -> Findings:
    """Ask the checks that need no judge about right rows, and about each made wrong in each way.

    Only rows that no check objects to are made wrong: what is refused then, is refused for that.

    Raises:
        InfrastructureError: if the sandbox failed.
    """
    before = await examine_many(right, settings, runner)
    clean = [each.case for each in before if each.is_clean]
    by_id = {case.id: case for case in clean}
    wrong: dict[Kind, tuple[Examination, ...]] = {}
    for mutation in mutations:
        made = [
            changed
            for case in clean
            if (changed := mutate(case, mutation, clean, _random(seed, case, mutation)))
        ]
        after = await examine_many(made, settings, runner)
        wrong[Kind(mutation.name, mutation.group)] = tuple(
            each for each in after if is_wrong(mutation, by_id[_original(each.case)], each.case)
        )
    return Findings(tuple(before), wrong)


async def examine_many(
    cases: Iterable[Case], settings: CheckSettings, runner: Runner | None
) -> list[Examination]:
    """Ask the checks that need no judge about many cases at a time.

    Raises:
        InfrastructureError: if the sandbox failed.
    """
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(case: Case) -> Examination:
        async with slots:
            return await examine_case(case, settings, runner)

    return list(await asyncio.gather(*map(one, cases)))


def _random(seed: int, case: Case, mutation: Mutation) -> Random:
    return Random(f"{seed}:{case.id}:{mutation.name}")


def _original(changed: Case) -> str:
    return changed.id.rpartition("/")[0]


def is_wrong(mutation: Mutation, before: Case, after: Case) -> bool:
    """Whether a changed case is wrong for sure, now that its calls have been run."""
    if not mutation.changes_result:
        return True
    results = returned(after)
    return results is not None and results != returned(before)


Verdicts: TypeAlias = Mapping[str, Mapping[str, bool | None]]
"""By judge, and by the id of a case: whether it passed."""


def records(found: Findings, reject: str, verdicts: Verdicts) -> list[MutationRecord]:
    """The record of each way of being wrong that there was."""
    return [_record(kind, rows, reject, verdicts) for kind, rows in found.wrong.items() if rows]


def _record(
    kind: Kind, rows: Sequence[Examination], reject: str, verdicts: Verdicts
) -> MutationRecord:
    """The record of rows that are wrong in one way."""
    ids = [each.case.id for each in rows]
    judged = {
        f"judge {judge}": [passed for id_ in ids if (passed := given.get(id_)) is not None]
        for judge, given in verdicts.items()
    }
    return MutationRecord(
        name=kind.name,
        group=kind.group,
        rows=len(rows),
        refused=refused(rows)
        | {judge: Rate(said.count(False), len(said)) for judge, said in judged.items() if said},
        caught=Rate(sum(each.is_caught(reject) for each in rows), len(rows)),
    )


def stages_of(found: Findings) -> tuple[str, ...]:
    """The stages that an audit asks: about answers, only if the right rows have any."""
    have_answers = any(ANSWERS in each.refused for each in found.right)
    return tuple(stage for stage in STAGES if stage != ANSWERS or have_answers)


def refused(rows: Sequence[Examination]) -> dict[str, Rate]:
    """By stage: of the rows that reached it, how many it refused."""
    asked = {stage: [r.refused[stage] for r in rows if stage in r.refused] for stage in STAGES}
    return {stage: Rate(sum(said), len(said)) for stage, said in asked.items() if said}


def questions(found: Findings, reject: str, pairs: int, random: Random) -> list[Question]:
    """What the judges are asked about: half of it right, half wrong, nothing caught before.

    The wrong ones are of as many kinds as possible, and of other rows than the right ones while
    these last.

    Args:
        found: The rows that the other checks were asked about.
        reject: The setting `grounding.reject`.
        pairs: How many questions, at most.
        random: What is drawn from.
    """
    right = [each.case for each in found.right if not each.is_caught(reject)]
    random.shuffle(right)
    kinds = []
    for rows in found.wrong.values():
        left = [each.case for each in rows if not each.is_caught(reject)]
        random.shuffle(left)
        kinds.append(left)
    random.shuffle(kinds)
    turns = [case for turn in zip_longest(*kinds) for case in turn if case is not None]
    half = min(pairs // 2, len(right), len(turns))
    chosen = right[:half]
    shown = {case.id for case in chosen}
    turns.sort(key=lambda case: _original(case) in shown)
    return [*(Question(c, wrong=False) for c in chosen), *(Question(c, True) for c in turns[:half])]
