"""Rows for tests of the run folder and of what reads it."""

from apigen_ray.records import Outcome, Reason, Rejected, Stage, Style
from apigen_ray.run_folder.rows import new_row, rejected_row


def row(id_, outcome="verified", tried=0, **columns):
    new = new_row(id_, model="m", style=Style.SIMPLE, prompt_id="p", tried=tried)
    new |= {"query": "q", "answers": "[]", "execution_results": "[]", **columns}
    if outcome == "error":
        return rejected_row(new, Stage.GENERATE, Rejected(Reason.ENDPOINT, "down"))
    return {**new, "outcome": Outcome.VERIFIED.value}


def ids(folder):
    return sorted(id_ for table in folder.tables(["id"]) for id_ in table["id"].to_pylist())
