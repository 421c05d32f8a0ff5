"""Data points as a run leaves them, to count and to show."""

import json
from collections.abc import Sequence

from apigen_ray.records import Outcome, Reason, Rejected, Stage, Style, Tool
from apigen_ray.run_folder.rows import Row, as_table, new_row, rejected_row
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.tools.write_forms import tool_columns

TOOL = Tool("add", "Add numbers.", {"type": "object", "properties": {}}, "Math")
STAGE_OF = {Reason.ENDPOINT: Stage.GENERATE, Reason.RAISED: Stage.EXECUTE}


def point(
    id_: str,
    reason: Reason | None = None,
    *,
    model: str = "m",
    prompt: str = "p",
    tools: Sequence[Tool] = (TOOL,),
    **columns: object,
) -> Row:
    """A verified data point, or one rejected for a reason."""
    new = new_row(
        id_, model=model, style=Style.SIMPLE, prompt_id=prompt, tried=0, **tool_columns(tools)
    )
    calls = [{"name": tools[0].name, "arguments": {"x": 1}}]
    results = [{"ok": True, "result": 1, "seconds": 0.1}]
    new |= {
        "query": "add 1",
        "answers": json.dumps(calls),
        "execution_results": json.dumps(results),
        **columns,
    }
    if reason:
        return rejected_row(new, STAGE_OF.get(reason, Stage.CHECK), Rejected(reason, "why"))
    return {**new, "outcome": Outcome.VERIFIED.value}


def fill(folder: RunFolder, rows: Sequence[Row]) -> None:
    """Make a run folder of rows."""
    with folder.writing():
        folder.write_json("manifest.json", {"requested": len(rows), "config": {}})
        folder.commit(as_table(rows))
