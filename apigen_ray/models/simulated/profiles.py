"""Profiles: how often a simulated model is wrong, and how fast it is."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from pydantic import Field

from apigen_ray.models.settings import Settings


class Fault(StrEnum):
    """The faults that can be planted, named after the reason that a correct pipeline gives."""

    MALFORMED_JSON = "malformed_json"
    """The completion can't be parsed (`invalid_json`)."""
    PROSE = "prose"
    """JSON in a code fence or between prose (`invalid_json`, unless that is accepted)."""
    TRUNCATED = "truncated"

    MISSING_FIELD = "missing_field"
    EMPTY_QUERY = "empty_query"
    NO_CALLS = "no_calls"
    UNKNOWN_FUNCTION = "unknown_function"
    UNKNOWN_ARGUMENT = "unknown_argument"
    MISSING_ARGUMENT = "missing_argument"
    WRONG_TYPE = "wrong_type"
    CONSTRAINT = "constraint"
    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_CALL = "duplicate_call"
    STYLE_MISMATCH = "style_mismatch"
    INFEASIBLE = "infeasible"
    """A well-formed call that no implementation can execute (`raised`)."""
    MISMATCH = "mismatch"
    """Query and calls disagree (`judged_no`; `ungrounded` if no value of a call is asked for)."""
    BAD_REFERENCE = "bad_reference"
    UNRESOLVED_REFERENCE = "unresolved_reference"
    NOTHING_MISSING = "nothing_missing"


class Profile(Settings):
    """The fault rates and the latency of a simulated model."""

    latency_mean_s: float = Field(default=0.15, ge=0)
    """The mean of the log-normal latency."""
    latency_sigma: float = Field(default=0.6, ge=0)
    """Its spread: the standard deviation of its logarithm."""
    faults: Mapping[Fault, float] = {}
    """The probability of each fault, for a data point in which it is possible."""
    judge_unreadable: float = Field(default=0, ge=0, le=1)
    """How often the judge gives no verdict; asked again, it does."""
    judge_wrong_no: float = Field(default=0, ge=0, le=1)
    """How often a good pair is rejected."""
    judge_wrong_yes: float = Field(default=0, ge=0, le=1)
    """How often a bad pair is passed."""
    answer_wrong: float = Field(default=0, ge=0, le=1)
    """How often a final answer gives a number that no result has."""
    clean_wrong: float = Field(default=0, ge=0, le=1)
    """How often an answer for `tools clean` can't be used."""
    reasoning: Literal["none", "field", "tags"] = "none"
    """Whether it reasons first: in `reasoning_content`, or in the content, between think tags. Then
    half of its truncated answers are cut off while it still reasons."""


_DEFAULT_RATES = {
    Fault.MALFORMED_JSON: 0.02,
    Fault.PROSE: 0.015,
    Fault.TRUNCATED: 0.01,
    Fault.MISSING_FIELD: 0.01,
    Fault.EMPTY_QUERY: 0.005,
    Fault.NO_CALLS: 0.01,
    Fault.UNKNOWN_FUNCTION: 0.015,
    Fault.UNKNOWN_ARGUMENT: 0.015,
    Fault.MISSING_ARGUMENT: 0.015,
    Fault.WRONG_TYPE: 0.02,
    Fault.CONSTRAINT: 0.02,
    Fault.DUPLICATE_KEY: 0.005,
    Fault.DUPLICATE_CALL: 0.02,
    Fault.STYLE_MISMATCH: 0.015,
    Fault.INFEASIBLE: 0.07,  # of tools with dates or lists, which few are
    Fault.MISMATCH: 0.03,
    Fault.BAD_REFERENCE: 0.02,
    Fault.UNRESOLVED_REFERENCE: 0.015,
    Fault.NOTHING_MISSING: 0.05,
}

_DEFAULT = Profile(faults=_DEFAULT_RATES, judge_unreadable=0.02, answer_wrong=0.08, clean_wrong=0.1)

PROFILES: Mapping[str, Profile] = {
    "default": _DEFAULT,
    "perfect": Profile(),
    "weak": Profile(
        faults={fault: 2.2 * rate for fault, rate in _DEFAULT_RATES.items()},
        judge_unreadable=0.05,
        judge_wrong_no=0.03,
        judge_wrong_yes=0.03,
        answer_wrong=0.2,
        clean_wrong=0.3,
    ),
    "reasoning": _DEFAULT.model_copy(update={"reasoning": "field"}),
    "think": _DEFAULT.model_copy(update={"reasoning": "tags"}),
}
"""A decent model, one without faults, one that goes wrong about every other time, and the decent
one when it reasons, behind a server that tells its reasoning apart, and behind one that doesn't."""
