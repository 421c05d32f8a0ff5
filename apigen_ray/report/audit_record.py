"""What an audit found, as `audit.json` and `judge_audit.json` hold it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, combinations
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PlainSerializer, ValidationError

from apigen_ray.errors import BadInput
from apigen_ray.report.estimates import LEVEL, kappa
from apigen_ray.report.intervals import Rate
from apigen_ray.run_folder.store import RunFolder

AUDIT = "audit.json"
"""The audit that `apigen-ray audit` wrote."""
JUDGE_AUDIT = "judge_audit.json"
"""The audit of its judges that a run made before its first row."""
REVIEW = "review.json"
"""What people said of a sample of its rows."""


def _rate_form(rate: Rate) -> dict[str, Any]:
    interval = rate.interval
    return {
        "hits": rate.hits,
        "of": rate.of,
        "share": rate.value,
        "interval": list(interval) if interval else None,
    }


Counted = Annotated[Rate, PlainSerializer(_rate_form)]
"""A share in JSON: `hits`, `of`, and what follows from them."""


class Record(BaseModel):
    """A part of an audit."""

    model_config = ConfigDict(frozen=True)


R = TypeVar("R", bound=Record)


class MutationRecord(Record):
    """What became of the rows that were made wrong in one way, or are labelled so."""

    name: str
    group: str
    """What should find it: `format`, `execution`, `grounding`, `coverage` or `meaning`."""
    rows: int
    """How many rows were made wrong so."""
    refused: Mapping[str, Counted]
    """By stage: of those that reached it, how many it refused."""
    caught: Counted
    """By the stages as they are configured, judges aside."""


class JudgeRecord(Record):
    """What one judge said, or all together."""

    name: str
    right: Counted
    """The right pairs that it passed: its sensitivity."""
    wrong: Counted
    """The wrong pairs that it passed: 1 less its specificity."""
    p_value: float
    """Of both rates being equal, by Fisher's exact test."""
    unreadable: int = 0
    """Pairs about which no verdict could be read."""
    verdict_at: float | None = None
    """Where the last verdict begins in the answers, from 0, their start, to 1: the median."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    """The median time of a verdict."""
    error: str | None = None
    """Why it could not be asked to the end."""

    @property
    def is_informative(self) -> bool:
        """Whether it passes right pairs more often than wrong ones, beyond chance."""
        passes = (self.right.value or 0.0) > (self.wrong.value or 0.0)
        return passes and self.p_value <= LEVEL

    def __str__(self) -> str:
        if self.error:
            return f"judge {self.name}: not audited: {self.error}"
        passes = (
            f"passes {self.right.hits:,} of {self.right.of:,} right pairs, "
            f"{self.wrong.hits:,} of {self.wrong.of:,} wrong ones"
        )
        return f"judge {self.name}: {passes}{self._unread}"

    @property
    def _unread(self) -> str:
        return f"; no verdict could be read on {self.unreadable:,}" if self.unreadable else ""

    @property
    def warning(self) -> str | None:
        """What to say of a judge whose verdicts say nothing."""
        if self.error or self.is_informative:
            return None
        return (
            f"judge {self.name}: its verdicts say nothing: it passes {self.right.hits:,} of "
            f"{self.right.of:,} right pairs and {self.wrong.hits:,} of {self.wrong.of:,} wrong "
            f"ones (Fisher's exact test, p = {self.p_value:.2g}){self._unread}; rows that it lets "
            "through are not verified by it"
        )


class AgreementRecord(Record):
    """How far two judges agree on the same pairs."""

    first: str
    second: str
    rate: Counted
    kappa: float | None
    """Cohen's: agreement beyond chance; None if one of them always says the same."""


def agreements(
    votes: Sequence[Mapping[str, bool]], judges: Sequence[str] = ()
) -> list[AgreementRecord]:
    """How far any two judges agree on what both voted on.

    Args:
        votes: Those on each thing, by judge.
        judges: Their names, in the order of the pairs; by default, that of the alphabet.
    """
    found = []
    for first, second in combinations(judges or sorted({*chain.from_iterable(votes)}), 2):
        tally = Counter((v[first], v[second]) for v in votes if first in v and second in v)
        if tally:
            rate = Rate(tally[True, True] + tally[False, False], tally.total())
            found.append(AgreementRecord(first=first, second=second, rate=rate, kappa=kappa(tally)))
    return found


class Audit(Record):
    """What the checks and judges said of right rows, and of the same made wrong in known ways."""

    source: str
    """Where the right rows come from."""
    caveat: str | None = None
    """What to keep in mind about them."""
    rows: int
    """How many there are."""
    sample: int
    """How many were asked for."""
    grounding: str
    """What the setting `grounding.reject` was."""
    stages: tuple[str, ...] = ()
    """The stages without judges, in order."""
    refused: Mapping[str, Counted] = {}
    """By stage: of the right rows that reached it, how many it refused."""
    mutations: tuple[MutationRecord, ...] = ()
    judges: tuple[JudgeRecord, ...] = ()
    jury: JudgeRecord | None = None
    """All judges together, as `votes` combines them."""
    agreements: tuple[AgreementRecord, ...] = ()
    notices: tuple[str, ...] = ()
    """What could not be asked, a line each."""

    @property
    def warnings(self) -> list[str]:
        """The judges whose verdicts say nothing, a line each."""
        return [judge.warning for judge in self.judges if judge.warning]

    @property
    def cost_usd(self) -> float:
        """What the judges took."""
        return sum(judge.cost_usd for judge in self.judges)

    def as_json(self) -> dict[str, Any]:
        """The content of the file."""
        return self.model_dump(mode="json")


class Review(Record):
    """What people said of a sample of verified rows."""

    right: Counted
    """The rows that they found right, of those that they were sure about."""
    unsure: int
    """Rows that they could not decide."""
    why: Mapping[str, str] = {}
    """By the id of a wrong row, what is wrong with it, where they said so."""

    def __str__(self) -> str:
        unsure = f", {self.unsure:,} undecided" if self.unsure else ""
        return f"{self.right.hits:,} of {self.right.of:,} right, {self.right}{unsure}"


def read_audit(folder: RunFolder, name: str) -> Audit | None:
    """An audit of a run folder; None if it has none.

    Raises:
        BadInput: if the file is not what an audit writes.
    """
    return _read(folder, name, Audit)


def read_review(folder: RunFolder, name: str) -> Review | None:
    """The review of a run folder; None if it has none.

    Raises:
        BadInput: if the file is not what `review --read` writes.
    """
    return _read(folder, name, Review)


def _read(folder: RunFolder, name: str, kind: type[R]) -> R | None:
    text = folder.read_text(name)
    if text is None:
        return None
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        why = f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
        raise BadInput(f"{folder.path / name}: can't be read: {why}; delete it") from error
