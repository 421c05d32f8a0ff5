"""A chain of calls is written as turns with the values that were used; xLAM keeps references."""

import io
import json

import pytest
from points import fill
from rich.console import Console

from apigen_ray.datasets.export.writing import export
from apigen_ray.records import Style
from apigen_ray.run_folder.rows import new_row, with_values
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.messages import chain_messages
from apigen_ray.workflows.verify import verify

PARAMETERS = {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
NUMBER = {"type": "number"}
TOOLS = [
    {"name": "double", "description": "2x", "parameters": PARAMETERS, "returns": NUMBER},
    {"name": "half", "description": "x/2", "parameters": PARAMETERS, "returns": NUMBER},
]
CALLS = [
    {"name": "double", "arguments": {"x": 5}},
    {"name": "double", "arguments": {"x": 8}},
    {"name": "half", "arguments": {"x": {"$ref": "calls[1].result"}}},
]
RESULTS = [
    {"ok": True, "result": 10, "seconds": 0.1},
    {"ok": True, "result": 16, "seconds": 0.1},
    {"ok": True, "result": 8.0, "seconds": 0.1, "arguments": {"x": 16}},
]


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    row = new_row("a", model="m", style=Style.SEQUENTIAL, prompt_id="0", tried=0)
    row = with_values(
        row,
        query="Double 5 and 8, and halve the second.",
        answers=json.dumps(CALLS),
        tools=json.dumps(TOOLS),
        execution_results=json.dumps(RESULTS),
        outcome="verified",
    )
    fill(folder, [row])
    return tmp_path / "run"


def record(run, form, out, **options):
    export(run, form, out, **options)
    [line] = (out / "train.jsonl").read_text().splitlines()
    return json.loads(line)


def test_calls_that_need_no_result_are_made_together():
    user, first, second = chain_messages("q", CALLS, RESULTS)
    assert user == {"role": "user", "content": "q"}
    assert [call["function"]["arguments"] for call in first["tool_calls"]] == [{"x": 5}, {"x": 8}]
    assert [call["function"]["arguments"] for call in second["tool_calls"]] == [{"x": 16}]
    ids = [call["id"] for reply in (first, second) for call in reply["tool_calls"]]
    assert ids == ["call00000", "call00001", "call00002"]


def test_messages_have_real_results_between_the_turns(run, tmp_path):
    written = record(run, "openai-objects", tmp_path / "out")
    roles = [message["role"] for message in written["messages"]]
    assert roles == ["user", "assistant", "tool", "tool", "assistant"]
    assert [m["content"] for m in written["messages"] if m["role"] == "tool"] == ["10", "16"]
    assert "$ref" not in json.dumps(written)
    assert [sorted(tool["function"]) for tool in written["tools"]] == [
        ["description", "name", "parameters"]
    ] * 2


def test_a_task_ends_before_the_last_calls_which_have_values(run, tmp_path):
    written = record(run, "nemo-gym", tmp_path / "out")
    assert written["expected_answers"] == [{"name": "half", "arguments": {"x": 16}}]


def test_rows_of_xlam_keep_references_and_are_read_back(run, tmp_path):
    written = record(run, "xlam", tmp_path / "out")
    assert json.loads(written["answers"]) == CALLS
    quiet = Console(file=io.StringIO())
    out = tmp_path / "again"
    verify(str(tmp_path / "out" / "train.jsonl"), stages=["format"], out=out, console=quiet)
    [row] = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
    assert (row["style"], row["outcome"]) == ("sequential", "verified")
    assert json.loads(row["answers"]) == CALLS


def test_messages_are_read_back_as_a_conversation(run, tmp_path):
    record(run, "openai", tmp_path / "out")
    quiet = Console(file=io.StringIO())
    out = tmp_path / "again"
    verify(str(tmp_path / "out" / "train.jsonl"), stages=["format"], out=out, console=quiet)
    [row] = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
    assert (row["style"], row["outcome"]) == ("multi_turn", "verified")


def test_the_style_of_rows_with_references_need_not_be_given(tmp_path):
    quiet = Console(file=io.StringIO())
    nestful = {
        "input": "Double 8 and halve that.",
        "output": [
            {"name": "double", "arguments": {"x": 8}, "label": "var1"},
            {"name": "half", "arguments": {"x": "$var1$"}, "label": "var2"},
            {"name": "var_result", "arguments": {"a": "$var2$"}},
        ],
        "tools": TOOLS,
    }
    wrong = {"query": "q", "answers": [CALLS[2], CALLS[0]], "tools": TOOLS}
    verify([nestful, wrong], stages=["format"], out=tmp_path / "out", console=quiet)
    rows = [row for table in RunFolder(tmp_path / "out").tables() for row in table.to_pylist()]
    assert [(r["style"], r["outcome"], r["reason"]) for r in rows] == [
        ("sequential", "verified", None),
        ("sequential", "fail_format", "bad_reference"),
    ]
