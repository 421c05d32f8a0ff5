"""Whether one value stands in, or follows from, a query."""

import re
from collections.abc import Collection, Sequence
from enum import IntEnum

from apigen_ray.stages.grounding.composed import (
    colours,
    is_phone,
    lasts,
    numbers_of_formula,
    numbers_of_range,
    without_markup,
    words_of_address,
)
from apigen_ray.stages.grounding.dates import (
    Day,
    day_of_timestamp,
    follows,
    read_moments,
    said_outright,
)
from apigen_ray.stages.grounding.literals import Literal, glosses
from apigen_ray.stages.grounding.names import initials, means
from apigen_ray.stages.grounding.number_words import PLAIN
from apigen_ray.stages.grounding.numbers import number_in
from apigen_ray.stages.grounding.reading import Reading, stands_alone
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    latin_share,
    nearly_equal,
    pieces_of,
    split_identifier,
    stem,
    words_of,
)
from apigen_ray.stages.grounding.units import unit

_DATE = re.compile(
    r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-\d{2}|\d{1,2}-\d{1,2}|\d{8})"
    r"(?:[t ].*)?|\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\.?)?|\d{1,2}\s?[ap]\.?m\.?"
)
_NEARLY_DATE = re.compile(
    r".*\b(?:(?:19|20)\d{2}|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)\b.*"
    r"|(?:\d{4}年)?\d{1,2}月\d{1,2}[日号].*"
)
_SHORT = re.compile(r"^(\d{1,2})-(\d{1,2})$")
_DAY_EDGES = {(0, 0), (12, 0), (23, 59), (24, 0)}
COMMON = 12.0
"""Numbers up to here are in so many queries that they say little."""
_LETTERS_THAT_ARE_WORDS = ("a", "i")


class Support(IntEnum):
    """How well a query accounts for a value."""

    NONE = 0
    WEAK = 1
    """By something that many queries have: a small number, a word such as `a` or `tomorrow`."""
    STRONG = 2


def support(literal: Literal, reading: Reading) -> Support:
    """How well the query accounts for a literal."""
    try:
        if isinstance(literal.value, str):
            return _of_text(literal, literal.value, reading)
        return _of_number(float(literal.value), reading)
    except (OverflowError, ValueError):  # an integer beyond all floats, an infinity, or NaN
        return Support.STRONG if str(literal.value) in reading.query else Support.NONE


def supports_gloss(value: str, about: str, reading: Reading) -> Support:
    """How well the query accounts for what a description says that a value stands for."""
    said = (
        [word for word in words_of(fold(gloss)) if word.isalpha() and word not in PLAIN]
        for gloss in glosses(value, about)
    )
    return max((_share(words, reading) for words in said), default=Support.NONE)


def hinted(choice: Literal, reading: Reading) -> bool:
    """Whether a query speaks of a choice: a word of the value, or of what is answered by yes."""
    if not isinstance(choice.value, bool):
        found = support(choice, reading)
        if found is Support.STRONG or (found and len(str(choice.value)) > 1):
            return True
    if any(_word_stands(word, reading) for word in _words_of_choice(choice)):
        return True
    quantities = {(each.dimension, each.size) for each in reading.numbers.quantities}
    if not isinstance(choice.value, str) or len(choice.value) < 2:
        return False
    return unit(choice.value) in quantities


def times_named(choice: Literal, reading: Reading) -> int:
    """How often a query has all words of a choice, as they are."""
    return min((reading.words.count(word) for word in _words_of_choice(choice)), default=0)


def is_named(choice: Literal, reading: Reading) -> bool:
    """Whether a query has all words of a choice, perhaps in the plural."""
    words = _words_of_choice(choice)
    return bool(words) and all(stem(word) in reading.stems for word in words)


def _words_of_choice(choice: Literal) -> list[str]:
    text = choice.name if isinstance(choice.value, bool) else str(choice.value)
    words = words_of(fold(split_identifier(text)))
    return [word for word in words if len(word) > 2 and word not in STOP_WORDS]


def _of_number(value: float, reading: Reading) -> Support:
    numbers = reading.numbers
    if numbers.states(value):
        rare = abs(value) > COMMON or value != int(value) or f" {value:.1f} " in reading.padded
        return Support.STRONG if rare else Support.WEAK
    if value == 0 or numbers.implies(value) or value in reading.parts_of_moments:
        return Support.WEAK
    digits = str(int(value)) if value == int(value) else ""
    if len(digits) > 4 and digits in reading.squeezed:
        return Support.STRONG
    day = day_of_timestamp(value)
    known = day and (reading.anchors or not reading.moments.relative)
    return _of_days((day,), reading) if day and known else Support.NONE


