"""The run folder: parts are whole, later attempts supersede errors, one writer at a time."""

import datasets
import pyarrow.parquet as pq
import pytest
from stored_rows import ids, row

from apigen_ray.datasets.card import dataset_card
from apigen_ray.errors import BadInput
from apigen_ray.records import Outcome
from apigen_ray.report.stats import COLUMNS, count
from apigen_ray.run_folder.rows import LATER, RELEASED, SCHEMA, as_table
from apigen_ray.run_folder.store import REPLIES, RunFolder, clear


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        yield folder


def test_rows_come_back_in_the_columns_of_the_contract(folder):
    folder.commit(as_table([row("a", query='{"mixed": [1, "x"]}')]))
    table = next(folder.tables())
    assert table.schema == SCHEMA
    assert table["query"].to_pylist() == ['{"mixed": [1, "x"]}']


def test_an_error_that_was_asked_again_is_superseded(folder):
    folder.commit(as_table([row("a", "error"), row("b")]))
    settled, tried = folder.attempts_by_id()
    assert (len(settled), "b" in settled, tried) == (1, True, {"a": 1})
    folder.commit(as_table([row("a", tried=1)]))
    assert ids(folder) == ["a", "b"]
    outcomes = [o for t in folder.tables(["outcome"]) for o in t["outcome"].to_pylist()]
    assert outcomes == [Outcome.VERIFIED, Outcome.VERIFIED]
    settled, tried = folder.attempts_by_id()
    assert (len(settled), tried) == (2, {})
    assert all(id_ in settled for id_ in "ab")


def test_a_part_of_nothing_but_superseded_errors_is_read(folder):
    folder.commit(as_table([row("a", "error")]))
    folder.commit(as_table([row("a", tried=1)]))
    assert ids(folder) == ["a"]


def test_parts_of_a_later_attempt_never_overwrite_earlier_ones(tmp_path):
    folder = RunFolder(tmp_path)
    for number in range(3):
        with folder.writing():
            folder.commit(as_table([row(f"a{number}")]))
            folder.commit(as_table([row(f"b{number}")]))
    assert len(folder.parts()) == 6
    assert len(ids(folder)) == 6


def test_a_part_half_written_by_a_dead_process_is_not_there(folder):
    folder.commit(as_table([row("a")]))
    (folder.path / "samples" / ".part-0001-000002.parquet.tmp").write_bytes(b"PAR1 half")
    assert ids(folder) == ["a"]


def test_a_second_writer_is_told_so(folder):
    with (
        pytest.raises(BadInput, match="another process is writing"),
        RunFolder(folder.path).writing(),
    ):
        pass


def test_an_unwritable_folder_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="not writable"), RunFolder(tmp_path / "file").writing():
        pass


