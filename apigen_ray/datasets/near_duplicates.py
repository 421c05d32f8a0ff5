"""Queries that are nearly the same, found by MinHash."""

import re
import zlib
from itertools import pairwise

from rensa import RMinHash, RMinHashLSH

NEAR = 0.8
"""The Jaccard index of words and word pairs from which queries count as nearly the same."""
BANDS = 12
PERMUTATIONS = 5 * BANDS
"""Of two queries as alike as `NEAR`, 99 % share a band; those that do are compared exactly."""


class NearDuplicateIndex:
    """Queries of which no two are nearly the same.

    Queries that are answered by different functions are never alike: they differ in what matters.
    """

    def __init__(self) -> None:
        self._index = RMinHashLSH(NEAR, PERMUTATIONS, BANDS)
        self._kept: list[tuple[str, str, str]] = []

    def add(self, id_: str, query: str, functions: str) -> str | None:
        """Take a query in, or give the first id of those it is nearly the same as.

        Args:
            id_: Names the query; unique.
            query: Its text.
            functions: The functions that answer it, in one text.
        """
        shingles = _shingles(query, functions)
        hashed = RMinHash(PERMUTATIONS, 0)
        hashed.update(shingles)
        found = (self._kept[place] for place in self._index.query(hashed))
        alike: list[str] = [
            other for other, *texts in found if _jaccard(shingles, _shingles(*texts)) >= NEAR
        ]
        if alike:
            return min(alike)
        self._index.insert(len(self._kept), hashed)
        self._kept.append((id_, query, functions))
        return None


def normalised(query: str) -> str:
    """The words of a query, without case and punctuation."""
    return " ".join(_WORD.findall(query.casefold()))


_WORD = re.compile(r"\w+")


def _shingles(query: str, functions: str) -> set[str]:
    """The words and word pairs of a query; those of different functions share none."""
    words = normalised(query).split()
    suffix = f"\n{zlib.crc32(functions.encode())}"
    pairs = (f"{first} {second}{suffix}" for first, second in pairwise(words))
    return {*pairs, *(f"{word}{suffix}" for word in words)}


def _jaccard(first: set[str], second: set[str]) -> float:
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0
