"""Texts that are made of what a query says: lengths of time, ranges, addresses, markup, colours."""

import re
from collections.abc import Collection, Iterator
from itertools import pairwise

from apigen_ray.stages.grounding.numbers import Quantity, numerals
from apigen_ray.stages.grounding.text import fold, split_identifier, vocabulary, words_of

_CLOCK = re.compile(r"(\d{1,3}):([0-5]\d)(?::([0-5]\d))?")
_ISO = re.compile(
    r"p(?:(\d+)y)?(?:(\d+)m)?(?:(\d+)w)?(?:(\d+)d)?(?:t(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?)?"
)
_ISO_SIZES = (31557600, 2629800, 604800, 86400, 3600, 60, 1)
_SHORT_UNITS = {"d": " day", "m": " min", "s": " sec"}
_RANGE = re.compile(
    r"[<>≤≥=$€£¥~]*\s?\d[\d.,]*\s?%?(?:\s?(?:-|to|\.\.)\s?[$€£¥]?\d[\d.,]*\s?%?|\s?\+)"
)
_OPEN = re.compile(
    r"\b(?:under|below|less|fewer|up to|at most|within|over|above|more|least|older)\b"
)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_HEX = re.compile(r"#[0-9a-f]{6}")
_EMAIL = re.compile(r"([\w.+-]+)@([\w-]+(?:\.[\w-]+)+)")
_URL = re.compile(
    r"(?:https?://)?(?:www\.)?[\w-]+(?:\.[\w-]+)*\.[a-z]{2,6}(?:/\S*)?", re.IGNORECASE
)
_FILE = re.compile(r"[^\s/]+\.[a-z]\w{1,3}")
_OF_EVERY_ADDRESS = frozenset(vocabulary("http https www com org net io html example"))
_FORMULA = re.compile(r"[\w.()\s*/^+=,-]*(?:\*\*|\^|[\w)]\s?[*+=]\s?[\w(])[\w.()\s*/^+=,-]*")
_PHONE = re.compile(r"\+?[\d\s().-]{8,}")
_TOLERANCE = 1e-6


def lengths_of_time(folded: str) -> Iterator[float]:
    """The seconds that a whole text is: `00:30`, `PT2H`, `1h30m`, `14 days`."""
    if clock := _CLOCK.fullmatch(folded):
        first, second = int(clock[1]), int(clock[2])
        if clock[3]:
            yield 3600.0 * first + 60 * second + int(clock[3])
        else:
            yield from (3600.0 * first + 60 * second, 60.0 * first + second)
    elif len(folded) > 2 and (iso := _ISO.fullmatch(folded)):
        parts = zip(iso.groups(), _ISO_SIZES, strict=True)
        yield float(sum(int(number) * size for number, size in parts if number))
    elif folded[:1].isdigit() and len(folded) < 40:
        spaced = re.sub(r"(?<=[a-z])(?=\d)", " ", folded)  # `1h 30m`
        spaced = re.sub(r"(?<=\d)[dms]\b", lambda unit: _SHORT_UNITS[unit[0]], spaced)
        found = [each for numeral in numerals(spaced) for each in numeral.quantities]
        if len(found) == len(re.findall(r"\d+(?:\.\d+)?", folded)):
            times = [each.value * each.size for each in found if each.dimension == "second"]
            if len(times) == len(found):
                yield sum(times)


def seconds_said(quantities: Collection[Quantity]) -> Iterator[float]:
    """The lengths of time of a query, alone and with the next: `1 hour 30 minutes`."""
    times = [each for each in quantities if each.dimension == "second"]
    yield from (each.value * each.size for each in times)
    for each, following in pairwise(times):
        yield each.value * each.size + following.value * following.size


def lasts(folded: str, quantities: Collection[Quantity]) -> bool:
    """Whether a text is a length of time that is among those of a query."""
    said = list(seconds_said(quantities))
    return any(
        abs(each - other) <= _TOLERANCE * each
        for each in lengths_of_time(folded)
        if each
        for other in said
    )


def numbers_of_range(folded: str, query: str) -> list[float] | None:
    """The numbers that a range is made of: `10-20`, `18+`; None if a text is none.

    An end that only closes it, as in `0-50` for `under 50`, is not among them.
    """
    if not _RANGE.fullmatch(folded):
        return None
    found = [numeral.values[0] for numeral in numerals(folded.replace("-", " to "))]
    return [each for each in found if each or not _OPEN.search(query)]


def without_markup(value: str) -> str | None:
    """The words between the tags of HTML; None if there is none."""
    bare = _TAG.sub(" ", value)
    return " ".join(bare.split()) if bare != value else None


def colours(folded: str) -> frozenset[str]:
    """The names of a colour in hexadecimal."""
    if not _HEX.fullmatch(folded):
        return frozenset()
    from matplotlib.colors import CSS4_COLORS  # noqa: PLC0415  # takes 0.2 s

    return frozenset(name for name, code in CSS4_COLORS.items() if str(code).lower() == folded)


def words_of_address(value: str) -> list[str] | None:
    """The words of an address, a link or a file's name that say something; None if it is none.

    Of an e-mail address, this is the part before the `@`.
    """
    if email := _EMAIL.fullmatch(value):
        return words_of(fold(email[1]))
    if _URL.fullmatch(value) and ("/" in value or not _FILE.fullmatch(value)):
        words = [word for word in words_of(fold(value)) if word not in _OF_EVERY_ADDRESS]
        return words or None
    if _FILE.fullmatch(value):
        return words_of(fold(split_identifier(value.rpartition(".")[0]))) or None
    return None


def numbers_of_formula(value: str) -> list[str] | None:
    """The numerals of a formula; None if a text is none."""
    if not _FORMULA.fullmatch(value) or not any(c.isdigit() for c in value):
        return None
    return re.findall(r"(?<![\w.])\d+(?:\.\d+)?", value)


def is_phone(value: str, digits_said: str) -> bool:
    """Whether a text is a telephone number that is said, perhaps without its country's code."""
    if not _PHONE.fullmatch(value):
        return False
    digits = re.sub(r"\D", "", value)
    most = 4 if value.startswith("+") else 1
    return any(len(digits) - cut > 6 and digits[cut:] in digits_said for cut in range(most))
