"""The style `clarify`: whether the first message leaves something out, and the reply gives it."""

from collections.abc import Iterator, Mapping, Sequence

from apigen_ray.records import Call, Json, Tool
from apigen_ray.stages.conversation import Messages
from apigen_ray.stages.grounding.literals import Literal, chosen, literals
from apigen_ray.stages.grounding.matching import support
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.tools.read_forms import read_tool


def left_out(messages: Messages, calls: Sequence[Call], tools: Sequence[Json]) -> list[str]:
    """The arguments that have to be asked for: required, not in the first message, in the reply.

    Args:
        messages: Of the user, the assistant, the user again, and the assistant's calls.
        calls: These calls.
        tools: The tools that were shown, as rows hold them.
    """
    asked, reply = (str(m["content"]) for m in messages if m["role"] == "user")
    first, then = Reading(asked), Reading(reply)
    known = {tool.name: tool for tool in map(read_tool, tools)}
    return [
        literal.argument
        for literal in _required(calls, known)
        if not support(literal, first) and support(literal, then)
    ]


def _required(calls: Sequence[Call], tools: Mapping[str, Tool]) -> Iterator[Literal]:
    """The values of required arguments, choices of an enum included."""
    for index, call in enumerate(calls):
        tool = tools[call.name]
        required = tool.parameters.get("required")
        names = required if isinstance(required, list) else []
        for each in (*literals(index, call, tool), *chosen(index, call, tool.parameters)):
            if each.argument.rpartition(".")[2] in names and not isinstance(each.value, bool):
                yield each
