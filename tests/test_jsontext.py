"""JSON that two readers could read differently is refused."""

import time

import pytest

from apigen_ray import jsontext


def test_ordinary_json_is_read():
    assert jsontext.parse(' [1, 2.5, "ü", {"a": null}] ') == [1, 2.5, "ü", {"a": None}]


def test_duplicate_key_is_its_own_finding():
    with pytest.raises(jsontext.DuplicateKey, match="'a'"):
        jsontext.parse('{"a": 1, "a": 2}')


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
    with pytest.raises(jsontext.NotJson):
        jsontext.parse(text)


def test_depth_is_counted_outside_strings_only():
    assert jsontext.parse('"' + "[" * 500 + '"') == "[" * 500


def test_surrogate_pair_is_one_character():
    assert jsontext.parse('"\\ud83d\\ude00"') == "\U0001f600"


@pytest.mark.parametrize("unit", ['\\"', "[", '{"a":', '"', "\\", '"a" '])
def test_a_megabyte_of_trouble_is_refused_in_no_time(unit):
    text = '"' + unit * (jsontext.MAX_CHARACTERS // len(unit) - 1)
    start = time.process_time()
    with pytest.raises(jsontext.NotJson):
        jsontext.parse(text)
    assert time.process_time() - start < 5  # a quadratic reader needs hours


def test_text_over_the_cap_is_refused_unread():
    with pytest.raises(jsontext.NotJson, match="more than"):
        jsontext.parse("[" + " " * jsontext.MAX_CHARACTERS + "]")


def test_canonical_text_ignores_the_order_of_keys():
    assert jsontext.canonical({"b": 1, "a": [2]}) == jsontext.canonical({"a": [2], "b": 1})
