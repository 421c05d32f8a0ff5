"""`import apigen_ray`: light, typed, and enough for a notebook, README's example included."""

import asyncio
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest
from example_runs import config, config_file
from rich.console import Console

import apigen_ray
from apigen_ray import BadInput, Failed, Outcome, Reason, Rejected, Returned

ROOT = Path(__file__).parents[1]
TOOLS = '''
def divide(dividend: float, divisor: float) -> float:
    """Divide."""
    return dividend / divisor
'''
PROCESS = apigen_ray.SandboxSettings(kind="process")


@pytest.fixture
def tools(tmp_path):
    (tmp_path / "mine.py").write_text(TOOLS)
    return apigen_ray.load_tools(tmp_path / "mine.py")


def pair(name="divide", **arguments):
    return {"query": "q", "answers": [{"name": name, "arguments": arguments}]}


GOOD = pair(dividend=1, divisor=4)


def imported_by(statement):
    program = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_the_import_brings_nothing_heavy():
    heavy = {"ray", "pandas", "pyarrow", "matplotlib", "scipy", "pydantic"}
    assert not heavy & imported_by("import apigen_ray")


def test_a_run_imports_what_only_the_report_needs_when_it_makes_the_report():
    assert not {"matplotlib", "scipy"} & imported_by("from apigen_ray import run")


def test_every_name_is_there_and_no_other():
    for name in apigen_ray.__all__:
        assert getattr(apigen_ray, name).__doc__
    assert {*apigen_ray.__all__} <= {*dir(apigen_ray)}
    assert {*apigen_ray.__all__} == {*apigen_ray._MODULE_OF}
    with pytest.raises(AttributeError, match="no attribute 'verfy'"):
        apigen_ray.verfy  # noqa: B018


def test_type_checkers_see_the_names(tmp_path):
    assert (ROOT / "apigen_ray" / "py.typed").exists()
    stub = (ROOT / "apigen_ray" / "__init__.py").read_text()
    seen = re.findall(
        r"^    from apigen_ray\.([\w.]+) import ([\w, ]+|\([^)]*\))", stub, re.MULTILINE
    )
    named = {
        (module, name)
        for module, names in seen
        for name in re.findall(r"\w+", names)
    }  # fmt: skip
    assert named == {(module, name) for name, module in apigen_ray._MODULE_OF.items()}


@pytest.mark.usefixtures("shared_ray")
def test_the_example_of_the_readme_works(tmp_path, monkeypatch, capsys):
    readme = (ROOT / "README.md").read_text()
    [example] = re.findall(r"## From Python\n.*?```python\n(.*?)```", readme, re.DOTALL)
    (tmp_path / "configs").mkdir()
    settings = config_file(config(tmp_path / "configs" / "quickstart", points=3))
    assert settings.name == "quickstart.yaml"
    (tmp_path / "sandbox").symlink_to(ROOT / "sandbox")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(example, "README.md", "exec"), names)
    assert names["run"].complete
    assert names["theirs"].reasons == {Reason.WRONG_TYPE: 1}
    assert (tmp_path / "data" / "openai" / "train.jsonl").exists()
    said = capsys.readouterr().out
    assert "'gcd': 6" in said
    assert "4 is not of type 'array'" in said


@pytest.mark.usefixtures("shared_ray")
def test_a_result_has_counts_rows_and_paths(tmp_path, capsys):
    result = apigen_ray.run(config(tmp_path / "out", points=2).model_dump(mode="json"))
    assert not any(capsys.readouterr()), "nothing is printed unless it is asked for"
    assert result.requested == sum(result.outcomes.values()) == 8
    assert (result.complete, result.exit_code, result.missing) == (True, 0, 0)
    verified = list(result.rows(Outcome.VERIFIED))
    assert len(verified) == result.outcomes[Outcome.VERIFIED]
    assert list(result.to_pandas()["id"]) == [row["id"] for row in result.rows()]
    assert result.report.exists()
    assert result.dataset.exists()
    assert f"{len(verified)} verified" in repr(result)


@pytest.mark.usefixtures("shared_ray")
async def test_rows_are_verified_even_inside_a_running_event_loop(tools):
    rows = [GOOD, pair(dividend=1, divisor=0), pair(dividend="1", divisor=2), pair("other")]
    console = Console(file=io.StringIO())
    result = apigen_ray.verify(rows, tools=tools, stages=["execution"], console=console)
    rows = sorted(result.rows(), key=lambda row: row["id"])
    found = [row["reason"] or row["outcome"] for row in rows]
    assert found == ["verified", "raised", "wrong_type", "unknown_function"]
    assert result.complete
    assert "Funnel" in console.file.getvalue()


