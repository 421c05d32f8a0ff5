"""Pairs that a model copied from its prompt instead of writing them.

A small model repeats what it is shown: an instruction as the query, or one of the examples. Such a
pair may well be answered correctly, and trains nothing.
"""

from collections.abc import Iterable, Sequence

from apigen_ray import strict_json
from apigen_ray.records import Pair
from apigen_ray.stages.similarity import NEAR_DUPLICATE, sentences, shingles, similarity, words_of


def copied(pair: Pair, examples: Sequence[Pair], prompt: Iterable[str]) -> str | None:
    """What a pair repeats of its prompt, word for word; None if it is the model's own.

    Args:
        pair: The pair.
        examples: The pairs shown as examples: none has the same query, or the same calls and
            nearly the same query.
        prompt: The texts of the prompt that are not examples: the query has none of their
            sentences.
    """
    words, calls = words_of(pair.query), _calls_text(pair)
    for example in examples:
        same_calls = bool(calls) and calls == _calls_text(example)
        if words == words_of(example.query) or (same_calls and _is_near(pair, example)):
            return f"the prompt shows this pair as an example: {_short(example.query)}"
    for text in prompt:
        if repeated := sentences(pair.query) & sentences(text):
            return f"the query repeats a sentence of the prompt: {_short(min(repeated))}"
    return None


def _is_near(pair: Pair, example: Pair) -> bool:
    return similarity(shingles(pair.query), shingles(example.query)) >= NEAR_DUPLICATE


def _calls_text(pair: Pair) -> tuple[str, ...]:
    return tuple(sorted(strict_json.canonical([c.name, c.arguments]) for c in pair.calls))


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."
