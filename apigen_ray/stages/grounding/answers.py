"""Grounding, reversed: the numbers of a final answer, looked up in what was said and returned."""

import math
import re
from bisect import bisect
from collections.abc import Iterator, Sequence

from apigen_ray import strict_json
from apigen_ray.records import Json
from apigen_ray.stages.grounding.numbers import Numeral, conversions, numerals
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.text import unify

LONGEST_SAID = 20_000
"""If more was said and returned, nothing is looked up: reading it would take seconds."""

_COUNTED = 20
"""Numbers up to here may count what a result lists, or be those of a list of the answer's own."""


def unfounded_numbers(answer: str, said: Sequence[str], results: Sequence[Json]) -> list[str]:
    """The numbers of an answer that neither stand in what was said or returned nor follow from it.

    A number follows if it is one of these rounded, in another unit or as a share of a hundred, part
    of a date, or the number of a result's items. A sum that the answer works out itself does not.

    Args:
        answer: What the assistant says.
        said: What was said before.
        results: What the calls returned.
    """
    known = "\n".join([*said, *(strict_json.dumps(result) for result in results)])
    if len(known) > LONGEST_SAID:
        return []
    sources = _sources(Reading(known), results)
    text = unify(answer)
    return [
        text[numeral.start : numeral.end].strip()
        for numeral in numerals(text)
        if not _is_list_mark(text, numeral)
        and not _stands_in(known, text[numeral.start : numeral.end].strip())
        and not any(_follows(value, sources) for value in _whole(text, numeral))
    ]


def _sources(reading: Reading, results: Sequence[Json]) -> list[float]:
    """All that a number may come from, without signs, in order."""
    numbers = reading.numbers
    exact = {*numbers.stated, *numbers.implied, *reading.parts_of_moments}
    exact |= {float(hour % 12 or 12) for hour, _ in reading.moments.times}
    exact |= {float(length) for result in results for length in _lengths(result)}
    exact |= {100 * value for value in exact} | set(conversions(numbers.quantities))
    return sorted({abs(value) for value in exact if math.isfinite(value)})


def _whole(text: str, numeral: Numeral) -> list[float]:
    """What a number can mean as a whole: `1,334` may be 1334 or 1.334, and not 1 and 334."""
    body = re.match(r"[\d.,' ]*\d", text[numeral.start : numeral.end])
    parts = re.split(r"[, ']", body[0]) if body else []
    apart = {float(part) for part in parts if part.isdigit()} if len(parts) > 1 else set[float]()
    return [value for value in numeral.values if abs(value) not in apart]


def _stands_in(known: str, digits: str) -> bool:
    """Whether a number stands there as it is written."""
    return re.search(rf"(?<![\w.,]){re.escape(digits)}(?![\w]|[.,]\d)", known) is not None


def _follows(value: float, sources: Sequence[float]) -> bool:
    """Whether a number is one of these, rounded to its digits: if any, then the nearest."""
    place = bisect(sources, abs(value))
    return any(_is_rounded(abs(value), each) for each in sources[max(0, place - 1) : place + 1])


def _is_rounded(value: float, exact: float) -> bool:
    digits = repr(value).rstrip("0").rstrip(".")
    decimals = len(digits.partition(".")[2]) if "e" not in digits else 0
    if abs(value - exact) <= 1e-9 * max(value, exact):
        return True
    if decimals or value < 1000:
        return abs(value - exact) <= 0.5000001 * 10.0**-decimals
    significant = len(digits.split("e")[0].replace(".", "").strip("0"))
    return significant > 1 and float(f"{exact:.{significant}g}") == value


def _lengths(value: Json) -> Iterator[int]:
    """How many items the lists and objects of a result have, if they are few enough to count."""
    if isinstance(value, dict | list):
        if len(value) <= _COUNTED:
            yield len(value)
        for each in value.values() if isinstance(value, dict) else value:
            yield from _lengths(each)


def _is_list_mark(text: str, numeral: Numeral) -> bool:
    """Whether a number only counts the lines of a list: `2.` at the start of one."""
    start = text.rfind("\n", 0, numeral.start) + 1
    alone = not text[start : numeral.start].strip(" *#-")
    return alone and text[numeral.end : numeral.end + 1] in (".", ")", ":")
