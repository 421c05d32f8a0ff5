"""`distilabel`: all data points, in the columns of its APIGen tasks, with each check's verdict.

`keep_row_after_execution_check` and `keep_row_after_semantic_check` say whether its steps would
keep a row; they are None for a data point that did not get that far.
"""

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from apigen_ray.datasets.export.examples import (
    Format,
    Kind,
    Record,
    function_of,
    list_of,
    text,
    texts_of,
)
from apigen_ray.records import Outcome
from apigen_ray.report.page_figures import called_names
from apigen_ray.run_folder.store import RunFolder

COLUMNS = (
    "id",
    "model",
    "style",
    "query",
    "answers",
    "tools",
    "outcome",
    "detail",
    "execution_results",
    "thought",
)
KEYS: dict[str, Kind] = {
    "id": "text",
    "func_name": "text",
    "func_desc": "text",
    "tools": "text",
    "query": "text",
    "answers": "text",
    "style": "text",
    "keep_row_after_execution_check": "flag",
    "execution_result": "list",
    "thought": "text",
    "keep_row_after_semantic_check": "flag",
    "model_name": "text",
}


def _records(folder: RunFolder, without: Container[str]) -> Iterator[list[Record]]:
    for table in folder.tables(COLUMNS):
        yield [
            distilabel(row)
            for row in table.to_pylist()
            if row["outcome"] != Outcome.ERROR and row["id"] not in without
        ]


def distilabel(row: Mapping[str, Any]) -> Record:
    """The record of a row that has `COLUMNS` and did not end in an error."""
    texts = texts_of(row["tools"])
    tools = list(map(_tool, texts))
    called = called_names(row["answers"])
    # Its steps expect one main function per row, shown beside the others.
    main = next((tool for tool in tools if tool["name"] in called), tools[0] if tools else {})
    executed = {
        Outcome.FAIL_FORMAT: False,
        Outcome.FAIL_EXECUTION: False,
        Outcome.FAIL_SEMANTIC: True if row["execution_results"] else None,
        Outcome.VERIFIED: True if row["execution_results"] else None,
    }[row["outcome"]]
    judged = row["thought"] is not None or row["outcome"] == Outcome.FAIL_SEMANTIC
    return {
        "id": row["id"],
        "func_name": main.get("name"),
        "func_desc": _described(tools),
        "tools": list_of(map(function_of, texts)),
        "query": row["query"],
        "answers": row["answers"],
        "style": row["style"],
        "keep_row_after_execution_check": executed,
        "execution_result": list(_results(row)),
        "thought": row["thought"],
        "keep_row_after_semantic_check": row["outcome"] == Outcome.VERIFIED if judged else None,
        "model_name": row["model"],
    }


@cache
def _tool(written: str) -> Mapping[str, Any]:
    tool: Mapping[str, Any] = json.loads(written)
    return tool


def _described(tools: Sequence[Mapping[str, Any]]) -> str | None:
    """The text that distilabel shows its judge as the available functions."""
    if len(tools) == 1:
        return str(tools[0]["description"])
    return "\n".join(f"{tool['name']}: {tool['description']}" for tool in tools) or None


def _results(row: Mapping[str, Any]) -> Iterator[str]:
    """Each call's result, or the reason why there is none, as text."""
    if not row["execution_results"] and row["detail"]:
        yield row["detail"]
    for result in msgspec.json.decode(row["execution_results"] or "[]"):
        if result["ok"]:
            yield text(result["result"])
        else:
            yield f"{result['reason']}: {result['message']}"


FORMAT = Format(
    KEYS,
    records=_records,
    conversations=False,
    contents="data points in the columns of distilabel's APIGen tasks, with each check's verdict",
)
