"""What else must agree where a query was written for given calls: nothing forgotten, nothing added.

A query that people wrote may leave a choice to the assistant and tell a story around its request.
Where a model was given the calls and has written nothing but their query, a choice that it does not
hint at was forgotten, and a number that no call has was made up. A small model, moreover, may
write a statement, a call, or the values alone.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from apigen_ray.records import Call, Json, Tool
from apigen_ray.stages.grounding.coverage import Coverage, Kind
from apigen_ray.stages.grounding.literals import Literal, alternatives, chosen, literals, topic
from apigen_ray.stages.grounding.matching import (
    Support,
    hinted,
    is_named,
    support,
    times_named,
)
from apigen_ray.stages.grounding.reading import Reading, read
from apigen_ray.stages.grounding.text import fold, split_identifier, stem, words_of
from apigen_ray.strict_json import leaves

_REQUEST = re.compile(
    r"\?|\b(?:what|how|please|wondering|help me|let me know|(?:tell|give|show|find) (?:me|us)|"
    r"(?:can|could|would|will) (?:you|i|we|it)|(?:i|we)(?:'d like|'m looking| need| want| would))\b"
    r"|(?:^|[.!;:,]\s+)(?:and |then |now )?(?:when|which|who|whose|where|why|is|are|does|do|did|"
    r"find|get|check|convert|calculate|compute|compare|count|add|work out|figure out|translate|"
    r"generate|list|look up|make|set|sort|split|estimate|determine|express|turn|write|parse|"
    r"validate|format|approximate|take|need|want)\b",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"\b(?:no|not|none|nothing|nobody|without|never|free|origin|equator|greenwich|meridian)\b"
)
_NUMERAL = re.compile(r"\d+(?:[.,]\d+)*")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_NUMBER_OF = re.compile(r"(?<![\w.,])(\d[\d,]*(?:\.\d+)?)\s+([a-z]{3,})", re.IGNORECASE)

_NOT = r"(?:\bnot|n't|\bnever)(?: \w+)?"
_LEAST = (
    rf"(?:\bat least|\bnot? (?:less|fewer|lower|smaller) than|{_NOT} (?:below|under)|"
    r"\bminimum(?: of)?)"
)
_MOST = (
    rf"(?:\bat most|\bup to|\bnot? (?:more|greater|higher|larger) than|"
    rf"{_NOT} (?:above|over|exceed)|\bmaximum(?: of)?)"
)
_OTHER_BOUND = {"max": _LEAST, "maximum": _LEAST, "min": _MOST, "minimum": _MOST}
"""What says the other bound than the argument of such a name is."""


def inexact(
    query: str, calls: Sequence[Call], tools: Mapping[str, Tool], coverage: Coverage | None
) -> Iterator[str]:
    """What the query forgets, adds or confuses, each in a few words.

    Args:
        query: The query.
        calls: Its calls.
        tools: The tools that were shown, by name.
        coverage: What the query mentions and no call uses; None if that was not looked up.
    """
    reading = read(query)
    if not _REQUEST.search(query):
        yield "it asks for nothing"
    for index, call in enumerate(calls):
        tool = tools.get(call.name)
        if tool is None:
            continue
        for name in (call.name, *call.arguments):
            if "_" in name and name in query:
                yield f"it names {name}"
        if not _is_on_topic(call, tool, reading):
            yield f"no word of it says what {call.name} does"
        yield from _forgotten(index, call, tool, reading)
        yield from _guessed(index, call, tool, reading)
    yield from _confused(calls, query)
    yield from _reversed(calls, query)
    yield from _miscounted(calls, tools, query)
    if coverage:
        yield from _added(coverage, len(calls))


def _is_on_topic(call: Call, tool: Tool, reading: Reading) -> bool:
    """Whether the query has a word, other than those of the values, that says what is done."""
    values = " ".join(str(value) for value in leaves(call.arguments) if isinstance(value, str))
    given = {stem(word) for word in words_of(fold(split_identifier(values)))}
    name, about = topic(call, tool)
    return bool((name | about) & (reading.stems - given))


def _forgotten(index: int, call: Call, tool: Tool, reading: Reading) -> Iterator[str]:
    """Choices that the query does not hint at, or of which it names another one."""
    made = list(chosen(index, call, tool.parameters))
    for choice in made:
        if not hinted(choice, reading):
            yield f"it does not hint at {choice.path} = {choice.value}"
    values = Counter(fold(str(value)) for value in leaves(call.arguments))
    for choice in made:
        if (
            isinstance(choice.value, str)
            and 0 < times_named(choice, reading) < values[choice.value]
        ):
            yield f"it speaks of {choice.value!r} less often than the call"
    for other in alternatives(call, tool):
        known = values[fold(str(other.value))]
        if times_named(other, reading) > known or (not known and is_named(other, reading)):
            yield f"it speaks of {_shown(other)}, which the call does not choose"


def _guessed(index: int, call: Call, tool: Tool, reading: Reading) -> Iterator[str]:
    """Dates, times, codes and zeros that only may follow from what the query says."""
    for literal in literals(index, call, tool):
        if (
            literal.value == 0
            and not reading.numbers.states(0)
            and not _NOTHING.search(reading.text)
        ):
            yield f"it does not say {literal.path} = 0"
        is_code = isinstance(literal.value, str) and any(c.isdigit() for c in literal.value)
        if is_code and support(literal, reading) is not Support.STRONG:
            yield f"it does not say {literal.path} = {literal.value!r}"


def _shown(choice: Literal) -> str:
    return choice.name if isinstance(choice.value, bool) else repr(choice.value)


def _confused(calls: Sequence[Call], query: str) -> Iterator[str]:
    """Numbers that the query gives to one argument, and the calls to another."""
    numbers = [
        (frozenset(stem(word) for word in words_of(fold(split_identifier(name)))), name, value)
        for call in calls
        for name, value in call.arguments.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    values = {value for _, _, value in numbers}
    for match in _NUMBER_OF.finditer(query):
        said, thing = float(match[1].replace(",", "")), stem(match[2].lower())
        named = {value: name for words, name, value in numbers if thing in words}
        if said in values and named and said not in named:
            value, name = next(iter(named.items()))
            yield f"it says {match[0]}, and the call has {name} = {value:g}"


def _reversed(calls: Sequence[Call], query: str) -> Iterator[str]:
    """Upper bounds that the query gives as lower ones, and lower ones as upper ones."""
    for call in calls:
        for name, value in call.arguments.items():
            words = words_of(fold(split_identifier(name)))
            other = next((_OTHER_BOUND[word] for word in words if word in _OTHER_BOUND), None)
            if other is None or isinstance(value, bool) or not isinstance(value, int | float):
                continue
            if re.search(rf"{other} {value:g}(?![\d.,]*\d)", query, re.IGNORECASE):
                yield f"it gives {name} = {value:g} as the other bound"


def _miscounted(calls: Sequence[Call], tools: Mapping[str, Tool], query: str) -> Iterator[str]:
    """Numerals that the query has more often than the calls, or less often but not in words."""
    said = Counter(_numerals(query))
    made = Counter(n for call in calls for leaf in leaves(call.arguments) for n in _numerals(leaf))
    properties = [tools[c.name].parameters.get("properties") for c in calls if c.name in tools]
    usual = Counter(
        numeral
        for each in properties
        if isinstance(each, dict)
        for schema in each.values()
        if isinstance(schema, dict)
        for numeral in _numerals(schema.get("default"))
    )
    for numeral, count in said.items():
        if count > made[numeral] + usual[numeral]:
            yield f"it says {numeral} more often than the calls"
        elif count < made[numeral]:
            yield f"it says {numeral} less often than the calls"


def _numerals(value: Json) -> Iterator[str]:
    """The numerals of a value, without sign, leading zeros and thousands separators."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return
    for match in _NUMERAL.finditer(str(value)):
        plain = _THOUSANDS.sub("", match[0])
        yield f"{float(plain):.12g}" if plain.count(".") < 2 and "," not in plain else plain


def _added(coverage: Coverage, calls: int) -> Iterator[str]:
    for part in coverage.unused:
        if part.kind in (Kind.NUMBER, Kind.QUOTED):
            yield f"no call uses its {part.text!r}"
    if coverage.requests > calls:
        yield f"it asks for {coverage.requests} things"
