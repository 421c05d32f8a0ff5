"""How far the verified rows of a run can be trusted, as far as that was measured."""

from dataclasses import dataclass
from typing import Any

from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome, Reason
from apigen_ray.report.audit_record import (
    AUDIT,
    JUDGE_AUDIT,
    REVIEW,
    Audit,
    JudgeRecord,
    Review,
    read_audit,
    read_review,
)
from apigen_ray.report.estimates import CleanShare, clean_share
from apigen_ray.report.intervals import Rate
from apigen_ray.report.stats import Funnel, Stats
from apigen_ray.run_folder.store import RunFolder

PAPER = "APIGen's authors read 600 of their rows and found 95.3% right"


@dataclass(frozen=True, slots=True)
class Quality:
    """What audits and reviewers say of a run."""

    audit: Audit | None = None
    """Of its checks and judges, by `apigen-ray audit`."""
    judge_audit: Audit | None = None
    """Of its judges alone, by the run."""
    clean: CleanShare | None = None
    """The estimated share of right rows among those that the judges passed; None where it can't be
    told."""
    disagreed: int = 0
    """How many of these were rejected afterwards, because other models made other calls."""
    review: Review | None = None
    """What people said of a sample of the verified rows."""
    problems: tuple[str, ...] = ()
    """Files that can't be read, a line each."""

    @property
    def judged_by(self) -> Audit | None:
        """The audit of the judges: the larger one, if there are two."""
        found = [each for each in (self.audit, self.judge_audit) if each and each.judges]
        return found[0] if found else None

    @property
    def warnings(self) -> list[str]:
        """What a reader of the data has to know first."""
        judged = self.judged_by
        return [*(judged.warnings if judged else []), *self.problems]

    def lines(self) -> list[str]:
        """What was measured, in sentences."""
        judged = self.judged_by
        lines = [str(judge) for judge in judged.judges] if judged else []
        lines += [self.clean_line] if self.clean_line else []
        if self.review:
            lines.append(f"read by people: {self.review}; {PAPER}")
        return lines

    @property
    def clean_line(self) -> str | None:
        """The clean share in a sentence; None where no judge was asked."""
        if self.clean is None:
            unknown = "clean share of the verified rows: can't be told from these judges"
            return unknown if self.judged_by else None
        of = "the verified rows"
        if self.disagreed:
            of = f"the rows that the judges passed, {self.disagreed:,} without agreement included"
        return (
            f"clean share of {of}: {self.clean}, estimated from the audit of the judges, if their "
            f"errors on these rows are as on the audited ones; {PAPER}"
        )

    def add_usage(self, stats: Stats) -> None:
        """Add what the audit that a run makes first has taken to what the run took."""
        for judge in self.judge_audit.judges if self.judge_audit else ():
            stats.add_usage(judge.input_tokens, judge.output_tokens, judge.cost_usd)

    def as_json(self) -> dict[str, Any]:
        """Its part of stats.json; nothing where nothing was measured."""
        judged, review = self.judged_by, self.review
        found: dict[str, Any] = {}
        if judged:
            found["judges"] = {
                judge.name: {
                    "right_passed": [judge.right.hits, judge.right.of],
                    "wrong_passed": [judge.wrong.hits, judge.wrong.of],
                    "p_value": judge.p_value,
                    "informative": judge.is_informative,
                }
                for judge in judged.judges
            }
        if self.clean:
            found["clean_share"] = {
                "share": self.clean.share,
                "interval": [self.clean.low, self.clean.high],
            }
        if review:
            found["reviewed"] = {"right": review.right.hits, "of": review.right.of}
        return {"quality": found} if found else {}


UNMEASURED = Quality()
"""Of a run that nobody audited or read."""


def quality_of(folder: RunFolder, funnel: Funnel) -> Quality:
    """Read what was measured about a run, whose rows are counted in `funnel`."""
    problems: list[str] = []

    def read(name: str) -> Audit | None:
        try:
            return read_audit(folder, name)
        except BadInput as error:
            problems.append(str(error))
            return None

    try:
        review = read_review(folder, REVIEW)
    except BadInput as error:
        review = None
        problems.append(str(error))
    found = Quality(read(AUDIT), read(JUDGE_AUDIT), review=review)
    return Quality(
        found.audit,
        found.judge_audit,
        _clean(found.judged_by, funnel),
        funnel.reasons[Reason.DISAGREEMENT],
        review,
        tuple(problems),
    )


def _clean(judged: Audit | None, funnel: Funnel) -> CleanShare | None:
    """The clean share, from the verdicts of all judges together."""
    if judged is None:
        return None
    panel: JudgeRecord = judged.jury or judged.judges[0]
    # Solvers come after the judges: what they reject makes the rest cleaner than this.
    yes = funnel.outcomes[Outcome.VERIFIED] + funnel.reasons[Reason.DISAGREEMENT]
    passed = Rate(yes, yes + funnel.reasons[Reason.JUDGED_NO])
    return clean_share(passed, panel.right, panel.wrong)
