"""Data made elsewhere goes through the same stages as our own."""

import io
import json
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from apigen_ray.errors import BadInput
from apigen_ray.store import RunFolder
from apigen_ray.verification import verify

DATA = Path(__file__).parent / "data" / "toolalpaca_xlam.jsonl"
TOOLS = '''
def divide(dividend: float, divisor: float) -> float:
    """Divide."""
    return dividend / divisor


def nothing(x: int) -> int:
    """Give nothing back."""


def complain(x: int) -> dict:
    """Give an error in place of raising one."""
    return {"error": "out of stock"}
'''


@pytest.fixture
def verified(tmp_path):
    (tmp_path / "mine.py").write_text(TOOLS)

    def go(rows, stages="format,execution", config=None):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        out = tmp_path / "out"
        code = verify(
            str(path),
            tools=[str(tmp_path / "mine.py")],
            stages=stages.split(","),
            out=out,
            config=config,
            console=Console(file=io.StringIO()),
        )
        found = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
        return code, {row["id"]: row for row in found}

    return go


def pair(name, **arguments):
    return {"query": "q", "answers": [{"name": name, "arguments": arguments}]}


def test_format_alone_needs_neither_ray_nor_sandbox(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("Ray was started")

    monkeypatch.setattr("apigen_ray.verification.ray_session", refuse)
    (tmp_path / "mine.py").write_text(TOOLS)
    code = verify(
        str(DATA),
        tools=[str(tmp_path / "mine.py")],
        stages=["format"],
        out=tmp_path / "out",
        config=None,
        console=Console(file=io.StringIO()),
    )
    assert code == 0
    found = [row for t in RunFolder(tmp_path / "out").tables() for row in t.to_pylist()]
    assert Counter(row["outcome"] for row in found) == {"verified": 52, "fail_format": 15}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["verify"]["stages"] == ["format"]


@pytest.mark.usefixtures("shared_ray")
def test_calls_are_executed_and_ids_are_kept(verified):
    code, found = verified(
        [
            {"id": "good"} | pair("divide", dividend=1, divisor=4),
            {"id": 7} | pair("divide", divisor=0, dividend=1),
            {"id": "null"} | pair("nothing", x=1),
            {"id": "body"} | pair("complain", x=1),
            {"id": "text", "query": "q", "answers": json.dumps(pair("divide")["answers"])},
            {"id": "broken", "query": "q", "answers": "[{]"},
            {"id": "twice", "query": "q", "answers": '[{"name": "a", "name": "b"}]'},
            {"id": "none", "query": "q", "answers": []},
        ]
    )
    assert code == 0
    assert {id_: row["reason"] or row["outcome"] for id_, row in found.items()} == {
        "good": "verified",
        "7": "raised",
        "null": "empty_result",
        "body": "error_in_body",
        "text": "missing_argument",
        "broken": "invalid_json",
        "twice": "duplicate_key",
        "none": "no_calls",
    }
    assert json.loads(found["good"]["execution_results"])[0]["result"] == 0.25
    assert "ZeroDivisionError" in found["7"]["detail"]
    assert found["good"]["style"] == "multiple"


def test_raw_completions_may_carry_several_data_points(verified):
    two = json.dumps([pair("divide", dividend=1, divisor=2), pair("divide", dividend=1)])
    _, found = verified(
        [{"id": "a", "completion": two}, {"id": "b", "completion": "Sorry."}], "format"
    )
    assert {id_: row["outcome"] for id_, row in found.items()} == {
        "a-0": "verified",
        "a-1": "fail_format",
        "b": "fail_format",
    }
    assert found["b"]["completion"] == "Sorry."


def test_calls_without_code_here_are_an_error_not_a_failure(verified):
    tool = {"name": "far", "description": "d", "parameters": {"x": {"type": "int"}}}
    code, found = verified([{"id": "a", "tools": [tool]} | pair("far", x=1)])
    assert code == 1
    assert (found["a"]["outcome"], found["a"]["reason"]) == ("error", "sandbox")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": 1}, r"data\.jsonl:1: a row has `query` and `answers`"),
        ({"id": 1, "tools": ["far"]} | pair("far"), "no tool is named 'far'"),
        ({"id": 1, "tools": "[{"} | pair("far"), r"data\.jsonl:1: tools: "),
        ({"id": 1, "style": "chatty"} | pair("divide"), "style: 'chatty'"),
    ],
)
def test_rows_of_the_wrong_form_are_named(row, message, verified):
    with pytest.raises(BadInput, match=message):
        verified([row], "format")


def test_two_rows_of_one_id_are_refused(verified):
    with pytest.raises(BadInput, match="'1' stands twice"):
        verified([{"id": 1} | pair("divide"), {"id": 1} | pair("divide")], "format")


def test_a_judge_is_asked_for_where_one_is_needed(verified):
    with pytest.raises(BadInput, match="give --config"):
        verified([{"id": 1} | pair("divide")], "format,execution,semantic")
