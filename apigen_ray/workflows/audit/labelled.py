"""Labelled rows before the checks that need no judge."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from apigen_ray.records import Pair
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.check import CheckSettings
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.checks import FORMAT, Examination, Runner
from apigen_ray.workflows.audit.judges import Recorded, recorded
from apigen_ray.workflows.audit.labels import Labelled, read_labelled
from apigen_ray.workflows.audit.measure import Findings, Kind, examine_many

GROUP = "labelled"
EMPTY = Pair("", ())


@dataclass(frozen=True, slots=True)
class LabelledRows:
    """Rows of which it is known whether they are right."""

    rows: tuple[Labelled, ...]
    source: str
    recorded: Recorded
    notices: tuple[str, ...] = ()
    caveat: str | None = None

    @property
    def cases(self) -> list[Case]:
        """Those whose calls can be read."""
        return [row.case for row in self.rows if row.case]

    async def examined(self, settings: CheckSettings, runner: Runner | None) -> Findings:
        """What the checks say of them; calls that can't be read are refused by the first.

        Raises:
            InfrastructureError: if the sandbox failed.
        """
        read = await examine_many(self.cases, settings, runner)
        by_id = {each.case.id: each for each in read}
        right: list[Examination] = []
        wrong: dict[Kind, list[Examination]] = defaultdict(list)
        for row in self.rows:
            if not row.is_pair:
                continue
            found = by_id[row.case.id] if row.case else _unread(row)
            (right if row.kind is None else wrong[Kind(row.kind, GROUP)]).append(found)
        return Findings(tuple(right), {kind: tuple(rows) for kind, rows in wrong.items()})


def labelled_rows(path: Path, run: RunFolder | None) -> LabelledRows:
    """The labelled rows of a file.

    Raises:
        BadInput: if it can't be read, or has none.
    """
    rows, notices = read_labelled(path, run)
    said = recorded([row.verdicts for row in rows], [row.kind is not None for row in rows])
    right = sum(row.kind is None for row in rows)
    source = f"{right} right and {len(rows) - right} wrong rows of {path}"
    return LabelledRows(tuple(rows), source, said, tuple(notices))


def _unread(row: Labelled) -> Examination:
    return Examination(Case(row.id, EMPTY, ()), {FORMAT: True})
