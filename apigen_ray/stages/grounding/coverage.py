"""What a query asks and no call takes up."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from apigen_ray.records import Call, Json, Tool
from apigen_ray.stages.grounding.literals import Literal
from apigen_ray.stages.grounding.matching import support
from apigen_ray.stages.grounding.names import means
from apigen_ray.stages.grounding.numbers import Numeral, Quantity, conversions, numerals
from apigen_ray.stages.grounding.reading import Reading, read
from apigen_ray.stages.grounding.redundant import redundant
from apigen_ray.stages.grounding.requests import requests
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    split_identifier,
    stem,
    unify,
    vocabulary,
    words_of,
)

_QUOTED = re.compile(r"\"([^\"\n]{1,80})\"|(?<![\w'])'([^'\n]{1,80})'(?![\w'])|`([^`\n]{1,80})`")
_NAME = re.compile(
    r"(?<![\w'])(?:[A-Z][\w&.-]*[\w]|[A-Z])(?:(?:\s+(?:of|the|de|la|and the)\s+|\s+)[A-Z][\w&-]*)*"
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n]|[.!?]['\")])\s*[\"'(*-]*\s*$")
_NOT_NAMES = frozenset(
    vocabulary(
        "i i'm i'd i've i'll im id usa please can could what which who where when how find get the "
        "a "
        "and also then api pm am ok hi hey hello mr mrs ms dr monday tuesday wednesday thursday "
        "friday "
        "saturday sunday january february march april may june july august september october "
        "november "
        "december"
    )
)
_BRACKETS = re.compile(r"(?: in (?:the )?[A-Z]\w+)? \(([^()]{1,80})\)")
_COORDINATED = re.compile(r"\s*(?:,\s*(?:and|or)?|and|or|&|versus|vs\.?|as well as)\s+(?:the\s+)?")


_LETTERS = re.compile(r"[a-z]+")
_PRECISION = re.compile(r"\d+\s?(?:decimal|significant|digit|place)|(?:1st|2nd|3rd)\b")
_NOW = re.compile(
    r"\b(?:today(?:'s date)?|now|this year|current (?:date|year|time)) (?:is|it's) "
    r"[\w\s,./:-]{0,20}$",
    re.IGNORECASE,
)
_LINK = re.compile(r"\b(?:and|or|then|also|plus|versus|vs|while|secondly|second|next)\b|;|\?")
_JOINED = ("_", "#", "^", "x", "X", "=")
_NOT_ITEMS = STOP_WORDS | frozenset(
    vocabulary(
        "then also finally lastly next another other others followed given considering including "
        "their its both one two three four each more most again assuming using where while after "
        "before because whether within between without per then's only just next all every same "
        "compare compute calculate find get give tell show travel provide check see make let know "
        "return sort display list need want back over under up out how many much"
    )
)
_NO_ITEM = re.compile(r"^..?$|ly$|ing$|ed$")
_DOUBTFUL = 4
"""Points from which on the number of calls is in doubt: set on real answers of 71 models."""


class Kind(StrEnum):
    """What a part of a query is."""

    NUMBER = "number"
    QUOTED = "quoted"
    NAME = "name"
    ITEM = "item"
    """A word listed beside one that a call uses: `Pop and Rock`."""
    TOOL = "tool"
    """The name of a tool that is shown and not called."""


@dataclass(frozen=True, slots=True)
class Unused:
    """A part of the query that no call uses, with where it starts."""

    kind: Kind
    text: str
    start: int
    listed: bool = False
    """It stands behind an `and`, `then` or the like: probably one more thing that is asked."""


@dataclass(frozen=True)
class _Answer:
    """The calls as a text, to look parts of the query up in."""

    calls: tuple[Call, ...]
    tools: tuple[Tool, ...]

    @cached_property
    def values(self) -> Reading:
        return Reading("\n".join(t for call in self.calls for t in _texts(call.arguments)))

    @cached_property
    def everything(self) -> Reading:
        """The values, and what the tools that are called say of themselves."""
        about = [f"{split_identifier(tool.name)} {tool.description}" for tool in self.tools]
        about += [text for tool in self.tools for text in _texts(tool.parameters)]
        return Reading("\n".join([self.values.query, *about]))

    @cached_property
    def defaults(self) -> Reading:
        return read("\n".join(t for tool in self.tools for t in _defaults(tool.parameters)))


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            yield split_identifier(key)
            yield from _texts(each)
    elif isinstance(value, str | int | float):
        yield str(value)
    elif value is not None:
        for each in value:
            yield from _texts(each)


def _defaults(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        for key, each in value.items():
            if key == "default":
                yield from _texts(each)
            else:
                yield from _defaults(each)
    elif isinstance(value, list):
        for each in value:
            yield from _defaults(each)


_POINTS: dict[tuple[Kind, bool], int] = {
    (Kind.NUMBER, True): 4, (Kind.NUMBER, False): 1, (Kind.QUOTED, True): 4,
    (Kind.QUOTED, False): 1, (Kind.NAME, True): 2, (Kind.NAME, False): 1,
    (Kind.ITEM, False): 2, (Kind.ITEM, True): 2, (Kind.TOOL, False): 1, (Kind.TOOL, True): 1,
}  # fmt: skip
"""By kind, and whether it stands behind an `and`."""


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far calls take up what a query says."""

    unused: tuple[Unused, ...]
    redundant: tuple[int, ...]
    """Calls that the query has no request for."""
    parts: int
    """How many numbers, quoted texts and names the query has, used or not."""
    requests: int
    """How many things it asks for, by its marks and words: an estimate."""
    calls: int

    @property
    def doubtful(self) -> bool:
        """Whether the number of calls is probably wrong."""
        return self.doubt >= _DOUBTFUL

    @property
    def doubt(self) -> int:
        """Points for all that speaks against the number of calls."""
        groups = Counter((_POINTS[each.kind, each.listed], each.kind) for each in self.unused)
        points = sum(each * min(2, count) for (each, _), count in groups.items())
        points += {0: 0, 1: 3}.get(max(0, self.requests - self.calls), _DOUBTFUL)
        return points + (_DOUBTFUL if self.redundant else 0)


