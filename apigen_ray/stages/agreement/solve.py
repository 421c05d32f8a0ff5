"""Have a model answer a query with the tools shown, as an assistant would, and read its calls."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from apigen_ray import strict_json
from apigen_ray.models import Model
from apigen_ray.models.templates import Templates
from apigen_ray.records import (
    Call,
    Checked,
    Json,
    JsonObject,
    Message,
    Rejected,
    Reply,
    Style,
    Tool,
)
from apigen_ray.stages.check import CheckSettings, check_pair, no_completion, signatures_of
from apigen_ray.tools.prompt_text import tools_text
from apigen_ray.tools.write_forms import shown_form

TEMPLATES = Templates("apigen_ray.stages.agreement")
TEMPLATE_NAMES = ("solve_system.txt", "solve.txt", "solve_references.txt")

_LENIENT = CheckSettings(strict=False, coerce="lossless")
"""A code fence, or `"9.8"` for 9.8, is a slip of the solver: it says nothing about the row."""
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")
"""What endpoints don't take in the name of a function."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The calls that a model answers a query with, or why none could be read."""

    calls: tuple[Call, ...] | Rejected
    reply: Reply


async def solve(
    query: str,
    tools: Sequence[Tool],
    model: Model,
    *,
    schema: JsonObject | None,
    native: bool,
    sample: str,
    chained: bool = False,
) -> Solved:
    """Ask a model for the calls that answer a query.

    Args:
        query: What the user says.
        tools: The tools that were shown for it.
        model: The solver.
        schema: Of its answer, `{"calls": [...]}`, if it is constrained; not used with `native`.
        native: Give the tools in the request's own field, and read the reply's tool calls.
        sample: Keeps replies to equal requests apart in the cache.
        chained: Whether calls may refer to the results of earlier ones.

    Raises:
        EndpointError: if the solver can't be reached.
    """
    if native:
        reply = await model.complete([Message("user", query)], sample=sample, tools=_native(tools))
    else:
        messages = solve_messages(query, tools, chained=chained)
        reply = await model.complete(messages, schema, sample=sample)
    lost = no_completion(reply)
    calls = lost or read_calls(reply.text, tools, prose_is_no_call=native, chained=chained)
    return Solved(calls, reply)


def solve_messages(query: str, tools: Sequence[Tool], *, chained: bool = False) -> list[Message]:
    """The prompt: what never changes comes first."""
    shown: list[Json] = [shown_form(tool, returns=chained) for tool in tools]
    text = TEMPLATES.render(
        "solve.txt",
        tools=tools_text(shown).replace("</", "<\\/"),
        query=strict_json.dumps(query).replace("</", "<\\/"),
        references=f"{TEMPLATES.text('solve_references.txt')}\n" if chained else "",
    )
    return [Message("system", TEMPLATES.text("solve_system.txt")), Message("user", text)]


def read_calls(
    text: str, tools: Sequence[Tool], *, prose_is_no_call: bool = False, chained: bool = False
) -> tuple[Call, ...] | Rejected:
    """The calls in an answer: `{"calls": [...]}`, a list of calls, or one call.

    Args:
        text: The answer.
        tools: Those that may be called.
        prose_is_no_call: Whether a text without JSON means that nothing is called.
        chained: Whether calls may refer to the results of earlier ones: then one of them has to.
    """
    found = _last_json(text)
    if found is None and prose_is_no_call:
        return ()
    if isinstance(found, dict):
        for key in ("calls", "answers"):
            if key in found:
                found = found[key]
                break
        else:
            found = [found]
    names = {_UNSAFE.sub("_", tool.name): tool.name for tool in tools}
    answers: Json = [_renamed(call, names) for call in found] if isinstance(found, list) else found
    checked = check_pair(
        {"query": "-", "answers": answers},
        style=Style.SEQUENTIAL if chained else None if answers else Style.IRRELEVANCE,
        signatures=signatures_of(tools),
        settings=_LENIENT,
    )
    return checked.pair.calls if isinstance(checked, Checked) else checked


def _last_json(text: str) -> Json:
    """The whole text as JSON, or else the last JSON in it: what stands before is reasoning."""
    try:
        return strict_json.parse(text)
    except strict_json.NotJson:
        return next(reversed([*strict_json.embedded(text)]), None)


def _renamed(call: Json, names: dict[str, str]) -> Json:
    """A call with the tool's own name, of which endpoints may take only some characters."""
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        return call
    name = str(call["name"])
    return call | {"name": names.get(name, name)}


def _native(tools: Sequence[Tool]) -> list[JsonObject]:
    """Tools in the form of OpenAI's `tools` field."""
    forms = [shown_form(tool) for tool in tools]
    return [
        {"type": "function", "function": form | {"name": _UNSAFE.sub("_", str(form["name"]))}}
        for form in forms
    ]
