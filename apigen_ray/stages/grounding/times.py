"""The times of day of a text."""

import re
from collections.abc import Iterator

from apigen_ray.stages.grounding.text import vocabulary

_CLOCK = re.compile(
    r"(?<![\d.:])(?P<h>\d{1,2})(?:[:.h](?P<m>\d{2}))?(?::\d{2}(?:\.\d+)?)?\s?"
    r"(?P<half>[ap]\.?\s?m\b\.?)?(?P<sharp>\s?o'?clock|시|点|時)?"
)
_NAMED_TIMES = {
    "noon": (12,), "midday": (12,), "midnight": (0, 24), "morning": (6, 7, 8, 9, 10, 11),
    "afternoon": (12, 13, 14, 15, 16, 17), "evening": (17, 18, 19, 20, 21), "lunch": (12, 13),
    "night": (0, 18, 19, 20, 21, 22, 23), "tonight": (18, 19, 20, 21, 22), "dinner": (18, 19, 20),
    "breakfast": (7, 8, 9), "dawn": (5, 6), "sunrise": (5, 6, 7), "dusk": (17, 18, 19),
    "sunset": (17, 18, 19, 20),
}  # fmt: skip
_HOURS = {
    word: hour
    for hour, word in enumerate(
        vocabulary("one two three four five six seven eight nine ten eleven twelve"), start=1
    )
}
_SPOKEN = re.compile(
    r"\b(?:(half past|quarter past|quarter to)\s+)?(" + "|".join(_HOURS) + r"|\d{1,2})\b"
    r"(?:\s+(thirty|fifteen|forty[- ]five))?\s*(o'?clock|[ap]\.?m\b)?"
)
_TO_OR_PAST = re.compile(
    r"\b(\d{1,2}|five|ten|twenty|twenty[- ]five) (?:minutes )?(to|till|before|past|after) "
    r"(" + "|".join(_HOURS) + r"|\d{1,2})\b(?!\s?[%$:.]|\s?(?:percent|people|of)\b)"
)
_MILITARY = re.compile(r"(?<![\d:.,])([01]\d|2[0-3])([0-5]\d)\s?(?:hours|hrs|h)\b")
_FIRST_OF_TWO = re.compile(r"(?<![\d:./-])(\d{1,2})\s?-\s?\d{1,2}(?::\d\d)?\s?([ap])\.?m")
_BARE_HOUR = re.compile(
    r"\b(?:at|from|by|until|till|around|before|after|between|to)\s(\d{1,2})\b"
    r"(?![\d:.,/%-]|\s?(?:[a-z]*[%$]|(?!and\b|to\b|on\b|for\b|in\b|tomorrow|today|tonight)[a-z]))"
)
_MINUTES = {"thirty": 30, "fifteen": 15, "forty-five": 45, "forty five": 45, None: 0}
_COUNTED_MINUTES = {"five": 5, "ten": 10, "twenty": 20, "twenty-five": 25, "twenty five": 25}


def read_times(
    text: str, *, spoken: bool = True
) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]:
    """Find the hours and minutes of a folded text.

    Returns:
        Those it gives, and those that only a word such as `night`, or `at 9`, allows.
    """
    if not spoken:
        return frozenset(_times(text, spoken=False)), frozenset()
    named = list(_named_times(text))
    times = set(_times(text, spoken=True))
    vague = {(hour, 0) for hours in named if len(hours) > 2 for hour in hours}
    bare = (int(hour) for hour in _BARE_HOUR.findall(text))
    vague |= {time for hour in bare for time in _on_the_clock(hour, 0, "")}
    vague -= times
    exact = {(hour, 0) for hours in named if len(hours) < 3 for hour in hours}
    return frozenset(times | exact), frozenset(vague)


def _times(text: str, *, spoken: bool) -> Iterator[tuple[int, int]]:
    for match in _CLOCK.finditer(text):
        hour, minute = int(match["h"]), int(match["m"] or 0)
        if match["m"] is None and not match["half"] and not match["sharp"]:
            continue
        if match["h"].startswith("0") and not match["half"]:  # as no clock of 12 hours says it
            yield (hour, minute)
        else:
            yield from _on_the_clock(hour, minute, match["half"] or "")
    if not spoken:
        return
    for match in _SPOKEN.finditer(text):
        shift, word, minutes, half = match.groups()
        if not (shift or minutes or half):
            continue
        hour = _HOURS.get(word) or int(word)
        minute = {"half past": 30, "quarter past": 15, "quarter to": 45}.get(
            shift or "", _MINUTES[minutes]
        )
        yield from _on_the_clock(hour - (shift == "quarter to"), minute, half or "")
    yield from _counted_times(text)
    yield from ((int(hour), int(minute)) for hour, minute in _MILITARY.findall(text))
    for hour, half in _FIRST_OF_TWO.findall(text):
        yield from _on_the_clock(int(hour), 0, half)


def _counted_times(text: str) -> Iterator[tuple[int, int]]:
    """`ten past four`, `20 to 7`."""
    for count, side, said in _TO_OR_PAST.findall(text):
        minute = _COUNTED_MINUTES.get(count) or (int(count) if count.isdigit() else 0)
        hour = _HOURS.get(said) or int(said)
        if side in ("past", "after"):
            yield from _on_the_clock(hour, minute, "")
        elif 0 < minute < 60:
            yield from _on_the_clock(hour - 1 or 12, 60 - minute, "")


def _named_times(text: str) -> Iterator[tuple[int, ...]]:
    return (hours for name, hours in _NAMED_TIMES.items() if name in text)


def _on_the_clock(hour: int, minute: int, half: str) -> Iterator[tuple[int, int]]:
    if hour > 24 or minute > 59:
        return
    if half.startswith("p"):
        yield (hour % 12 + 12, minute)
    elif half.startswith("a"):
        yield (hour % 12, minute)
    else:
        yield (hour, minute)
        if 0 < hour < 13:
            yield ((hour + 12) % 24, minute)