def cover(query: str, calls: Sequence[Call], tools: Mapping[str, Tool]) -> Coverage:
    """Look the numbers, quoted texts, names and listed items of a query up in its calls.

    What the tools that are called say of themselves counts as used: `NBA` in the description of
    a tool for basketball needs no argument.
    """
    called = dict.fromkeys(call.name for call in calls)
    answer = _Answer(tuple(calls), tuple(tools[name] for name in called if name in tools))
    text = unify(query)
    found = [
        each
        for part in (_quoted(text, answer), _numbers(text, answer), _names(text, answer))
        for each in part
    ]
    left = _left_over(text, found)
    left += _items(text, answer)
    left += _tools(text, answer, [tool for name, tool in tools.items() if name not in called])
    unique = {(part.kind, part.text): part for part in left}
    parts = len({part.text for part, _ in found})
    order = sorted(unique.values(), key=lambda part: part.start)
    asked = requests(query)
    extra = redundant(calls, read(query), asked)
    return Coverage(tuple(order), extra, parts, asked, len(calls))


def _left_over(text: str, found: Sequence[tuple[Unused, bool]]) -> list[Unused]:
    left, last = [], 0
    for part, is_used in sorted(found, key=lambda each: each[0].start):
        if not is_used:
            linked = _LINK.search(text, last, part.start) is not None
            left.append(replace(part, listed=linked and last > 0))
        else:
            last = part.start + len(part.text)
    return left


def unused(query: str, calls: Sequence[Call], tools: Mapping[str, Tool]) -> tuple[Unused, ...]:
    """The numbers, quoted texts, names and listed items of the query that no call uses."""
    return cover(query, calls, tools).unused


def _is_used(text: str, reading: Reading) -> bool:
    return bool(support(Literal("", "", text), reading))


def _quoted(text: str, answer: _Answer) -> Iterator[tuple[Unused, bool]]:
    for match in _QUOTED.finditer(text):
        inner = next(group for group in match.groups() if group)
        yield Unused(Kind.QUOTED, inner, match.start()), _is_used(inner, answer.everything)


def _numbers(text: str, answer: _Answer) -> Iterator[tuple[Unused, bool]]:
    for numeral in numerals(text):
        before = text[numeral.start - 1 : numeral.start]
        if before.isalpha() or before in _JOINED or text[numeral.end : numeral.end + 1] in _JOINED:
            continue
        if _PRECISION.match(text, numeral.start) or _NOW.search(
            text, max(0, numeral.start - 60), numeral.start
        ):
            continue
        part = Unused(Kind.NUMBER, text[numeral.start : numeral.end].strip(), numeral.start)
        yield part, _number_is_used(numeral, text, answer)


