"""An audit measures what the checks catch, of whatever rows it is given, with whatever is there."""

import io
import json

import pytest
from example_runs import ROOT, SEEDS, config
from points import fill, point
from rich.console import Console

from apigen_ray.errors import BadInput
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.records import Reason
from apigen_ray.report.audit_record import AUDIT, read_audit
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.workflows.audit.command import audit
from apigen_ray.workflows.review import read_labels

SAMPLE = 16


@pytest.fixture(scope="module")
def judge():
    with serving([SimulatedEndpoint(name="judge", latency_s=0.01, known=SEEDS)]) as running:
        yield running["judge"].model_dump(mode="json")


def of_group(found, group):
    parts = [m for m in found.mutations if m.group == group]
    return sum(m.caught.hits for m in parts), sum(m.caught.of for m in parts)


def test_checks_and_judges_before_seeds_made_wrong(tmp_path, judge):
    console = Console(file=io.StringIO(), width=300)
    settings = config("unused", judge=judge, grounding={"reject": "argument"})
    found = audit(config=settings, sample=SAMPLE, out=tmp_path, console=console)
    assert found.rows == SAMPLE
    assert not found.notices
    for group, least in (("format", 1.0), ("execution", 1.0), ("grounding", 0.8)):
        hits, of = of_group(found, group)
        assert hits >= least * of >= 3, group
    looser = {"coverage", "grounding: exact"}
    assert all(rate.hits == 0 for stage, rate in found.refused.items() if stage not in looser)
    [asked] = found.judges
    assert asked.right.hits == asked.right.of == SAMPLE
    assert asked.is_informative
    judged = [rate for m in found.mutations if (rate := m.refused.get("judge judge"))]
    assert sum(rate.of for rate in judged) == asked.wrong.of == SAMPLE
    assert read_audit(RunFolder(tmp_path), AUDIT) == found
    printed = console.file.getvalue()
    assert "all of format" in printed
    assert "right rows: 16 seeds" in printed


@pytest.fixture
def run(tmp_path, judge):
    """A run folder with rows of the seeds, as a run leaves them."""

    def made(**changes):
        rows = []
        for line in (ROOT / "configs" / "seeds.jsonl").read_text().splitlines()[:6]:
            seed = json.loads(line)
            tools = [
                {"name": name, "description": "A tool.", "parameters": {"type": "object",
                 "properties": {k: {} for call in seed["answers"] for k in call["arguments"]}}}
                for name in seed["tools"]
            ]  # fmt: skip
            answers = json.dumps(seed["answers"])
            columns = {"query": seed["query"], "answers": answers, "style": seed["style"]}
            rows.append(point(seed["id"], **columns, execution_results=None))
            rows[-1]["tools"] = json.dumps(tools)
        folder = RunFolder(tmp_path / "run")
        fill(folder, rows)
        settings = config(tmp_path / "run", judge=judge).model_dump(mode="json") | changes
        folder.write_json("manifest.json", {"requested": len(rows), "config": settings})
        return folder

    return made


def test_the_verified_rows_of_a_run_with_its_own_config(run):
    folder = run()
    found = audit(folder.path)
    assert (found.rows, found.refused["execution"].of, found.notices) == (6, 6, ())
    assert "some may be wrong themselves" in found.caveat
    assert "How good the verification is" in (folder.path / "report.html").read_text()
    assert json.loads((folder.path / "stats.json").read_text())["quality"]["judges"]["judge"]


def test_a_judge_that_is_down_and_tools_that_are_gone_are_a_line_each(run, judge):
    down = judge | {"base_url": "http://127.0.0.1:9/v1", "max_retries": 0}
    found = audit(run(judge=down, tools=["nowhere.py"]).path)
    assert [notice.partition(":")[0] for notice in found.notices] == ["tools", "judge judge"]
    assert "execution" not in found.refused
    assert not found.judges
    assert of_group(found, "format")[0] > 5  # the rest goes on


def test_a_run_without_verified_rows_is_one_line(tmp_path):
    fill(RunFolder(tmp_path / "run"), [point("a", Reason.RAISED)])
    with pytest.raises(BadInput, match="none of its rows is verified"):
        audit(tmp_path / "run")


def test_other_data_without_a_config_is_audited_without_execution_and_judge(tmp_path):
    tool = {"name": "add", "description": "", "parameters": {
        "type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]}}  # fmt: skip
    rows = [
        {"id": n, "query": f"add {n}7", "tools": [tool],
         "answers": [{"name": "add", "arguments": {"x": int(f"{n}7")}}]}
        for n in range(1, 5)
    ]  # fmt: skip
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0] | {"answers": []}]))
    found = audit(data, out=tmp_path / "out")
    assert (found.rows, found.judges) == (4, ())
    assert len(found.notices) == 1
    assert "1 rows fail stage 1, left out" in found.notices[0]
    assert {m.name for m in found.mutations} >= {"wrong_type", "off_by_one"}


def test_nothing_to_audit_with_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="give a run, data, or --config with seeds"):
        audit(out=tmp_path)
    with pytest.raises(BadInput, match="seeds: there are none to audit with"):
        audit(config=config("unused", seeds=[]), out=tmp_path)


def test_what_people_labelled_is_the_next_audits_data(run, tmp_path):
    folder = run()
    ids = ["simple-001", "simple-002", "simple-003"]
    labels = tmp_path / "labels.json"
    said = [{"id": id_, "label": "right"} for id_ in ids[:2]]
    said.append({"id": ids[2], "label": "wrong", "why": "the date"})
    labels.write_text(json.dumps({"labels": said}))
    read_labels(folder.path, labels)
    found = audit(folder.path, labels=folder.path / "labelled.jsonl")
    assert found.rows == 2
    assert [(m.name, m.rows) for m in found.mutations] == [("the date", 1)]
    again = audit(folder.path, labels=labels)  # the same, straight from the page
    assert again.mutations == found.mutations
