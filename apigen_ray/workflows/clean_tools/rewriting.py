"""Docstring regeneration: a model rewrites descriptions, and nothing else changes."""

from dataclasses import replace
from typing import Any

from apigen_ray.models import Model
from apigen_ray.records import JsonObject, Tool
from apigen_ray.workflows.clean_tools.documentation import text_problem
from apigen_ray.workflows.clean_tools.model_requests import TEMPLATES, UnusableAnswer, ask, escaped

EXAMPLE_CHARACTERS = 1500


async def rewrite(tool: Tool, example: JsonObject | None, model: Model) -> Tool:
    """The tool with a model's description, or unchanged if the model finds its own usable.

    Args:
        tool: The tool.
        example: A call that succeeded: `arguments`, and the beginning of its `result`.
        model: The model to ask.

    Raises:
        UnusableAnswer: if no answer is usable.
        InfrastructureError: if the model can't be asked.
    """
    shown: JsonObject = {"name": tool.name, "description": tool.description}
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    prompt = TEMPLATES.render(
        "rewrite_description.txt",
        tool=escaped(shown | {"parameters": parameters}),
        example=escaped(example)[:EXAMPLE_CHARACTERS] if example else "none",
    )
    return await ask(model, prompt, lambda answer: with_new_texts(tool, answer), tool.name)


def with_new_texts(tool: Tool, answer: JsonObject) -> Tool:
    """The tool with the descriptions of an answer.

    Raises:
        UnusableAnswer: if it does not describe the tool, or would change more than texts.
    """
    if answer.get("usable") is True:
        return tool
    text, texts = answer.get("description"), answer.get("parameters", {})
    if not isinstance(text, str) or not isinstance(texts, dict):
        raise UnusableAnswer("`description` must be text, and `parameters` an object of texts")
    if extra := answer.keys() - {"usable", "description", "parameters"}:
        raise UnusableAnswer(f"only descriptions may change, not {', '.join(sorted(extra))}")
    if problem := text_problem(text, tool.name):
        raise UnusableAnswer(f"the new description {problem}")
    properties: dict[str, Any] = dict(tool.parameters.get("properties") or {})  # type: ignore[arg-type]
    for name, new in texts.items():
        if name not in properties:
            raise UnusableAnswer(f"the function has no argument {name!r}")
        if not isinstance(new, str) or not new.strip():
            raise UnusableAnswer(f"the description of {name!r} must be text")
        if isinstance(properties[name], dict):
            properties[name] = properties[name] | {"description": new.strip()}
    parameters = {**tool.parameters, "properties": properties} if texts else tool.parameters
    return replace(tool, description=text.strip(), parameters=parameters)
