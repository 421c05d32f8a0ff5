"""What satisfies a schema: the fast validator and the one that explains say the same."""

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
        ({"type": "string", "pattern": r"^\d$"}, "\u0663", True),  # as Python reads it
        ({"type": "string", "pattern": r"^\d$"}, "x", False),
    ],
)
def test_a_value_is_accepted_exactly_if_it_has_no_flaw(schema, value, accepted):
    validator = SchemaValidator(schema)
    assert validator.accepts(value) is accepted
    assert (not list(validator.flaws(value))) is accepted


def test_a_reference_to_elsewhere_is_never_fetched():
    validator = SchemaValidator({"$ref": "http://127.0.0.1:9/schema.json"})
    with pytest.raises(Exception, match="Unresolvable"):
        validator.accepts(1)
