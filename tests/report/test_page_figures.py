"""What the report counts beyond the funnel."""

import random

import pytest
from points import TOOL, fill, point

from apigen_ray.records import Reason, Tool
from apigen_ray.report.page_figures import COLUMNS, EXAMPLES_PER_KIND, Sample, diversity, summarise
from apigen_ray.run_folder.store import RunFolder

OTHER = Tool("other", "Do something else.", {"type": "object", "properties": {}}, "Misc")


@pytest.fixture
def summarised(tmp_path):
    def summarised(*rows):
        fill(RunFolder(tmp_path), rows)
        return summarise(RunFolder(tmp_path).tables(COLUMNS))

    return summarised


def test_a_sample_does_not_depend_on_the_order():
    ids = [str(number) for number in range(1000)]
    drawn = []
    for _ in range(2):
        random.shuffle(ids)
        sample = Sample(10)
        for id_ in ids:
            sample.add(id_, id_)
        drawn.append(sample.items())
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 10


def test_what_a_sample_does_not_want_it_would_not_draw():
    every, wanted = Sample(10), Sample(10)
    for id_ in map(str, range(1000)):
        every.add(id_, id_)
        if wanted.wants(id_):
            wanted.add(id_, id_)
    assert not all(map(wanted.wants, map(str, range(1000))))
    assert wanted.items() == every.items()


def test_tools_that_never_passed_are_named_with_the_reasons(summarised):
    call_other = '[{"name": "other", "arguments": {}}]'
    summary = summarised(
        point("a", tools=[TOOL, OTHER]),
        point("b", Reason.RAISED, tools=[TOOL, OTHER], answers=call_other),
        point("c", Reason.TRUNCATED, tools=[OTHER], answers=None),
        point("d", Reason.TRUNCATED, tools=[TOOL, OTHER], answers=None),
    )
    [(name, coverage)] = summary.never_passed()
    assert name == "other"
    assert (coverage.shown, coverage.called, coverage.verified) == (4, 1, 0)
    assert coverage.reasons == {"raised": 1, "truncated": 1}  # in d, either was to be called


@pytest.mark.parametrize("answers", [None, "null", "3", '"add"', '[1, null, {"name": 3}]', "{}"])
def test_answers_that_are_no_calls_call_nothing(summarised, answers):
    summary = summarised(point("a", Reason.MISSING_FIELD, answers=answers))
    assert summary.tools["add"].called == 0


def test_latency_counts_only_points_that_reached_a_stage(summarised):
    rows = [point(str(n), generate_s=n / 100, execute_s=None, judge_s=None) for n in range(101)]
    [latency] = summarised(*rows).latencies()
    assert (latency.stage, latency.count) == ("generate", 101)
    figures = (latency.median, latency.p95, latency.p99, latency.longest)
    assert figures == pytest.approx((0.5, 0.95, 0.99, 1.0))


def test_cost_per_verified_is_none_without_a_verified_point(summarised):
    usage = summarised(
        point("a", model="paid", cost_usd=0.25),
        point("b", Reason.RAISED, model="paid", cost_usd=0.25),
        point("c", Reason.RAISED, model="lost", cost_usd=0.5),
    ).usage
    assert usage["paid"].cost_per_verified == 0.5
    assert usage["lost"].cost_per_verified is None


def test_examples_are_kept_of_every_reason_and_few_of_each(summarised):
    common = [point(f"a{number}") for number in range(50)]
    examples = summarised(*common, point("rare", Reason.CONSTRAINT)).examples()
    assert [row["outcome"] for row in examples] == ["verified"] * EXAMPLES_PER_KIND + [
        "fail_format"
    ]


def test_diversity_knows_repeated_from_different_queries():
    same = diversity("m", [("what is two plus two", "add")] * 4)
    assert same.distinct[0] == pytest.approx(4 / 20)
    assert (same.median_nearest, same.near_duplicates) == (1.0, 1.0)
    different = diversity(
        "m", [(q, "f") for q in ("what is two", "how warm", "convert euros now please")]
    )
    assert different.distinct == (1.0, 1.0, 1.0)
    assert (different.median_nearest, different.near_duplicates) == (0.0, 0.0)


def test_nearest_is_the_jaccard_index_of_words_and_word_pairs():
    found = diversity("m", [("a b c", "f"), ("A b: d!", "f")])
    assert found.nearest == pytest.approx([3 / 7, 3 / 7])  # a, b, a-b of a, b, c, d, a-b, b-c, b-d


def test_queries_that_other_functions_answer_are_not_near_duplicates():
    found = diversity("m", [("a b c", "f"), ("a b c", "g"), ("?", "f")])
    assert (list(found.nearest), found.near_duplicates) == ([1.0, 1.0, 0.0], 0.0)


def test_one_query_has_no_neighbour(summarised):
    [found] = summarised(point("a"), point("b", query=" ")).diversities()
    assert (found.queries, list(found.nearest)) == (1, [])
