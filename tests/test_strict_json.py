"""JSON that two readers could read differently is refused."""

import time

import pytest

from apigen_ray import strict_json


def test_ordinary_json_is_read():
    assert strict_json.parse(' [1, 2.5, "ü", {"a": null}] ') == [1, 2.5, "ü", {"a": None}]


def test_duplicate_key_is_its_own_finding():
    with pytest.raises(strict_json.DuplicateKey, match='"a"'):
        strict_json.parse('{"a": 1, "a": 2}')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "NaN",
        "[Infinity]",
        "-Infinity",
        "1e999",
        "[1] trailing",
        "{'a': 1}",
        "[1,]",
        '"\\ud800"',
        "1" * 5000,
        "[" * 100 + "]" * 100,
        '[{"a":' * 100,
    ],
    ids=lambda text: text[:12],
)
def test_what_readers_disagree_on_is_not_json(text):
    with pytest.raises(strict_json.NotJson):
        strict_json.parse(text)


def test_depth_is_counted_outside_strings_only():
    assert strict_json.parse('"' + "[" * 500 + '"') == "[" * 500


def test_surrogate_pair_is_one_character():
    assert strict_json.parse('"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("unit", ['\\"', "[", '{"a":', '"', "\\", '"a" '])
def test_a_megabyte_of_trouble_is_refused_in_no_time(unit):
    text = '"' + unit * (strict_json.MAX_CHARACTERS // len(unit) - 1)
    start = time.process_time()
    with pytest.raises(strict_json.NotJson):
        strict_json.parse(text)
    assert time.process_time() - start < 5  # a quadratic reader needs hours


def test_text_over_the_cap_is_refused_unread():
    with pytest.raises(strict_json.NotJson, match="more than"):
        strict_json.parse("[" + " " * strict_json.MAX_CHARACTERS + "]")


def test_other_limits_can_be_given():
    assert strict_json.parse("[" * 90 + "]" * 90, max_depth=90)
    longer = "[" + " " * strict_json.MAX_CHARACTERS + "]"
    assert strict_json.parse(longer, max_characters=len(longer)) == []


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", []),
        ("no value", []),
        ('so {"a": [1]} and [2], done', [{"a": [1]}, [2]]),
        ('broken {"a": {"b": 1} and {"c": 2}', [{"b": 1}, {"c": 2}]),
        ('{"a": 1, "a": 2} [NaN] {"b": 3}', [{"b": 3}]),
        ('"{}" in quotes', [{}]),
    ],
)
def test_values_in_prose_are_found_in_order(text, values):
    assert list(strict_json.embedded(text)) == values


def test_only_values_with_the_brackets_asked_for_are_found():
    assert list(strict_json.embedded('[1] {"a": 1} [{"b": 2}]', "{")) == [{"a": 1}, {"b": 2}]


def test_canonical_text_ignores_the_order_of_keys():
    assert strict_json.canonical({"b": 1, "a": [2]}) == strict_json.canonical({"a": [2], "b": 1})


TOOL = '{"name": "\\u00e9", "deep": [{"x": [1.5, null]}]}'


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        f" [{TOOL} , {TOOL}]\n",
        '["name", "other"]',
        "[[1, 2], [3]]",
        TOOL,
        '"name"',
        "null",
        '["\\ud83d\\ude00"]',
    ],
)
def test_the_items_of_a_list_are_those_that_are_read_at_once(text):
    whole = strict_json.parse(text)
    listed = whole if isinstance(whole, list) else [whole]
    assert [strict_json.parse(item) for item in strict_json.items(text)] == listed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1, 2",
        "[1] trailing",
        "[1,]",
        "[NaN]",
        "[1e999]",
        '["\\ud800"]',
        '["\ud800"]',
        '[{"a": 1, "a": 2}]',
        "{'a': 1}",
        "[" * 100 + "]" * 100,
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_list_that_is_not_json_has_no_items_either(text):
    with pytest.raises(strict_json.NotJson):
        [strict_json.parse(item) for item in strict_json.items(text)]


@pytest.mark.parametrize(
    ("one", "other", "tolerance", "same"),
    [
        (5, 5.0, 0.0, True),
        (1, True, 0.0, False),
        (0, False, 0.0, False),
        ("5", 5, 0.0, False),
        ({"a": [1, None]}, {"a": (1.0, None)}, 0.0, True),
        ({"a": 1}, {"a": 1, "b": 1}, 0.0, False),
        ([1, 2], [1, 2, 3], 0.0, False),
        (2.0000001, 2, 0.0, False),
        (2.0000001, 2, 1e-6, True),
        ([{"x": 2.0000001}], [{"x": 2}], 1e-6, True),
        (2.1, 2, 1e-6, False),
        (10**17, 10**17 + 1, 0.0, False),
        (10**400, 10**400, 1e-6, True),
        (10**400, 10**400 + 1, 1e-6, False),
    ],
)
def test_values_are_equal_as_json_has_it(one, other, tolerance, same):
    assert strict_json.equal(one, other, tolerance=tolerance) is same
    assert strict_json.equal(other, one, tolerance=tolerance) is same


def test_the_leaves_of_a_value():
    assert [*strict_json.leaves({"a": [1, {"b": "x"}], "c": None})] == [1, "x", None]
    assert [*strict_json.leaves(7)] == [7]
