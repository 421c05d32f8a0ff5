"""Where replies are: of tens of millions, each key takes sixteen bytes.

Keys are hashed. The reply has its whole key, so that it is never taken for another's.
"""

import numpy as np

from apigen_ray.run_folder.hashed_keys import HashedKeys, Hashes, hashed, place_of

RECENT = 1 << 18
"""So many keys are added before they are sorted in among the others."""


class ReplyIndex:
    """From keys to places, which are whole numbers below 2^64."""

    def __init__(self) -> None:
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._places: Hashes = np.empty(0, np.uint64)
        self._recent: dict[int, int] = {}

    def add(self, key: str, place: int) -> None:
        """Add a key; the place that is added last counts."""
        self._recent[hashed(key)] = place
        if len(self._recent) >= RECENT:
            self._sort_in()

    def place(self, key: str) -> int | None:
        """Where the reply to a request should be; None if there is none."""
        hash_ = hashed(key)
        if hash_ in self._recent:
            return self._recent[hash_]
        at = place_of(hash_, self._hashes)
        return None if at is None else int(self._places[at])

    def known(self) -> HashedKeys:
        """All keys so far."""
        self._sort_in()
        return HashedKeys(self._hashes)

    def _sort_in(self) -> None:
        added = np.fromiter(self._recent.keys(), np.uint64, len(self._recent))
        places = np.fromiter(self._recent.values(), np.uint64, len(self._recent))
        others = ~np.isin(self._hashes, added)  # those that were not added anew
        hashes = np.concatenate([self._hashes[others], added])
        order = np.argsort(hashes)
        self._hashes = hashes[order]
        self._places = np.concatenate([self._places[others], places])[order]
        self._recent = {}
