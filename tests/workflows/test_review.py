"""Labels of people: the clean share that follows, the rows kept for audits, and what is wrong."""

import json

import pytest
from points import fill, point

from apigen_ray.errors import BadInput
from apigen_ray.records import Reason
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.review import read_labels, write_page


@pytest.fixture
def run(tmp_path):
    rows = [point(str(n), query=f"add {n}") for n in range(8)]
    fill(RunFolder(tmp_path / "run"), [*rows, point("failed", Reason.RAISED)])
    return tmp_path / "run"


def labels(tmp_path, **given):
    file = tmp_path / "labels.json"
    entries = [{"id": id_[1:], "label": label, "why": "why"} for id_, label in given.items()]
    file.write_text(json.dumps({"run": "run", "labels": entries}))
    return file


def test_the_page_has_a_sample_of_the_verified_rows(run):
    page = write_page(run, 5)
    assert page == str(run / "review.html")
    text = (run / "review.html").read_text()
    assert text.count('class="row"') == 5
    assert 'data-id="failed"' not in text


def test_labels_give_the_clean_share_and_rows_for_the_next_audit(run, tmp_path):
    given = labels(tmp_path, _0="right", _1="right", _2="right", _3="wrong", _4="unsure")
    found = read_labels(run, given)
    assert (found.review.right.hits, found.review.right.of, found.review.unsure) == (3, 4, 1)
    assert str(found.review) == "3 of 4 right, 75.0% [30.1%, 95.4%], 1 undecided"
    assert found.review.why == {"3": "why"}
    lines = [json.loads(line) for line in (run / "labelled.jsonl").read_text().splitlines()]
    assert [(line["id"], line["label"]) for line in lines] == [
        ("0", "right"), ("1", "right"), ("2", "right"), ("3", "wrong"), ("4", "unsure"),
    ]  # fmt: skip
    assert json.loads((run / "stats.json").read_text())["quality"]["reviewed"] == {
        "right": 3,
        "of": 4,
    }
    assert "read by people: 3 of 4 right" in (run / "report.html").read_text()


def test_labels_of_other_rows_are_named_and_the_others_count(run, tmp_path):
    found = read_labels(run, labels(tmp_path, _0="right", _nowhere="wrong"))
    assert found.unknown == ("nowhere",)
    assert found.review.right.of == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not the labels that the review page saves"),
        ('{"labels": [{"id": "0"}]}', "not the labels that the review page saves"),
        ('{"labels": [{"id": "0", "label": "fine"}]}', "must be one of right, wrong, unsure"),
        ('{"labels": [{"id": "x", "label": "right"}]}', "1 labels, none of them for a row of"),
    ],
)
def test_bad_labels_are_one_line(run, tmp_path, text, message):
    file = tmp_path / "labels.json"
    file.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_labels(run, file)


def test_a_run_without_verified_rows_has_nothing_to_read(tmp_path):
    fill(RunFolder(tmp_path / "run"), [point("failed", Reason.RAISED)])
    with pytest.raises(BadInput, match="none of its rows is verified"):
        write_page(tmp_path / "run", 5)
