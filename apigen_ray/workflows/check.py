"""Stage 1 on its own, for data points at hand: no Ray, no sandbox, no run folder."""

from apigen_ray import strict_json
from apigen_ray.errors import BadInput
from apigen_ray.models.reasoning import split
from apigen_ray.records import Checked, Json, Rejected, Style
from apigen_ray.stages import check as stage
from apigen_ray.workflows.tools import ToolSources, as_library


def check(
    completion: Json,
    tools: ToolSources,
    *,
    style: Style | str | None = None,
    settings: stage.CheckSettings | None = None,
) -> list[Checked | Rejected]:
    """Check the format of data points: JSON, function names, argument names, types and values.

    Args:
        completion: JSON text as a model writes it, or the same as Python values: one
            `{"query": ..., "answers": [{"name": ..., "arguments": {...}}]}`, or a list of them.
        tools: The tools that were shown to the model: a library, or its sources.
        style: The style asked for; by default, any number of calls is accepted.
        settings: How strict to be; strict by default.

    Returns:
        A result for each data point; one if the text can't be read.

    Raises:
        BadInput: if the tools can't be read, the style is unknown, or the values are not JSON.
    """
    try:
        text = completion if isinstance(completion, str) else strict_json.dumps(completion)
    except (TypeError, ValueError) as error:
        raise BadInput(f"completion: not JSON: {error}") from error
    try:
        wanted = None if style is None else Style(style)
    except ValueError as error:
        raise BadInput(f"style: must be one of {', '.join(Style)}, not {style!r}") from error
    settings = settings or stage.CheckSettings()
    thought = split(text)
    return stage.check(
        thought.text,
        finish_reason="stop" if thought.ended else "length",
        style=wanted,
        signatures=stage.signatures_of(as_library(tools).tools),
        count=stage.pair_count(thought.text, settings),
        settings=settings,
    )
