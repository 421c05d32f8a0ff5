"""Verified pairs that say the same twice count once."""

import json

from points import point

from apigen_ray.records import Reason
from apigen_ray.report.repeats import repeated_ids
from apigen_ray.run_folder.rows import as_table

CALLS = [{"name": "add", "arguments": {"x": 1, "y": 2}}, {"name": "add", "arguments": {"x": 3}}]


def row(id_, query="Add 1 and 2.", calls=CALLS, **columns):
    return point(id_, query=query, answers=json.dumps(calls), **columns)


def repeated(*rows):
    return repeated_ids([as_table([each]) for each in rows])


def test_the_lowest_id_stays_in_whatever_order_rows_come():
    rows = [row("b"), row("a"), row("c")]
    assert repeated(*rows) == repeated(*rows[::-1]) == {"b", "c"}


def test_case_punctuation_and_the_order_of_calls_make_no_difference():
    assert repeated(row("a"), row("b", "add 1, and 2!", CALLS[::-1])) == {"b"}


def test_other_words_or_values_do():
    other = [{"name": "add", "arguments": {"x": 1, "y": 3}}]
    assert not repeated(row("a"), row("b", "Add 2 and 1."), row("c", calls=other))
    assert not repeated(row("a", "??"), row("b", "!"))


def test_only_verified_pairs_count():
    assert not repeated(row("a", reason=Reason.RAISED), row("b"))


def test_models_have_data_sets_of_their_own():
    assert not repeated(row("a", model="m"), row("b", model="n"))
