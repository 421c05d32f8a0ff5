"""Verified pairs that repeat another: the same query, as far as words go, and the same calls."""

import json
from collections.abc import Iterable
from hashlib import blake2b

import pyarrow as pa

from apigen_ray import strict_json
from apigen_ray.records import Outcome
from apigen_ray.run_folder.rows import with_value
from apigen_ray.stages.similarity import words_of

COLUMNS = ("id", "model", "query", "answers", "outcome")
"""The columns that repeats are found in."""


def repeated_ids(tables: Iterable[pa.Table], *, within_model: bool = False) -> set[str]:
    """The ids of verified pairs that repeat one with a lower id.

    Args:
        tables: Rows that have at least `COLUMNS`.
        within_model: Whether pairs of different models count as different.
    """
    lowest: dict[bytes, str] = {}
    repeated = set()
    for table in tables:
        verified = with_value(table.select(COLUMNS), "outcome", Outcome.VERIFIED)
        for id_, model, query, answers, _ in zip(*verified.to_pydict().values(), strict=True):
            key = _key(query or "", answers or "[]", model if within_model else "")
            kept = min(lowest.get(key, id_), id_)
            repeated.update({lowest.get(key, id_), id_} - {kept})
            lowest[key] = kept
    return repeated


def _key(query: str, answers: str, model: str) -> bytes:
    # A query without any word, as in a script that is not written in words, is compared as it is.
    words = " ".join(words_of(query)) or query
    calls = sorted(strict_json.canonical(call) for call in json.loads(answers))
    text = "\0".join((model, words, *calls))
    return blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
