"""The numbers of a text: numerals of several locales, words, magnitudes, units."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from apigen_ray.stages.grounding.implied import implied as implied_numbers
from apigen_ray.stages.grounding.number_words import (
    COMMON_KNOWLEDGE,
    FIRST_WORDS,
    LOOSE,
    MAGNITUDES,
    fractions,
    spelled,
)
from apigen_ray.stages.grounding.text import vocabulary, words_of
from apigen_ray.stages.grounding.units import factors, round_size, temperatures, unit

_SHORT_MAGNITUDES = {
    "k": 1e3, "m": 1e6, "mn": 1e6, "mm": 1e6, "mil": 1e6, "mio": 1e6, "b": 1e9, "bn": 1e9,
    "t": 1e12, "tn": 1e12, "l": 1e5, "cr": 1e7, "g": 1e3,
}  # fmt: skip
_CJK_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2}
_CJK_SIZES = {"十": 10, "百": 100, "千": 1000}
_CJK_NUMBER = re.compile("[零一二三四五六七八九两十百千]+")
_MIXED = re.compile(r"(?<![\w./])(\d{1,3})[ -](\d)/(\d{1,2})(?![\w/])")
_CLOCKED = re.compile(r"(?<![\w.])(\d+)\s?h(?:ours?|rs?)?\s?(\d{1,2})\s?(?:m(?:in(?:ute)?s?)?)?\b")
_FEET = re.compile(
    r"(?<![\w.])(\d)\s?(?:'|ft\b|feet\b|foot\b)\s?(\d{1,2})\b(?!['.\d]|\s?[a-z])(?:\"|'')?"
)
_NUMERAL = re.compile(
    r"(?=[-+$€£¥₹\s]{0,4}[.\d])"  # all that can stand before the digits: most places are none
    r"(?P<sign>(?:(?<![\w)\].])|(?<=[xX=]))[-+]\s?)?(?P<money>[$€£¥₹])?\s?"
    r"(?P<body>(?<![A-Za-z])\d{1,3}(?:[ ]\d{3})+(?![\d])|\d+(?:[.,']\d+)*|\.\d+)"
    r"(?P<power>\s*[xX*]\s*10\s*(?:\^|\*\*)?\s*\(?(?P<exponent>-?\d+)\)?|[eE](?P<e>[-+]?\d+)"
    r"|\s*(?:\^|\*\*)\s*\(?(?P<raised>-?\d+)\)?)?"
    r"(?P<ordinal>st|nd|rd|th|s)?(?![a-z])?"
    r"(?:[\s-]{0,2}(?P<unit>%|公里|千米|公斤|千克|个月|小时|分钟|[年月周天秒米克]|"
    r"[°\"']?[A-Za-zµΩ°万亿千百만]+(?:\^[23])?"
    r"(?:/[A-Za-z]+)?(?P<square>\^[23]|[23²³])?)?)?"
)
_LINKS = frozenset(vocabulary("a an and half of the"))
_ONE = frozenset(vocabulary("a an half quarter one next last past per this upcoming coming"))
_SHORT_YEAR = re.compile(r"(?<![\w'])'(\d{2})(?!\w)")
_CUBIC = re.compile(r"\b(cubic|square)\s+(centi|milli|kilo)?(m)et(?:er|re)s?\b", re.IGNORECASE)
_ORDINAL = re.compile(r"^(\d+)(?:st|nd|rd|th)$")
_WHOLE = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+|\d{1,3}(?:,\d{2,3})+(?:\.\d+)?)")
_GROUPED = re.compile(r"\d{1,3}(?:([,.' ])\d{2,3})(?:\1\d{2,3})*\1?")


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number and the unit beside it, with where it ends in the text."""

    value: float
    dimension: str
    size: float
    start: int
    end: int


@dataclass(frozen=True)
class Numbers:
    """What the numbers of a text can mean."""

    stated: frozenset[float]
    """Written in numerals or words."""
    meant: frozenset[float]
    """Meant by single words such as `a`, `both` or `deck`."""
    quantities: tuple[Quantity, ...]
    """Those with a unit, which can be converted."""
    text: str
    folded: str

    @cached_property
    def implied(self) -> frozenset[float]:
        """Meant, or following from what is stated: weaker evidence. Read when first needed."""
        return self.meant.union(implied_numbers(self.text, self.folded, tuple(self.stated)))

    def states(self, value: float) -> bool:
        """Whether the value is written, in this unit or sign or another."""
        if value in self.stated or -value in self.stated:
            return True
        if any(_close(value, each) for each in self.stated) or self._converts_to(value):
            return True
        # `two thirds` may be written as 0.67.
        return value != int(value) and any(
            each != int(each) and _equal_to_its_digits(value, each) for each in self.stated
        )

    def implies(self, value: float) -> bool:
        """Whether the value follows from a word that isn't a number."""
        return value in self.implied

    def _converts_to(self, value: float) -> bool:
        return any(_equal_to_its_digits(value, each) for each in conversions(self.quantities))


