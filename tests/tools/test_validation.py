"""What satisfies a schema: the fast validator and the one that explains say the same."""

import time

import pytest

from apigen_ray.tools.validation import SchemaValidator

DOUBLES = {"type": "number", "multipleOf": 0.1}


@pytest.mark.parametrize(
    ("schema", "value", "accepted"),
    [
        (DOUBLES, 0.3, True),
        (DOUBLES, 1e300, True),
        (DOUBLES, 4, True),
        (DOUBLES, 0.35, False),
        ({"multipleOf": 2}, True, True),  # no number
        ({"multipleOf": 2}, 3, False),
        ({"type": "integer"}, 5, True),
        ({"type": "integer"}, 5.0, False),
        ({"type": "integer"}, True, False),
        ({"items": {"type": "integer"}}, [{}, 5.0], False),
        ({"type": "number"}, 5.0, True),
        ({"type": "string", "pattern": r"^\d$"}, "7", True),
        ({"type": "string", "pattern": r"^\d$"}, "\u0663", False),  # ECMAScript's digits are ASCII
        ({"type": "string", "pattern": r"^\d$"}, "7\n", False),
        ({"type": "string", "pattern": r"^(?=.*\d)\p{L}"}, "é7", True),
        ({"pattern": r"^(.)\1$"}, "ab", False),
        ({"pattern": "^a$"}, 5, True),  # no text
    ],
)
def test_a_value_is_accepted_exactly_if_it_has_no_flaw(schema, value, accepted):
    validator = SchemaValidator(schema)
    assert validator.accepts(value) is accepted
    assert (not list(validator.flaws(value))) is accepted


NAMED = {
    "properties": {"id": {"type": "integer"}},
    "patternProperties": {"^x-": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("rest", "value", "accepted"),
    [
        ({}, {"x-a": "b", "other": 1}, True),
        ({}, {"x-a": 1}, False),
        ({"patternProperties": {"^i": {"minimum": 3}}}, {"id": 2}, False),
        ({"patternProperties": {"^i": {"minimum": 3}}}, {"id": 3}, True),
        ({"additionalProperties": False}, {"x-a": "b", "id": 1}, True),
        ({"additionalProperties": False}, {"other": 1}, False),
        ({"additionalProperties": {"type": "null"}}, {"x-a": "b", "other": None}, True),
        ({"unevaluatedProperties": False}, {"x-a": "b"}, True),
        ({"unevaluatedProperties": False}, {"y": "b"}, False),
        ({"unevaluatedProperties": False, "anyOf": [{"patternProperties": {"y": True}}]},
         {"y": "b"}, True),
        ({"patternProperties": {"deep": NAMED}}, {"deeper": {"x-a": 5.0}}, False),
    ],
)  # fmt: skip
def test_names_match_patterns_as_json_schema_has_it(rest, value, accepted):
    validator = SchemaValidator(NAMED | rest)
    assert validator.accepts(value) is accepted
    assert (not list(validator.flaws(value))) is accepted
    assert validator.accepts(value | {"id": 5.0}) is False  # the other engine


@pytest.mark.parametrize(
    "pattern",
    [
        "^([a-z0-9]+[.-]?)+$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        "^(a+)+$",
        "^(?:(?=[a-z])[a-z]+)+$",  # not linear, but soon given up
        r"^([a-z]+)+(?=\d)\1$",
    ],
)
@pytest.mark.parametrize("keyword", ["pattern", "propertyNames", "patternProperties"])
def test_no_pattern_takes_for_ever(pattern, keyword):
    schema = {
        "pattern": {"properties": {"a": {"pattern": pattern}}},
        "propertyNames": {"propertyNames": {"pattern": pattern}},
        "patternProperties": {"patternProperties": {pattern: {}}, "additionalProperties": False},
    }[keyword]
    text = "abcdefgh" * 5 + "_"
    validator = SchemaValidator(schema)
    value = {"a": text} if keyword == "pattern" else {text: 1}
    started = time.monotonic()
    assert not validator.accepts(value)
    assert list(validator.flaws(value))
    assert not validator.accepts(value | {"b": 5.0})
    assert time.monotonic() - started < 1


def test_a_reference_to_elsewhere_is_never_fetched():
    validator = SchemaValidator({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(Exception, match="Unresolvable"):
        validator.accepts(1)
