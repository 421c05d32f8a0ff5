"""An exported folder: the verified rows, as JSONL and Parquet, which load_dataset reads offline."""

import json
from pathlib import Path

import datasets
import pytest
from points import fill, point

from apigen_ray.datasets.export.formats import format_names
from apigen_ray.datasets.export.writing import export
from apigen_ray.errors import BadInput
from apigen_ray.records import Reason
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder

NOT_OF_EXAMPLES = {"argilla", "dpo", "distilabel", "trl-preference"}
OF_EXAMPLES = sorted({*format_names()} - NOT_OF_EXAMPLES)
RAGGED = [{"a": 1}, {"b": {"c": [None]}}, {}]


@pytest.fixture
def source(tmp_path):
    answers = [json.dumps([{"name": "add", "arguments": arguments}]) for arguments in RAGGED]
    queries = ["Add one.", "Put a null into a list.", "Now do it with nothing at all."]
    rows = [
        point(str(place), query=query, answers=text, prompt=f"p{place}")
        for place, (query, text) in enumerate(zip(queries, answers, strict=True))
    ]
    fill(RunFolder(tmp_path / "run"), [*rows, point("failed", Reason.RAISED, prompt="p0")])
    return tmp_path / "run"


def lines(out):
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("form", "ids"), [*((form, ["0", "1", "2"]) for form in OF_EXAMPLES), ("dpo", ["failed"])]
)
def test_load_dataset_reads_what_the_lines_say(source, form, ids, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "new" / form
    assert export(source, form, out).written == len(ids)
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["id"] for row in lines(out)] == loaded["id"] == ids
    assert list(loaded) == lines(out)


def test_older_versions_of_datasets_get_json_text(source, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    export(source, "openai", tmp_path / "out", json_text=True)
    cache = str(tmp_path / "cache")
    [*loaded] = datasets.load_dataset(str(tmp_path / "out"), split="train", cache_dir=cache)
    messages = [json.loads(row["messages"]) for row in loaded]
    assert messages == [row["messages"] for row in lines(tmp_path / "out")]


def test_argilla_reads_the_records_and_sees_the_judges_verdict(tmp_path):
    votes = json.dumps([{"judge": "j", "pass": True, "thought": ""}])
    fill(RunFolder(tmp_path / "run"), [point("a", votes=votes), point("b", query="Two.")])
    export(tmp_path / "run", "argilla", tmp_path / "out")
    first, second = lines(tmp_path / "out")
    assert all(isinstance(value, str) and value for value in first["fields"].values())
    assert first["suggestions"] == {"label": {"value": "right", "score": None, "agent": "j"}}
    assert second["suggestions"] == {}


def test_arguments_stay_ragged(source, tmp_path):
    export(source, "openai-objects", tmp_path / "out")
    calls = [row["messages"][1]["tool_calls"][0]["function"] for row in lines(tmp_path / "out")]
    assert [call["arguments"] for call in calls] == RAGGED


def test_an_unknown_format_is_refused_with_the_known_ones(source, tmp_path):
    with pytest.raises(BadInput, match=r"--format: must be one of .*xlam, not 'pickle'"):
        export(source, "pickle", tmp_path / "out")


def test_nothing_verified_is_nothing_to_export(tmp_path):
    fill(RunFolder(tmp_path / "run"), [point("failed", Reason.RAISED)])
    with pytest.raises(BadInput, match="nothing to export"):
        export(tmp_path / "run", "xlam", tmp_path / "out")


def test_what_is_left_out_is_counted_and_listed(source, tmp_path):
    folder = RunFolder(source)
    with folder.writing():
        again = '[{"name": "add", "arguments": {"a": 1}}]'
        folder.commit(as_table([point("again", query="add ONE!", answers=again)]))
    tests = tmp_path / "tests.jsonl"
    tests.write_text('{"query": "Now do it with nothing at all"}')
    exported = export(source, "xlam", tmp_path / "out", [str(tests)])
    assert [row["id"] for row in lines(tmp_path / "out")] == ["0", "1"]
    assert exported.removed == {"tested_query": 1, "exact_duplicate": 1}
    removed = (tmp_path / "out" / "removed.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in removed] == [
        {"id": "2", "cause": "tested_query", "of": f"{tests}:1"},
        {"id": "again", "cause": "exact_duplicate", "of": "0"},
    ]
    assert "exact_duplicate 1" in (tmp_path / "out" / "README.md").read_text()


def test_simulated_data_says_so(source, tmp_path):
    folder = RunFolder(source)
    folder.write_json("manifest.json", {"config": {"models": [{"kind": "simulated", "name": "x"}]}})
    export(source, "xlam", tmp_path / "out")
    assert "Do not train on it" in (tmp_path / "out" / "README.md").read_text()


def test_bad_folders_are_named(source, tmp_path):
    with pytest.raises(BadInput, match="not a run folder"):
        export(tmp_path / "nowhere", "xlam", tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--out"):
        export(source, "xlam", tmp_path / "file")
    with pytest.raises(BadInput, match="is a run folder"):
        export(source, "xlam", Path(source))
