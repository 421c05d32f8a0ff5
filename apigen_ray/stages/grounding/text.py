"""Text as it is compared: folded, split into words, reduced to stems."""

import re
import unicodedata
from functools import lru_cache


def vocabulary(words: str) -> tuple[str, ...]:
    """The words of a space-separated list, as word lists are written here."""
    return tuple(words.split())


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT_RUN = re.compile(r"[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LOOKALIKES = str.maketrans(
    "\u2212\u2013\u2014\u2010\u2011\u2019\u2018“”„\u00d7·\u00a0\u202f\u2009μ\u2044",
    '-----\'\'"""x*   µ/',
)
"""Minus, dashes, hyphens, quotes, the times sign, dots, spaces and the other mu."""
_VULGAR_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215e]")
_WORD = re.compile(r"[^\W_]+")
_PIECE = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SUFFIXES = (
    "ations", "ation", "ists", "ist", "ments", "ment", "ities", "ness", "ings", "ions",
    "ical", "ians", "ing",
    "ies", "ion", "ity", "ial", "ian", "ers", "ors", "ese", "ish", "ous", "ive", "ied", "est",
    "er", "or", "ed", "es", "ly", "al", "ic", "an", "s", "y", "e",
)  # fmt: skip
"""Longest first: the first that fits is taken off."""
_IRREGULAR = {
    form: entry.partition("=")[0]
    for entry in vocabulary(
        "man=men woman=women child=children person=people foot=feet tooth=teeth goose=geese "
        "mouse=mice knife=knives life=lives wife=wives leaf=leaves shelf=shelves wolf=wolves "
        "loaf=loaves half=halves buy=bought go=went,gone run=ran swim=swam,swum eat=ate,eaten "
        "drink=drank,drunk write=wrote,written drive=drove,driven fly=flew,flown see=saw,seen "
        "take=took,taken give=gave,given make=made sell=sold send=sent pay=paid "
        "speak=spoke,spoken begin=began,begun break=broke,broken choose=chose,chosen "
        "build=built find=found grow=grew,grown know=knew,known lose=lost meet=met "
        "ride=rode,ridden sing=sang,sung sleep=slept steal=stole,stolen teach=taught "
        "think=thought throw=threw,thrown wear=wore,worn win=won analysis=analyses "
        "criterion=criteria datum=data phenomenon=phenomena index=indices matrix=matrices "
        "vertex=vertices"
    )
    for form in entry.partition("=")[2].split(",")
}
"""Inflections that no suffix tells, with the word they belong to."""
STOP_WORDS = frozenset(
    vocabulary(
        "a an the of in on at to for and or by with from is are be was were i me my you your it "
        "its "
        "this that these those as what which who how can could would please do does did not no "
        "into "
        "we us our they them re ve ll d m he she his her will about if so but there have has had "
        "any some s t"
    )
)


def unify(text: str) -> str:
    """One spelling per character: superscripts as `^n`, plain dashes, quotes and spaces."""
    if text.isascii():
        return text
    text = _VULGAR_FRACTION.sub(r" \g<0>", text)
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    return unicodedata.normalize("NFKC", text.translate(_LOOKALIKES)).translate(_LOOKALIKES)


def fold(text: str) -> str:
    """Unified text without case and accents."""
    text = unify(text).casefold()
    if text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(c for c in parts if not unicodedata.combining(c)))


def words_of(text: str) -> list[str]:
    """The words and digit runs of a folded text; CJK text as overlapping pairs of characters."""
    found = _WORD.findall(text)
    if text.isascii() or not _CJK.search(text):
        return found
    return [piece for word in found for piece in _pieces(word)]


def _pieces(word: str) -> list[str]:
    if len(word) < 3 or not _CJK.search(word):
        return [word]
    return [word[i : i + 2] for i in range(len(word) - 1)]


def pieces_of(word: str) -> list[str]:
    """The letters and the digits of a word such as `5km`, apart."""
    return _PIECE.findall(word)


@lru_cache(maxsize=4096)
def split_identifier(text: str) -> str:
    """Put spaces between the words of `camelCase` and `snake_case`."""
    return _CAMEL.sub(" ", text).replace("_", " ")


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """What a word has in common with its inflections, roughly."""
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isalpha():
        return word
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    if len(word) > 3 and word[-1] == word[-2]:
        return word[:-1]
    if len(word) > 3 and word[-1] in "ieyt" and word[-2:] != "st":
        word = word[:-1]
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def is_cjk(text: str) -> bool:
    """Whether Chinese, Japanese or Korean characters are in the text."""
    return not text.isascii() and _CJK.search(text) is not None


def latin_share(text: str) -> float:
    """The share of Latin letters among the letters of a text; 1.0 if it has none."""
    if text.isascii():
        return 1.0
    letters = [c for c in text if c.isalpha()]
    return sum(c < "\u0250" for c in letters) / len(letters) if letters else 1.0


def nearly_equal(one: str, other: str) -> bool:
    """Whether two words differ by one letter added, dropped, changed or swapped, or in their ends.

    `nausea` and `nauseous` share a beginning of five letters, and what follows is short.
    """
    lengths = (len(one), len(other))
    if one[:5] == other[:5] and min(lengths) > 5 and max(lengths) < 9:
        return True
    if abs(len(one) - len(other)) > 1 or one[0] != other[0] or len(one) < 6:
        return False
    shared = next(
        (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
    rest, other_rest = one[shared:], other[shared:]
    return (
        rest[1:] == other_rest[1:]
        or rest == other_rest[1:]
        or rest[1:] == other_rest
        or (rest[2:] == other_rest[2:] and rest[:2] == other_rest[1::-1])
    )
