"""Where the right rows of an audit come from: a run, other data, or the seeds of a config."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from apigen_ray.config import RunConfig
from apigen_ray.datasets.external import read_batches
from apigen_ray.errors import BadInput
from apigen_ray.pipeline.conversations import conversation_of, mismatches_of
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Call, Outcome, Pair, Seed, Style
from apigen_ray.run_folder.rows import Row, as_rows, with_value
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.check import CheckSettings
from apigen_ray.tools.library import Library
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.workflows.audit.cases import Case
from apigen_ray.workflows.audit.judges import NOTHING_RECORDED, Recorded
from apigen_ray.workflows.external_rows import open_data

COLUMNS = (
    "id", "style", "query", "answers", "tools", "execution_results", "messages", "turns", "outcome",
)  # fmt: skip
OF_A_RUN = (
    "its verified rows are taken for right: some may be wrong themselves, and its judges have "
    "passed them all before"
)
OF_OTHER_DATA = "its rows are taken for right, and some may be wrong themselves"


@dataclass(frozen=True, slots=True)
class RightRows:
    """Rows that are taken for right."""

    cases: tuple[Case, ...]
    source: str
    caveat: str | None = None
    notices: tuple[str, ...] = ()
    recorded: Recorded = NOTHING_RECORDED


def of_run(folder: RunFolder, sample: int, seed: int) -> RightRows:
    """A sample of the verified rows of a run.

    Raises:
        BadInput: if it has none.
    """
    rows = list(rows_of(folder, set(sample_ids(folder, sample, seed))))
    cases = sorted(map(case_of, rows), key=lambda case: case.id)
    source = f"{len(cases)} verified rows of {folder.path}{_of_which_conversations(cases)}"
    return RightRows(tuple(cases), source, OF_A_RUN)


def _of_which_conversations(cases: Sequence[Case]) -> str:
    count = sum(case.messages is not None for case in cases)
    return f", {count} of them conversations" if count else ""


def sample_ids(folder: RunFolder, sample: int, seed: int) -> list[str]:
    """The ids of verified rows of a run, drawn at random.

    Raises:
        BadInput: if it has none.
    """
    ids = sorted(
        id_
        for table in folder.tables(("id", "outcome"))
        for id_ in with_value(table, "outcome", Outcome.VERIFIED)["id"].to_pylist()
    )
    if not ids:
        raise BadInput(f"{folder.path}: none of its rows is verified")
    return Random(seed).sample(ids, min(sample, len(ids)))


def rows_of(folder: RunFolder, ids: set[str]) -> Iterator[Row]:
    """The rows of a run with these ids."""
    for table in folder.tables(COLUMNS):
        for row in as_rows(table):
            if row["id"] in ids:
                yield row


def case_of(row: Row) -> Case:
    """The case of a row that passed stage 1."""
    results = json.loads(row["execution_results"]) if row["execution_results"] else None
    return Case(
        id=row["id"],
        pair=Pair(row["query"] or "", calls_of(row["answers"] or "[]")),
        tools=tuple(map(read_tool, json.loads(row["tools"]))),
        style=Style(row["style"]) if row["style"] else None,
        results=None if results is None else tuple(results),
        messages=conversation_of(row),
        mismatches=tuple(mismatches_of(row)),
    )


def calls_of(answers: str) -> tuple[Call, ...]:
    """The calls of a row, from their JSON text."""
    return tuple(Call(call["name"], call["arguments"]) for call in json.loads(answers))


def of_data(data: str, library: Library, settings: CheckSettings, sample: int) -> RightRows:
    """The first rows of other data that pass stage 1.

    Raises:
        BadInput: if they can't be read, or none passes.
    """
    source, name = open_data(data)
    cases: list[Case] = []
    refused: list[str] = []
    for batch in read_batches(source.chunks, library.tools, settings, {}):
        for row in as_rows(batch.rows):
            if row["outcome"]:
                refused.append(f"{row['id']}: {row['detail']}")
            elif len(cases) < sample:
                cases.append(case_of(row))
        if len(cases) >= sample:
            break
    if not cases:
        raise BadInput(f"{name}: no row passes stage 1: {(refused or ['it holds none'])[0]}")
    notices = []
    if refused:
        notices.append(f"{name}: {len(refused)} rows fail stage 1, left out: {refused[0]}")
    rows = f"{len(cases)} rows of {name}{_of_which_conversations(cases)}"
    return RightRows(tuple(cases), rows, OF_OTHER_DATA, tuple(notices))


def of_seeds(config: RunConfig, library: Library, sample: int) -> RightRows:
    """A sample of the seeds of a config.

    Raises:
        BadInput: if it has none, or they can't be read.
    """
    seeds, notices = load_seeds(config.seeds, library.by_name())
    if not seeds:
        raise BadInput("seeds: there are none to audit with; give a run, or data")
    chosen = Random(config.seed).sample(seeds, min(sample, len(seeds)))
    cases = as_cases(sorted(chosen, key=lambda seed: seed.id))
    return RightRows(tuple(cases), f"{len(cases)} seeds", None, tuple(notices))


def as_cases(seeds: Sequence[Seed]) -> list[Case]:
    """Seeds as cases; their calls have not been run."""
    plain = (seed for seed in seeds if not seed.pair.clarification)  # whose query says it all
    return [Case(seed.id, seed.pair, seed.tools, seed.style) for seed in plain]
