"""Rows of the paper's styles are what they were before there were references and conversations.

The digest is that of the version before (1458eff), of prompts, and of all columns of the rows that
the simulated model's answers become in stage 1.
"""

import asyncio
import hashlib
import json

from apigen_ray.models.simulated.answering import answer
from apigen_ray.models.simulated.profiles import PROFILES
from apigen_ray.pipeline.steps import generate_step
from apigen_ray.prompting.prompt_specs import Cell, Task, plan
from apigen_ray.prompting.sampler import Sampler, SamplingSettings
from apigen_ray.records import Call, Pair, Reply, Seed, Style, Tool
from apigen_ray.stages.check import CheckSettings

BEFORE = "d00f5f56a9359adb"
NEW_COLUMNS: frozenset[str] = frozenset()


def tool(name, category, **properties):
    parameters = {"type": "object", "properties": properties, "required": [*properties][:1]}
    return Tool(name, f"Does what {name} says. And more.", parameters, category)


TOOLS = (
    tool("ferry_time", "Travel", port={"type": "string"}, day={"type": "string", "format": "date"}),
    tool("tip", "Money", bill={"type": "number", "minimum": 0}, percent={"type": "integer"}),
    tool("mean", "Maths", values={"type": "array", "items": {"type": "number"}}),
    tool("loan", "Money", sum={"type": "number"}, kind={"enum": ["fixed", "free"]}),
    tool("node", "Maths", root={"type": "object", "additionalProperties": {"type": "integer"}}),
)
SEEDS = tuple(
    Seed(f"s{i}", style, Pair(f"What is {i}?", (Call("tip", {"bill": i}),)), TOOLS[1:3])
    for i, style in enumerate(
        (Style.SIMPLE, Style.MULTIPLE, Style.PARALLEL, Style.PARALLEL_MULTIPLE)
    )
)


class Simulated:
    """The simulated model, without its server."""

    async def complete(self, messages, schema=None, *, sample="", tools=()):
        given = answer(messages, PROFILES["perfect"], 3)
        return Reply(given.text, given.finish_reason, 1, 2, 0.0, 0.5, 1)


def everything():
    """All that is asked and becomes of it, as text."""
    sampler = Sampler(TOOLS, SEEDS, SamplingSettings(), 5)
    styles = [s for s in Style if s.value in PAPER]
    for spec in plan({Cell(style): 30 for style in styles}, 1):
        prompt = sampler.prompt(spec)
        yield json.dumps([[m.role, m.content] for m in prompt.messages])
        step = generate_step(Task(spec, {0: 0}), sampler, Simulated(), "m", CheckSettings())
        for row in asyncio.run(step):
            kept = {key: value for key, value in row.items() if key not in NEW_COLUMNS}
            yield json.dumps(kept, sort_keys=True)


PAPER = ("simple", "multiple", "parallel", "parallel_multiple", "irrelevance")


def test_rows_and_prompts_of_the_paper_s_styles_are_the_same_as_before():
    found = hashlib.sha256("\n".join(everything()).encode()).hexdigest()
    assert found[:16] == BEFORE
