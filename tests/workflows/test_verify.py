"""Data made elsewhere goes through the same stages as our own."""

import io
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.verify import verify

DATA = Path(__file__).parents[1] / "data" / "toolalpaca_xlam.jsonl"
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

    said = io.StringIO()

    def go(rows, stages="format,execution", config=None, tools=True, answers=None, **more):
        path = rows
        if isinstance(rows, list):
            path = tmp_path / "data.jsonl"
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        out = tmp_path / "out"
        code = verify(
            str(path),
            tools=[str(tmp_path / "mine.py")] if tools else [],
            stages=stages.split(","),
            out=out,
            config=config,
            console=Console(file=said),
            answers=answers,
            **more,
        ).exit_code
        found = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
        return code, {row["id"]: row for row in found}

    go.said = said.getvalue
    return go


def pair(name, **arguments):
    return {"query": "q", "answers": [{"name": name, "arguments": arguments}]}


def test_format_alone_needs_neither_ray_nor_sandbox(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("Ray was started")

    monkeypatch.setattr("apigen_ray.workflows.verify.ray_session", refuse)
    (tmp_path / "mine.py").write_text(TOOLS)
    code = verify(
        str(DATA),
        tools=[str(tmp_path / "mine.py")],
        stages=["format"],
        out=tmp_path / "out",
        config=None,
        console=Console(file=io.StringIO()),
    ).exit_code
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


def test_raw_completions_may_begin_with_reasoning(verified):
    text = json.dumps(pair("divide", dividend=1, divisor=2))
    rows = [
        {"id": "a", "completion": f"<think>\nLet me see: []\n</think>\n{text}"},
        {"id": "b", "completion": f"<think>\nLet me see: {text}"},
    ]
    _, found = verified(rows, "format")
    assert [found[id_]["reason"] for id_ in "ab"] == [None, "truncated"]
    assert found["a"]["reasoning"] == "Let me see: []"


def test_calls_without_code_here_are_an_error_not_a_failure(verified):
    tool = {"name": "far", "description": "d", "parameters": {"x": {"type": "int"}}}
    code, found = verified([{"id": "a", "tools": [tool]} | pair("far", x=1)])
    assert code == 1
    assert (found["a"]["outcome"], found["a"]["reason"]) == ("error", "sandbox")


BAD = {
    "text": ("Sorry.", "invalid_json", "not JSON"),
    "list": ([1], "wrong_type", "not a JSON object"),
    "empty": ({"id": "empty"}, "missing_field", "neither `query` and `answers`"),
    "no answers": ({"id": "no answers", "query": "q"}, "missing_field", "'answers' is missing"),
    "far": ({"id": "far", "tools": ["far"]} | pair("far"), "invalid_tool", "no tool is named"),
    "broken": ({"id": "broken", "tools": "[{"} | pair("far"), "invalid_tool", "tools: "),
    "nameless": ({"id": "nameless", "tools": [{}]} | pair("far"), "invalid_tool", "has no name"),
    "chatty": ({"id": "chatty", "style": "chatty"} | pair("divide"), "wrong_type", "style: "),
    "null": (
        {"id": "null", "query": "q", "answers": None},
        "missing_field",
        "'answers' is missing",
    ),
    "named": ({"id": "named"} | pair(["x"]), "wrong_type", "calls[0].name"),
    "calls": (
        {"id": "calls", "messages": [{"role": "assistant", "tool_calls": 7}]},
        "wrong_type",
        "tool_calls is not a list",
    ),
}


def test_a_row_that_cannot_be_read_is_counted_and_the_rest_goes_on(tmp_path, verified):
    lines = [value if name == "text" else json.dumps(value) for name, (value, *_) in BAD.items()]
    good = json.dumps({"id": "good"} | pair("divide", dividend=1, divisor=2))
    (tmp_path / "bad.jsonl").write_bytes("\n".join([*lines, "", good]).encode() + b"\n\xff\n")
    code, found = verified(tmp_path / "bad.jsonl", "format")
    assert code == 0
    assert found.pop("good")["outcome"] == "verified"
    assert found.pop("13")["reason"] == "invalid_json"  # what is not UTF-8
    assert found["0"]["completion"] == "Sorry."
    for row, (_, reason, detail) in zip(found.values(), BAD.values(), strict=True):
        assert (row["outcome"], row["reason"]) == ("fail_format", reason)
        assert detail in row["detail"]
    assert "bad.jsonl:1: not JSON" in verified.said()
    assert "bad.jsonl:5: tools: no tool is named 'far'" in verified.said()


def test_a_damaged_file_is_named_and_the_others_are_read(tmp_path, verified):
    folder = tmp_path / "folder"
    folder.mkdir()
    rows = [{"query": "q", "answers": "[]", "tools": "[]", "n": n} for n in range(5000)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "whole.parquet", row_group_size=1000)
    data = bytearray((folder / "whole.parquet").read_bytes())
    (folder / "half.parquet").write_bytes(data[:-20])
    fourth = pq.ParquetFile(folder / "whole.parquet").metadata.row_group(3)
    start = fourth.column(3).dictionary_page_offset
    data[start : start + fourth.column(3).total_compressed_size] = b"\xff" * (
        fourth.column(3).total_compressed_size
    )
    (folder / "rotten.parquet").write_bytes(data)
    code, found = verified(folder, "format")
    assert code == 1
    assert len(found) == 5000 + 2000
    assert "half.parquet: not a readable Parquet file" in verified.said()
    assert "3,000 rows from [2000] on are lost" in verified.said()
    assert json.loads((tmp_path / "out" / "stats.json").read_text())["missing"] == 3000


def test_a_fault_of_ours_costs_one_row(monkeypatch, verified):
    def read(row, _):
        raise ZeroDivisionError(f"of {row['id']}")

    monkeypatch.setattr("apigen_ray.datasets.external.reader.read_row", read)
    code, found = verified([{"id": 1} | pair("divide")], "format")
    assert (code, found["1"]["outcome"], found["1"]["reason"]) == (1, "error", "internal")
    assert "data.jsonl:1: ZeroDivisionError: of 1" in verified.said()


def test_a_completion_that_is_no_text_is_read_as_its_json(verified):
    row = {"id": "a", "completion": pair("divide", dividend=1, divisor=2)}
    _, found = verified([row], "format")
    assert found["a"]["outcome"] == "verified"


def test_a_row_that_fails_has_the_style_of_its_calls(verified):
    wrong, unknown = {"dividend": "1"}, [{"name": "divide", "arguments": {}}, {"name": "other"}]
    _, found = verified(
        [
            {"id": "one"} | pair("divide", **wrong),
            {"id": "two", "query": "q", "answers": unknown},
            {"id": "said", "style": "simple"} | pair("divide", **wrong),
            {"id": "none", "query": "q", "answers": []},
            {"id": "text", "query": "q", "answers": ["divide"]},
        ],
        "format",
    )
    assert {row["outcome"] for row in found.values()} == {"fail_format"}
    assert {id_: row["style"] for id_, row in found.items()} == {
        "one": "multiple",
        "two": "parallel_multiple",
        "said": "simple",
        "none": None,
        "text": None,
    }


@pytest.mark.parametrize("text", ["", "\n\n", "[]"])
def test_a_file_without_rows_is_bad_input(tmp_path, verified, text):
    (tmp_path / "empty.json").write_text(text)
    with pytest.raises(BadInput, match="holds no rows"):
        verified(tmp_path / "empty.json", "format")


def test_a_row_without_tools_needs_them_from_elsewhere(verified):
    _, found = verified([{"id": 1} | pair("divide")], "format", tools=False)
    assert "--tools is not given" in found["1"]["detail"]


@pytest.mark.parametrize("form", ["list", "text", "object", "names", "openai"])
def test_tools_may_be_written_in_many_ways(form, verified):
    tool = {"name": "divide", "parameters": {"dividend": {"type": "int"}}}
    written = {
        "list": [tool],
        "text": json.dumps([tool]),
        "object": tool,
        "names": ["divide"],
        "openai": [{"type": "function", "function": tool}],
    }
    answers = [{"name": "divide", "arguments": {"dividend": 1, "divisor": 2}}]
    row = {"id": "a", "query": "q", "answers": answers, "tools": written[form]}
    _, found = verified([row], "format")
    expected = None if form == "names" else "unknown_argument"
    assert found["a"]["reason"] == expected


def test_the_second_row_of_an_id_is_kept_under_another(verified):
    rows = [{"id": 1} | pair("divide"), {"id": 1} | pair("divide", dividend=1, divisor=2)]
    _, found = verified(rows, "format")
    assert {id_: row["outcome"] for id_, row in found.items()} == {
        "1": "fail_format",
        "1@2": "verified",
    }
    assert "1 rows repeat an id, the first of them '1'" in verified.said()


@pytest.mark.parametrize(
    "ids", ["0 1 2 1 3 1", "5 6 5 7 4 4", "a b a 0 1 a", "07 7 7 8 07", "2 0 1 2 0"]
)
def test_whatever_ids_there_are_none_is_lost(ids, verified):
    rows = [{"id": id_} | pair("divide", dividend=1, divisor=2) for id_ in ids.split()]
    _, found = verified(rows, "format")
    assert len(found) == len(rows)
    assert {id_.partition("@")[0] for id_ in found} == set(ids.split())
    assert sum("@" in id_ for id_ in found) == len(rows) - len(set(ids.split()))


def test_many_rows_go_through_several_processes_in_their_order(monkeypatch, tmp_path, verified):
    monkeypatch.setattr("apigen_ray.datasets.external.sources.BYTES_PER_CHUNK", 500)
    rows = [{"id": n} | pair("divide", dividend=n, divisor=2) for n in range(40)]
    _, found = verified(rows, "format")
    assert list(found) == [str(n) for n in range(40)]
    assert {row["outcome"] for row in found.values()} == {"verified"}


def test_a_resume_takes_only_what_is_new(tmp_path, verified):
    rows = [{"id": n} | pair("divide", dividend=n, divisor=2) for n in range(4)]
    verified(rows[:2], "format")
    before = RunFolder(tmp_path / "out").parts()
    code, found = verified(rows, "format")
    assert (code, sorted(found)) == (0, ["0", "1", "2", "3"])
    [new] = set(RunFolder(tmp_path / "out").parts()) - set(before)
    assert pq.read_table(new)["id"].to_pylist() == ["2", "3"]


def test_a_folder_made_with_other_stages_is_refused(verified):
    verified([{"id": 1} | pair("divide")], "format")
    with pytest.raises(BadInput, match="holds another run"):
        verified([{"id": 1} | pair("divide")], "format", tools=False)


def test_parquet_of_nested_columns_loses_the_nulls_that_arrow_adds(tmp_path, verified):
    tools = [{"name": n, "parameters": {n: {"type": "int"}}} for n in ("a", "b")]
    rows = [
        {"id": n, "query": "q", "answers": [{"name": n, "arguments": {n: 1}}], "tools": tools}
        for n in ("a", "b")
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "nested.parquet")
    assert (
        None
        in pq.read_table(tmp_path / "nested.parquet")["answers"]
        .to_pylist()[0][0]["arguments"]
        .values()
    )
    _, found = verified(tmp_path / "nested.parquet", "format")
    assert {id_: row["reason"] for id_, row in found.items()} == {"a": None, "b": None}
    assert "2 rows have nulls in arguments that look like padding: they are read" in verified.said()


@pytest.mark.parametrize("padded_nulls", ["keep", "drop"])
def test_rows_that_went_through_a_nested_column_may_be_read_without_its_nulls(
    padded_nulls, verified
):
    kinds = {"x": {"type": "int"}, "y": {"type": ["integer", "null"]}}
    tool = {"name": "f", "parameters": {"type": "object", "properties": kinds}}
    arguments = {
        "padded": {"x": 1, "z": None},
        "nested": {"x": None, "y": 2},
        "meant": {"x": 1, "y": None},
        "wrong": {"x": "1", "z": None},
    }
    rows = [
        {"id": id_, "query": "q", "answers": [{"name": "f", "arguments": given}], "tools": [tool]}
        for id_, given in arguments.items()
    ]
    talk = [{"role": "user", "content": "q"}]
    talk += [{"role": "assistant", "tool_calls": [{"function": rows[0]["answers"][0]}]}]
    rows.append({"id": "messages", "messages": [*talk, *talk], "tools": [tool]})
    _, found = verified(rows, "format", padded_nulls=padded_nulls)
    passed = {id_ for id_, row in found.items() if row["outcome"] == "verified"}
    if padded_nulls == "keep":
        assert passed == {"meant"}
        assert "4 rows have nulls" in verified.said()
        assert "`--padded-nulls drop` reads them without" in verified.said()
    else:
        assert passed == {"padded", "nested", "meant", "messages"}
        assert found["wrong"]["detail"].startswith("calls[0].arguments.x: '1' is not of type")
        assert json.loads(found["meant"]["answers"])[0]["arguments"] == {"x": 1, "y": None}
        assert "null" not in found["messages"]["messages"]


def test_a_parquet_file_that_is_none_is_named(tmp_path, verified):
    (tmp_path / "not.parquet").write_bytes(b"PAR1 is how it begins")
    with pytest.raises(BadInput, match=r"not\.parquet: not a readable Parquet file"):
        verified(tmp_path / "not.parquet", "format")


def test_a_folder_is_read_file_by_file(tmp_path, verified):
    folder = tmp_path / "folder"
    folder.mkdir()
    row = pair("divide", dividend=1, divisor=2)
    (folder / "a.jsonl").write_text(json.dumps(row) + "\n")
    answers = json.dumps(row["answers"])
    pq.write_table(pa.Table.from_pylist([row | {"answers": answers}]), folder / "b.parquet")
    _, found = verified(folder, "format")
    assert {id_: row["outcome"] for id_, row in found.items()} == {"0": "verified", "1": "verified"}


def test_questions_and_answers_of_bfcl_are_read_as_they_are(tmp_path, verified):
    schema = {"type": "dict", "properties": {"x": {"type": "integer"}, "y": {"type": "float"}}}
    asked = [[{"role": "user", "content": "Add."}]]
    function = [{"name": "math.add", "description": "", "parameters": schema | {"required": ["x"]}}]
    questions = tmp_path / "questions.json"
    answers = {
        "first": [{"math.add": {"x": [2, 3], "y": ["", 1.5]}}],
        "python": "[math.add(x=2)]",
        "alone": ["math.add(x=2)"],
        "interface": [{"math_add": '{"x": 2}'}],
        "expression": ["math.add(x=1+1)"],
        "by place": ["math.add(2)"],
        "prose": "I can't.",
    }
    ids = [*answers, "unanswered"]
    rows = [{"id": id_, "question": asked, "function": function} for id_ in ids]
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows))
    apart = tmp_path / "answers.json"
    kept = [{"id": id_, "ground_truth": answer} for id_, answer in answers.items()]
    apart.write_text("".join(json.dumps(row) + "\n" for row in kept))
    _, found = verified(questions, "format", answers=apart, tools=False)
    assert {id_: row["reason"] for id_, row in found.items()} == {
        **dict.fromkeys(("first", "python", "alone", "interface")),
        **dict.fromkeys(("expression", "by place", "prose"), "invalid_json"),
        "unanswered": "missing_field",
    }
    calls = [json.loads(found[id_]["answers"]) for id_ in ("first", "python", "interface")]
    assert calls == [[{"name": "math.add", "arguments": {"x": 2}}]] * 3
    assert found["first"]["query"] == "Add."


