"""Tool lists of other projects become tools, rows of data sets become the tools they hold."""

import json
from pathlib import Path

import pytest

from apigen_ray.tools.importers.findings import RefusalReason, gather
from apigen_ray.tools.importers.lists import read_lists

DATA = Path(__file__).parents[2] / "data" / "imports"
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL = {"name": "f", "description": "d", "parameters": SCHEMA}


def read(*sources, **options):
    return gather(read_lists([str(source) for source in sources], **options))


def tools(result):
    return {item.original_name: item.tool for item in result.imported}


@pytest.mark.parametrize(
    "value",
    [
        TOOL,
        {"type": "function", "function": TOOL},
        {"query": "q", "tools": [TOOL]},
        {"query": "q", "tools": json.dumps([TOOL])},
        {"question": [], "function": [TOOL]},
        {"question": [], "function": TOOL},
        {"name": "f", "description": "d", "parameters": {"a": {"type": "int"}}},
        {"api_name": "f", "api_description": "d", "field": "Sports/Golf",
         "parameters": {"a": {"type": "int"}}, "required": ["a"]},
        {"name": "f", "description": "d",
         "query_parameters": {"a": {"type": "integer", "required": True}}},
    ],
    ids=["ours", "openai", "row", "xlam", "bfcl", "bfcl-one", "flat", "seal-tools", "nestful"],
)  # fmt: skip
def test_one_tool_in_all_forms_is_one(tmp_path, value):
    path = tmp_path / "list.jsonl"
    path.write_text(json.dumps(value))
    (imported,) = read(path).imported
    assert imported.tool.parameters == SCHEMA
    assert (imported.tool.name, imported.tool.description) == ("f", "d")


def test_types_of_java_are_those_of_json():
    tool = tools(read(DATA / "bfcl_java.jsonl"))["SQLCompletionAnalyzer.makeProposalsFromObject"]
    assert tool.name == "SQLCompletionAnalyzer_makeProposalsFromObject"
    properties = tool.parameters["properties"]
    assert properties["params"]["type"] == "object"
    assert "type" not in properties["object"]


def test_seal_tools_have_the_category_of_their_field():
    result = read(DATA / "seal_tools.jsonl")
    assert {tool.category for tool in tools(result).values()} == {"Sports"}
    assert tools(result)["getBasketballScore"].parameters["required"] == [
        "team_name", "opponent_name", "game_date",
    ]  # fmt: skip


def test_nestful_flags_say_what_is_required():
    found = tools(read(DATA / "nestful.json"))
    assert found["analyze_sentiment"].parameters["required"] == ["text"]


def test_a_tool_that_many_rows_show_is_imported_once():
    path = DATA / "bfcl_parallel_multiple.jsonl"
    once, twice = read(path), read(path, path)
    assert once.imported
    assert len(once.imported) == len(twice.imported)
    assert twice.reasons()[RefusalReason.DUPLICATE] == once.found


def test_tools_of_one_name_that_differ_are_told_apart(tmp_path):
    path = tmp_path / "list.json"
    path.write_text(json.dumps([TOOL, TOOL | {"description": "other"}]))
    assert [item.tool.name for item in read(path).imported] == ["f", "f_2"]


def test_our_own_lists_keep_what_they_know(tmp_path):
    path = tmp_path / "list.jsonl"
    own = TOOL | {"category": "Math", "source": "openapi:a", "original_name": "f.g"}
    path.write_text(
        json.dumps(own | {"backend": {"kind": "rest", "method": "GET", "url": "https://a.test"}})
    )
    (imported,) = read(path).imported
    assert (imported.source, imported.original_name) == ("openapi:a", "f.g")
    assert imported.tool.category == "Math"
    assert imported.tool.backend.url == "https://a.test"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"question": "no tools"}', RefusalReason.INVALID_TOOL),
        ('{"name": "f", "args": ["a"]}', RefusalReason.INVALID_TOOL),
        ('{"tools": "[broken"}', RefusalReason.INVALID_TOOL),
        ('{"name": "f", "parameters": {"type": "object", "properties": 5}}',
         RefusalReason.INVALID_TOOL),
        ("5", RefusalReason.INVALID_TOOL),
        ("{broken", RefusalReason.UNREADABLE),
    ],
)  # fmt: skip
def test_a_bad_line_is_refused_and_the_rest_imported(tmp_path, text, reason):
    path = tmp_path / "list.jsonl"
    path.write_text(f"{json.dumps(TOOL)}\n{text}\n")
    result = read(path)
    assert len(result.imported) == 1
    assert [(item.where, item.reason) for item in result.refused] == [(f"{path}:2", reason)]
