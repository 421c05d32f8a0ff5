"""Docstring regeneration: a model describes a tool anew. Nothing but descriptions changes."""

from dataclasses import replace
from typing import Any

from apigen_ray.models import Model
from apigen_ray.records import JsonObject, Tool
from apigen_ray.workflows.clean_tools.documentation import text_problem
from apigen_ray.workflows.clean_tools.model_requests import TEMPLATES, Unusable, ask, inert

EXAMPLE_CHARACTERS = 1500


async def rewrite(tool: Tool, example: JsonObject | None, model: Model) -> Tool:
    """The tool as a model describes it, or as it is if the model finds that usable.

    Args:
        tool: The tool.
        example: A call that worked: `arguments`, and the beginning of its `result`.
        model: Whom to ask.

    Raises:
        Unusable: if no answer can be used.
        InfrastructureError: if the model can't be asked.
    """
    shown: JsonObject = {"name": tool.name, "description": tool.description}
    parameters = {key: value for key, value in tool.parameters.items() if key != "examples"}
    prompt = TEMPLATES.render(
        "rewrite_description.txt",
        tool=inert(shown | {"parameters": parameters}),
        example=inert(example)[:EXAMPLE_CHARACTERS] if example else "none",
    )
    return await ask(model, prompt, lambda answer: described(tool, answer), tool.name)


def described(tool: Tool, answer: JsonObject) -> Tool:
    """The tool with the texts of an answer.

    Raises:
        Unusable: if the answer has no text that describes it, or would change more than texts.
    """
    if answer.get("usable") is True:
        return tool
    text, texts = answer.get("description"), answer.get("parameters", {})
    if not isinstance(text, str) or not isinstance(texts, dict):
        raise Unusable("`description` is a text, and `parameters` an object of texts")
    if extra := answer.keys() - {"usable", "description", "parameters"}:
        raise Unusable(f"only descriptions may change, not {', '.join(sorted(extra))}")
    if problem := text_problem(text, tool.name):
        raise Unusable(f"the new description {problem}")
    properties: dict[str, Any] = dict(tool.parameters.get("properties") or {})  # type: ignore[arg-type]
    for name, new in texts.items():
        if name not in properties:
            raise Unusable(f"the function has no argument {name!r}")
        if not isinstance(new, str) or not new.strip():
            raise Unusable(f"the description of {name!r} is a text, and nothing else may change")
        if isinstance(properties[name], dict):
            properties[name] = properties[name] | {"description": new.strip()}
    parameters = {**tool.parameters, "properties": properties} if texts else tool.parameters
    return replace(tool, description=text.strip(), parameters=parameters)