def test_messages_with_tool_calls_are_read(verified):
    arguments = json.dumps({"dividend": 1, "divisor": 2})
    call = {"type": "function", "function": {"name": "divide", "arguments": arguments}}
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "One by two?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
    ]
    _, found = verified([{"id": "a", "messages": messages}, {"id": "b", "messages": []}], "format")
    assert (found["a"]["query"], found["a"]["outcome"]) == ("One by two?", "verified")
    assert found["b"]["reason"] == "missing_field"


def test_turns_before_a_call_become_one_query(verified):
    turns = [{"role": "user", "content": "Hi."}, {"role": "agent", "content": "Yes?"}]
    row = pair("divide", dividend=1, divisor=2) | {"query": turns}
    _, found = verified([{"id": "a"} | row], "format")
    assert found["a"]["query"] == "user: Hi.\nagent: Yes?"


def conversation(*turns):
    """Of each (question, dividend, divisor, result), a question, a call, its result, an answer."""
    for question, dividend, divisor, result in turns:
        arguments = json.dumps({"dividend": dividend, "divisor": divisor})
        call = {"id": "x", "type": "function"}
        call |= {"function": {"name": "divide", "arguments": arguments}}
        yield {"role": "user", "content": question}
        yield {"role": "assistant", "content": None, "tool_calls": [call]}
        yield {"role": "tool", "tool_call_id": "x", "content": result}
        yield {"role": "assistant", "content": f"It is {result}."}


