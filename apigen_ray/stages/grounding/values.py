"""From the calls to the query: which values neither stand in it nor follow from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apigen_ray.records import Call, Json, Tool
from apigen_ray.stages.grounding.literals import (
    Literal,
    choices,
    documented,
    literals,
    stems_of,
    topic,
)
from apigen_ray.stages.grounding.matching import COMMON, Support, support, supports_gloss
from apigen_ray.stages.grounding.number_words import PLAIN
from apigen_ray.stages.grounding.numbers import number_in
from apigen_ray.stages.grounding.reading import Reading, read
from apigen_ray.stages.grounding.text import (
    nearly_equal,
    split_identifier,
    stem,
)
from apigen_ray.tools.references import has_references

_MANY = 4
"""As many different values, each of them common, don't stand together in a query by chance."""

_BESIDE = 3
"""So many words before or after a number still say what it is."""


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
    reading = read(query, system or "")
    told = read(system) if system else None
    findings: list[Finding] = []
    unsupported: list[int] = []
    count = 0
    for index, call in enumerate(calls):
        tool = tools.get(call.name)
        found = [
            (literal, support(literal, reading))
            for literal in literals(index, call, tool)
            if not _in_system(literal, told)
        ]
        count += len(found)
        findings += [Finding(each.path, each.value) for each, how in found if not how]
        best = Support.STRONG if has_references(call.arguments) else _best(found)
        if best is not Support.STRONG and _is_backed(call, tool, reading):
            continue
        if best is Support.NONE or (
            best is Support.WEAK
            and len({literal.value for literal, how in found if how}) < _MANY
            and not _on_topic(call, tool, reading)
            and not any(_is_named(literal, reading) for literal, how in found if how)
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


def _in_system(literal: Literal, system: Reading | None) -> bool:
    """Whether the system prompt states a text or a number: it goes with the tools."""
    if system is None:
        return False
    if isinstance(literal.value, str):
        return len(literal.value) > 3 and literal.value in system.query
    return abs(literal.value) > COMMON and support(literal, system) is Support.STRONG


def _is_backed(call: Call, tool: Tool | None, reading: Reading) -> bool:
    """Whether the query says what a value stands for in its description: `1 for Bangkok`."""
    return any(
        supports_gloss(value, about, reading) is Support.STRONG
        for value, about in documented(call, tool)
    )


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


def _is_named(literal: Literal, reading: Reading) -> bool:
    """Whether a number stands beside a word for what it is: `the identifier 4`, `5 items`."""
    number = number_in(str(literal.value))
    if number is None:
        return False
    own = stems_of(split_identifier(f"{literal.name} {literal.about}"))
    for index, word in enumerate(reading.words):
        if PLAIN.get(word, number_in(word)) == number:
            beside = reading.words[max(0, index - _BESIDE) : index + _BESIDE + 1]
            if not own.isdisjoint(map(stem, beside)):
                return True
    return False


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