def _of_text(literal: Literal, value: str, reading: Reading) -> Support:
    folded = fold(value).strip()
    number = number_in(folded)
    if number is not None and (found := _of_number(number, reading)):
        return found
    if reading.has(folded):
        return Support.STRONG
    if found := _of_composed(value, folded, reading):
        return found
    if _DATE.fullmatch(folded):
        return _of_moment(folded, reading)
    if _NEARLY_DATE.fullmatch(folded) and (found := _of_moment(folded, reading)):
        return found
    if reading.foreign and latin_share(value) > 0.9 and not any(c.isdigit() for c in value):
        return Support(not _contradicts(means(folded), reading.meanings))
    if "lang" in literal.name.casefold() and "language en" in means(folded):
        return Support.WEAK
    return _of_words(literal, value, folded, reading)


def _contradicts(meant: Collection[str], said: Collection[str]) -> bool:
    """Whether a value is a language or currency, and the query speaks of others only."""
    return not set(meant) & set(said) and any(
        any(each.startswith(kind) for each in meant) and any(each.startswith(kind) for each in said)
        for kind in ("language", "currency")
    )


def _of_composed(value: str, folded: str, reading: Reading) -> Support:
    """How well the parts account for a length of time, a range, a number to dial, or markup."""
    if lasts(folded, reading.numbers.quantities):
        return Support.WEAK if ":" in folded else Support.STRONG
    numbers = numbers_of_range(folded, reading.text)
    if numbers and all(_of_number(each, reading) for each in numbers):
        return max(_of_number(each, reading) for each in numbers)
    if is_phone(value, reading.squeezed):
        return Support.STRONG
    bare = without_markup(value)
    return Support.STRONG if bare and reading.has(fold(bare)) else Support.NONE


def _of_moment(folded: str, reading: Reading) -> Support:
    said = reading.moments
    value = read_moments(_SHORT.sub(r"\1/\2", folded), spoken=False)
    times = value.times - _DAY_EDGES
    timely = (
        not times
        or bool(times & said.times)
        or (said.relative and not said.times)
        or _counted_from(times, reading)
    )
    if value.days:
        return _of_days(value.days, reading) if timely else Support.NONE
    if value.times:
        if value.times & (said.times - said.vague):
            return Support.STRONG
        follows_from = value.times & said.vague or _counted_from(times, reading)
        return Support.WEAK if follows_from else Support.NONE
    return Support.STRONG if value.years and value.years <= said.years else Support.NONE


def _of_days(days: Collection[Day], reading: Reading) -> Support:
    said = reading.moments
    if any(said_outright(day, said) for day in days):
        return Support.STRONG
    if not said.days and any(f" {_ordinal(day.day)} " in reading.padded for day in days):
        return Support.WEAK  # `on the 15th`
    stated = reading.numbers.stated
    return Support(any(follows(day, said, reading.anchors, stated) for day in days))


def _ordinal(number: int | None) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get((number or 0) % 10, "th")
    return f"{number}{'th' if number in (11, 12, 13) else ending}"


def _counted_from(times: Collection[tuple[int, int]], reading: Reading) -> bool:
    """Whether a time is as long before or after one that is said as the query gives: `for 2 h`."""
    lengths = {
        round(each.value * each.size / 60)
        for each in reading.numbers.quantities
        if each.dimension == "second" and each.value * each.size < 86400
    }
    said = [60 * hour + minute for hour, minute in reading.moments.times]
    gaps = {abs(60 * hour + minute - each) for hour, minute in times for each in said}
    return not gaps.isdisjoint(lengths - {0})


def _of_words(literal: Literal, value: str, folded: str, reading: Reading) -> Support:
    words = words_of(folded)
    if not words:
        return Support.WEAK
    if _is_another_code(value, words, reading):
        return Support.NONE
    if len(folded) == 1:
        return _of_letter(value.strip(), folded, reading)
    if _is_name(words, folded, reading):
        return Support.STRONG
    head, comma, rest = folded.partition(",")
    if comma and means(" ".join(words_of(rest))):
        # `Paris, France`: the country alone may be anywhere.
        return _of_words(literal, head, head, reading)
    if glossed := supports_gloss(value, literal.about, reading):
        return glossed
    if means(folded) & reading.hints or folded in reading.capitals:
        return Support.WEAK
    if not colours(folded).isdisjoint(reading.words):
        return Support.STRONG
    return _of_parts(value, words, reading)


