"""Whole runs that test their judges first: what the user sees, on screen and in the folder."""

import io
import json
from pathlib import Path

import pytest
from example_runs import SEEDS, config, go, simulated, stats
from rich.console import Console
from stub_judges import always

from apigen_ray.workflows.verify import verify

pytestmark = pytest.mark.usefixtures("shared_ray")


def texts(out):
    return [(out / name).read_text() for name in ("report.html", "dataset/README.md")]


def test_a_run_names_a_judge_that_says_yes_to_everything(tmp_path):
    console = Console(file=io.StringIO(), width=1000)
    with always("yes") as judge:
        settings = config(
            tmp_path,
            points=2,
            models=[simulated("m")],
            judge=judge.model_dump(mode="json"),
            judge_audit={"pairs": 24},
        )
        assert go(settings, console=console) == 0
    warning = "judge always-yes: its verdicts say nothing: it passes 12 of 12 right pairs"
    printed = console.file.getvalue()
    assert printed.index(warning) < printed.index("Funnel")  # before the rows, and again after them
    assert printed.count(warning) == 2
    assert all(warning in text for text in texts(tmp_path))
    quality = stats(tmp_path)["quality"]
    assert quality["judges"]["always-yes"]["informative"] is False
    assert "clean_share" not in quality
    assert "clean share of the verified rows: can't be told from these judges" in printed


def test_a_run_estimates_its_clean_share_and_a_resume_says_the_same(tmp_path):
    judge = simulated("judge", known=SEEDS)
    settings = config(
        tmp_path, points=4, models=[simulated("m")], judge=judge, judge_audit={"pairs": 24}
    )
    console = Console(file=io.StringIO(), width=1000)
    assert go(settings, console=console) == 0
    line = "judge judge: passes 12 of 12 right pairs, "
    assert console.file.getvalue().count(line) == 2
    assert all(line in text and "95.3% right" in text for text in texts(tmp_path))
    first = stats(tmp_path)
    assert first["quality"]["clean_share"]["share"] > 0.9
    assert go(settings) == 0
    assert json.dumps(stats(tmp_path)) == json.dumps(first)


def test_data_made_elsewhere_is_judged_by_judges_that_were_tested_first(tmp_path):
    rows = [json.loads(line) for line in Path(SEEDS).read_text().splitlines()[:4]]
    console = Console(file=io.StringIO(), width=1000)
    with always("yes") as judge:
        settings = config("unused", judge=judge.model_dump(mode="json"), judge_audit={"pairs": 12})
        done = verify(rows, tools=settings.tools, config=settings, out=tmp_path, console=console)
    assert done.outcomes["verified"] == 4
    warning = "judge always-yes: its verdicts say nothing: it passes 6 of 6 right pairs"
    assert console.file.getvalue().count(warning) == 2
