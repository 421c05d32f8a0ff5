"""What a run is working on at the moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

AGREE = "agree"
"""The part of stage 3 that asks solvers: it works on rows of its own."""
CONVERSE = "converse"
"""What comes after it: final answers and further turns."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What each stage and each model works on, and what has come from the models so far."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """By stage. While rows are still to be generated, these are prompts."""
    requests: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By model: the requests in flight, and the limit on them."""
    settled: Mapping[str, int] = field(default_factory=dict)
    """By outcome: the data points that a stage has settled so far in this wave."""
    replies: int = 0
    """The replies so far in this attempt at the run, those from the cache included."""
    output_tokens: int = 0
    """The tokens that the models wrote for them; replies from the cache do not count."""
    notices: tuple[str, ...] = ()
    """What the user should know, such as that a model times out."""
