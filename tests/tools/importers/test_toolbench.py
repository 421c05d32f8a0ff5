"""APIs of ToolBench become tools under the names that its server and RapidAPI know."""

import json
from pathlib import Path

import pytest

from apigen_ray.records import Key, VirtualBackend
from apigen_ray.stages.execute.rest.request import build
from apigen_ray.tools.importers.findings import RefusalReason, gather
from apigen_ray.tools.importers.toolbench import ToolBenchOptions, read_toolbench, standardized

DATA = Path(__file__).parents[2] / "data" / "imports"


def read(source, **options):
    return gather(read_toolbench([str(source)], ToolBenchOptions(**options)))


@pytest.fixture
def api(tmp_path):
    """The one tool of an API."""

    def reader(value, **options):
        path = tmp_path / "api.jsonl"
        path.write_text(json.dumps({"tool_name": "T", "api_name": "a"} | value))
        result = read(path, **options)
        assert not result.refused, result.refused
        return result.imported[0].tool

    return reader


def test_an_original_tool_file_becomes_a_tool_an_api():
    result = read(DATA / "olato_quotes.json")
    names = [(item.tool.name, item.original_name) for item in result.imported]
    assert names == [
        ("love_quote", "Love Quote"),
        ("success_quote", "Success Quote"),
        ("motivation_quote", "Motivation Quote"),
    ]
    tool = result.imported[0].tool
    assert tool.backend.url == "https://olato-quotes.p.rapidapi.com/love"
    assert tool.backend.headers == {"X-RapidAPI-Host": "olato-quotes.p.rapidapi.com"}
    assert tool.backend.auth_env == (Key("header", "X-RapidAPI-Key", "RAPIDAPI_KEY"),)


def test_the_category_of_a_tool_file_is_its_folder(tmp_path):
    (tmp_path / "Movies").mkdir()
    (tmp_path / "Movies" / "olato.json").write_text((DATA / "olato_quotes.json").read_text())
    assert {item.tool.category for item in read(tmp_path).imported} == {"Entertainment"}


def test_an_api_without_a_url_is_played_by_the_virtual_server():
    result = read(DATA / "toolbench_apis.jsonl", virtual_url="http://127.0.0.1:1/virtual")
    assert not result.refused
    backend = next(i.tool.backend for i in result.imported if i.original_name == "Search trips")
    assert backend == VirtualBackend(
        "http://127.0.0.1:1/virtual", "Travel", "deutsche_bahn", "search_trips"
    )


def test_all_types_of_rapidapi_are_read():
    text = json.dumps([i.tool.parameters for i in read(DATA / "toolbench_apis.jsonl").imported])
    for written in ('"number"', '"boolean"', '"array"', '"format": "date"', "[0-2][0-9]:"):
        assert written in text


def test_rows_derived_from_its_wrappers_are_called_by_their_url():
    result = read(DATA / "toolbench_library.jsonl")
    tools = {item.original_name: item.tool for item in result.imported}
    assert build(
        tools["download_pass"].backend, {"passtypeidentifier": "a b", "serialnumber": "1"}
    ).url == ("https://passbook.p.rapidapi.com/passes/a%20b/1")
    assert [item.reason for item in result.refused] == [
        RefusalReason.BAD_BACKEND,  # its URL needs what is no parameter
        RefusalReason.BAD_BACKEND,
        RefusalReason.DUPLICATE,
    ]


@pytest.mark.parametrize(
    ("kind", "default", "kept"),
    [
        ("NUMBER", "5", 5), ("NUMBER", "5.5", 5.5), ("NUMBER", "five", None), ("NUMBER", "", None),
        ("BOOLEAN", "True", True), ("BOOLEAN", "yes", None), ("ARRAY", '["a"]', ["a"]),
        ("ARRAY", "a", ["a"]), ("STRING", "REDACTED", None), ("STRING", 5, "5"),
        ("OBJECT", '{"a": 1}', {"a": 1}), ("NUMBER", True, None), ("ENUM", "x", "x"),
    ],
)  # fmt: skip
def test_defaults_are_kept_in_the_type_of_their_parameter(api, kind, default, kept):
    tool = api({"optional_parameters": [{"name": "p", "type": kind, "default": default}]})
    assert tool.parameters["properties"]["p"].get("default") == kept


def test_the_default_of_a_required_parameter_is_an_example(api):
    tool = api({"required_parameters": [{"name": "p", "type": "STRING", "default": "x"}]})
    assert tool.parameters["properties"]["p"] == {"type": "string", "examples": ["x"]}
    assert tool.parameters["examples"] == [{"p": "x"}]


def test_arguments_are_sent_under_the_names_of_rapidapi(api):
    parameters = [{"name": "page[size]", "type": "NUMBER"}]
    tool = api({"url": "https://h.p.rapidapi.com/x", "optional_parameters": parameters})
    assert build(tool.backend, {"page_size": 2}).query == [("page[size]", "2")]
    post = {"method": "POST", "url": "https://h.p.rapidapi.com/x"}
    tool = api(post | {"optional_parameters": parameters})
    assert build(tool.backend, {"page_size": 2}).body == {"page[size]": 2}


def test_words_that_toolbench_reserves_get_their_own_name_back(api):
    flat = {"is_id": {"type": "int", "required": True}}
    tool = api({"url": "https://h.test/x", "parameters": flat})
    assert build(tool.backend, {"is_id": 2}).query == [("id", "2")]


def test_keys_of_rapidapi_are_no_arguments(api):
    parameters = [{"name": "X-RapidAPI-Key", "type": "STRING"}, {"name": "q", "type": "STRING"}]
    tool = api({"url": "https://h.p.rapidapi.com/x", "required_parameters": parameters})
    assert list(tool.parameters["properties"]) == ["q"]


def test_the_virtual_server_can_play_an_api_with_a_url(api):
    row = {"url": "https://h.test/{b}", "required_parameters": [{"name": "Id", "type": "STRING"}]}
    tool = api(row, backend="virtual", toolbench_key_env="TB")
    assert isinstance(tool.backend, VirtualBackend)
    assert list(tool.parameters["properties"]) == ["is_id"]
    assert tool.backend.key_env == "TB"


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"api_name": "a"}, RefusalReason.INVALID_TOOL),
        ({"tool_name": "t"}, RefusalReason.INVALID_TOOL),
        ([1], RefusalReason.INVALID_TOOL),
        ({"tool_name": "t", "api_name": "a", "required_parameters": [{"name": "p"}]},
         RefusalReason.UNTYPED_PARAMETER),
        ({"tool_name": "t", "api_name": "a", "url": "ftp://x"}, RefusalReason.BAD_BACKEND),
        ({"tool_name": "t", "api_name": "a", "url": "https://{host}/"}, RefusalReason.BAD_BACKEND),
    ],
)  # fmt: skip
def test_a_bad_row_is_refused_and_the_rest_imported(tmp_path, row, reason):
    path = tmp_path / "apis.jsonl"
    good = {"tool_name": "t", "api_name": "good"}
    path.write_text("\n".join([json.dumps(good), json.dumps(row), '{"half']))
    result = read(path)
    assert [item.tool.name for item in result.imported] == ["good"]
    assert [item.reason for item in result.refused] == [reason, RefusalReason.UNREADABLE]
    assert result.refused[1].where == f"{path}:3"


@pytest.mark.parametrize(
    ("name", "standard"),
    [("Deutsche Bahn", "deutsche_bahn"), ("20 Min. (v2)", "get_20_min_v2"), ("/a//b/", "a_b")],
)
def test_names_are_those_of_toolbenchs_own_code(name, standard):
    assert standardized(name) == standard