def _number_is_used(numeral: Numeral, text: str, answer: _Answer) -> bool:
    values, defaults = answer.values, answer.defaults
    if any(values.numbers.states(value) for value in numeral.values):
        return True
    hours = {float(hour % 12) for hour, _ in values.moments.times}
    if any(value in values.parts_of_moments or value in hours for value in numeral.values):
        return True
    if any(defaults.numbers.states(value) for value in numeral.values):
        return True
    token = _token_around(text, numeral.start, numeral.end)
    return token in values.squeezed or _is_converted(numeral.quantities, values)


def _is_converted(quantities: Sequence[Quantity], values: Reading) -> bool:
    return any(each in values.numbers.stated for each in conversions(quantities))


def _token_around(text: str, start: int, end: int) -> str:
    first = max(text.rfind(" ", 0, start), text.rfind("\n", 0, start)) + 1
    last = text.find(" ", max(start + 1, end - 1))
    return re.sub(r"[\W_]+", "", fold(text[first : last if last > 0 else len(text)]))


def _names(text: str, answer: _Answer) -> Iterator[tuple[Unused, bool]]:
    last_end, last_used = -9, False
    for match in _NAME.finditer(text):
        name = _proper(match[0], text[: match.start()][-12:])
        if (
            len(name) < 2
            or (name.isupper() and not means(name))
            or text[match.start() - 1 : match.start()] == "("
        ):
            continue
        is_used = _is_used(name, answer.everything) or _is_explained(text, match.end(), answer)
        if not is_used and last_used and text[last_end : match.start()] in (", ", " in ", " ("):
            is_used = True  # `Miami, Florida`: only says where the one before is
        last_end, last_used = match.end(), is_used
        yield Unused(Kind.NAME, name, match.start()), is_used


def _is_explained(text: str, end: int, answer: _Answer) -> bool:
    """Whether what the call uses stands in brackets behind a name: `Rome (41.9, 12.5)`."""
    found = _BRACKETS.match(text, end)
    return found is not None and any(_is_used(word, answer.values) for word in found[1].split())


def _proper(run: str, before: str) -> str:
    """A run of capitalised words without the one that only begins a sentence."""
    words = run.split()
    if _SENTENCE_START.search(before):
        words = words[1:]
    while words and words[0].casefold() in _NOT_NAMES:
        words = words[1:]
    return " ".join(words)


def _items(text: str, answer: _Answer) -> Iterator[Unused]:
    """Words that stand in a list beside one that is a value of a call."""
    folded = fold(text)
    for call in answer.calls:
        for value in _texts_of_values(call.arguments):
            start = folded.find(fold(value)) if len(value) > 2 else -1
            if start < 0:
                continue
            link = _COORDINATED.match(folded, start + len(value))
            peer = _LETTERS.match(folded, link.end()) if link else None
            if peer is None or peer[0] in _NOT_ITEMS or _NO_ITEM.search(peer[0]):
                continue
            is_where = "," in text[start + len(value) : peer.start()] and _is_place(peer[0])
            if not is_where and not _is_used(peer[0], answer.everything):
                yield Unused(Kind.ITEM, peer[0], peer.start())


def _is_place(word: str) -> bool:
    return any(each.startswith(("territory ", "state ")) for each in means(word))


def _texts_of_values(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts_of_values(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts_of_values(each)


def _tools(text: str, answer: _Answer, idle: Sequence[Tool]) -> Iterator[Unused]:
    """Tools that no call uses, though the query has what their names add to those of the called."""
    if not idle:
        return
    reading = read(text)
    called = {stem(word) for tool in answer.tools for word in _name_words(tool)}
    for tool in idle:
        own = {stem(word) for word in _name_words(tool)} - called
        if own and own <= reading.stems:
            yield Unused(Kind.TOOL, tool.name, 0)


def _name_words(tool: Tool) -> list[str]:
    words = words_of(fold(split_identifier(tool.name)))
    return [word for word in words if word not in _NOT_ITEMS and len(word) > 2]
