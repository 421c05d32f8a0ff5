"""Rows of the style `sequential`: what the steps do with them beyond what they do with a pair."""

import json
from functools import lru_cache

from apigen_ray.records import Style
from apigen_ray.run_folder.rows import Row
from apigen_ray.stages.check import Signatures, signatures_of
from apigen_ray.stages.execute.chained import ChainedRunner
from apigen_ray.stages.execute.dispatch import Dispatcher
from apigen_ray.tools.read_forms import read_shown_tool


def chain_of(row: Row, runner: Dispatcher) -> ChainedRunner | None:
    """What runs the calls of a row whose arguments may refer to results; None for other rows."""
    if row["style"] != Style.SEQUENTIAL or not row["answers"]:
        return None
    return ChainedRunner(runner, _signatures(row["tools"]))


@lru_cache(maxsize=512)
def _signatures(tools: str) -> Signatures:
    return signatures_of([read_shown_tool(form) for form in json.loads(tools)])
