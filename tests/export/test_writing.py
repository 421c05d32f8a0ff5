"""An exported folder: the verified rows, as JSONL and Parquet, which load_dataset reads offline."""

import json

import datasets
import pytest
from points import fill, point

from apigen_ray.errors import BadInput
from apigen_ray.export import FORMS, export
from apigen_ray.records import Reason
from apigen_ray.store import RunFolder

RAGGED = [{"a": 1}, {"b": {"c": [None]}}, {}]


@pytest.fixture
def source(tmp_path):
    answers = [json.dumps([{"name": "add", "arguments": arguments}]) for arguments in RAGGED]
    rows = [point(str(place), answers=text) for place, text in enumerate(answers)]
    fill(RunFolder(tmp_path / "run"), [*rows, point("failed", Reason.RAISED)])
    return tmp_path / "run"


def lines(out):
    return [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("form", FORMS)
def test_load_dataset_reads_what_the_lines_say(source, form, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    out = tmp_path / "new" / form
    assert export(source, form, out) == 3
    loaded = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["id"] for row in lines(out)] == loaded["id"] == ["0", "1", "2"]
    for written, read in zip(lines(out), loaded, strict=True):
        assert written == {
            key: value if isinstance(written[key], str) else json.loads(value)
            for key, value in read.items()
        }


def test_arguments_stay_ragged(source, tmp_path):
    export(source, "openai-objects", tmp_path / "out")
    calls = [row["messages"][1]["tool_calls"][0]["function"] for row in lines(tmp_path / "out")]
    assert [call["arguments"] for call in calls] == RAGGED


def test_nothing_verified_is_nothing_to_export(tmp_path):
    fill(RunFolder(tmp_path / "run"), [point("failed", Reason.RAISED)])
    with pytest.raises(BadInput, match="no verified data point"):
        export(tmp_path / "run", "xlam", tmp_path / "out")


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
