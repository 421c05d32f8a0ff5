"""What a run is working on at the moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Activity:
    """The rows that each stage works on, and the requests that each model has in flight."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """By stage. While rows are still to be generated, these are prompts."""
    requests: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """By model: the requests in flight, and the limit on them."""
