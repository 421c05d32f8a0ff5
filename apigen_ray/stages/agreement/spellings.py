"""Texts with several spellings: whole dates, formulas and time zones.

Units, currencies, plurals and places are left as they are written: a tool may take one spelling
alone. Where it takes both, calls agree by what they return.
"""

import re
from functools import lru_cache

from apigen_ray.stages.grounding.dates import whole_day
from apigen_ray.stages.grounding.text import fold, vocabulary

_FORMAT = re.compile(r"\bformat|yyyy|iso.?8601", re.IGNORECASE)
"""In a description: how a date has to be written."""
_ZONE = re.compile(
    r"(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/(?:\w+/)?([\w-]+)"
)
_OPERATOR = re.compile(r"\s*(\*\*|[*/^=])\s*|(?<=\S)\s+([-+])\s+")
"""With the space around it; `1 -2` may be two numbers."""
_FUNCTIONS = frozenset(vocabulary("sin cos tan exp log ln sqrt abs pi lambda"))


@lru_cache(maxsize=8192)
def one_spelling(text: str, description: str = "") -> str:
    """A text as the first of its spellings; any other text as it is.

    Args:
        text: The value of an argument, or a text in it.
        description: The argument's: it may say how a date is written.
    """
    text = text.strip()
    if not _FORMAT.search(description) and (day := whole_day(fold(text))):
        return day
    if zone := _ZONE.fullmatch(text):
        return zone[1]
    return _OPERATOR.sub(r"\1\2", text) if _is_formula(text) else text


def _is_formula(text: str) -> bool:
    if not re.fullmatch(r"[\w\s+\-*/^=().,:]+", text) or not re.search(r"\d|\(", text):
        return False
    words = re.findall(r"[^\W\d_]+", text)
    is_maths = all(len(word) == 1 or word in _FUNCTIONS for word in words)
    return is_maths and re.search(r"[*/^=]|\s[-+]\s", text) is not None
