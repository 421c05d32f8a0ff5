"""How many rows a block has, and how many blocks an actor has in flight."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apigen_ray.config import ActorCount
from apigen_ray.models.endpoints import Endpoint, share_of

MAX_ROWS_PER_BLOCK = 64
"""Even a small block costs about 5 ms of CPU at each operator, and twice that in the driver."""
FEW_REQUESTS = 16
"""Up to this concurrency, replies come so slowly that each row can have a block of its own."""
# Actors are idle nearly all of the time. With whole CPUs, a small machine could not run all stages
# at once, and would deadlock; with none, Ray would put all actors on the head node.
ACTOR_CPUS = 0.1


@dataclass(frozen=True)
class Operator:
    """A stage, and the actors that run it."""

    name: str
    stage: type
    arguments: tuple[Any, ...]
    actors: ActorCount
    concurrency: int
    """How many calls an actor has in flight."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Where Ray may place its actors."""


def rows_per_block(endpoints: Sequence[Endpoint], judges: Sequence[Endpoint] = ()) -> int:
    """Small blocks at a low concurrency, so that rows move on soon; larger ones at a high one.

    Single rows where any model works on few requests at a time, as a local engine does: its replies
    take seconds or minutes, and no row should wait for those of others.
    """
    if any(endpoint.concurrency <= FEW_REQUESTS for endpoint in (*endpoints, *judges)):
        return 1
    concurrency = max((endpoint.concurrency for endpoint in endpoints), default=MAX_ROWS_PER_BLOCK)
    return min(concurrency // 2, MAX_ROWS_PER_BLOCK)


def blocks_in_flight(operator: Operator, rows_per_block: int) -> int:
    """Enough blocks for the calls that an actor has in flight, whose times vary widely.

    A block ends with its slowest call: with log-normal times (sigma 1), the factor below is how
    much longer that takes than the mean call.
    """
    slowest = max(1.0, 0.5 + math.log2(rows_per_block))
    return 4 + math.ceil(operator.concurrency * slowest / rows_per_block)


def share_for(endpoint: Endpoint, actors: ActorCount) -> Endpoint:
    """Each actor's share of an endpoint's limits and price.

    Shares are fixed: actors notice each other only by the latency and the refusals that they see.
    """
    concurrency = max(1, endpoint.concurrency // actors.max)
    return share_of(endpoint, actors.max).model_copy(update={"concurrency": concurrency})
