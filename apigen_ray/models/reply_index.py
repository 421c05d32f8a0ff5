"""Where replies are: of tens of millions, each key takes sixteen bytes.

Keys are kept as hashes of eight bytes. Two of ten million keys share one with a probability of
3e-6; the reply has its whole key, so that it is never taken for another's.
"""

import hashlib
from collections.abc import Container

import numpy as np
from numpy.typing import NDArray

_Hashes = NDArray[np.uint64]
RECENT = 1 << 18
"""So many keys are added before they are sorted in among the others."""


class Keys(Container[str]):
    """Keys that have a reply; it can be sent to another process."""

    def __init__(self, hashes: _Hashes) -> None:
        """Take sorted hashes."""
        self._hashes = hashes

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, key: object) -> bool:
        if not len(self._hashes) or not isinstance(key, str):
            return False
        hashed = _hashed(key)
        place = int(np.searchsorted(self._hashes, hashed))
        return place < len(self._hashes) and bool(self._hashes[place] == hashed)


class ReplyIndex:
    """From keys to places, which are whole numbers below 2^64."""

    def __init__(self) -> None:
        self._hashes: _Hashes = np.empty(0, np.uint64)
        self._places: _Hashes = np.empty(0, np.uint64)
        self._recent: dict[int, int] = {}

    def add(self, key: str, place: int) -> None:
        """Add a key; the place that is added last counts."""
        self._recent[int(_hashed(key))] = place
        if len(self._recent) >= RECENT:
            self._sort_in()

    def place(self, key: str) -> int | None:
        """Where the reply to a request should be; None if there is none."""
        hashed = _hashed(key)
        if (recent := self._recent.get(int(hashed))) is not None:
            return recent
        at = int(np.searchsorted(self._hashes, hashed))
        if at < len(self._hashes) and self._hashes[at] == hashed:
            return int(self._places[at])
        return None

    def known(self) -> Keys:
        """All keys so far."""
        self._sort_in()
        return Keys(self._hashes)

    def _sort_in(self) -> None:
        added = np.fromiter(self._recent.keys(), np.uint64, len(self._recent))
        places = np.fromiter(self._recent.values(), np.uint64, len(self._recent))
        others = ~np.isin(self._hashes, added)  # those that were not added anew
        hashes = np.concatenate([self._hashes[others], added])
        order = np.argsort(hashes)
        self._hashes = hashes[order]
        self._places = np.concatenate([self._places[others], places])[order]
        self._recent = {}


def _hashed(key: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big"))
