"""The records agree with each other."""

from apigen_ray.records import REASONS_OF, Outcome, Reason


def test_every_reason_has_exactly_one_outcome():
    grouped = [reason for reasons in REASONS_OF.values() for reason in reasons]
    assert sorted(grouped) == sorted(Reason)
    assert REASONS_OF.keys() == set(Outcome) - {Outcome.VERIFIED}
