"""Tasks for reinforcement learning as conversations: what is expected becomes the last message."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apigen_ray.datasets.external.unreadable import text_or_json
from apigen_ray.records import Json
from apigen_ray.stages.conversation import NO_CALL


def task_messages(row: Mapping[str, Any]) -> Sequence[Any] | None:
    """The messages of a row of NeMo Gym or verl; None of any other."""
    params = row.get("responses_create_params")
    if isinstance(params, Mapping) and isinstance(params.get("input"), list):
        expected = row.get("expected_answers")
        return None if expected is None else [*_of_items(params["input"]), _reply(expected)]
    model, prompt = row.get("reward_model"), row.get("prompt")
    if isinstance(model, Mapping) and isinstance(prompt, list) and "ground_truth" in model:
        truth = text_or_json(model["ground_truth"], "reward_model: ground_truth")
        return [*prompt, _reply(truth)]
    return None


def task_tools(row: Mapping[str, Any]) -> Json:
    """The tools of such a row; None if it names none."""
    params = row.get("responses_create_params")
    if not isinstance(params, Mapping) or not isinstance(params.get("tools"), list):
        return None
    return [
        {key: value for key, value in tool.items() if key not in ("type", "strict")}
        for tool in params["tools"]
        if isinstance(tool, Mapping)
    ]


def _reply(expected: Any) -> dict[str, Any]:
    calls = expected if isinstance(expected, list) else [expected]
    made = [{"function": call} for call in calls]
    return {"role": "assistant", "tool_calls": made, "content": None if made else NO_CALL}


def _of_items(items: Sequence[Any]) -> Iterator[Any]:
    """The items of OpenAI's Responses API as messages; calls that follow each other are one."""
    calls: list[Any] = []
    for item in items:
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind == "function_call":
            calls.append({"id": item.get("call_id"), "function": item})
            continue
        if calls:
            yield {"role": "assistant", "content": None, "tool_calls": calls}
            calls = []
        if kind == "function_call_output":
            called = item.get("call_id")
            yield {"role": "tool", "tool_call_id": called, "content": item.get("output")}
        else:
            yield item
    if calls:
        yield {"role": "assistant", "content": None, "tool_calls": calls}
