"""Near-duplicate queries: candidates are found by MinHash, and then compared exactly."""

import zlib
from functools import lru_cache

from rensa import RMinHash, RMinHashLSH

from apigen_ray.stages.similarity import NEAR_DUPLICATE, shingles, similarity

BANDS = 12
PERMUTATIONS = 5 * BANDS
"""Of two queries with a similarity of `NEAR_DUPLICATE`, 99 % share a band."""


class NearDuplicateIndex:
    """Queries of which no two are near-duplicates."""

    def __init__(self) -> None:
        self._index = RMinHashLSH(NEAR_DUPLICATE, PERMUTATIONS, BANDS)
        self._kept: list[tuple[str, str, str]] = []

    def add(self, id_: str, query: str, functions: str) -> str | None:
        """Add a query, unless the index has a near-duplicate of it.

        Args:
            id_: The query's id; unique.
            query: Its text.
            functions: The functions that answer it, see `functions_text`.

        Returns:
            None if the query was added, else the id of the near-duplicate; the lowest, if there
            are several.
        """
        hashed = _hashed(query, functions)
        candidates = [self._kept[place] for place in self._index.query(hashed)]
        found = _shingles(query, functions) if candidates else set()
        duplicates: list[str] = [
            other
            for other, *texts in candidates
            if similarity(found, _shingles(*texts)) >= NEAR_DUPLICATE
        ]
        if duplicates:
            return min(duplicates)
        self._index.insert(len(self._kept), hashed)
        self._kept.append((id_, query, functions))
        return None


@lru_cache(maxsize=4096)  # the pairs of a seed pool come again in the next round's
def _hashed(query: str, functions: str) -> RMinHash:
    hashed = RMinHash(PERMUTATIONS, 0)
    hashed.update(_shingles(query, functions))
    return hashed


def _shingles(query: str, functions: str) -> set[str]:
    """The shingles of a query, marked so that queries with other functions share none."""
    mark = f"\n{zlib.crc32(functions.encode())}"
    return {f"{shingle}{mark}" for shingle in shingles(query)}
