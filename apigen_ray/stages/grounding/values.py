"""From the calls to the query: which values neither stand in it nor follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apigen_ray.records import Call, Json, Tool
from apigen_ray.stages.grounding.literals import Literal, choices, literals, topic
from apigen_ray.stages.grounding.matching import Support, support
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.text import nearly_equal
from apigen_ray.tools.references import has_references

_MANY = 4
"""As many different values, each of them common, don't stand together in a query by chance."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A value that doesn't come from the query."""

    path: str
    """Such as `calls[0].arguments.acceleration`."""
    value: Json


@dataclass(frozen=True, slots=True)
class Grounding:
    """How the calls of one data point stand to its query."""

    ungrounded: tuple[Finding, ...]
    """Single values that the query doesn't account for."""
    unsupported: tuple[int, ...]
    """The calls none of whose literal values the query accounts for."""
    literals: int
    """How many values were looked up: with none, nothing can be said."""


def ground(
    query: str, calls: Sequence[Call], tools: Mapping[str, Tool], system: str | None = None
) -> Grounding:
    """Look every literal value of the calls up in the query and the system prompt.

    Enums, booleans, null, defaults and what the documentation states (other than as an example)
    are not looked up, nor is what refers to an earlier result: a call with such a value has one
    that follows. Words that nearly every query has support a value weakly: enough for the value,
    not for the call.
    """
    reading = Reading(query, system or "")
    findings: list[Finding] = []
    unsupported: list[int] = []
    count = 0
    for index, call in enumerate(calls):
        tool = tools.get(call.name)
        found = [
            (literal, support(literal, reading))
            for literal in literals(index, call, tool)
            if not _in_system(literal, system)
        ]
        count += len(found)
        findings += [Finding(each.path, each.value) for each, how in found if not how]
        best = Support.STRONG if has_references(call.arguments) else _best(found)
        if best is Support.NONE or (
            best is Support.WEAK
            and len({literal.value for literal, how in found if how}) < _MANY
            and not _on_topic(call, tool, reading)
        ):
            unsupported.append(index)
    return Grounding(tuple(findings), tuple(unsupported), count)


def _best(found: Sequence[tuple[Literal, Support]]) -> Support:
    """The best support an argument has; a list or object of many values has its median's."""
    arguments: dict[str, list[Support]] = {}
    for literal, how in found:
        arguments.setdefault(literal.argument, []).append(how)
    medians = [sorted(several)[len(several) // 2] for several in arguments.values()]
    return max(medians, default=Support.STRONG)


def _in_system(literal: Literal, system: str | None) -> bool:
    """Whether the system prompt states a text: it goes with the tools, not with the query."""
    value = literal.value
    return bool(system) and isinstance(value, str) and len(value) > 3 and value in (system or "")


def _on_topic(call: Call, tool: Tool | None, reading: Reading) -> bool:
    """Whether the query speaks of what the call does: weak support is enough then."""
    if reading.foreign:
        return True
    name, description = topic(call, tool)
    return (
        bool(reading.stems & name)
        or len(reading.stems & description) > 1
        or any(_is_misspelled(word, reading) for word in name)
        or any(support(choice, reading) is Support.STRONG for choice in choices(call, tool))
    )


def _is_misspelled(word: str, reading: Reading) -> bool:
    letters = sorted(word)
    return len(word) > 3 and any(
        nearly_equal(word, each) or (each[0] == word[0] and sorted(each) == letters)
        for each in reading.stems
    )


def ungrounded(
    query: str, calls: Sequence[Call], tools: Mapping[str, Tool], system: str | None = None
) -> tuple[Finding, ...]:
    """The values of the calls that neither stand in the query nor follow from it."""
    return ground(query, calls, tools, system).ungrounded


def unsupported_calls(
    query: str, calls: Sequence[Call], tools: Mapping[str, Tool], system: str | None = None
) -> tuple[int, ...]:
    """The indices of the calls that have literal values, none of which comes from the query."""
    return ground(query, calls, tools, system).unsupported
