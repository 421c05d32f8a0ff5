"""The dates and times of a text, and whether a date can follow from them."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from apigen_ray.stages.grounding.text import vocabulary

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan enero janvier januar", "february feb febrero fevrier februar",
            "march mar marzo mars marz", "april apr abril avril", "may mayo mai",
            "june jun junio juin juni", "july jul julio juillet juli", "august aug agosto aout",
            "september sep sept septiembre septembre", "october oct octubre octobre oktober",
            "november nov noviembre novembre", "december dec diciembre decembre dezember",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOLIDAYS = {
    "christmas": ((12, 24), (12, 25), (12, 26)), "halloween": ((10, 31),),
    "valentine": ((2, 14),), "new year": ((1, 1), (12, 31)), "independence day": ((7, 4),),
    "4th of july": ((7, 4),), "fourth of july": ((7, 4),), "st patrick": ((3, 17),),
}  # fmt: skip
_SEASONS = {
    "spring": (3, 6),
    "summer": (6, 9),
    "autumn": (9, 12),
    "fall": (9, 12),
    "winter": (12, 3),
}
_RELATIVE = re.compile(
    r"\b(today|tonight|tomorrow|tmrw|yesterday|now|currently|weekends?|"
    r"(?:next|last|past|previous|coming|upcoming|this|following|recent|latest)\s+(?:\w+\s+){0,2}"
    r"(?:days?|weeks?|months?|years?|quarters?|season|morning|afternoon|evening|night|"
    + "|".join((*_DAYS, *_MONTHS))
    + r")|(?:in|within)\s+(?:\w+\s+)?(?:days?|weeks?|months?|years?)|"
    r"(?:days?|weeks?|months?|years?)\s+(?:ago|from|later|earlier|before|after)|"
    + "|".join(_DAYS)
    + r"|tues?|weds?|thurs?|fri)\b"
    r"|今天|明天|昨天|后天|现在|今日|明日|오늘|내일|어제|내년|hoy|mañana|ayer|aujourd"
)
_NAMES = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DATES = (
    re.compile(
        r"(?<!\d)(?P<y>\d{4})\s?[-/.年년]\s?(?P<m>\d{1,2})\s?[-/.月월]\s?(?P<d>\d{1,2})(?!\d)"
    ),
    re.compile(r"(?<!\d)(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<y>\d{4}|\d{2})(?!\d)"),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?[\s-]+(?:of\s+|de\s+)?(?P<n>{_NAMES})\b\.?"
        r"(?:[\s,-]+(?:of\s+|de\s+)?'?(?P<y>\d{4}|(?<=-)\d{2})(?!\d))?"
    ),
    re.compile(
        rf"\b(?P<n>{_NAMES})\b\.?[\s-]+(?:the\s+)?(?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:])"
        r"(?:[\s,-]+(?:of\s+|in\s+)?(?P<y>\d{4})(?!\d))?"
    ),
    re.compile(rf"\b(?P<n>{_NAMES})\b\.?(?:[\s,-]+(?:of\s+)?(?P<y>\d{{4}})(?!\d))?"),
    re.compile(r"(?<![\d-])(?P<y>(?:19|20)\d{2})-(?P<m>\d{2})(?![\d-])"),
    re.compile(r"(?<![\d/])(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\d/])"),
    re.compile(r"(?<!\d)(?P<m>\d{1,2})[月월]\s?(?P<d>\d{1,2})[日号일]"),
    re.compile(r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>[0-3]\d)(?!\d)"),
)
_YEAR = re.compile(r"(?<![\d.,$])(?P<y>(?:1[5-9]|20)\d{2})(?![\d,]|\.\d)")
_CLOCK = re.compile(
    r"(?<![\d.:])(?P<h>\d{1,2})(?:[:.h](?P<m>\d{2}))?(?::\d{2}(?:\.\d+)?)?\s?"
    r"(?P<half>[ap]\.?\s?m\b\.?)?(?P<sharp>\s?o'?clock|시|点|時)?"
)
_NAMED_TIMES = {
    "noon": (12,), "midday": (12,), "midnight": (0, 24), "morning": (6, 7, 8, 9, 10, 11),
    "afternoon": (12, 13, 14, 15, 16, 17), "evening": (17, 18, 19, 20, 21), "lunch": (12, 13),
    "night": (0, 18, 19, 20, 21, 22, 23), "tonight": (18, 19, 20, 21, 22), "dinner": (18, 19, 20),
    "breakfast": (7, 8, 9),
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
_MINUTES = {"thirty": 30, "fifteen": 15, "forty-five": 45, "forty five": 45, None: 0}


@dataclass(frozen=True, slots=True)
class Day:
    """A date as far as a text gives it."""

    year: int | None
    month: int
    day: int | None


@dataclass(frozen=True, slots=True)
class Moments:
    """What a text says of time."""

    days: frozenset[Day]
    years: frozenset[int]
    times: frozenset[tuple[int, int]]
    """Hour and minute, on the clock of 24 hours; both readings where the text gives neither."""
    relative: bool
    """Words such as `tomorrow` or `next Friday` are in it."""
    vague: frozenset[tuple[int, int]] = frozenset()
    """Those of the times that only a word such as `night` allows."""

    def numbers(self) -> Iterator[float]:
        """The numbers that the dates and times are made of."""
        for each in self.days:
            yield from (float(part) for part in (each.year, each.month, each.day) if part)
        for hour, minute in self.times:
            yield from (float(hour), float(minute))
        yield from self._spans()

    def _spans(self) -> Iterator[float]:
        """How long it is from one time to another, in hours, minutes and seconds."""
        clock = sorted({60 * hour + minute for hour, minute in self.times})[:8]
        for index, start in enumerate(clock):
            for end in clock[index + 1 :]:
                yield from ((end - start) / 60, float(end - start), 60.0 * (end - start))


def read_moments(text: str, *, spoken: bool = True) -> Moments:
    """Find the dates and times of a folded text."""
    relative = bool(_RELATIVE.search(text)) if spoken else False
    days, times = set(), set()
    named = list(_named_times(text)) if spoken else []
    if any(c.isdigit() for c in text) or spoken:
        days = set(_days(text))
        times = set(_times(text, spoken=spoken))
    years = {int(match["y"]) for match in _YEAR.finditer(text)}
    years |= {each.year for each in days if each.year}
    vague = {(hour, 0) for hours in named if len(hours) > 2 for hour in hours} - times
    times |= {(hour, 0) for hours in named for hour in hours}
    return Moments(frozenset(days), frozenset(years), frozenset(times), relative, frozenset(vague))


def _days(text: str) -> Iterator[Day]:
    months_read: set[int] = set()
    for pattern in _DATES:
        for match in pattern.finditer(text):
            parts = match.groupdict()
            if "n" in parts:
                if match.start("n") in months_read and "d" not in parts:
                    continue  # the month of a date that was read with its day
                months_read.add(match.start("n"))
            yield from _read_day(parts)
    for name, dates in _HOLIDAYS.items():
        if name in text:
            yield from (Day(None, month, day) for month, day in dates)
    for name, months in _SEASONS.items():
        if name in text:
            yield from (Day(None, month, None) for month in months)


def _read_day(parts: dict[str, str | None]) -> Iterator[Day]:
    year = int(said) if (said := parts.get("y")) else None
    if year is not None and year < 100:
        year += 2000 if year < 50 else 1900
    if name := parts.get("n"):
        yield from _valid(year, _MONTHS[name], parts.get("d"))
        return
    if one := parts.get("a"):
        other = parts.get("b") or "0"
        yield from _valid(year, int(one), other)
        yield from _valid(year, int(other), one)
        return
    yield from _valid(year, int(parts.get("m") or 0), parts.get("d"))


def _valid(year: int | None, month: int, day: str | None) -> Iterator[Day]:
    number = int(day) if day else None
    if 1 <= month <= 12 and (number is None or 1 <= number <= 31):
        yield Day(year, month, number)


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


def said_outright(value: Day, moments: Moments) -> bool:
    """Whether a date is one that a text gives, as far as it gives it."""
    return any(_agree(value, each, moments.years) for each in moments.days)


def follows(
    value: Day, moments: Moments, today: Sequence[date], numbers: Collection[float]
) -> bool:
    """Whether a date follows from what is said of time, of which whole dates are in `today`.

    Without one of those, any date may be meant by `tomorrow`.
    """
    if moments.relative:
        return not today or any(_near(value, each) for each in today)
    return _edge_of_period(value, moments) or any(
        _counted(value, each, numbers) for each in moments.days
    )


def _counted(value: Day, said: Day, numbers: Collection[float]) -> bool:
    """Whether a date is a number of days or weeks after one that is said."""
    year = value.year or said.year or 2024
    try:
        gap = date(year, value.month, value.day or 0) - date(
            said.year or year, said.month, said.day or 0
        )
    except ValueError:
        return False
    return 0 < gap.days < 400 and any(
        float(days) in numbers or (days % 7 == 0 and days / 7 in numbers)
        for days in (gap.days, gap.days + 1)
    )


def _agree(value: Day, said: Day, years: frozenset[int]) -> bool:
    if value.month != said.month:
        return value.day == 1 and said.day is None and value.month == said.month % 12 + 1
    if value.year and said.year and value.year != said.year and value.year not in years:
        return False
    return value.day is None or said.day is None or value.day == said.day


def _edge_of_period(value: Day, moments: Moments) -> bool:
    """The first or last day of a year that is said."""
    if value.year is None:
        return False
    known = value.year in moments.years or value.year - 1 in moments.years
    edges = (
        (1, 1),
        (12, 31),
        (1, None),
        (12, None),
        (3, 31),
        (4, 1),
        (6, 30),
        (7, 1),
        (9, 30),
        (10, 1),
    )
    return known and (value.month, value.day) in edges


def _near(value: Day, today: date) -> bool:
    """Within the reach of `next year`: which day exactly depends on who reads it."""
    try:
        day = date(value.year or today.year, value.month, value.day or 1)
    except ValueError:
        return False
    return abs(day - today) <= timedelta(days=800)