HALF, THIRD = ("One by two?", 1, 2, "0.5"), ("And by four?", 1, 4, "0.25")


@pytest.mark.usefixtures("shared_ray")
def test_the_turns_of_a_conversation_are_checked_run_and_compared(verified):
    _, found = verified(
        [
            {"id": "answered", "messages": [*conversation(HALF)]},
            {"id": "two", "messages": [*conversation(HALF, THIRD)]},
            {"id": "wrong", "messages": [*conversation(HALF, ("And by x?", 1, "4", "0.25"))]},
            {"id": "zero", "messages": [*conversation(HALF, ("And by zero?", 1, 0, "0"))]},
            {"id": "other", "messages": [*conversation(("One by two?", 1, 2, "2"), THIRD)]},
            {"id": "cut", "messages": [*conversation(HALF, THIRD)][:5]},
        ]
    )
    assert {id_: (row["reason"] or row["outcome"], row["style"]) for id_, row in found.items()} == {
        "answered": ("verified", "multiple"),
        "two": ("verified", "multi_turn"),
        "wrong": ("wrong_type", "multi_turn"),
        "zero": ("raised", "multi_turn"),
        "other": ("verified", "multi_turn"),
        "cut": ("bad_conversation", None),
    }
    assert found["answered"]["query"] == "One by two?"
    assert len(json.loads(found["two"]["execution_results"])) == 2
    assert "given as 2, but divide returns 0.5" in found["other"]["detail"]
    assert found["zero"]["detail"].startswith("messages[5].calls[0]: ZeroDivisionError")


def test_a_row_of_megabytes_is_read(verified):
    [*messages] = conversation((HALF[0], 1, 2, "x" * 3_000_000))
    _, found = verified([{"id": "a", "messages": messages}], "format")
    assert found["a"]["outcome"] == "verified"
    assert len(found["a"]["messages"]) > 3_000_000


def test_a_judge_is_asked_for_where_one_is_needed(verified):
    with pytest.raises(BadInput, match="give a config"):
        verified([{"id": 1} | pair("divide")], "format,execution,semantic")
