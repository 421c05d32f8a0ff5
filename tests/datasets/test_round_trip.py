"""What `export` writes, `verify` reads back to the same rows, in all forms."""

import io
import json

import pytest
from conversations import ROWS, TOOLS, call, checked, says, user, verified
from rich.console import Console

from apigen_ray.datasets.export.formats import format_names
from apigen_ray.datasets.export.writing import export
from apigen_ray.workflows.verify import verify

SEVERAL_TURNS = {"sequential", "turns"}
PAIRS_ONLY = {"xlam", "distilabel"}
TASKS = {"nemo-gym", "verl"}
PREFERENCES = {"dpo", "trl-preference"}
FOR_PEOPLE = {"argilla"}
COLUMNS = ("query", "answers", "messages", "turns", "style", "outcome", "reason")


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    out = tmp_path_factory.mktemp("original") / "run"
    return out, verified(ROWS, out)


@pytest.mark.parametrize("file", ["train.jsonl", "train.parquet"])
@pytest.mark.parametrize("form", sorted({*format_names()} - PREFERENCES - FOR_PEOPLE))
def test_what_is_written_is_read_back(form, file, original, tmp_path):
    run, rows = original
    exported = export(run, form, tmp_path / "out")
    kept = {
        id_: row for id_, row in rows.items() if form not in PAIRS_ONLY or id_ not in SEVERAL_TURNS
    }
    assert exported.written == len(kept)
    read = verified(str(tmp_path / "out" / file), tmp_path / "again")
    assert read.keys() == kept.keys()
    for id_, row in kept.items():
        columns = COLUMNS if form not in PAIRS_ONLY | TASKS else ("query", "answers", "style")
        assert {c: read[id_][c] for c in columns} == {c: row[c] for c in columns}
        assert [t["name"] for t in json.loads(read[id_]["tools"])] == ["tide", "now"]


def test_json_text_is_read_back_too(original, tmp_path):
    run, rows = original
    export(run, "openai", tmp_path / "out", json_text=True)
    read = verified(str(tmp_path / "out" / "train.parquet"), tmp_path / "again")
    assert {i: r["messages"] for i, r in read.items()} == {
        i: r["messages"] for i, r in rows.items()
    }


WRONG = {
    "id": "wrong",
    "messages": [
        user("In Kiel?"), call(("tide", {"port": "Kiel"})), says("At twelve."),
        user("And there?"), call(("tide", {"port": 7})), says("At seven."),
        user("In Oslo?"), call(("tide", {"port": "Oslo"})),
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    out = tmp_path_factory.mktemp("failed") / "run"
    return out, checked([WRONG], out)["wrong"]


@pytest.mark.parametrize("form", ["openai", "openai-objects", "sharegpt", "hermes"])
def test_a_wrong_turn_that_is_masked_is_read_back(form, failed, tmp_path):
    run, row = failed
    export(run, form, tmp_path / "out", weights=True)
    read = checked(str(tmp_path / "out" / "train.parquet"), tmp_path / "again")
    assert row["reason"] == "wrong_type"
    assert {c: read["wrong/masked"][c] for c in COLUMNS} == {c: row[c] for c in COLUMNS}


def test_the_turns_before_a_wrong_one_are_read_back(failed, tmp_path):
    run, row = failed
    export(run, "hermes", tmp_path / "out", prefixes=True)
    read = verified(str(tmp_path / "out" / "train.jsonl"), tmp_path / "again")
    assert read["wrong/prefix"]["messages"] == json.dumps(json.loads(row["messages"])[:3])


@pytest.mark.parametrize("form", sorted(PREFERENCES))
def test_the_better_side_of_a_preference_is_read_back(form, original, tmp_path):
    _, rows = original
    bad = [{"id": "bad", "messages": [user("When is high tide?"), call(("tide", {"port": 7}))]}]
    verify(
        [{"tools": TOOLS} | row for row in ROWS + bad],
        stages=["format"],
        out=tmp_path / "run",
        console=Console(file=io.StringIO()),
    )
    assert export(tmp_path / "run", form, tmp_path / "out").written == 1
    [(id_, read)] = verified(str(tmp_path / "out" / "train.parquet"), tmp_path / "again").items()
    assert form == "dpo" or id_ == "pair"
    for column in ("query", "answers", "tools"):
        assert read[column] == rows[id_][column]


def test_the_folder_of_an_export_is_read_once(original, tmp_path):
    out, rows = original
    export(out, "openai", tmp_path / "out")
    assert verified(str(tmp_path / "out"), tmp_path / "again").keys() == rows.keys()
