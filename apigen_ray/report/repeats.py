"""Verified pairs that repeat another of the same model: its query, in words, and its calls.

Each model makes a data set of its own, as in the paper, and has targets of its own. An export of
several models leaves out what one of them shares with another.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec
import pyarrow as pa

from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.stages.similarity import words_of

COLUMNS = ("id", "model", "query", "answers", "outcome")
"""The columns that repeats are found in."""


def repeated_ids(tables: Iterable[pa.Table]) -> set[str]:
    """The ids of verified pairs that repeat one with a lower id. Rows have at least `COLUMNS`."""
    lowest: dict[bytes, str] = {}
    repeated = set()
    for table in tables:
        verified = with_value(table.select(COLUMNS), "outcome", Outcome.VERIFIED)
        for id_, model, query, answers, _ in zip(*verified.to_pydict().values(), strict=True):
            key = _key(model, query or "", answers or "[]")
            kept = min(lowest.get(key, id_), id_)
            repeated.update({lowest.get(key, id_), id_} - {kept})
            lowest[key] = kept
    return repeated


def _key(model: str, query: str, answers: str) -> bytes:
    # A query without any word, as in a script that is not written in words, is compared as it is.
    words = " ".join(words_of(query)) or query
    calls = sorted(
        msgspec.json.encode(call, order="sorted") for call in msgspec.json.decode(answers)
    )
    return blake2b(b"\0".join((model.encode(), words.encode(), *calls)), digest_size=16).digest()
