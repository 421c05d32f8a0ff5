"""Labelled rows in the forms of those who labelled them; the rows here are made up."""

import json

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.records import Call
from apigen_ray.workflows.audit.command import audit
from apigen_ray.workflows.audit.labels import EXACT, read_labelled

TOOL = {
    "name": "weather.get",
    "description": "Get the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}


def file_of(tmp_path, *rows):
    path = tmp_path / "labelled.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_fc_reward_bench_has_both_sides_each_judged_alone(tmp_path):
    row = {
        "test_id": "simple_1",
        "conversation": [{"role": "user", "content": "Weather in Oslo?"}],
        "tools": json.dumps([TOOL]),
        "chosen_output": json.dumps([{"weather.get": {"city": ["Oslo"]}}]),
        "rejected_output": json.dumps([{"name": "weather.get", "arguments": {"city": "Rome"}}]),
        "error_type": "Parameter value error",
    }
    broken = row | {"test_id": "2", "rejected_output": "weather.get(", "error_type": "Parsing"}
    path = file_of(tmp_path, row, broken)
    rows, notices = read_labelled(path)
    assert notices == []
    assert [each.kind for each in rows] == [None, "Parameter value error", None, "Parsing"]
    assert rows[0].case.pair.calls == (Call("weather.get", {"city": "Oslo"}),)
    assert rows[1].case.pair.query == "Weather in Oslo?"
    found = audit(labels=path, out=tmp_path)
    caught = {m.name: (m.caught.hits, m.caught.of) for m in found.mutations}
    assert caught == {"Parameter value error": (1, 1), "Parsing": (1, 1)}


def test_when2call_asks_whether_a_call_is_right_and_whether_none_is(tmp_path):
    row = {
        "uuid": "u",
        "question": "Weather in Oslo?",
        "tools": [json.dumps(TOOL)],
        "answers": {
            "tool_call": '<TOOLCALL>[{"name": "weather.get", "arguments": {"city": "Oslo"}}]'
            "</TOOLCALL>",
            "cannot_answer": "I can't.",
        },
    }
    path = file_of(
        tmp_path,
        *(row | {"correct_answer": c} for c in ("tool_call", "cannot_answer", "request_for_info")),
    )
    rows, _ = read_labelled(path)
    assert [(each.kind, len(each.case.pair.calls)) for each in rows] == [
        (None, 1),
        ("no call", 0),
        ("a call where cannot_answer is right", 1),
        (None, 0),
        ("a call where request_for_info is right", 1),
    ]


def test_verdicts_on_trajectories_are_compared_with_the_annotation(tmp_path):
    def row(annotation, one, other):
        judges = {"one": {"judge": one}, "other": {"judge": f'Well. Status: "{other}"'}}
        return {"task_id": annotation, "annotation_task_success": annotation, "judges": judges}

    rows = [row("success", "success", "failure")] * 3 + [row("failure", "failure", "failure")] * 3
    found = audit(labels=file_of(tmp_path, *rows), out=tmp_path)
    one, other = found.judges
    assert (one.right.hits, one.wrong.hits, one.p_value) == (3, 0, pytest.approx(0.1))
    assert (other.right.hits, other.wrong.hits, other.p_value) == (0, 0, 1)
    assert found.agreements[0].rate.hits == 3
    assert found.mutations == ()


def test_toolalpaca_has_gpt4s_verdict_as_the_label(tmp_path):
    prompt = """Follow the guidelines:
## Documentation
getFacts: Get facts.
Parameters: {"kind": "Required. string. One of: [food, home]. What of.", "limit": "integer. Most."}
Output: Facts.

## Task Instruction
Tell me about their food.

## Standard Answer
1. Function: getFacts
Parameters: {"kind": "food"}

## AI Assistant's Solution
1. Function: getFacts
Parameters: {"kind": "%s"}
Retruns: Status Code: 200. Response: []
2. Final Response: Fish.

## Analysis
"""
    rows = [
        {"id": n, "input": [{"content": prompt % kind}], "process_correctness": verdict}
        for n, (kind, verdict) in enumerate([("food", "Yes"), ("sea", "No"), ("home", "Uncertain")])
    ]
    path = tmp_path / "judged.json"
    path.write_text(json.dumps({"Axolotl": rows}))
    right, wrong = read_labelled(path)[0]
    assert (right.id, right.kind, right.verdicts[EXACT]) == ("Axolotl/0", None, True)
    assert (wrong.kind, wrong.verdicts[EXACT]) == ("wrong", False)
    [tool] = right.case.tools
    assert tool.parameters["properties"]["kind"]["enum"] == ["food", "home"]
    assert tool.parameters["required"] == ["kind"]
    [record] = audit(labels=path, out=tmp_path).mutations
    assert record.refused["format"].hits == 1  # `sea` is not one of its kinds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"query": "no label"}\n', "line 1 has none of label, rejected_output"),
        ("nonsense", "not labelled rows in a known form"),
        ('{"labels": [{"id": "a", "label": "right"}]}', "give the run that they are for"),
        ("", "no labelled rows"),
    ],
)
def test_what_is_not_labelled_rows_is_one_line(tmp_path, text, message):
    path = tmp_path / "rows.jsonl"
    path.write_text(text)
    with pytest.raises(BadInput, match=message):
        read_labelled(path)