def _close(value: float, other: float) -> bool:
    return abs(abs(value) - abs(other)) <= 1e-9 * max(abs(value), abs(other))


def _equal_to_its_digits(value: float, exact: float) -> bool:
    """Whether `value` is `exact`, rounded as it was written."""
    gap = abs(abs(value) - abs(exact))
    if gap <= 1e-6 * abs(exact):
        return True
    if gap > 0.01 * abs(exact):
        return False
    text = repr(value)
    decimals = 0 if value == int(value) else len(text.partition(".")[2])
    return "e" not in text and gap <= 0.501 * 10.0**-decimals


def conversions(quantities: Sequence[Quantity]) -> Iterator[float]:
    """The quantities in every unit of their dimensions, and sums like `5 feet 10 inches`."""
    for index, each in enumerate(quantities):
        base = each.value * each.size
        yield from (base / size for size in factors(each.dimension))
        if each.dimension == "second" and (plain := round_size(each.size)):
            yield from (each.value * plain / size for size in factors("second"))
        if each.dimension == "byte":
            yield from (each.value * 1024.0**power for power in (-2, -1, 1, 2, 3))
        if each.dimension in ("kelvin", "farad", "coulomb"):  # `98.6 F` may be a temperature
            yield from temperatures(each.value)
        follower = quantities[index + 1] if index + 1 < len(quantities) else None
        if follower and follower.dimension == each.dimension and follower.start - each.end < 6:
            total = base + follower.value * follower.size
            yield from (total / size for size in factors(each.dimension))


def readings(body: str) -> list[float]:
    """What a numeral can mean: `1,234` is 1234 in one locale, 1.234 in another."""
    try:
        return [float(body)] if "." not in body else [float(body), *_grouped(body)]
    except ValueError:
        pass
    found = _grouped(body)
    parts = re.split(r"[, ']", body)
    if len(parts) == 2 and "," in body and body.count(".") == 0:
        found.append(float(body.replace(",", ".")))
    for part in parts:
        pieces = part.split(".")
        found += [float(part)] if part and len(pieces) < 3 else [float(p) for p in pieces if p]
    return found


def _grouped(body: str) -> list[float]:
    """The value of a numeral with thousands separators, if that's what they are."""
    separator = next((c for c in body if not c.isdigit()), "")
    head, mark, tail = body, "", ""
    others = {c for c in body if not c.isdigit()} - {separator}
    if len(others) == 1:
        mark = others.pop()
        head, _, tail = body.rpartition(mark)
    if not separator or (mark and mark in head) or not _GROUPED.fullmatch(head):
        return []
    if len(head.rpartition(separator)[2]) != 3:
        return []
    return [float(head.replace(separator, "") + ("." + tail if tail else ""))]


