"""Pairs and conversations with all that a form may trip over, for tests of what is written."""

import io

from rich.console import Console

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


def checked(source, out):
    """Rows after a format check, by id."""
    verify(
        [{"tools": TOOLS} | row for row in source] if isinstance(source, list) else source,
        stages=["format"],
        out=out,
        console=Console(file=io.StringIO()),
    )
    return {row["id"]: row for table in RunFolder(out).tables() for row in table.to_pylist()}


def verified(source, out):
    rows = checked(source, out)
    details = [row["detail"] for row in rows.values()]
    assert {row["outcome"] for row in rows.values()} == {"verified"}, details
    return rows


def verified_run(out):
    """A run folder with the rows."""
    verified(ROWS, out)
    return out
