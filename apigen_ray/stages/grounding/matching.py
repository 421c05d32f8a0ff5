"""Whether one value stands in, or follows from, a query."""

import re
from collections.abc import Collection, Sequence
from enum import IntEnum

from apigen_ray.stages.grounding.dates import follows, read_moments, said_outright
from apigen_ray.stages.grounding.literals import Literal
from apigen_ray.stages.grounding.names import initials, means
from apigen_ray.stages.grounding.numbers import number_in
from apigen_ray.stages.grounding.reading import Reading
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    is_cjk,
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
)
_SHORT = re.compile(r"^(\d{1,2})-(\d{1,2})$")
_DAY_EDGES = {(0, 0), (12, 0), (23, 59), (24, 0)}
_COMMON = 12.0
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
        rare = abs(value) > _COMMON or value != int(value) or f" {value:.1f} " in reading.padded
        return Support.STRONG if rare else Support.WEAK
    if value == 0 or numbers.implies(value) or value in reading.parts_of_moments:
        return Support.WEAK
    digits = str(int(value)) if value == int(value) else ""
    if len(digits) > 4 and digits in reading.squeezed:
        return Support.STRONG
    return Support.NONE


def _of_text(literal: Literal, value: str, reading: Reading) -> Support:
    folded = fold(value).strip()
    number = number_in(folded)
    if number is not None and (found := _of_number(number, reading)):
        return found
    if _stands_in(folded, reading):
        return Support.STRONG
    if _DATE.fullmatch(folded):
        return _of_moment(folded, reading)
    if _NEARLY_DATE.fullmatch(folded) and (found := _of_moment(folded, reading)):
        return found
    if reading.foreign and latin_share(value) > 0.9 and not any(c.isdigit() for c in value):
        return Support.WEAK
    if "lang" in literal.name.casefold() and "language en" in means(folded):
        return Support.WEAK
    return _of_words(value, folded, reading)


def _stands_in(folded: str, reading: Reading) -> bool:
    """Whether the text itself is in the query, white space and punctuation aside."""
    if is_cjk(folded):
        return folded in reading.text
    if len(folded) > 5 and folded in reading.text:
        return True
    if len(folded) > 1 and _stands_alone(folded, reading.text):
        return True
    squeezed = re.sub(r"[\W_]+", "", folded)
    return len(squeezed) > 5 and squeezed in reading.squeezed


def _stands_alone(text: str, whole: str) -> bool:
    """Whether a text is in another one other than as a part of a longer word or number."""
    start = whole.find(text)
    while start >= 0:
        end = start + len(text)
        if not (whole[start - 1 : start].isalnum() or whole[end : end + 1].isalnum()):
            return True
        start = whole.find(text, start + 1)
    return False


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
        if timely and any(said_outright(day, said) for day in value.days):
            return Support.STRONG
        stated = reading.numbers.stated
        if timely and any(follows(d, said, reading.anchors, stated) for d in value.days):
            return Support.WEAK
        return Support.NONE
    if value.times:
        if value.times & (said.times - said.vague):
            return Support.STRONG
        follows_from = value.times & said.vague or _counted_from(times, reading)
        return Support.WEAK if follows_from else Support.NONE
    return Support.STRONG if value.years and value.years <= said.years else Support.NONE


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


def _of_words(value: str, folded: str, reading: Reading) -> Support:
    words = words_of(folded)
    if not words:
        return Support.WEAK
    if _is_another_code(value, words, reading):
        return Support.NONE
    if _is_name(words, folded, reading):
        return Support.STRONG
    if len(folded) == 1:
        return _of_letter(value.strip(), folded, reading)
    head, comma, rest = folded.partition(",")
    if comma and means(" ".join(words_of(rest))):
        # `Paris, France`: the country alone may be anywhere.
        return _of_words(head, head, reading)
    parts = words_of(fold(split_identifier(value)))
    return max(_share(words, reading), _share(parts, reading))


def _of_letter(value: str, folded: str, reading: Reading) -> Support:
    if _stands_alone(value, reading.query):
        return Support.WEAK if folded in _LETTERS_THAT_ARE_WORDS else Support.STRONG
    return Support.WEAK if folded in reading.initials else Support.NONE


def _share(words: Sequence[str], reading: Reading) -> Support:
    """Strong if half of the words that carry meaning stand in the query."""
    content = [word for word in words if word not in STOP_WORDS]
    if not content:
        return Support.NONE
    found = [word for word in content if _word_stands(word, reading)]
    if 2 * len(found) < len(content):
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
