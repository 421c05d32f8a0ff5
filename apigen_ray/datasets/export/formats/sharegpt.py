"""`sharegpt`: conversations with `function_call` turns, as LLaMA-Factory reads them."""

from apigen_ray.datasets.export.examples import Example, Record, format_of, list_of, text
from apigen_ray.stages.conversation import NO_CALL


def sharegpt(example: Example) -> Record:
    """The record of an example.

    A single call is an object, as older versions of LLaMA-Factory need it; several are a list.
    """
    calls = example.calls
    answer = {"from": "function_call", "value": text(calls[0] if len(calls) == 1 else calls)}
    if not calls:
        answer = {"from": "gpt", "value": NO_CALL}
    return {
        "id": example.id,
        "conversations": [{"from": "human", "value": example.query}, answer],
        "tools": list_of(example.tools),
    }


FORMAT = format_of(sharegpt)
