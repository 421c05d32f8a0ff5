"""Names of territories, languages, currencies and time zones with their codes, from the CLDR."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING

from apigen_ray.stages.grounding.text import fold, stem, words_of

if TYPE_CHECKING:
    from babel import Locale

_FOREIGN = ("zh", "ja", "ko", "es", "fr", "de", "pt", "it", "ru", "ar", "hi")
_DEMONYMS = ("an", "ese", "ish", "ic", "i")
"""How words for what comes from a territory end: `Egyptian`, `Lebanese`, `Pakistani`."""
_FEW = 3


def english() -> Iterator[tuple[str, str]]:
    """What there is, such as `territory FR`, with each of its spellings; codes in capitals."""
    from babel.core import Locale, get_global  # noqa: PLC0415  # takes 0.1 s

    locale = Locale("en")
    for kind, names, aliases in (
        ("territory", locale.territories, get_global("territory_aliases")),
        ("language", locale.languages, get_global("language_aliases")),
    ):
        for code, name in names.items():
            if code.isalpha() and len(code) < 4:
                yield from ((f"{kind} {code}", code.upper()), (f"{kind} {code}", name))
        for code, target in aliases.items():
            first = target if isinstance(target, str) else target[0]
            if code.isalpha() and len(code) == 3 and first in names:
                yield f"{kind} {first}", code.upper()
    yield from _currencies(locale)
    yield from _zones(locale, get_global("meta_zones"))


def _currencies(locale: "Locale") -> Iterator[tuple[str, str]]:
    from babel.numbers import get_currency_name  # noqa: PLC0415

    coins: dict[str, set[str]] = {}
    for code, name in locale.currencies.items():
        meaning = f"currency {code}"
        several = get_currency_name(code, 2, locale)
        yield from ((meaning, code), (meaning, name), (meaning, several))
        for each in (name, several):
            if "(" not in each and " " in each:
                coins.setdefault(each.rpartition(" ")[2], set()).add(meaning)
    for coin, owners in coins.items():
        if len(owners) <= _FEW:  # `dirhams` are of two countries, dollars of twenty
            yield from ((meaning, coin) for meaning in owners)


def _zones(locale: "Locale", groups: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for zone, group in groups.items():
        yield f"zone {group}", zone
    for group, forms in locale.meta_zones.items():
        for names in forms.values():
            if not isinstance(names, str):
                yield from ((f"zone {group}", name) for name in names.values())


@cache
def foreign() -> Mapping[str, frozenset[str]]:
    """The folded names of the same in other languages, with what they mean."""
    from babel.core import Locale  # noqa: PLC0415

    found: dict[str, set[str]] = {}
    for tag in _FOREIGN:
        locale = Locale(tag)
        for kind, names in (
            ("territory", locale.territories),
            ("language", locale.languages),
            ("currency", locale.currencies),
        ):
            for code, name in names.items():
                if code.isalpha() and len(name) > 1:
                    found.setdefault(" ".join(_words(name)), set()).add(f"{kind} {code}")
    return {name: frozenset(meanings) for name, meanings in found.items()}


def _words(name: str) -> list[str]:
    folded = fold(name)
    return [folded] if folded and not folded[0].isascii() else words_of(folded)


@cache
def symbols() -> Mapping[str, str]:
    """The signs of currencies, with what they mean: `€`."""
    from babel.core import Locale  # noqa: PLC0415

    signs = Locale("en").currency_symbols
    return {sign: f"currency {code}" for code, sign in signs.items() if not sign.isalpha()}


@cache
def currencies_of(territory: str) -> frozenset[str]:
    """The currencies of a territory, given as `territory FR`."""
    from babel.numbers import get_territory_currencies  # noqa: PLC0415

    codes = get_territory_currencies(territory.rpartition(" ")[2])
    return frozenset(f"currency {code}" for code in codes)


@cache
def _roots() -> Mapping[str, str]:
    from babel.core import Locale  # noqa: PLC0415

    names = Locale("en").territories
    return {_root(fold(name)): f"territory {c}" for c, name in names.items() if name.isalpha()}


def _root(word: str) -> str:
    return stem(word).rstrip("aeiouy")


def demonym(word: str) -> str | None:
    """The territory that a word such as `egyptian` is made of."""
    if len(word) < 6 or not word.endswith(_DEMONYMS):
        return None
    return _roots().get(_root(word))