def test_the_same_rows_resume_and_others_are_refused(tools, tmp_path):
    def verified(rows):
        return apigen_ray.verify(rows, tools=tools, stages=["check"], out=tmp_path / "out")

    first = verified([GOOD, pair()])
    parts = first.folder.parts()
    again = verified(dict(row) for row in [GOOD, pair()])
    assert again.folder.parts() == parts
    assert again.outcomes == first.outcomes
    with pytest.raises(BadInput, match="holds another run"):
        verified([GOOD])


def test_check_reads_text_and_values_and_gives_a_result_each(tools):
    for completion in (
        GOOD,
        '{"query": "q", "answers": ' + str(GOOD["answers"]).replace("'", '"') + "}",
    ):
        [checked] = apigen_ray.check(completion, tools)
        assert checked.pair.calls[0].arguments == {"dividend": 1, "divisor": 4}
    good, bad = apigen_ray.check([GOOD, pair("other")], tools)
    assert not isinstance(good, Rejected)
    assert bad.reason == Reason.UNKNOWN_FUNCTION
    [prose] = apigen_ray.check("Sorry.", tools)
    assert prose.reason == Reason.INVALID_JSON
    [style] = apigen_ray.check(GOOD, tools, style="parallel")
    assert style.reason == Reason.STYLE_MISMATCH
    lossless = apigen_ray.CheckSettings(coerce="lossless")
    [coerced] = apigen_ray.check(pair(dividend="1", divisor=4), tools, settings=lossless)
    assert coerced.coerced


def test_the_sandbox_returns_failures_and_raises_what_is_wrong_with_the_question(tools):
    sandbox = apigen_ray.Sandbox(tools, settings=PROCESS)
    with pytest.raises(RuntimeError, match="`with` statement"):
        sandbox.call("divide", {})
    with sandbox:
        assert sandbox.call("divide", {"dividend": 1, "divisor": 4}).result == 0.25
        failed = sandbox.call("divide", {"dividend": 1, "divisor": 0})
        assert isinstance(failed, Failed)
        assert failed.reason == Reason.RAISED
        with pytest.raises(BadInput, match="tool 'divid': no such tool"):
            sandbox.call("divid", {})
    with sandbox:  # it can be opened again
        assert isinstance(sandbox.call("divide", {"dividend": 1, "divisor": 4}), Returned)


async def test_the_sandbox_takes_many_calls_at_once(tools):
    async with apigen_ray.Sandbox(tools, settings=PROCESS) as sandbox:
        calls = (sandbox.acall("divide", {"dividend": n, "divisor": 2}) for n in range(20))
        assert [returned.result for returned in await asyncio.gather(*calls)] == [
            n / 2 for n in range(20)
        ]


def test_tools_without_code_can_be_checked_against_but_not_called(tmp_path):
    listed = tmp_path / "tools.json"
    listed.write_text('[{"name": "far", "description": "d", "parameters": {}}]')
    assert len(apigen_ray.check(pair("far"), listed)) == 1
    with (
        apigen_ray.Sandbox(listed, settings=PROCESS) as sandbox,
        pytest.raises(BadInput, match="tool 'far': has no code"),
    ):
        sandbox.call("far", {})


BAD = {
    "no such file": lambda: apigen_ray.run("nowhere.yaml"),
    "config: models: Field required": lambda: apigen_ray.run(
        {"out": "o", "points": {"simple": 1}, "tools": ["t"], "judge": {"kind": "simulated"}}
    ),
    "nowhere.py: no such file": lambda: apigen_ray.load_tools("nowhere.py"),
    "no tool found": apigen_ray.load_tools,
    "style: must be one of simple": lambda: apigen_ray.check(GOOD, (), style="posh"),
    "completion: not JSON": lambda: apigen_ray.check({"query": {1}}, ()),
    "stages: must be of format, execution, semantic, not 'smell'": lambda: apigen_ray.verify(
        [GOOD], stages=["smell"]
    ),
    "`semantic` needs a judge": lambda: apigen_ray.verify([GOOD], tools="t.py"),
    "`execution` needs tools": lambda: apigen_ray.verify([GOOD], stages=["execution"]),
    "holds no rows": lambda: apigen_ray.verify([], stages=["format"]),
    "rows[1]: must be a mapping, not of type 'str'": lambda: apigen_ray.verify(
        [GOOD, "id"], stages=["format"]
    ),
    "rows[0]: not JSON": lambda: apigen_ray.verify([{"query": {1}}], stages=["format"]),
    "not a run folder": lambda: apigen_ray.export("nowhere", "openai", "out"),
}


@pytest.mark.parametrize(("message", "call"), BAD.items(), ids=BAD)
def test_bad_input_is_one_line(message, call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        BadInput, match=re.escape(message).replace("no\\ such\\ file", "[Nn]o such file")
    ) as caught:
        call()
    assert "\n" not in str(caught.value)
