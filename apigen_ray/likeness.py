"""Queries that are nearly the same, found by MinHash."""

import re
import zlib
from itertools import pairwise

from datasketch import MinHash, MinHashLSH

NEAR = 0.8
"""The Jaccard index of words and word pairs from which queries count as nearly the same."""
PERMUTATIONS = 64
_EMPTY = MinHash(num_perm=PERMUTATIONS, hashfunc=zlib.crc32)


class Unalike:
    """Queries of which no two are nearly the same.

    Queries that are answered by different functions are never alike: they differ in what matters.
    """

    def __init__(self) -> None:
        self._near = MinHashLSH(threshold=NEAR, num_perm=PERMUTATIONS)

    def add(self, id_: str, query: str, functions: str) -> str | None:
        """Take a query in, or give the first id of those it is nearly the same as.

        Args:
            id_: Names the query; unique.
            query: Its text.
            functions: The functions that answer it, in one text.
        """
        hashed = _EMPTY.copy()
        hashed.update_batch(_shingles(normalised(query), functions))
        if alike := self._near.query(hashed):
            return min(alike)
        self._near.insert(id_, hashed)
        return None


def normalised(query: str) -> str:
    """The words of a query, without case and punctuation."""
    return " ".join(re.findall(r"\w+", query.casefold()))


def _shingles(query: str, functions: str) -> list[bytes]:
    """The words and word pairs of a query; those of different functions share none."""
    words = query.split()
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    suffix = f"\n{zlib.crc32(functions.encode())}"
    return [f"{text}{suffix}".encode() for text in {*words, *pairs}]
