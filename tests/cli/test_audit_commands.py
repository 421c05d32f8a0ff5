"""`audit` and `review` as commands: one line for bad input, the page and the labels for people."""

import json

import pytest
from points import fill, point

from apigen_ray.cli import main
from apigen_ray.run_folder.store import RunFolder


def code_of(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["audit"], "audit: give a run, data, or --config with seeds"),
        (["audit", "nowhere.jsonl"], "nowhere.jsonl: no such file in {here}"),
        (["audit", "x", "--sample", "0"], "--sample: must be at least 1"),
        (["audit", "--labels", "nowhere.jsonl"], "nowhere.jsonl: No such file or directory"),
        (["review", "nowhere"], "nowhere: not a run folder (no manifest.json)"),
        (["review", "nowhere", "--sample", "0"], "--sample: must be at least 1"),
    ],
)
def test_bad_input_is_one_line(words, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert code_of(*words) == 2
    assert capsys.readouterr().err == f"apigen-ray: {line.format(here=tmp_path)}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_review_from_page_to_share(tmp_path, capsys):
    fill(RunFolder(tmp_path / "run"), [point("a"), point("b")])
    assert code_of("review", tmp_path / "run", "--out", tmp_path / "page.html") == 0
    assert "2 rows to read" in (tmp_path / "page.html").read_text()
    said = [{"id": id_, "label": "right"} for id_ in ("a", "b", "other")]
    (tmp_path / "labels.json").write_text(json.dumps({"labels": said}))
    assert code_of("review", tmp_path / "run", "--read", tmp_path / "labels.json") == 0
    printed = capsys.readouterr().out
    assert "read by people: 2 of 2 right, 100.0% [34.2%, 100.0%]" in printed
    assert "1 labels are for rows that this run does not have, such as other" in printed
