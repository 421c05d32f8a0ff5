"""`xlam`: the columns of xlam-function-calling-60k, with its flat parameters; then `style`."""

import json
from functools import cache

from apigen_ray.datasets.export.examples import Example, Format, Record, list_of, text
from apigen_ray.tools.read_forms import read_tool
from apigen_ray.tools.write_forms import xlam_form


def xlam(example: Example) -> Record:
    """The record of an example."""
    return {
        "id": example.id,
        "query": example.query,
        "answers": text(example.calls),
        "tools": list_of(map(_tool, example.tools)),
        "style": example.style,
    }


@cache
def _tool(tool: str) -> str:
    return text(xlam_form(read_tool(json.loads(tool))))


FORMAT = Format(
    dict.fromkeys(("id", "query", "answers", "tools", "style"), "text"), xlam, conversations=False
)
