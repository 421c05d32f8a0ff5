"""Rows on their way into the run folder: patience with the disk, none with what is hopeless."""

import errno
import io
import os

import pytest
from points import point
from rich.console import Console

from apigen_ray.errors import StoreLost
from apigen_ray.records import Reason, Rejected, Stage
from apigen_ray.run_folder.rows import as_table, rejected_row
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows import collect as collecting
from apigen_ray.workflows.collect import collect


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "RETRY_DELAYS_S", (0.0, 0.0))
    found = RunFolder(tmp_path)
    with found.writing():
        yield found


@pytest.fixture
def refuse(folder, monkeypatch):
    """Have the disk refuse the next commits."""
    commit = folder.commit
    refusals = []

    def refused(rows):
        if refusals:
            raise refusals.pop()
        commit(rows)

    def times(number, error=errno.ENOSPC):
        refusals.extend([OSError(error, os.strerror(error))] * number)

    monkeypatch.setattr(folder, "commit", refused)
    return times


def collected(batches, folder, *, end=lambda: None, committed=len):
    console = Console(file=io.StringIO(), width=200)
    went_on = collect(
        map(as_table, batches), folder, 1000, console, end=end, grace_s=1.0, committed=committed
    )
    return went_on, console.file.getvalue()


def ids(folder):
    return [id_ for table in folder.tables(["id"]) for id_ in table["id"].to_pylist()]


def test_a_hiccup_of_the_disk_costs_nothing(folder, refuse):
    refuse(2, errno.EIO)
    went_on, _ = collected([[point("a")], [point("b")]], folder)
    assert went_on
    assert ids(folder) == ["a", "b"]


def test_a_disk_that_stays_full_ends_the_run_in_one_line(folder, refuse):
    refuse(3)
    told = []
    with pytest.raises(StoreLost, match="No space left on device; what was committed") as caught:
        collected([[point("a")]], folder, committed=told.extend)
    assert "\n" not in str(caught.value)
    assert not told, "nobody may count on rows that are not safe"
    assert not ids(folder)


def test_rows_are_kept_when_the_pipeline_breaks(folder):
    def breaking():
        yield [point("a")]
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        collected(breaking(), folder)
    assert ids(folder) == ["a"]


def test_a_limit_lets_finish_what_is_in_flight_and_what_was_not_asked_has_no_row(folder):
    ended = []
    unasked = rejected_row(point("b"), Stage.GENERATE, Rejected(Reason.BUDGET, "budget_usd: spent"))
    batches = [[point("a")], [unasked], [], [point("c")]]
    went_on, said = collected(batches, folder, end=lambda: ended.append(True))
    assert not went_on
    assert ended == [True]
    assert ids(folder) == ["a", "c"]
    assert "budget_usd: spent: finishing what is in flight" in said


def test_what_is_hopeless_is_not_waited_for(folder):
    errors = [[point(str(n), Reason.ENDPOINT)] for n in range(50)]
    went_on, said = collected(errors, folder)
    assert not went_on
    assert len(ids(folder)) == collecting.CONSECUTIVE_ERRORS
    assert "the last 20 data points ended in an error" in said
