"""The rows that an audit asks about."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apigen_ray.records import Call, JsonObject, Pair, Style, Tool
from apigen_ray.stages.conversation import Messages, query_of


@dataclass(frozen=True, slots=True)
class Case:
    """A pair or a conversation, with the tools that were shown and what its calls returned."""

    id: str
    pair: Pair
    """Of a conversation, its query and the calls of all its turns."""
    tools: tuple[Tool, ...]
    style: Style | None = None
    """The style that was asked for; None of data made elsewhere."""
    results: tuple[JsonObject, ...] | None = None
    """As rows hold them; None where the calls have not been run, or can't be."""
    messages: Messages | None = None
    """A conversation's."""
    mismatches: tuple[str, ...] = ()
    """The results that a conversation gives otherwise than its calls returned them, a line each."""

    @property
    def called(self) -> frozenset[str]:
        """The names of the functions that are called."""
        return frozenset(call.name for call in self.pair.calls)

    def tool(self, name: str) -> Tool | None:
        """The tool of a name, if it was shown."""
        return next((tool for tool in self.tools if tool.name == name), None)


def with_messages(case: Case, messages: Messages) -> Case:
    """The case with other messages, whose calls have not been run."""
    calls = tuple(call for message in messages for call in calls_in(message))
    pair = Pair(query_of(messages), calls)
    return replace(case, pair=pair, messages=messages, results=None, mismatches=())


def calls_in(message: Mapping[str, Any]) -> tuple[Call, ...]:
    """The calls that a message makes."""
    functions = [call["function"] for call in message.get("tool_calls", ())]
    return tuple(Call(each["name"], each["arguments"]) for each in functions)
