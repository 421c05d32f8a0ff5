"""The trusted chains of calls are right, and each needs its references."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path

import pytest

from apigen_ray.records import Failed, Reason, Returned
from apigen_ray.stages.check import signatures_of
from apigen_ray.stages.execute.chained import ChainedRunner
from apigen_ray.stages.execute.dispatch import execute
from apigen_ray.stages.grounding import GroundingSettings, examine
from apigen_ray.tools.references import has_references
from apigen_ray.tools.write_forms import shown_form

SEEDS = Path(__file__).parents[2] / "configs" / "seeds-sequential.jsonl"
IDS = [json.loads(line)["id"] for line in SEEDS.read_text(encoding="utf-8").splitlines()]


class Functions:
    """Runs calls in this process."""

    def __init__(self, functions):
        self.functions = functions

    @asynccontextmanager
    async def data_point(self, calls):
        yield self.run

    async def run(self, calls):
        return [self._run(call) for call in calls]

    def _run(self, call):
        try:
            result = self.functions[call.name](**deepcopy(call.arguments))
        except ValueError as error:
            return Failed(Reason.RAISED, str(error), 0.0)
        return Returned(json.loads(json.dumps(result, allow_nan=False)), 0.0)


def test_there_are_enough_of_them_over_many_tools(seeds):
    assert len(seeds) >= 40
    assert len(set(IDS)) == len(IDS)
    queries = Counter(seed.pair.query for seed in seeds.values())
    assert max(queries.values()) == 1
    called = Counter(call.name for seed in seeds.values() for call in seed.pair.calls)
    assert len(called) >= 60
    assert max(called.values()) <= 6


@pytest.mark.parametrize("id_", IDS)
def test_a_chain_runs_and_all_that_is_no_reference_stands_in_the_query(id_, seeds, functions):
    seed = seeds[id_]
    runner = ChainedRunner(Functions(functions), signatures_of(seed.tools))
    done = asyncio.run(execute(seed.pair.calls, runner))
    assert done.rejection is None
    assert all(result.result not in (None, "", [], {}) for result in done.results)
    examined = examine(
        seed.pair, [shown_form(tool) for tool in seed.tools], GroundingSettings(reject="argument")
    )
    assert examined.rejection is None


def test_no_chain_could_be_written_without_running_it(seeds, functions):
    for seed in seeds.values():
        runner = ChainedRunner(Functions(functions), signatures_of(seed.tools))
        asyncio.run(execute(seed.pair.calls, runner))
        values = [
            str(value)
            for index, arguments in runner.arguments.items()
            for name, value in arguments.items()
            if has_references(seed.pair.calls[index].arguments[name])
        ]
        assert any(value not in seed.pair.query for value in values), (seed.id, values)
