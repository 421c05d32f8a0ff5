"""A query, read once: its words, numbers, dates and names."""

import re
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from apigen_ray.stages.grounding.dates import Moments, read_moments
from apigen_ray.stages.grounding.names import codes, initials, meanings
from apigen_ray.stages.grounding.numbers import Numbers, read_numbers
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    latin_share,
    pieces_of,
    split_identifier,
    stem,
    unify,
    words_of,
)

_PUNCTUATION = re.compile(r"[^\w.]+|\.(?!\d)")
_SPACE = re.compile(r"[\W_]+")


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
        return frozenset(found | {stem(word) for word in parts})

    @cached_property
    def meanings(self) -> frozenset[str]:
        """What its words and abbreviations can stand for."""
        return meanings(self.words) | codes(words_of(unify(self.query)))

    @cached_property
    def initials(self) -> str:
        """The first letters of its words but the smallest, to look abbreviations up in."""
        return initials([word for word in self.words if word not in STOP_WORDS])

    @cached_property
    def numbers(self) -> Numbers:
        """Its numbers."""
        return read_numbers(unify(self.query), self.words)

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
