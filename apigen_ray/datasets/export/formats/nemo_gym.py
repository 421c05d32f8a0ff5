"""`nemo-gym`: tasks for NeMo Gym (`xlam_fc`), which verifiers and NeMo RL read as well.

A task ends before the last calls, which are what is expected. `pass_rate` is the share of solvers
that made the same calls, where a run has asked any (`agreement`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

from apigen_ray.datasets.export.examples import Example, Format, Record, text
from apigen_ray.datasets.export.targets import target_of
from apigen_ray.records import JsonObject

AGENT: JsonObject = {"type": "responses_api_agents", "name": "xlam_fc_simple_agent"}


def nemo_gym(example: Example) -> Record:
    """The record of an example."""
    target = target_of(example)
    return {
        "id": example.id,
        "responses_create_params": {
            "input": list(_items(target.before)),
            "tools": [_tool(tool) for tool in target.tools],
        },
        "expected_answers": target.calls,
        "agent_ref": AGENT,
        "pass_rate": example.pass_rate,
    }


def _tool(tool: JsonObject) -> JsonObject:
    # `strict` schemas have all arguments required; ours have optional ones.
    return {"type": "function", **tool, "strict": False}


def _items(messages: Sequence[JsonObject]) -> Iterator[JsonObject]:
    """Messages as items of OpenAI's Responses API."""
    for message in messages:
        if message["role"] == "tool":
            yield {
                "type": "function_call_output",
                "call_id": message["tool_call_id"],
                "output": message["content"],
            }
            continue
        calls: Any = message.get("tool_calls", ())
        if message["content"] or not calls:
            yield {"role": message["role"], "content": message["content"]}
        for call in calls:
            function = call["function"]
            yield {
                "type": "function_call",
                "call_id": call["id"],
                "name": function["name"],
                "arguments": text(function["arguments"]),
            }


FORMAT = Format(
    {
        "id": "text",
        "responses_create_params": "json",
        "expected_answers": "list",
        "agent_ref": "json",
        "pass_rate": "number",
    },
    nemo_gym,
)
