"""Ids and keys of which a run has tens of millions, as hashes of eight bytes.

Two of ten million share a hash with a probability of 3e-6.
"""

import hashlib
from array import array
from collections.abc import Container, Iterable

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]


class HashedKeys(Container[str]):
    """A set of texts; it can be sent to another process."""

    def __init__(self, hashes: Hashes) -> None:
        """Take sorted hashes, each once."""
        self._hashes = hashes

    @classmethod
    def of(cls, keys: Iterable[str]) -> "HashedKeys":
        """The set of some texts."""
        return cls(np.unique(np.array(array("Q", map(hashed, keys)), np.uint64)))

    def __len__(self) -> int:
        return len(self._hashes)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and place_of(hashed(key), self._hashes) is not None


def place_of(hash_: int, hashes: Hashes) -> int | None:
    """Where a hash stands among sorted ones; None if it does not."""
    place = int(np.searchsorted(hashes, np.uint64(hash_)))
    return place if place < len(hashes) and hashes[place] == hash_ else None


def hashed(key: str) -> int:
    """The hash of a text, the same in all processes."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
