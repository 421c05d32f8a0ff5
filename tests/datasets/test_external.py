"""Calls in the forms of others are read as what their writers meant."""

import json

import pytest

from apigen_ray.datasets.external import open_source, read_answers
from apigen_ray.datasets.external.forms import Unreadable, read_answer


def test_python_calls_may_have_the_words_of_json():
    [call] = read_answer('[f(a=true, b=[false, None], c={"d": null, "e": True})]')
    assert call["arguments"] == {"a": True, "b": [False, None], "c": {"d": None, "e": True}}


@pytest.mark.parametrize("value", ["trueish", "[S-20458]", "lambda x: x", "Paths.get('a')"])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(Unreadable, match="not a JSON value"):
        read_answer(f"[f(a={value})]")


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_is_read_item_by_item(tmp_path, indent):
    items = [{"id": n, "query": "a\nb [\u2028] é,"} for n in range(3)]
    file = tmp_path / "xlam.json"
    file.write_text(json.dumps(items, indent=indent, ensure_ascii=False), "utf-8")
    source = open_source(str(file))
    [chunk] = source.chunks
    assert source.count == 3
    assert [json.loads(line) for line in chunk.rows.splitlines()] == items


def test_of_a_torn_array_the_items_before_are_read(tmp_path):
    file = tmp_path / "torn.json"
    file.write_text('[{"id": 1},\n {"id": 2}, {"id": "thr')
    [chunk] = open_source(str(file)).chunks
    assert chunk.rows.splitlines() == [b'{"id": 1}', b'{"id": 2}', b'{"id": "thr']


def test_a_byte_order_mark_is_no_row(tmp_path):
    file = tmp_path / "windows.jsonl"
    file.write_text('{"id": 1}\n', "utf-8-sig")
    [chunk] = open_source(str(file)).chunks
    assert chunk.rows == b'{"id": 1}\n'


def test_a_line_of_answers_ends_where_json_says(tmp_path):
    file = tmp_path / "answers.json"
    file.write_text('{"id": 1, "result": "a\u2028b"}\n', "utf-8")
    assert read_answers(file) == {"1": "a\u2028b"}
