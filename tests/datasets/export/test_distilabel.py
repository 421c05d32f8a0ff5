"""distilabel's APIGen tutorial, replayed: its columns in, its columns out."""

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from points import TOOL, fill, point
from rich.console import Console

from apigen_ray.datasets.export.formats.distilabel import KEYS
from apigen_ray.datasets.export.writing import export
from apigen_ray.records import Reason, Tool
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.verify import verify

TOOLS = Path(__file__).parents[2] / "data" / "distilabel_tools.py"
CALLS = {
    "final_velocity": {"initial_velocity": 5, "acceleration": 1.5, "time": 40},
    "permutation_count": {"n": 10, "k": 3},
    "getdivision": {"divisor": 25, "dividend": 100},
    "binary_addition": {"a": "1010", "b": "1101"},
    "swapi_planet_resource": {"id": "1"},
    "disney_character": {"name": "Mulan"},
}


def records(out):
    lines = (out / "train.jsonl").read_text().splitlines()
    return {record["id"]: record for record in map(json.loads, lines)}


@pytest.mark.usefixtures("shared_ray")
def test_the_tutorial_runs_through_verify_and_export(tmp_path):
    given = [
        {"id": name, "func_name": name, "func_desc": "", "query": "q", "model_name": "llama"}
        | {"answers": json.dumps([{"name": name, "arguments": arguments}])}
        for name, arguments in CALLS.items()
    ]
    text = json.dumps([{"name": "final_velocity", "arguments": {"acceleration": "9.8"}}])
    given.append({"id": "coerced", "func_name": "final_velocity", "query": "q", "answers": text})
    data = tmp_path / "distiset.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in given))
    run = tmp_path / "run"
    verify(
        str(data),
        tools=[str(TOOLS)],
        stages=["format", "execution"],
        out=run,
        config=None,
        console=Console(file=io.StringIO()),
    )
    export(run, "distilabel", tmp_path / "out")
    found = records(tmp_path / "out")
    assert {id_: row["execution_result"][0] for id_, row in found.items() if id_ in CALLS} == {
        "final_velocity": "65.0",
        "permutation_count": "720",
        "getdivision": "4.0",
        "binary_addition": '"10111"',
        "swapi_planet_resource": '{"name": "Tatooine", "climate": "arid"}',
        "disney_character": '{"films": ["Mulan"]}',
    }
    assert found["final_velocity"]["model_name"] == "llama"
    assert found["coerced"]["keep_row_after_execution_check"] is False
    assert json.loads(found["getdivision"]["tools"])[0]["function"]["name"] == "getdivision"


def test_what_each_check_said_is_true_false_or_nothing(tmp_path):
    rows = [
        point("verified", thought=""),
        point("refused", Reason.JUDGED_NO, thought="wrong"),
        point("raised", Reason.RAISED),
        point("unread", Reason.INVALID_JSON, query=None, answers=None, execution_results=None),
        point("executed"),
        point("lost", Reason.ENDPOINT),
    ]
    # No two may be alike, or they are left out as duplicates.
    rows[4]["query"] = "something else altogether"
    fill(RunFolder(tmp_path / "run"), rows)
    export(tmp_path / "run", "distilabel", tmp_path / "out")
    found = records(tmp_path / "out")
    said = {
        id_: (row["keep_row_after_execution_check"], row["keep_row_after_semantic_check"])
        for id_, row in found.items()
    }
    assert said == {
        "verified": (True, True),
        "refused": (True, False),
        "raised": (False, None),
        "unread": (False, None),
        "executed": (True, None),
    }
    table = pq.read_table(tmp_path / "out" / "train.parquet")
    assert table.column_names == [*KEYS]
    assert table["keep_row_after_semantic_check"].to_pylist() == [
        row["keep_row_after_semantic_check"] for row in found.values()
    ]
    assert found["unread"]["query"] is None
    assert found["verified"]["func_desc"] == TOOL.description
    assert found["refused"]["thought"] == "wrong"


def test_its_judge_sees_every_function_that_was_shown(tmp_path):
    other = Tool("sub", "Subtract.", {"type": "object", "properties": {}}, "Math")
    fill(RunFolder(tmp_path / "run"), [point("a", tools=[TOOL, other])])
    export(tmp_path / "run", "distilabel", tmp_path / "out")
    [record] = records(tmp_path / "out").values()
    assert record["func_desc"] == "add: Add numbers.\nsub: Subtract."