def _values(match: re.Match[str]) -> list[float]:
    body, sign = match["body"], -1.0 if (match["sign"] or "").startswith("-") else 1.0
    values = [sign * value for value in readings(body)]
    exponent = match["exponent"] or match["e"]
    if exponent is not None and abs(int(exponent)) < 300:
        return [value * 10.0 ** int(exponent) for value in values] + values
    if match["raised"] and abs(int(match["raised"])) < 64 and abs(values[0]) < 1e4 and values[0]:
        return [*values, values[0] ** int(match["raised"]), float(match["raised"])]
    return values


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number in digits, with where it stands and all that it can mean."""

    start: int
    end: int
    values: tuple[float, ...]
    quantities: tuple[Quantity, ...]


@lru_cache(maxsize=64)
def numerals(text: str) -> tuple[Numeral, ...]:
    """The numerals of a unified text, which is looked at more than once."""
    return tuple(_numerals(text))


def _numerals(text: str) -> Iterator[Numeral]:
    for match in _NUMERAL.finditer(text):
        values = _values(match)
        place = (match.start(), match.end())
        quantities: list[Quantity] = []
        if match["money"]:
            quantities.append(Quantity(values[0], "money", 1.0, *place))
        name = match["unit"] or ""
        lower = name.casefold()
        magnitude = MAGNITUDES.get(lower) or _SHORT_MAGNITUDES.get(lower)
        known = unit(name) or unit(name.partition("/")[0]) if name else None
        if known:
            quantities += [Quantity(value, *known, *place) for value in values[:2]]
        if magnitude:
            values += [value * magnitude for value in values]
        end = match.end() if known or magnitude else match.end("body")
        yield Numeral(match.start("body"), end, tuple(values), tuple(quantities))


def _read_numerals(text: str, stated: set[float], quantities: list[Quantity]) -> None:
    for numeral in numerals(text):
        stated.update(numeral.values)
        stated.update(abs(value) for value in numeral.values)
        quantities += numeral.quantities


def _read_words(
    words: Sequence[str], stated: set[float], implied: set[float], quantities: list[Quantity]
) -> None:
    index = 0
    while index < len(words):
        word = words[index]
        if word in LOOSE:
            implied.add(float(LOOSE[word]))
        if word in COMMON_KNOWLEDGE:
            implied.update(COMMON_KNOWLEDGE[word])
        if word not in FIRST_WORDS:
            index += 1
            continue
        value, end = spelled(words, index)
        stated.add(value)
        if 10 <= value <= 20 and 10 <= (rest := spelled(words, end)[0]) < 100:
            stated.add(100 * value + rest)  # `nineteen eighty-four`
        _read_unit(value, words[end : end + 4], stated, quantities)
        index = end


def _read_unit(
    value: float, after: Sequence[str], stated: set[float], quantities: list[Quantity]
) -> None:
    """The fraction and the unit behind a number in words: `one and a half hours`."""
    parts = list(fractions(value, after))
    stated.update(parts)
    for amount, name in ((value, after[:1]), *((part, after[1:]) for part in parts)):
        words = [word for word in name if word not in _LINKS]
        known = unit(words[0]) if words and len(words[0]) > 2 else None
        if known:
            quantities.append(Quantity(amount, *known, -1, -1))


def _read_cjk(text: str, stated: set[float], quantities: list[Quantity]) -> None:
    """`三十年`: thirty years."""
    for match in _CJK_NUMBER.finditer(text):
        total, digit = 0, None
        for c in match[0]:
            if c in _CJK_SIZES:
                total += (1 if digit is None else digit) * _CJK_SIZES[c]
                digit = None
            else:
                digit = _CJK_DIGITS[c]
                stated.add(float(digit))
        stated.add(float(total + (digit or 0)))
        units = (unit(text[match.end() : match.end() + length]) for length in (1, 2))
        value = float(total + (digit or 0))
        quantities += [Quantity(value, *known, *match.span()) for known in units if known]


def _read_slashes(text: str, stated: set[float]) -> None:
    for above, below in re.findall(r"(?<![\d/])(\d{1,4})\s?/\s?(\d{1,4})(?![\d/])", text):
        if float(below):
            stated.add(float(above) / float(below))


def read_numbers(text: str, folded: str, words: Sequence[str]) -> Numbers:
    """Find the numbers of a unified text, which is `folded` and has `words`."""
    stated: set[float] = set()
    meant: set[float] = set()
    quantities: list[Quantity] = []
    text = _CUBIC.sub(_power, text)
    text = _MIXED.sub(_mixed, text)
    text = _CLOCKED.sub(r"\1 hours \2 minutes", text)
    text = _FEET.sub(r"\1 feet \2 inches", text)
    _read_numerals(text, stated, quantities)
    if "/" in text:
        _read_slashes(text, stated)
    _read_words(words, stated, meant, quantities)
    if not text.isascii():
        _read_cjk(text, stated, quantities)
    _add_halves(words, meant, quantities)
    stated.update(
        float(f"{century}{year}") for year in _SHORT_YEAR.findall(text) for century in (19, 20)
    )
    return Numbers(frozenset(stated), frozenset(meant), tuple(quantities), text, folded)


def _mixed(match: re.Match[str]) -> str:
    """`3 1/2` as `3.5`."""
    whole, above, below = (int(each) for each in match.groups())
    return f"{whole + above / below:.10g}" if 0 < above < below else match[0]


def _power(match: re.Match[str]) -> str:
    """`cubic centimeters` as `cm^3`."""
    return f"{(match[2] or '')[:1].lower()}m^{3 if match[1].lower() == 'cubic' else 2}"


def _add_halves(words: Sequence[str], meant: set[float], found: list[Quantity]) -> None:
    """`half an hour`, `a quarter mile`, `an hour`, `a month`: quantities without a number."""
    for index, word in enumerate(words):
        share = 0.25 if word == "quarter" else 0.5 if word == "half" else 1.0
        if word in _ONE:
            rest = words[index + 1 : index + 4]
            while share < 1 and rest and rest[0] in _LINKS:
                rest = rest[1:]
            known = unit(rest[0]) if rest and len(rest[0]) > 2 else None
            if known:
                extra = 0.5 if words[index + 2 : index + 5] == ["and", "a", "half"] else 0.0
                found.append(Quantity(share + extra, *known, -1, -1))
    if "half" in words:
        meant.update(0.5 * size for size in (1e6, 12.0, 60.0) if "million" in words or size < 100)


def number_in(text: str) -> float | None:
    """The number a whole text is, such as `1,000` or `$5`; None if it is more than that."""
    stripped = _ORDINAL.sub(r"\1", text.strip().strip("$€£¥₹%").strip())
    if not stripped or not any(c.isdigit() for c in stripped):
        return None
    found = words_of(stripped)
    if not all(word.isdigit() for word in found) or not _WHOLE.fullmatch(stripped):
        return None
    sign = -1.0 if stripped.startswith("-") else 1.0
    values = readings(stripped.lstrip("+-").strip(".,"))
    return sign * values[0] if values else None
