"""Duplicates, and what resembles test data, is left out, and listed with what it resembles."""

import json

import pytest

from apigen_ray.datasets.export.dedup import Cause, Removed, TestData, clean, read_test_data
from apigen_ray.datasets.export.examples import Example
from apigen_ray.errors import BadInput

LONG = "Please tell me how many days there are between the first of May and the tenth of June"
DAYS = {"name": "days", "arguments": {"start": "05-01"}}
TOOL = {"name": "days", "parameters": {"type": "object", "properties": {"start": {}, "end": {}}}}


def example(id_, query=LONG, calls=(DAYS,), tools=(TOOL,)):
    return Example(id_, query, list(calls), [json.dumps(tool) for tool in tools])


def removed(*examples, tests=None):
    return clean(examples, tests or TestData())


def test_the_same_words_and_calls_are_an_exact_duplicate():
    shouted = f"  {LONG.upper()}?! "
    found = removed(example("b", shouted), example("a"), example("c", "Sing."))
    assert found == [Removed("b", Cause.EXACT_DUPLICATE, "a")]


def test_another_word_is_a_near_duplicate():
    found = removed(example("a"), example("b", LONG.replace("tenth", "ninth"), calls=[]))
    assert not found  # it calls something else
    other = {"name": "days", "arguments": {}}
    found = removed(example("a"), example("b", f"{LONG} please", [other]))
    assert found == [Removed("b", Cause.NEAR_DUPLICATE, "a")]


def test_other_queries_stay():
    assert not removed(example("a"), example("b", "How old is a cat of seven in human years?"))
    assert not removed(example("a", "One"), example("b", "Two"), example("c", "?", []))


def test_the_first_id_is_kept_whatever_the_order():
    examples = [example(id_) for id_ in "cab"]
    assert {found.id for found in removed(*examples)} == {"b", "c"}


@pytest.mark.parametrize(
    "ids",
    [("9", "10"), ("2", "10", "11"), ("p-9-1", "p-10-0"), ("007", "8"), ("a", "a-1"), ("5", "x")],
)
def test_numbers_in_ids_count_by_their_value(ids):
    found = removed(*map(example, reversed(ids)))
    assert [(item.id, item.of) for item in found] == [(id_, ids[0]) for id_ in ids[1:]]


@pytest.fixture
def bfcl(tmp_path):
    path = tmp_path / "BFCL.json"
    asked = [[{"role": "system", "content": "x"}, {"role": "user", "content": LONG}]]
    parameters = {"type": "dict", "properties": {"end": {}, "start": {}}}
    row = {"id": "t", "question": asked, "function": [{"name": "Days", "parameters": parameters}]}
    path.write_text(json.dumps(row))
    return str(path)


def test_a_query_with_words_of_a_tested_one_is_left_out(bfcl):
    words = "well, " + " ".join(LONG.split()[3:13]) + " then"
    [found] = removed(example("a", words, tools=[]), tests=read_test_data([bfcl]))
    assert found == Removed("a", Cause.TESTED_QUERY, f"{bfcl}:1")
    seven = " ".join(LONG.split()[3:10])
    assert not removed(example("a", seven, tools=[]), tests=read_test_data([bfcl]))


def test_a_tool_with_a_tested_signature_is_left_out(bfcl):
    [found] = removed(example("a", "Sing."), tests=read_test_data([bfcl]))
    assert found == Removed("a", Cause.TESTED_TOOL, f"{bfcl}:1")
    fewer = {"name": "days", "parameters": {"type": "object", "properties": {"start": {}}}}
    assert not removed(example("a", "Sing.", tools=[fewer]), tests=read_test_data([bfcl]))


@pytest.mark.parametrize(
    "parameters",
    [
        {"start": "the first day", "end": "the last"},
        {"$ref": "#/$defs/P", "$defs": {"P": {"properties": {"start": {}, "end": {}}}}},
        {"allOf": [{"properties": {"start": {}}}, {"properties": {"end": {}}}]},
        {"type": ["object", "null"], "properties": {"start": {}, "end": {}}},
    ],
)
def test_a_tested_tool_is_read_in_every_form_that_tools_have(tmp_path, parameters):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"tools": [{"name": "days", "parameters": parameters}]}))
    [found] = removed(example("a", "Sing."), tests=read_test_data([str(path)]))
    assert found.cause == Cause.TESTED_TOOL


def test_rows_in_the_xlam_format_are_test_data(tmp_path):
    path = tmp_path / "rows.jsonl"
    flat = [{"name": "days", "parameters": {"start": {"type": "str"}, "end": {"type": "str"}}}]
    path.write_text(json.dumps({"query": "Sing!", "tools": json.dumps(flat)}))
    tests = read_test_data([str(path)])
    causes = [found.cause for found in removed(example("a"), example("b", "sing"), tests=tests)]
    assert causes == [Cause.TESTED_TOOL, Cause.TESTED_QUERY]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{}", ":1: neither"),
        ('{"tools": "["}', ":1: tools"),
        ("[", ":1: not JSON"),
    ],
)
def test_unreadable_test_data_is_named(tmp_path, line, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(line)
    with pytest.raises(BadInput, match=message):
        read_test_data([str(path)])


@pytest.mark.parametrize("tool", [{"function": "x"}, {"parameters": [1]}, {"parameters": "{}"}])
def test_odd_tools_of_test_data_match_nothing(tool, tmp_path):
    path = tmp_path / "tests.jsonl"
    path.write_text(json.dumps({"query": "q", "tools": [tool]}))
    assert not removed(example("a"), tests=read_test_data([str(path)]))


def test_test_data_nested_beyond_reason_is_one_line(tmp_path):
    path = tmp_path / "tests.jsonl"
    path.write_text("[" * 100_000)
    with pytest.raises(BadInput, match=r"tests\.jsonl:1: not JSON"):
        read_test_data([str(path)])
