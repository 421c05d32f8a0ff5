"""What a data point took: its share of a completion, and what its verification adds."""

from collections.abc import Sequence
from typing import Any

from apigen_ray.records import Reply
from apigen_ray.run_folder.rows import Row, with_values


def charged(row: Row, replies: Sequence[Reply]) -> Row:
    """A row with what some replies took added to its tokens and cost."""
    return with_values(
        row,
        input_tokens=row["input_tokens"] + sum(r.input_tokens for r in replies),
        output_tokens=row["output_tokens"] + sum(r.output_tokens for r in replies),
        reasoning_tokens=_known_sum(
            [row["reasoning_tokens"], *(r.reasoning_tokens for r in replies)]
        ),
        cached_tokens=_known_sum([row["cached_tokens"], *(r.cached_tokens for r in replies)]),
        cost_usd=row["cost_usd"] + sum(r.cost_usd for r in replies),
    )


def _known_sum(counts: Sequence[int | None]) -> int | None:
    """The sum of the counts that were reported; None if none was."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def shares(reply: Reply, count: int) -> list[dict[str, Any]]:
    """Split the tokens and cost of a completion among its data points, to the last token."""

    def split(total: int | None) -> list[int | None]:
        if total is None:
            return [None] * count
        each, rest = divmod(total, count)
        return [each + (point < rest) for point in range(count)]

    shares = zip(
        split(reply.input_tokens),
        split(reply.output_tokens),
        split(reply.reasoning_tokens),
        split(reply.cached_tokens),
        strict=True,
    )
    return [
        {
            "input_tokens": into,
            "output_tokens": out,
            "reasoning_tokens": reasoning,
            "cached_tokens": cached,
            "cost_usd": reply.cost_usd / count,
        }
        for into, out, reasoning, cached in shares
    ]