def test_fresh_never_deletes_what_is_no_run(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(BadInput, match="not a run folder"):
        clear(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_fresh_keeps_the_replies_also_where_a_run_ended_before_its_manifest(tmp_path):
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "1.jsonl.gz").write_bytes(b"")
    with RunFolder(tmp_path).writing():
        pass
    clear(tmp_path, keeping=(REPLIES,))
    assert [entry.name for entry in tmp_path.iterdir()] == ["replies"]
    clear(tmp_path)
    assert not tmp_path.exists()


def test_fresh_deletes_a_run(folder, tmp_path):
    folder.commit(as_table([row("a")]))
    folder.write_json("manifest.json", {})
    other = RunFolder(tmp_path / "other")
    with other.writing():
        other.write_json("manifest.json", {})
    clear(other.path)
    assert not other.path.exists()
    with pytest.raises(BadInput, match="another process is writing"):
        clear(folder.path)


def test_the_data_set_has_the_verified_rows_in_the_released_columns(folder):
    folder.commit(as_table([row("b"), row("x", "error")]))
    folder.commit(as_table([row("a")]))
    assert folder.write_dataset("---\nconfigs: []\n---\n") == 2
    table = pq.read_table(folder.path / "dataset" / "data" / "simple.parquet")
    assert table.column_names == list(RELEASED)
    assert table["id"].to_pylist() == ["a", "b"]


def test_load_dataset_reads_it_offline(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder.commit(as_table([row("a"), row("b")]))
    card = dataset_card(count(folder.tables(COLUMNS), 2), {}, folder.first_verified())
    folder.write_dataset(card)
    loaded = datasets.load_dataset(
        str(folder.path / "dataset"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert loaded["id"] == ["a", "b"]


def test_a_run_without_a_verified_row_still_has_a_data_set(folder):
    assert folder.write_dataset("") == 0
    folder.commit(as_table([row("a", "error")]))
    assert folder.write_dataset("") == 0


def test_a_data_set_of_several_slices_is_sorted_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr("apigen_ray.run_folder.store.ROWS_IN_MEMORY", 2)
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        for ids in ("dhb", "ga", "fce"):
            folder.commit(as_table([row(id_) for id_ in ids]))
    assert folder.write_dataset("", excluding={"c"}) == 7
    [file] = (tmp_path / "run" / "dataset" / "data").iterdir()
    assert pq.read_table(file)["id"].to_pylist() == list("abdefgh")


@pytest.mark.parametrize("damage", ["half", "column", "type"])
def test_a_damaged_part_is_passed_over_and_its_rows_are_missing(damage, tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        folder.commit(as_table([row("a")]))
        folder.commit(as_table([row("b", "error"), row("c", cost_usd=1.5)]))
    part = folder.parts()[0]
    if damage == "half":
        part.write_bytes(part.read_bytes()[:-20])
    elif damage == "column":
        pq.write_table(pq.read_table(str(part)).drop_columns("cost_usd"), str(part))
    else:
        table = pq.read_table(str(part)).drop_columns("cost_usd")
        pq.write_table(table.append_column("cost_usd", [["free"]]), str(part))
    assert [id_ for table in folder.tables() for id_ in table["id"].to_pylist()] == ["b", "c"]
    assert folder.spent() == (1.5, 0)
    [line] = folder.passed_over
    assert line.startswith(f"{part}: skipped")


def test_the_rows_of_a_half_written_part_are_asked_for_again(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        folder.commit(as_table([row("a")]))
        folder.commit(as_table([row("b", "error"), row("c")]))
    part = folder.parts()[0]
    part.write_bytes(part.read_bytes()[:-20])
    settled, tried = folder.attempts_by_id()
    assert (len(settled), "c" in settled, tried) == (1, True, {"b": 1})
    with folder.writing():
        folder.commit(as_table([row("a"), row("b", tried=1)]))
    assert ids(folder) == ["a", "b", "c"]


def test_a_part_that_the_disk_refuses_is_no_damaged_one(folder, monkeypatch):
    folder.commit(as_table([row("a")]))

    def refuse(*_):
        raise PermissionError(13, "no")

    monkeypatch.setattr(type(folder.parts()[0]), "open", refuse)
    with pytest.raises(PermissionError):
        list(folder.tables())


def test_a_part_from_before_a_column_existed_has_nothing_in_it(folder):
    folder.commit(as_table([row("a")]).drop_columns(sorted(LATER)))
    [table] = folder.tables()
    assert table["id"].to_pylist() == ["a"]
    assert all(table[name].to_pylist() == [None] for name in LATER)
    assert not folder.passed_over


@pytest.mark.parametrize("messages", [None, '[{"role": "user", "content": "q"}]'])
def test_a_data_set_has_messages_only_if_there_are_conversations(tmp_path, messages):
    folder = RunFolder(tmp_path / "run")
    with folder.writing():
        folder.commit(as_table([row("a"), row("b", messages=messages)]))
        folder.write_dataset("card")
    written = pq.read_table(tmp_path / "run" / "dataset" / "data" / "simple.parquet")
    assert written.column_names == [*RELEASED, *(["messages"] if messages else [])]
    assert written["id"].to_pylist() == ["a", "b"]
