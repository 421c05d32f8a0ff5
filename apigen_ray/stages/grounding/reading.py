"""A query, read once: its words, numbers, dates and names."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from apigen_ray.stages.grounding.cldr import currencies_of, symbols
from apigen_ray.stages.grounding.dates import Moments, read_moments
from apigen_ray.stages.grounding.names import codes, initials, meanings
from apigen_ray.stages.grounding.numbers import Numbers, read_numbers
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    is_cjk,
    latin_share,
    pieces_of,
    split_identifier,
    stem,
    unify,
    words_of,
)

_PUNCTUATION = re.compile(r"[^\w.]+|\.(?!\d)")
_SPACE = re.compile(r"[\W_]+")
_HYPHENATED = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)+")
_DOTTED = re.compile(r"(?<![\w.])(?:[A-Z]\.){2,4}")
_CAPITALS = re.compile(r"(?<![\w'])([A-Z])[\w'-]*(?=[ -]([A-Z]))")
_PERIOD = re.compile(
    r"\b(first|1st|second|2nd|third|3rd|fourth|4th|last)\s(?:fiscal\s|calendar\s)?(quarter|half)\b"
)
_PLACES_IN_ORDER = {"f": 1, "1": 1, "s": 2, "2": 2, "t": 3, "3": 3, "4": 4}


@dataclass(frozen=True)
class Reading:
    """What a query says, in the forms in which values are looked up. Read when first needed."""

    query: str
    system: str = ""
    """The system prompt, which may say what day it is."""

    @cached_property
    def text(self) -> str:
        """The query, folded."""
        return fold(self.query)

    @cached_property
    def words(self) -> list[str]:
        """Its words in order."""
        return words_of(self.text)

    @cached_property
    def padded(self) -> str:
        """The query with its punctuation but decimal points as spaces, and one at each end."""
        return f" {_PUNCTUATION.sub(' ', self.text)} "

    @cached_property
    def squeezed(self) -> str:
        """The query without white space and punctuation."""
        return _SPACE.sub("", self.text)

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of its words, and of the parts of its identifiers."""
        found = {stem(word) for word in self.words} | set(self.words)
        found.update(stem(piece) for word in self.words for piece in pieces_of(word))
        parts = words_of(fold(split_identifier(self.query)))
        found.update(stem(word) for word in parts)
        if "-" in self.text:  # `e-mail`
            found.update(stem(w.replace("-", "")) for w in _HYPHENATED.findall(self.text))
        return frozenset(found | set(self._periods()))

    def _periods(self) -> Iterator[str]:
        """Quarters and halves as they are written short: `Q3`, `H1`."""
        for place, period in _PERIOD.findall(self.text):
            last = 4 if period == "quarter" else 2
            number = 4 if place == "fourth" else _PLACES_IN_ORDER.get(place[0], last)
            yield f"{'q' if period == 'quarter' else 'h'}{last if place == 'last' else number}"

    @cached_property
    def meanings(self) -> frozenset[str]:
        """What its words and abbreviations can stand for."""
        dotted = [each.replace(".", "") for each in _DOTTED.findall(self.query)]  # `L.A.`
        return meanings(self.words, self.query) | codes([*words_of(unify(self.query)), *dotted])

    @cached_property
    def hints(self) -> frozenset[str]:
        """The currencies that a sign or the name of a country speaks of."""
        found = {meaning for sign, meaning in symbols().items() if sign in self.query}
        for meaning in self.meanings:
            if meaning.startswith("territory"):
                found |= currencies_of(meaning)
        return frozenset(found)

    @cached_property
    def capitals(self) -> frozenset[str]:
        """The first letters of two names that stand side by side: `lv` for Las Vegas."""
        return frozenset(f"{a}{b}".lower() for a, b in _CAPITALS.findall(self.query))

    @cached_property
    def initials(self) -> str:
        """The first letters of its words but the smallest, to look abbreviations up in."""
        return initials([word for word in self.words if word not in STOP_WORDS])

    @cached_property
    def numbers(self) -> Numbers:
        """Its numbers."""
        return read_numbers(unify(self.query), self.text, self.words)

    @cached_property
    def moments(self) -> Moments:
        """Its dates and times."""
        return read_moments(self.text)

    @cached_property
    def parts_of_moments(self) -> frozenset[float]:
        """The numbers its dates and times are made of."""
        return frozenset(self.moments.numbers())

    @cached_property
    def anchors(self) -> tuple[date, ...]:
        """The whole dates it gives: relative ones may count from them."""
        found = []
        said = read_moments(fold(self.system)).days if self.system else frozenset()
        for each in self.moments.days | said:
            try:
                found.append(date(each.year or 0, each.month, each.day or 0))
            except ValueError:
                continue
        return tuple(found)

    @cached_property
    def foreign(self) -> bool:
        """Most of its letters aren't Latin, so that English values are translations."""
        return latin_share(self.query) < 0.5

    def has(self, folded: str) -> bool:
        """Whether a folded text itself is in it, white space and punctuation aside."""
        if is_cjk(folded):
            return folded in self.text
        if len(folded) > 5 and folded in self.text:
            return True
        if len(folded) > 1 and stands_alone(folded, self.text):
            return True
        squeezed = _SPACE.sub("", folded)
        return len(squeezed) > 5 and squeezed in self.squeezed


def stands_alone(text: str, whole: str) -> bool:
    """Whether a text is in another one other than as a part of a longer word or number."""
    start = whole.find(text)
    while start >= 0:
        end = start + len(text)
        if not (whole[start - 1 : start].isalnum() or whole[end : end + 1].isalnum()):
            return True
        start = whole.find(text, start + 1)
    return False


@lru_cache(maxsize=256)
def read(query: str, system: str = "") -> Reading:
    """The reading of a text that is looked at more than once."""
    return Reading(query, system)
