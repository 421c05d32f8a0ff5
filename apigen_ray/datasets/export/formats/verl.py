"""`verl`: tasks for verl's trainers, with `compute_score` of `apigen_ray.rewards` as the reward.

verl knows no tools of a row, so they stand in the prompt, which has Hermes' form; so do the calls
of earlier turns.
"""

from apigen_ray.datasets.export.examples import Example, Format, Record, text
from apigen_ray.datasets.export.formats.hermes import conversation
from apigen_ray.datasets.export.targets import target_of
from apigen_ray.records import JsonObject

_ROLES = {"system": "system", "human": "user", "gpt": "assistant", "tool": "tool"}


def verl(example: Example) -> Record:
    """The record of an example."""
    target = target_of(example)
    prompt: list[JsonObject] = [
        {"role": _ROLES[str(turn["from"])], "content": turn["value"]}
        for turn in conversation(target.before, example.tools)
    ]
    return {
        "id": example.id,
        "data_source": "apigen_ray",
        "prompt": prompt,
        "ability": "function_calling",
        "reward_model": {"style": "rule", "ground_truth": text(target.calls)},
        "extra_info": {
            "index": example.id,
            "tools": text(target.tools),
            "pass_rate": example.pass_rate,
            "need_tools_kwargs": False,
        },
    }


FORMAT = Format(
    {
        "id": "text",
        "data_source": "text",
        "prompt": "list",
        "ability": "text",
        "reward_model": "json",
        "extra_info": "json",
    },
    verl,
)
