"""Nulls that a table put into arguments go, and nulls that a call needs stay."""

import pytest

from apigen_ray.datasets.external.padding import unpadded
from apigen_ray.stages.check import signatures_of
from apigen_ray.tools.read_forms import read_tool

NULLABLE = {"type": ["string", "null"]}
TOOL = read_tool(
    {
        "name": "set_note",
        "parameters": {
            "properties": {"id": {"type": "integer"}, "note": NULLABLE, "tag": NULLABLE},
            "required": ["id", "note"],
        },
    }
)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"id": 1, "note": None}, {"id": 1, "note": None}),  # the call clears the note
        ({"id": 1, "note": "x", "tag": None}, {"id": 1, "note": "x"}),
        ({"id": 1, "note": "x", "other": None}, {"id": 1, "note": "x"}),
        ({"id": None, "note": "x"}, {"note": "x"}),
    ],
)
def test_of_a_table_a_null_stays_where_the_call_is_wrong_without_it(given, read):
    call = {"name": "set_note", "arguments": given}
    [found] = unpadded([call], signatures_of([TOOL]), "drop all").calls
    assert found["arguments"] == read
