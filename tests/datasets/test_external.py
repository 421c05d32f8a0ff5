"""Calls in the forms of others are read as what their writers meant."""

import json

import pytest

from apigen_ray.datasets.external import open_source, read_answers
from apigen_ray.datasets.external.bfcl import read_answer
from apigen_ray.datasets.external.forms import read_row
from apigen_ray.datasets.external.unreadable import Unreadable
from apigen_ray.stages.conversation import query_of


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


def _pair(*messages):
    return read_row({"messages": list(messages)}, {}).pair


USER = {"role": "user", "content": "Which ports are open?"}


@pytest.mark.parametrize("arguments", ["missing", "", " \n", "{}", None, "null", {}])
@pytest.mark.parametrize("legacy", [False, True])
def test_a_call_may_leave_out_its_arguments(arguments, legacy):
    function = {"name": "open_ports"} | ({} if arguments == "missing" else {"arguments": arguments})
    made = {"function_call": function} if legacy else {"tool_calls": [{"function": function}]}
    pair = _pair(USER, {"role": "assistant", "content": None} | made)
    assert pair["answers"] == [{"name": "open_ports", "arguments": {}}]


@pytest.mark.parametrize("arguments", ['"{}"', "7", "[]", '""'])
def test_arguments_that_are_no_object_stay_what_they_are(arguments):
    [call] = _pair(
        USER,
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": arguments}}]},
    )["answers"]
    assert call["arguments"] == json.loads(arguments)


def test_the_call_from_before_there_were_several_is_read_with_its_functions():
    call = {"name": "depth", "arguments": '{"port": "Kappeln"}'}
    functions = [{"name": "depth", "parameters": {}}]
    replies = {"role": "assistant", "content": None, "tool_calls": None, "function_call": call}
    row = read_row({"messages": [USER, replies], "functions": functions, "tools": None}, {})
    assert row.pair["answers"] == [{"name": "depth", "arguments": {"port": "Kappeln"}}]
    assert row.tools == functions


@pytest.mark.parametrize("kind", ["text", "input_text"])
def test_text_parts_are_joined(kind):
    parts = [{"type": kind, "text": "Which ports"}, {"type": kind, "text": "are open?"}]
    reply = {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]}
    [user] = [{"role": "user", "content": parts}]
    assert _pair(user, reply)["query"] == "Which ports\nare open?"
    said = {"role": "assistant", "content": [{"type": "text", "text": "Where?"}]}
    row = read_row({"messages": [user, said, {"role": "user", "content": "Kiel"}, reply]}, {})
    assert query_of(row.messages) == "user: Which ports\nare open?\nassistant: Where?\nuser: Kiel"


def test_a_part_that_is_no_text_is_not_made_text():
    parts = [{"type": "text", "text": "Which?"}, {"type": "image_url", "image_url": {"url": "x"}}]
    with pytest.raises(Unreadable, match="a part that is not text"):
        _pair({"role": "user", "content": parts}, USER, {"role": "assistant", "content": "?"})
