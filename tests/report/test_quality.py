"""What is said of a run's verification, from whatever audits and reviews its folder has."""

import pytest
from points import fill, point

from apigen_ray.records import Reason
from apigen_ray.report.audit_record import (
    AUDIT,
    JUDGE_AUDIT,
    REVIEW,
    Audit,
    JudgeRecord,
    MutationRecord,
    Review,
)
from apigen_ray.report.intervals import Rate
from apigen_ray.report.quality import quality_of
from apigen_ray.report.refresh import refresh
from apigen_ray.report.stats import Funnel
from apigen_ray.run_folder.store import RunFolder

FUNNEL = Funnel()
FUNNEL.add("verified", None, 90)
FUNNEL.add("fail_semantic", Reason.JUDGED_NO, 10)
GOOD = JudgeRecord(
    name="good", right=Rate(12, 12), wrong=Rate(1, 12), p_value=1e-5, input_tokens=5, cost_usd=0.25
)
YES = JudgeRecord(name="yes", right=Rate(12, 12), wrong=Rate(12, 12), p_value=1.0)


def audit_of(*judges, **more):
    return Audit(source="seeds", rows=24, sample=24, grounding="call", judges=judges, **more)


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    fill(folder, [point("a"), point("b", Reason.RAISED)])
    return folder


def test_nothing_is_said_where_nobody_looked(folder):
    quality = quality_of(folder, FUNNEL)
    assert (quality.lines(), quality.warnings, quality.as_json()) == ([], [], {})


def test_the_clean_share_follows_from_a_judge_that_says_something(folder):
    folder.write_json(JUDGE_AUDIT, audit_of(GOOD).as_json())
    first, share = quality_of(folder, FUNNEL).lines()
    assert first == "judge good: passes 12 of 12 right pairs, 1 of 12 wrong ones"
    assert share.startswith("clean share of the verified rows: 99.0% [")
    assert "read 600 of their rows and found 95.3% right" in share


def test_a_judge_that_says_nothing_is_a_warning_and_tells_no_share(folder):
    folder.write_json(JUDGE_AUDIT, audit_of(YES).as_json())
    quality = quality_of(folder, FUNNEL)
    assert quality.clean is None
    assert quality.warnings == [YES.warning]


def test_the_votes_of_all_judges_together_count(folder):
    found = audit_of(YES, GOOD, jury=GOOD.model_copy(update={"name": "all together"}))
    folder.write_json(JUDGE_AUDIT, found.as_json())
    assert quality_of(folder, FUNNEL).clean is not None


def test_the_larger_audit_counts_for_judges_and_one_without_judges_does_not(folder):
    folder.write_json(JUDGE_AUDIT, audit_of(YES).as_json())
    folder.write_json(AUDIT, audit_of().as_json())
    assert quality_of(folder, FUNNEL).judged_by.judges == (YES,)
    folder.write_json(AUDIT, audit_of(GOOD).as_json())
    assert quality_of(folder, FUNNEL).judged_by.judges == (GOOD,)


def test_a_file_that_cannot_be_read_is_a_line_and_the_rest_is_there(folder):
    folder.write_text(AUDIT, '{"source": 1}')
    folder.write_text(JUDGE_AUDIT, "nonsense")
    folder.write_json(REVIEW, Review(right=Rate(9, 10), unsure=0).model_dump(mode="json"))
    quality = quality_of(folder, FUNNEL)
    assert len(quality.problems) == 2
    assert all("delete it" in line for line in quality.problems)
    assert quality.lines()[0].startswith("read by people: 9 of 10 right, 90.0% [")


def test_what_the_first_audit_took_is_counted_in_the_run(folder):
    folder.write_json(JUDGE_AUDIT, audit_of(GOOD).as_json())
    stats, _ = refresh(folder)
    assert (stats.cost_usd, stats.input_tokens) == (0.25, 5)


def test_the_report_has_a_heat_map_of_mutations_and_stages(folder):
    refused = {"format": Rate(0, 10), "judge good": Rate(7, 10)}
    mutation = MutationRecord(
        name="off_by_one", group="grounding", rows=10, refused=refused, caught=Rate(3, 10)
    )
    found = audit_of(GOOD, stages=("format",), mutations=(mutation,), caveat="<b>mind</b>")
    folder.write_json(AUDIT, found.as_json())
    refresh(folder)
    page = (folder.path / "report.html").read_text()
    assert 'aria-label="Share of wrong rows that each stage refused"' in page
    assert ">off by one</text>" in page
    assert ">70%</text>" in page
    assert "30.0% [10.8%, 60.3%]" in page
    assert "<b>mind</b>" not in page
