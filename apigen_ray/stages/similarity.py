"""How similar two queries are: one measure for the report, exports and the seed pool.

Two queries are near-duplicates if their similarity is at least `NEAR_DUPLICATE` and the same
functions answer them. Queries that other functions answer differ in what matters.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

NEAR_DUPLICATE = 0.8
"""The lowest similarity of near-duplicates."""
FEWEST_WORDS = 3
"""A sentence of fewer words is nobody's own."""
_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+")


def words_of(query: str) -> list[str]:
    """The words of a query, without case and punctuation."""
    return _WORD.findall(query.casefold())


@lru_cache(maxsize=4096)
def sentences(text: str) -> frozenset[str]:
    """The sentences of a text, without case and punctuation."""
    found = (words_of(sentence) for sentence in _END.split(text))
    return frozenset(" ".join(words) for words in found if len(words) >= FEWEST_WORDS)


def functions_text(names: Iterable[str]) -> str:
    """The functions that answer a query as one text, whatever the order of the calls."""
    return " ".join(sorted(names))


def shingles(query: str) -> set[str]:
    """The words and word pairs of a query."""
    words = words_of(query)
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}


def similarity(first: set[str], second: set[str]) -> float:
    """The Jaccard index of two queries' shingles."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


def similarities(queries: Sequence[set[str]]) -> NDArray[np.float64]:
    """The similarity of each two queries, from their shingles; 0 of a query with itself."""
    from scipy import sparse  # noqa: PLC0415 - only the report needs it

    column: dict[str, int] = {}
    cells = [
        (row, column.setdefault(shingle, len(column)))
        for row, found in enumerate(queries)
        for shingle in found
    ]
    rows, columns = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    shape = len(queries), max(len(column), 1)
    matrix = sparse.csr_array((np.ones(len(cells)), (rows, columns)), shape)
    shared: NDArray[np.float64] = (matrix @ matrix.T).toarray()
    sizes = np.array([len(found) for found in queries])
    similar: NDArray[np.float64] = shared / np.maximum(sizes[:, None] + sizes[None, :] - shared, 1)
    np.fill_diagonal(similar, 0.0)
    return similar