def _of_parts(value: str, words: Sequence[str], reading: Reading) -> Support:
    """How well a query accounts for the words of an address, a formula, a name or a sentence."""
    if address := words_of_address(value):
        stands = [_word_stands(word, reading) for word in address]
        enough = all(stands) if "@" in value else 2 * sum(stands) >= len(stands)
        return Support.STRONG if enough else Support.NONE
    numbers = numbers_of_formula(value)
    if numbers and not all(_of_number(float(each), reading) for each in numbers):
        return Support.NONE
    if _is_pair_of_codes(value, reading):
        return Support.STRONG
    parts = words_of(fold(split_identifier(value)))
    found = max(_share(words, reading), _share(parts, reading))
    return found or Support(_is_named_after_a_place(words, reading))


def _is_pair_of_codes(value: str, reading: Reading) -> bool:
    """`EURUSD`, where the query has both."""
    if len(value) != 6 or not (value.isalpha() and value.isupper()):
        return False
    return all(means(code.lower()) & reading.meanings for code in (value[:3], value[3:]))


def _is_named_after_a_place(words: Sequence[str], reading: Reading) -> bool:
    """`Los Angeles Lakers`, where the query has only what stands behind the place."""
    return any(
        means(" ".join(words[:length])) and all(_word_stands(w, reading) for w in words[length:])
        for length in range(1, min(len(words), 4))
    )


def _of_letter(value: str, folded: str, reading: Reading) -> Support:
    if stands_alone(value, reading.query):
        return Support.WEAK if folded in _LETTERS_THAT_ARE_WORDS else Support.STRONG
    return Support(folded in reading.initials or bool(means(folded) & reading.meanings))


def _share(words: Sequence[str], reading: Reading) -> Support:
    """Strong if half of the words that carry meaning stand in the query."""
    content = [word for word in words if word not in STOP_WORDS]
    if not content:
        return Support.NONE
    found = [word for word in content if _word_stands(word, reading)]
    digits = [word for word in content if word.isdigit()]
    if 2 * len(found) < len(content) or 2 * len([w for w in found if w.isdigit()]) < len(digits):
        return Support.NONE
    if all(word.isdigit() for word in found) and not all(word.isdigit() for word in content):
        return Support.NONE
    return Support.STRONG


def _is_another_code(value: str, words: Sequence[str], reading: Reading) -> bool:
    """Whether the numbers of a code, version or address are not those of the query."""
    if any(c.isspace() for c in value) or not value[:1].isdigit():
        return False
    return not all(_word_stands(word, reading) for word in words if word.isdigit())


def _word_stands(word: str, reading: Reading) -> bool:
    if word in reading.stems or stem(word) in reading.stems:
        return True
    if word in PLAIN and PLAIN[word] in reading.numbers.stated:
        return True
    if word.isdigit():
        return float(word) in reading.numbers.stated or float(word) in reading.parts_of_moments
    if (means(word) | means(word.removesuffix("s"))) & reading.meanings:
        return True
    if not word.isalpha():
        pieces = pieces_of(word)
        return len(pieces) < 3 and all(_word_stands(piece, reading) for piece in pieces)
    return len(word) > 4 and any(
        len(each) > 4 and nearly_equal(word, each) for each in reading.words
    )


def _is_name(words: Sequence[str], folded: str, reading: Reading) -> bool:
    """Codes and abbreviations, either way around, and compounds."""
    if means(" ".join(words)) & reading.meanings:
        return True
    letters = initials([word for word in words if word not in STOP_WORDS])
    if len(letters) > 1 and letters in reading.words:
        return True
    if 2 < len(folded) < 7 and folded.isalpha() and folded in reading.initials:
        return True
    squeezed = "".join(words)
    if len(words) > 1:
        return len(squeezed) > 3 and squeezed in reading.words
    return len(squeezed) > 3 and any(
        len(each) > 3 and (each.startswith(squeezed) or squeezed.startswith(each))
        for each in reading.words
    )
