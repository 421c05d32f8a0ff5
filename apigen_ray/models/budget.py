"""What a run may spend, in dollars and in tokens, over all attempts at it."""

from collections.abc import Sequence
from dataclasses import dataclass

from apigen_ray.records import Reply

SAME_COMMAND = "the same command with"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may spend in total, resumes included; None means no limit."""

    budget_usd: float | None = None
    max_tokens_total: int | None = None
    command: str = SAME_COMMAND
    """The command to run to continue, to which `--set` of a higher limit is added."""


class Budget:
    """What was spent so far, and which limit that reaches."""

    def __init__(self, limits: Limits, cost_usd: float, tokens: int) -> None:
        self._limits = limits
        self._cost_usd = cost_usd
        self._tokens = tokens

    def spend(self, replies: Sequence[Reply]) -> None:
        """Count replies that were paid for."""
        self._cost_usd += sum(reply.cost_usd for reply in replies)
        self._tokens += sum(reply.input_tokens + reply.output_tokens for reply in replies)

    def reached(self) -> str | None:
        """The limit that is reached, with what to do; None if none is."""
        limits = self._limits
        if limits.budget_usd is not None and self._cost_usd >= limits.budget_usd:
            spent = f"budget_usd: {self._cost_usd:.4g} of {limits.budget_usd:g} spent"
            return f"{spent}; {self._advice('budget_usd', limits.budget_usd)}"
        if limits.max_tokens_total is not None and self._tokens >= limits.max_tokens_total:
            used = f"max_tokens_total: {self._tokens} of {limits.max_tokens_total} used"
            return f"{used}; {self._advice('max_tokens_total', limits.max_tokens_total)}"
        return None

    def _advice(self, key: str, limit: float) -> str:
        doubled = f"{2 * limit:g}" if isinstance(limit, float) else str(2 * limit)
        return f"to continue, run {self._limits.command} --set {key}={doubled}"
