"""What raises the yield of a small model that writes the queries of given calls.

    uv run --extra local python tests/bench/bench_calls_first.py --prompts 60 --rows rows.jsonl

The same prompts are asked in several ways, each differing from the first in one thing. A query
*is exact* if grounding has nothing against it (`reject: exact`) and it copies nothing. Whether
such a query is right is for people: `--rows` writes them down to be read.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from apigen_ray.config import load_config
from apigen_ray.models import Model
from apigen_ray.models.clients import client_of
from apigen_ray.models.endpoints import Endpoint
from apigen_ray.models.local import LocalEndpoint, local_servers
from apigen_ray.prompting.calls_first import QUERY_SCHEMA, CallsFirstSampler
from apigen_ray.prompting.prompt_specs import Cell, plan
from apigen_ray.prompting.prompts import Prompt
from apigen_ray.prompting.sampler import Range, Sampler
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.prompting.templates import texts
from apigen_ray.records import Call, Pair, Reply, Style
from apigen_ray.stages.copied import copied
from apigen_ray.stages.grounding import GroundingSettings, examine
from apigen_ray.strict_json import leaves
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import shown_form
from apigen_ray.workflows.drawn_calls import by_tool, draw_candidates

FEW_VALUES = 2


@dataclass(frozen=True)
class Way:
    """A way to ask: everything but what it names is as in the config."""

    name: str
    examples: int = 3
    own_example: bool = False
    few_values: bool = False
    temperatures: tuple[float, ...] = (0.0,)
    """Of the attempts: another is made while the query is not exact."""


WAYS = [
    Way("3 examples, temperature 0"),
    Way("the last example of the same tool", own_example=True),
    Way("no example", examples=0),
    Way("6 examples", examples=6),
    Way("temperature 0.7", temperatures=(0.7,)),
    Way("2 attempts: 0, then 0.7", temperatures=(0.0, 0.7)),
    Way("4 attempts: 0, then 0.7", temperatures=(0.0, 0.7, 0.7, 0.7)),
    Way(f"calls of {FEW_VALUES} values at most", few_values=True),
]


def is_brief(call: Call) -> bool:
    return len(list(leaves(call.arguments))) <= FEW_VALUES


class Drawn:
    """The prompts of a config, without its run folder, and without running the calls."""

    def __init__(self, config_path: str) -> None:
        self.config = load_config(config_path)
        self.library = load_library(self.config.tools)
        self.seeds, _ = load_seeds(self.config.seeds, self.library.by_name())
        self.calls = list(draw_candidates(self.config, self.library.tools, self.seeds))

    def prompts(self, way: Way, count: int) -> Iterator[Prompt]:
        sampling = self.config.sampling.model_copy(
            update={
                "examples": Range(min=way.examples, max=way.examples),
                "own_example": way.own_example,
            }
        )
        calls = [call for call in self.calls if is_brief(call)] if way.few_values else self.calls
        named = {call.name for call in calls}
        tools = tuple(tool for tool in self.library.tools if tool.name in named)
        drawn = CallsFirstSampler(
            Sampler(tools, tuple(self.seeds), sampling, self.config.seed), by_tool(calls)
        )
        return map(drawn.prompt, plan({Cell(Style.SIMPLE): count}, 1))


def fault(query: str, prompt: Prompt) -> str | None:
    """Why a query is thrown out without a judge."""
    assert prompt.calls is not None
    pair = Pair(query, prompt.calls)
    if said := copied(pair, prompt.examples, texts().values()):
        return said
    shown = [shown_form(tool) for tool in prompt.tools]
    found = examine(pair, shown, GroundingSettings(reject="exact"))
    return found.rejection.detail if found and found.rejection else None


def query_of(reply: Reply) -> str:
    try:
        return str(json.loads(reply.text)["query"])
    except ValueError:
        return ""


async def ask(way: Way, prompts: list[Prompt], model_at: Callable[[float], Model]) -> list[dict]:
    limit = asyncio.Semaphore(4)

    async def one(prompt: Prompt) -> dict:
        tokens = attempts = 0
        query, said = "", "no query"
        for attempts, temperature in enumerate(way.temperatures, 1):
            async with limit:
                sample = f"{prompt.id}/{attempts}"
                reply = await model_at(temperature).complete(
                    prompt.messages, QUERY_SCHEMA, sample=sample
                )
            tokens += reply.input_tokens + reply.output_tokens
            query = query_of(reply)
            said = fault(query, prompt) if query else "no query"
            if said is None:
                break
        calls = [{"name": c.name, "arguments": c.arguments} for c in prompt.calls or ()]
        return {
            "way": way.name, "id": prompt.id, "query": query, "calls": calls, "fault": said,
            "tokens": tokens, "attempts": attempts,
        }  # fmt: skip

    return list(await asyncio.gather(*map(one, prompts)))


async def measure(endpoint: Endpoint, drawn: Drawn, count: int, rows: Path | None) -> None:
    heads = ("way", "exact", "tokens a prompt", "tokens an exact one", "s an exact one")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    models: dict[float, Model] = {}

    def model_at(temperature: float) -> Model:
        if temperature not in models:
            models[temperature] = client_of(
                endpoint.model_copy(update={"temperature": temperature}), print
            )
        return models[temperature]

    for way in WAYS:
        prompts = list(drawn.prompts(way, count))
        begun = time.perf_counter()
        asked = await ask(way, prompts, model_at)
        seconds = time.perf_counter() - begun
        exact = [row for row in asked if row["fault"] is None]
        tokens = sum(row["tokens"] for row in asked)
        each = f"{tokens / len(exact):,.0f} | {seconds / len(exact):.1f}" if exact else "- | -"
        print(
            f"| {way.name} | {len(exact)} of {count} | {tokens / count:,.0f} | {each} |", flush=True
        )
        if rows:
            with rows.open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in asked)
    for model in models.values():
        await model.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", default="configs/local.yaml")
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--rows", type=Path)
    given = parser.parse_args()
    drawn = Drawn(given.config)
    (settings,) = drawn.config.models
    assert isinstance(settings, LocalEndpoint)
    with TemporaryDirectory() as logs, local_servers({"model": settings}, Path(logs), print) as at:
        asyncio.run(measure(at["model"], drawn, given.prompts, given.rows))


if __name__ == "__main__":
    main()
