"""The numbers that a text means without writing them: of people, decades, bounds, comparisons."""

import re
from collections.abc import Iterator, Sequence

from apigen_ray.stages.grounding.number_words import PLAIN

_RANGE = re.compile(r"(?<![\d.-])(\d{1,6})\s?(?:-|to|through|until|and)\s?(\d{1,6})(?![\d.-])")
_BOUND = re.compile(
    r"\b(less|fewer|under|below|more|over|above|greater|at most|up to)\b(?: than)? (\d+|[a-z]+)\b",
    re.IGNORECASE,
)
_NUMBER = r"(\d+(?:\.\d+)?|" + "|".join(PLAIN) + ")"
_PEOPLE = re.compile(
    rf"\b{_NUMBER} (?:\w+ )?(?:of (?:us|my)|(?:adult|kid|child(?:ren)?|infant|friend|guest|people|"
    r"person|sister|brother|son|daughter|cousin|colleague|coworker|passenger|senior|student)s?)\b"
)
_ME = re.compile(r"\b(?:me and|myself and|and (?:i|me|myself)\b|with (?:my|a|an|\d)|plus me|we)")
_ME_AND_ONE = re.compile(
    r"\b(?:(?:me|myself|i) and (?:my |a |one |another )|(?:my|a) \w+ and (?:i|me|myself)\b)"
)
_DECADE = re.compile(r"(?<![\d$])(?:(1[5-9]|20)?([1-9]0)\'?s\b|([1-9]0)年代)")
_DECADES = ("twenties", "thirties", "forties", "fifties", "sixties", "seventies", "eighties")
_NINETIES = (*_DECADES, "nineties")
_CENTURY = re.compile(r"\b(\d{1,2})(?:st|nd|rd|th) century\b")
_ORDINAL_CENTURY = re.compile(r"\b([a-z]+)[ -]?([a-z]*) century\b")
_COMPARED = re.compile(
    rf"\b{_NUMBER} (?:\w+ )?(?:older|younger|taller|shorter|longer|more|fewer|less|higher|"
    r"lower|heavier|lighter|later|earlier|faster|slower) than\b"
)
_TIMES = {"twice": 2.0, "double": 2.0, "triple": 3.0, "thrice": 3.0, "half": 0.5}
_MULTIPLE = re.compile(r"\b(" + "|".join(_TIMES) + r") (?:as|of|the|that|this|its|his|her|their)\b")
_SPAN = re.compile(r"\bfrom [$€£]?(\d+(?:\.\d+)?)%? to [$€£]?(\d+(?:\.\d+)?)")
_LISTED = re.compile(
    rf"\b{_NUMBER} [a-z]+(?: (?!and )[a-z]+)?"
    rf"(?:(?:, and |, | and ){_NUMBER} [a-z]+(?: (?!and )[a-z]+)?)+"
)
_PACKED = re.compile(rf"\b{_NUMBER} [a-z]+ of {_NUMBER}\b")
_CHANCE = re.compile(rf"\b{_NUMBER} (?:in|out of|of(?: every)?) {_NUMBER}\b")
_ROMAN = re.compile(r"(?<![\w.])(?=[IVX]{2,5}\b)(X{0,3})(IX|IV|V?I{0,3})\b")
_ONES = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}
_MOST_PARTS = 6


def implied(text: str, folded: str, stated: Sequence[float]) -> Iterator[float]:
    """What follows from a unified text, the same folded, and the numbers it states."""
    yield from _between(text)
    yield from _bounds(text)
    yield from _people(folded)
    yield from _totals(folded)
    yield from _ages_and_decades(folded)
    yield from _centuries(folded)
    yield from _compared(folded, stated)
    yield from _chances(folded)
    yield from _years(stated)
    for tens, ones in _ROMAN.findall(text):
        yield 10.0 * len(tens) + _ONES[ones]


def _number(word: str) -> float | None:
    return float(word) if word[:1].isdigit() else PLAIN.get(word.lower())


def _between(text: str) -> Iterator[float]:
    """The numbers between two others: `verses 35 to 39`."""
    for first, last in _RANGE.findall(text):
        if int(first) < int(last) < int(first) + 100:
            yield from (float(each) for each in range(int(first) + 1, int(last)))


def _bounds(text: str) -> Iterator[float]:
    """The last numbers below and above a bound: `fewer than 5`."""
    for match in _BOUND.finditer(text):
        if bound := _number(match[2]):
            yield from (bound - 1, bound + 1)


def _people(folded: str) -> Iterator[float]:
    """How many people there are with the one who speaks: `my wife and I`, `me and 3 friends`."""
    if _ME_AND_ONE.search(folded):
        yield 2.0
    if _ME.search(folded):
        found = [_number(match[1]) for match in _PEOPLE.finditer(folded)][:_MOST_PARTS]
        yield 1 + sum(number for number in found if number)


def _totals(folded: str) -> Iterator[float]:
    """`3 red and 4 blue balls`, `2 packs of 6`, and how far it is `from 20 to 50`."""
    for match in _LISTED.finditer(folded):
        found = (_number(word) for word in re.findall(rf"\b{_NUMBER}\b", match[0]))
        yield sum(number for number in found if number)
    for packs, size in _PACKED.findall(folded):
        yield (_number(packs) or 0) * (_number(size) or 0)
    for start, end in _SPAN.findall(folded):
        yield abs(float(end) - float(start))


def _years(stated: Sequence[float]) -> Iterator[float]:
    """Years as many before or after another as is said, and how many lie between two."""
    years = [each for each in stated if 1900 <= each <= 2100][:_MOST_PARTS]
    yield from (y + d * n for y in years for n in stated if 0 < n < 100 for d in (1, -1))
    yield from (abs(one - other) for one in years for other in years if one != other)


def _ages_and_decades(folded: str) -> Iterator[float]:
    for century, decade, chinese in _DECADE.findall(folded):
        start = int(decade or chinese)
        if not century and not chinese:
            yield from (float(each) for each in range(start, start + 10))  # `in his 30s`
        yield from (float(100 * int(century or 19) + start + each) for each in range(10))
    for index, name in enumerate(_NINETIES, start=2):
        if name in folded:
            yield from (float(1900 + 10 * index + each) for each in range(10))


def _centuries(folded: str) -> Iterator[float]:
    """The years at the ends of a century."""
    if "century" not in folded:
        return
    numbers = [float(each) for each in _CENTURY.findall(folded)]
    for tens, ones in _ORDINAL_CENTURY.findall(folded):
        numbers.append(float(PLAIN.get(tens, 0) + PLAIN.get(ones, 0)))
    for each in numbers:
        if each:
            yield from (100 * each - 100, 100 * each - 99, 100 * each - 1, 100 * each)


def _chances(folded: str) -> Iterator[float]:
    """`1 in 6`, `three out of four`, as they may be rounded."""
    for part, whole in _CHANCE.findall(folded):
        above, below = _number(part), _number(whole)
        if above and below and above < below:
            yield from (round(above / below, digits) for digits in (2, 3, 4, 16))


def _compared(folded: str, stated: Sequence[float]) -> Iterator[float]:
    """What is so much more or less than another number, or a multiple of it."""
    for match in _COMPARED.finditer(folded):
        if more := _number(match[1]):
            yield from (each + sign * more for each in stated for sign in (1, -1))
    for word in _MULTIPLE.findall(folded):
        yield from (each * _TIMES[word] for each in stated)
