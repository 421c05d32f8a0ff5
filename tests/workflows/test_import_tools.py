"""`tools import` and `tools stats` at the command line."""

import json
from pathlib import Path

import pytest

from apigen_ray.cli import main
from apigen_ray.records import Checked
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.library import load_library

DATA = Path(__file__).parents[1] / "data" / "imports"
APIS = Path(__file__).parents[2] / "configs" / "apis"


@pytest.fixture
def run(capsys):
    def runner(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["tools", *map(str, arguments)])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return runner


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_an_import_writes_tools_and_refusals_and_says_how_many(run, tmp_path):
    out = tmp_path / "new" / "tools.jsonl"
    code, said, _ = run("import", "toolbench", DATA / "toolbench_library.jsonl", "--out", out)
    assert code == 0
    assert [item["reason"] for item in lines(tmp_path / "new" / "tools.refused.jsonl")] == [
        "bad_backend", "bad_backend", "duplicate",
    ]  # fmt: skip
    assert len(lines(out)) == 4
    for row in ("found", "imported", "bad_backend"):
        assert row in said


def test_a_written_list_is_a_library_of_a_run(run, tmp_path):
    out = tmp_path / "tools.jsonl"
    run("import", "list", DATA / "bfcl_parallel_multiple.jsonl", "--out", out, "--category", "Math")
    library = load_library([str(out)])
    assert {tool.category for tool in library.tools} == {"Math"}
    originals = {item["name"]: item.get("original_name") for item in lines(out)}
    assert all(name == old.replace(".", "_") for name, old in originals.items() if old)


def test_all_imported_examples_pass_stage_1(run, tmp_path):
    out = tmp_path / "tools.jsonl"
    run("import", "openapi", APIS / "museum.yaml", "--out", out)
    tools = [tool for tool in load_library([str(out)]).tools if "examples" in tool.parameters]
    assert tools
    for tool in tools:
        for arguments in tool.parameters["examples"]:
            pair = {"query": "q", "answers": [{"name": tool.name, "arguments": arguments}]}
            checked = check_pair(
                pair, style=None, signatures=signatures_of([tool]), settings=CheckSettings()
            )
            assert isinstance(checked, Checked), checked


def test_python_functions_are_imported_and_others_refused(run, tmp_path):
    source = tmp_path / "mine.py"
    source.write_text('def f(x: int):\n    """Do."""\ndef g(x: bytes):\n    """Do."""\n')
    code, said, _ = run("import", "python", source, "--out", tmp_path / "tools.jsonl")
    assert code == 0
    assert "refused (not_callable): mine.g: parameter 'x' takes bytes" in said


def test_a_python_source_may_be_the_name_of_a_module(run, tmp_path):
    code, _, _ = run("import", "python", "statistics", "--out", tmp_path / "tools.jsonl")
    assert code == 1  # its functions have no types
    refused = lines(tmp_path / "tools.refused.jsonl")
    assert "statistics.mean" in {item["where"] for item in refused}


def test_an_import_without_any_tool_ends_with_1(run, tmp_path):
    broken = tmp_path / "api.yaml"
    broken.write_text("a: [")
    code, said, _ = run("import", "openapi", broken, "--out", tmp_path / "tools.jsonl")
    assert code == 1
    assert "refused (unreadable)" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("import", "openapi", "nowhere.yaml", "--out", "{tmp}/t.jsonl"), "nowhere.yaml: no such"),
        (("import", "openapi", "{tmp}", "--out", "{tmp}/t.jsonl"), "no .json, .yaml, .yml file"),
        (("import", "list", __file__, "--out", "{tmp}"), "must be a file"),
        (("import", "openapi", __file__, "--out", "{tmp}/t", "--category", "X"), "--category X"),
        (("import", "openapi", __file__, "--out", "{tmp}/t", "--auth-env", "X"), "--auth-env X"),
        (("stats", "nowhere.jsonl"), "nowhere.jsonl: No such file"),
        (("stats", __file__), "test_import_tools.py:1: not a tool"),
    ],
)
def test_bad_input_is_one_line_and_code_2(run, tmp_path, arguments, says):
    code, _, err = run(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_stats_count_and_draw(run, tmp_path, ending):
    out, picture = tmp_path / "tools.jsonl", tmp_path / f"tools.{ending}"
    run("import", "toolbench", DATA / "toolbench_apis.jsonl", "--out", out)
    code, said, _ = run("stats", out, "--picture", picture)
    assert code == 0
    for word in ("toolbench:toolbench_apis.jsonl", "virtual", "Business", "8+"):
        assert word in said
    head = picture.read_bytes()[:200]
    assert head.startswith(b"\x89PNG") if ending == "png" else b"<svg" in picture.read_bytes()


def test_a_picture_of_another_kind_is_refused(run, tmp_path):
    out = tmp_path / "tools.jsonl"
    run("import", "toolbench", DATA / "olato_quotes.json", "--out", out)
    code, _, err = run("stats", out, "--picture", tmp_path / "tools.doc")
    assert code == 2
    assert ".png, .svg or .pdf" in err
