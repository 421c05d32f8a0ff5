"""How similar two queries are: one measure for the report, exports and the seed pool."""

import re
import zlib
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

NEAR_DUPLICATE = 0.8
"""The similarity from which two queries are near-duplicates."""
_WORD = re.compile(r"\w+")


def words_of(query: str) -> list[str]:
    """The words of a query, without case and punctuation."""
    return _WORD.findall(query.casefold())


def functions_text(names: Iterable[str]) -> str:
    """The functions that answer a query as one text, whatever the order of the calls."""
    return " ".join(sorted(names))


def shingles(query: str, functions: str) -> set[str]:
    """The words and word pairs of a query; those of queries with other functions share none.

    Queries that are answered by different functions differ in what matters, so they are never
    similar.
    """
    words = words_of(query)
    suffix = f"\n{zlib.crc32(functions.encode())}"
    pairs = (f"{first} {second}{suffix}" for first, second in pairwise(words))
    return {*pairs, *(f"{word}{suffix}" for word in words)}


def similarity(first: set[str], second: set[str]) -> float:
    """The Jaccard index of two queries' shingles."""
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared) if shared else 0.0


def nearest(queries: Sequence[set[str]]) -> list[float]:
    """For each query, the similarity of the most similar other one, from their shingles."""
    from scipy import sparse  # noqa: PLC0415 - only the report needs it

    if len(queries) < 2:
        return []
    column: dict[str, int] = {}
    cells = [
        (row, column.setdefault(shingle, len(column)))
        for row, found in enumerate(queries)
        for shingle in found
    ]
    rows, columns = np.array(cells, dtype=np.int64).reshape(-1, 2).T
    shape = len(queries), max(len(column), 1)
    matrix = sparse.csr_array((np.ones(len(cells)), (rows, columns)), shape)
    shared = (matrix @ matrix.T).toarray()
    sizes = np.array([len(found) for found in queries])
    similar = shared / np.maximum(sizes[:, None] + sizes[None, :] - shared, 1)
    np.fill_diagonal(similar, 0.0)
    highest: list[float] = similar.max(axis=1).tolist()
    return highest
