"""Models compared: rates with intervals, paired differences, agreement of judges."""

import itertools
import json
import re

import pytest
import scipy
from points import fill, point

from apigen_ray.errors import BadInput
from apigen_ray.records import Reason
from apigen_ray.report.audit_record import (
    AUDIT,
    Audit,
    JudgeRecord,
    MutationRecord,
    agreements,
)
from apigen_ray.report.comparison import compare
from apigen_ray.report.comparison_page import write_comparison
from apigen_ray.report.intervals import Rate
from apigen_ray.run_folder.store import RunFolder


def prompts(model, verified, *, wrong=Reason.WRONG_TYPE, **columns):
    """A point of each prompt: verified where the text has a `+`."""
    return [
        point(
            f"{model}-{n}-0", None if sign == "+" else wrong, model=model, prompt=str(n), **columns
        )
        for n, sign in enumerate(verified)
    ]


@pytest.fixture
def run(tmp_path):
    numbers = itertools.count()

    def run(*rows):
        path = tmp_path / f"run{next(numbers)}"
        fill(RunFolder(path), [row for listed in rows for row in listed])
        return path

    return run


def test_paired_differences_are_mcnemars(run):
    path = run(prompts("a", "+" * 30 + "-" * 10), prompts("b", "+" * 18 + "-" * 20 + "++"))
    [found] = compare([path]).differences
    assert (found.prompts, found.points) == (40, 40)
    assert (found.only_first, found.only_second) == (12, 2)
    assert found.difference == pytest.approx(10 / 40)
    assert found.p_value == pytest.approx(scipy.stats.binomtest(2, 14).pvalue)
    low, high = found.interval
    assert 0.05 < low < 0.15
    assert 0.35 < high < 0.45


def test_points_of_one_prompt_count_as_one_prompt(run):
    """Ten points of one prompt that all differ are one observation, not ten."""
    rows = [
        point(f"{model}-0-{n}", reason, model=model, prompt="0")
        for model, reason in (("a", None), ("b", Reason.RAISED))
        for n in range(10)
    ]
    [found] = compare([run(rows)]).differences
    assert (found.prompts, found.points, found.only_first) == (1, 10, 10)
    assert found.p_value == 1.0


def test_errors_are_held_against_nobody(run):
    path = run(prompts("a", "++++"), prompts("b", "++--", wrong=Reason.ENDPOINT))
    comparison = compare([path])
    [found] = comparison.differences
    assert (found.points, found.difference) == (2, 0.0)
    assert [c.whole.pass_rate for c in comparison.models] == [1.0, 1.0]


def test_models_of_several_folders_are_paired_where_the_prompts_are_the_same(run):
    first = run(prompts("m", "+++"))
    second = run(prompts("m", "+-+"))
    other = run(prompts("m", "---", style="parallel"))
    comparison = compare([first, second, other])
    assert [c.name for c in comparison.models] == [f"{p}: m" for p in (first, second, other)]
    [found] = comparison.differences
    assert (found.only_first, found.only_second) == (1, 0)


def test_agreement_of_judges_with_cohens_kappa():
    votes = [{"x": a, "y": b} for a, b in [(True, True)] * 20 + [(False, False)] * 15]
    votes += [{"x": True, "y": False}] * 5 + [{"x": False, "y": True}] * 10
    [found] = agreements([*votes, {"x": True}, {}])
    assert (found.rate.hits, found.rate.of) == (35, 50)
    assert found.kappa == pytest.approx(0.4)  # the example of Cohen's kappa on Wikipedia


@pytest.mark.parametrize("others", [[True] * 4, [True, True, True, False]])
def test_with_a_judge_that_always_says_yes_there_is_no_kappa(others):
    [found] = agreements([{"x": True, "y": other} for other in others])
    assert (found.rate.hits, found.kappa) == (sum(others), None)


@pytest.mark.parametrize("suffix", [".html", ".md", ".json"])
def test_each_form_has_the_figures(run, tmp_path, suffix):
    votes = json.dumps([{"judge": j, "pass": True, "thought": ""} for j in ("first", "second")])
    path = run(prompts("a", "++++", cost_usd=0.5, votes=votes), prompts("b", "++--"))
    out = tmp_path / "new" / f"comparison{suffix}"
    write_comparison(compare([path]), out)
    text = out.read_text()
    figures = {
        ".html": ["100.0% [51.0%, 100.0%]", "$0.5000", "Cohen", "<svg", "+50.0"],
        ".md": ["| a | 4 | 0 | 0 | 0 | 0 | 100.0% [51.0%, 100.0%] |", "$0.5000", "+50.0"],
        ".json": ['"difference": 0.5', '"cost_usd_per_verified": 0.5', '"kappa": null'],
    }
    for figure in figures[suffix]:
        assert figure in text
    if suffix == ".json":
        assert json.loads(text)["models"]["b"]["pass_rate"] == 0.5


def test_names_cannot_break_out_of_a_page_or_a_table(run, tmp_path):
    path = run(prompts("<script>alert(1)</script>", "+"), prompts("a | b\n# c ![](x)", "-"))
    for suffix in (".html", ".md"):
        out = tmp_path / f"out{suffix}"
        write_comparison(compare([path]), out)
        assert "<script" not in out.read_text()
    assert r"| a &#124; b # c ![]\(x) | 0 |" in out.read_text()


def test_long_names_of_models_are_told_apart_in_the_charts(run, tmp_path):
    names = [f"acme-labs.A-Very-Long-Model-Name-{size}" for size in ("8B", "70B")]
    out = tmp_path / "out.html"
    write_comparison(compare([run(*(prompts(name, "+-") for name in names))]), out)
    labels = re.findall(r"<text [^>]*>([^<]*…[^<]*)</text>", out.read_text())
    assert {label.split()[0][-3:] for label in labels} == {"-8B", "70B"}


def test_one_model_is_nothing_to_compare(run, tmp_path):
    with pytest.raises(BadInput, match="fewer than two models"):
        compare([run(prompts("a", "+"))])
    with pytest.raises(BadInput, match="not a run folder"):
        compare([tmp_path / "nowhere"])
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="not a run folder"):
        compare([tmp_path / "file"])


def test_an_unknown_form_is_refused(run, tmp_path):
    comparison = compare([run(prompts("a", "+"), prompts("b", "+"))])
    with pytest.raises(BadInput, match=r"\.html, \.md, \.json"):
        write_comparison(comparison, tmp_path / "out.pdf")


def test_what_audits_found_stands_side_by_side(run, tmp_path):
    judged = JudgeRecord(name="j", right=Rate(12, 12), wrong=Rate(1, 12), p_value=1e-5)
    mutation = MutationRecord(
        name="off_by_one", group="grounding", rows=10, refused={}, caught=Rate(9, 10)
    )
    audit = Audit(source="seeds", rows=12, sample=12, grounding="call", judges=(judged,))
    first, second = run(prompts("a", "++++")), run(prompts("b", "++--"))
    folder = RunFolder(first)
    folder.write_json(AUDIT, audit.model_copy(update={"mutations": (mutation,)}).as_json())
    comparison = compare([first, second])
    write_comparison(comparison, tmp_path / "found.md")
    text = (tmp_path / "found.md").read_text()
    assert f"| {first} | 100.0% [" in text  # of the clean share
    assert f"| {first}: j | 100.0% [75.8%, 100.0%] | 8.3% [1.5%, 35.4%] | 1e-05 |" in text
    assert "| off_by_one | 90.0% [59.6%, 98.2%] |" in text
    assert str(second) not in text.split("clean share")[-1]  # nobody audited it
