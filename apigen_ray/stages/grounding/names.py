"""Names with several spellings: places, languages, currencies and their codes.

Every spelling leads to the things it can mean. Two spellings match if they share one.
"""

from collections.abc import Iterable, Sequence
from functools import cache

from apigen_ray.stages.grounding.cldr import demonym, english, foreign
from apigen_ray.stages.grounding.spellings import NARROWER, PLACES, STATES, TICKERS, WORDS
from apigen_ray.stages.grounding.text import fold, is_cjk, words_of

_WIDER = frozenset(entry.partition("=")[0] for entry in NARROWER)
_LONGEST_CJK = 8


def _add(table: dict[str, set[str]], meaning: str, spellings: Iterable[str]) -> None:
    for spelling in spellings:
        key = spelling if spelling.isupper() else " ".join(words_of(fold(spelling))) or spelling
        table.setdefault(key, set()).add(meaning)


@cache
def _table() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for entry in STATES.split(","):
        code, _, name = entry.partition(" ")
        _add(table, f"state {name}", (code.upper(), name))
    for entry in TICKERS.split(","):
        name, _, codes = entry.partition("=")
        _add(table, f"share {name}", (name, *codes.upper().split()))
    for entry in (*PLACES, *WORDS):
        name, _, others = entry.partition("=")
        _add(table, name, (name, *others.split(",")))
    for meaning, spelling in english():
        _add(table, meaning, (spelling,))
    for entry in PLACES:  # so that `danish` leads to the code of Denmark, too
        name, _, others = entry.partition("=")
        for known in [each for each in table[name] if each.startswith(("territory", "language"))]:
            _add(table, known, others.split(","))
    return {spelling: frozenset(meanings) for spelling, meanings in table.items()}


@cache
def _narrower() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for entry in NARROWER:
        name, _, others = entry.partition("=")
        for other in others.split(","):
            table.setdefault(other, set()).update({name, *_table().get(name, ())})
    return {word: frozenset(wider) for word, wider in table.items()}


def meanings(words: Sequence[str], text: str) -> frozenset[str]:
    """What runs of one to four of the folded words of a text can stand for."""
    table, narrower = _table(), _narrower()
    found: set[str] = set()
    for length in (1, 2, 3, 4):
        for start in range(len(words) - length + 1):
            run = " ".join(words[start : start + length])
            found |= table.get(run, frozenset()) | narrower.get(run, frozenset())
    for word in words:
        if len(word) > 3 and word.endswith("s"):
            found |= table.get(word[:-1], frozenset()) | narrower.get(word[:-1], frozenset())
        if territory := demonym(word):
            found.add(territory)
    return frozenset(found if text.isascii() else found | _in_other_languages(words, text))


def _in_other_languages(words: Sequence[str], text: str) -> set[str]:
    table = foreign()
    found = {meaning for word in words for meaning in table.get(word, ())}
    if is_cjk(text):  # which has no spaces between words
        for length in range(2, _LONGEST_CJK + 1):
            for start in range(len(text) - length + 1):
                found |= table.get(text[start : start + length], frozenset())
    return found


def means(spelling: str) -> frozenset[str]:
    """What one spelling as a whole, or code in either case, can stand for."""
    table = _table()
    found = table.get(spelling, frozenset()) | ({spelling} & _WIDER)
    if not spelling.isascii():
        found |= foreign().get(spelling, frozenset())
    if territory := demonym(spelling):
        found |= {territory}
    return found | table.get(spelling.upper(), frozenset()) if len(spelling) < 6 else found


def codes(words: Iterable[str]) -> frozenset[str]:
    """What the words in capitals stand for as codes: `in` is no Indiana, `IN` may be."""
    table = _table()
    return frozenset(
        meaning
        for word in words
        if len(word) < 6 and word.isupper()
        for meaning in table.get(word, ())
    )


def initials(words: Sequence[str]) -> str:
    """The first letters of words, as abbreviations are made."""
    return "".join(word[0] for word in words)
