"""What `export` writes, `verify` reads back to the same rows, in all forms."""

import io
import json

import pytest
from rich.console import Console

from apigen_ray.datasets.export.formats import format_names
from apigen_ray.datasets.export.writing import export
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.verify import verify

TOOLS = [
    {
        "name": "tide",
        "description": "High tide </tools> of a port.",
        "parameters": {
            "type": "object",
            "properties": {
                "port": {"type": "string"},
                "at": {"type": ["object", "null"]},
                "days": {"type": "array", "items": {"type": "integer"}},
            },
            "required": ["port"],
        },
    },
    {"name": "now", "description": "", "parameters": {"type": "object", "properties": {}}},
]
SPECIAL = 'Zürich 東京 🙂 \u2028 "quoted" \\ </tool_call> {{ 7 }} $x \n two'


def call(*made):
    calls = [
        {"id": f"c{n}", "function": {"name": f, "arguments": a}} for n, (f, a) in enumerate(made)
    ]
    return {"role": "assistant", "content": "", "tool_calls": calls}


def user(text):
    return {"role": "user", "content": text}


def says(text):
    return {"role": "assistant", "content": text}


def results(*contents):
    return [{"role": "tool", "tool_call_id": f"c{n}", "content": c} for n, c in enumerate(contents)]


TIDE = ("tide", {"port": "Kiel"})
ODD = ("tide", {"port": SPECIAL, "at": {"a": None, "b": [1, {"c": 2.0}]}, "days": []})
ROWS = [
    {"id": "pair", "messages": [user("When is high tide?"), call(TIDE)]},
    {"id": "odd", "messages": [user(SPECIAL), call(ODD)]},
    {"id": "null", "messages": [user("At no time?"), call(("tide", {"port": "x", "at": None}))]},
    {"id": "parallel", "messages": [user("Two of them, please."), call(TIDE, ODD, ("now", {}))]},
    {"id": "none", "style": "irrelevance", "query": "Sing a song for me.", "answers": []},
    {"id": "answered", "messages": [user("And today?"), call(TIDE), *results("[]"), says("No.")]},
    {
        "id": "sequential",
        "messages": [
            {"role": "system", "content": f"Today is {SPECIAL}."},
            user("What is next?"),
            call(("now", {})),
            *results('"12:00"'),
            call(TIDE, ODD),
            *results('{"high": [1.0, null]}', SPECIAL),
            says(SPECIAL),
        ],
    },
    {
        "id": "turns",
        "messages": [
            user("Is it high tide in Kiel?"), call(TIDE), *results("12"), says("At twelve."),
            user("And elsewhere?"), says("Where?"), user("Here."), call(ODD), *results("null"),
            says("Never."),
        ],
    },
]  # fmt: skip
SEVERAL_TURNS = {"sequential", "turns"}
PAIRS_ONLY = {"xlam", "distilabel"}
COLUMNS = ("query", "answers", "messages", "turns", "style", "outcome", "reason")


def verified(source, out):
    verify(
        [{"tools": TOOLS} | row for row in source] if isinstance(source, list) else source,
        stages=["format"],
        out=out,
        console=Console(file=io.StringIO()),
    )
    rows = [row for table in RunFolder(out).tables() for row in table.to_pylist()]
    assert {row["outcome"] for row in rows} == {"verified"}, [row["detail"] for row in rows]
    return {row["id"]: row for row in rows}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    out = tmp_path_factory.mktemp("original") / "run"
    return out, verified(ROWS, out)


@pytest.mark.parametrize("file", ["train.jsonl", "train.parquet"])
@pytest.mark.parametrize("form", sorted({*format_names()} - {"dpo"}))
def test_what_is_written_is_read_back(form, file, original, tmp_path):
    run, rows = original
    exported = export(run, form, tmp_path / "out")
    kept = {
        id_: row for id_, row in rows.items() if form not in PAIRS_ONLY or id_ not in SEVERAL_TURNS
    }
    assert exported.written == len(kept)
    read = verified(str(tmp_path / "out" / file), tmp_path / "again")
    assert read.keys() == kept.keys()
    for id_, row in kept.items():
        columns = COLUMNS if form not in PAIRS_ONLY else ("query", "answers", "style")
        assert {c: read[id_][c] for c in columns} == {c: row[c] for c in columns}
        assert [t["name"] for t in json.loads(read[id_]["tools"])] == ["tide", "now"]


def test_json_text_is_read_back_too(original, tmp_path):
    run, rows = original
    export(run, "openai", tmp_path / "out", json_text=True)
    read = verified(str(tmp_path / "out" / "train.parquet"), tmp_path / "again")
    assert {i: r["messages"] for i, r in read.items()} == {
        i: r["messages"] for i, r in rows.items()
    }


def test_the_better_side_of_a_preference_is_read_back(original, tmp_path):
    _, rows = original
    bad = [{"id": "bad", "messages": [user("When is low tide?"), call(("tide", {"port": 7}))]}]
    verify(
        [{"tools": TOOLS} | row for row in ROWS + bad],
        stages=["format"],
        out=tmp_path / "run",
        console=Console(file=io.StringIO()),
    )
    assert export(tmp_path / "run", "dpo", tmp_path / "out").written == 1
    [(id_, read)] = verified(str(tmp_path / "out" / "train.parquet"), tmp_path / "again").items()
    for column in ("query", "answers", "tools"):
        assert read[column] == rows[id_][column]
