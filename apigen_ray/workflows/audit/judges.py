"""The judges, each asked about pairs of which we know whether they are right."""

import asyncio
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apigen_ray.errors import InfrastructureError
from apigen_ray.records import Reply
from apigen_ray.report.audit_record import AgreementRecord, JudgeRecord, agreements
from apigen_ray.report.estimates import differ
from apigen_ray.report.intervals import Rate
from apigen_ray.stages.ballot import Judge, Rule, decided
from apigen_ray.stages.judge import judge
from apigen_ray.stages.verdict import read_verdict
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.checks import examined, shown

ERRORS_UNTIL_GIVEN_UP = 3
TOGETHER = "all together"
MOST_BRACKETS = 50
"""Opening brackets, from the end of an answer, at which its verdict is looked for."""


@dataclass(frozen=True, slots=True)
class Question:
    """A case that reaches the judges, and whether it is wrong."""

    case: Case
    wrong: bool


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a judge said about a question; None if nothing could be read."""

    passed: bool | None
    replies: tuple[Reply, ...] = ()


class _Witness:
    """A judge who is asked, until that fails too often."""

    def __init__(self, asked: Judge) -> None:
        self.judge = asked
        self.error: str | None = None
        self._errors = 0

    async def opinion(self, question: Question, reject: str) -> Opinion | None:
        """Its opinion; None if it could not be asked."""
        if self._errors >= ERRORS_UNTIL_GIVEN_UP:
            return None
        case = question.case
        found = examined(case, reject)
        try:
            judgement = await judge(
                case.pair,
                shown(case),
                case.results or (),
                self.judge,
                sample=f"audit/{case.id}",
                findings=(*case.mismatches, *(found.remarks if found else ())),
                conversation=case.messages,
            )
        except InfrastructureError as error:
            self._errors += 1
            self.error = self.error or str(error)
            return None
        return Opinion(judgement.vote.passed if judgement.vote else None, judgement.replies)


@dataclass(frozen=True, slots=True)
class Hearing:
    """What all judges said: their records, and how far they agree."""

    judges: tuple[JudgeRecord, ...]
    jury: JudgeRecord | None
    agreements: tuple[AgreementRecord, ...]
    verdicts: Mapping[str, Mapping[str, bool | None]]
    """By judge, and by the id of a case: whether it passed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What judges said before, as labelled data have it."""

    judges: tuple[JudgeRecord, ...]
    agreements: tuple[AgreementRecord, ...]


NOTHING_RECORDED = Recorded((), ())


def recorded(verdicts: Sequence[Mapping[str, bool]], wrong: Sequence[bool]) -> Recorded:
    """The records of judges, from what they said of rows, and whether each of these is wrong."""
    names = list(dict.fromkeys(name for given in verdicts for name in given))
    by_judge = {name: [given.get(name) for given in verdicts] for name in names}
    records = [
        JudgeRecord(
            name=name,
            **rates([(w, p) for w, p in zip(wrong, said, strict=True) if p is not None]),
        )
        for name, said in by_judge.items()
    ]
    return Recorded(tuple(records), tuple(agreements(verdicts, names)))


async def hear(
    judges: Sequence[Judge], questions: Sequence[Question], rule: Rule, reject: str
) -> Hearing:
    """Ask every judge about every question.

    Args:
        judges: The judges. One that fails is left alone; the others go on.
        questions: What they are asked about.
        rule: How their votes are combined.
        reject: The setting `grounding.reject`, on which depends what they are told.
    """
    witnesses = [_Witness(each) for each in judges]
    said = await asyncio.gather(
        *(
            asyncio.gather(*(witness.opinion(question, reject) for question in questions))
            for witness in witnesses
        )
    )
    records = [
        _record(witness.judge.name, questions, opinions, witness.error)
        for witness, opinions in zip(witnesses, said, strict=True)
    ]
    verdicts = [[o.passed if o else None for o in opinions] for opinions in said]
    together = [
        decided([vote for vote in votes if vote is not None], len(judges), rule)
        for votes in zip(*verdicts, strict=True)
    ]
    jury = None
    if len(judges) > 1:
        jury = _record(TOGETHER, questions, [Opinion(passed) for passed in together], None)
    by_judge = {w.judge.name: given for w, given in zip(witnesses, verdicts, strict=True)}
    votes = [
        {name: vote for name, vote in zip(by_judge, given, strict=True) if vote is not None}
        for given in zip(*verdicts, strict=True)
    ]
    ids = [question.case.id for question in questions]
    return Hearing(
        tuple(records),
        jury,
        tuple(agreements(votes, list(by_judge))),
        {name: dict(zip(ids, given, strict=True)) for name, given in by_judge.items()},
    )


def _record(
    name: str,
    questions: Sequence[Question],
    opinions: Sequence[Opinion | None],
    error: str | None,
) -> JudgeRecord:
    answered = [(q, o) for q, o in zip(questions, opinions, strict=True) if o is not None]
    verdicts = [(q.wrong, o.passed) for q, o in answered if o.passed is not None]
    replies = [reply for _, opinion in answered for reply in opinion.replies]
    places = [at for reply in replies if (at := _verdict_at(reply.text)) is not None]
    return JudgeRecord(
        name=name,
        **rates(verdicts),
        unreadable=len(answered) - len(verdicts),
        verdict_at=round(statistics.median(places), 3) if places else None,
        input_tokens=sum(reply.input_tokens for reply in replies),
        output_tokens=sum(reply.output_tokens for reply in replies),
        cost_usd=sum(reply.cost_usd for reply in replies),
        seconds=statistics.median(r.seconds for r in replies) if replies else 0.0,
        error=error,
    )


def rates(verdicts: Sequence[tuple[bool, bool]]) -> dict[str, Rate | float]:
    """How often right and wrong pairs are passed, from whether each is wrong, and was passed."""
    right = Rate(sum(p for wrong, p in verdicts if not wrong), sum(not w for w, _ in verdicts))
    wrong = Rate(sum(p for wrong, p in verdicts if wrong), sum(w for w, _ in verdicts))
    return {"right": right, "wrong": wrong, "p_value": differ(right, wrong)}


def _verdict_at(text: str) -> float | None:
    """Where the last verdict of an answer begins, as a share of its length."""
    opening = len(text)
    for _ in range(MOST_BRACKETS):
        opening = text.rfind("{", 0, opening)
        if opening < 0:
            return None
        if read_verdict(text[opening:]):
            return opening / len(text)
    return None
