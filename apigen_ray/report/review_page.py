"""A page on which a person reads rows, and says of each whether it is right."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from apigen_ray.report.page import render
from apigen_ray.run_folder.store import digest

LONGEST_RESULT = 2000
"""Characters that are shown of a result."""


def review_page(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """The page for rows that have at least `id`, `query`, `answers`, `tools`, `execution_results`.

    What was said is kept by the browser under the name of the run and the ids of the rows, and
    saved as a file that `apigen-ray review --read` takes.

    Args:
        name: The name of the run folder.
        rows: The rows to read, in order.
    """
    ids = [row["id"] for row in rows]
    return render(
        "review.html",
        script="review.js",
        title=f"{name}: {len(rows)} rows to read",
        run=name,
        key=digest([name, *ids])[:16],
        rows=[_shown(row) for row in rows],
    )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    calls = json.loads(row["answers"] or "[]")
    results = json.loads(row["execution_results"] or "[]")
    called = {call["name"] for call in calls}
    tools = json.loads(row["tools"])
    return {
        "id": row["id"],
        "query": row["query"],
        "calls": [
            {
                "call": f"{call['name']}({_arguments(call['arguments'])})",
                "result": _result(results[place]) if place < len(results) else None,
            }
            for place, call in enumerate(calls)
        ],
        "tools": [
            {
                "name": tool["name"],
                "description": tool["description"],
                "called": tool["name"] in called,
                "parameters": json.dumps(tool["parameters"], indent=2, ensure_ascii=False),
            }
            for tool in sorted(tools, key=lambda tool: tool["name"] not in called)
        ],
    }


def _arguments(arguments: Mapping[str, Any]) -> str:
    written = (f"{key}={json.dumps(v, ensure_ascii=False)}" for key, v in arguments.items())
    return ", ".join(written)


def _result(result: Mapping[str, Any]) -> str:
    if not result["ok"]:
        return f"{result['reason']}: {result['message']}"
    text = json.dumps(result["result"], ensure_ascii=False)
    return text if len(text) <= LONGEST_RESULT else f"{text[:LONGEST_RESULT]}…"
