"""Calls in the forms of others are read as what their writers meant."""

import pytest

from apigen_ray.elsewhere.forms import Unreadable, read_answer


def test_python_calls_may_have_the_words_of_json():
    [call] = read_answer('[f(a=true, b=[false, None], c={"d": null, "e": True})]')
    assert call["arguments"] == {"a": True, "b": [False, None], "c": {"d": None, "e": True}}


@pytest.mark.parametrize("value", ["trueish", "[S-20458]", "lambda x: x", "Paths.get('a')"])
def test_what_is_no_value_is_refused(value):
    with pytest.raises(Unreadable, match="no value of JSON"):
        read_answer(f"[f(a={value})]")
