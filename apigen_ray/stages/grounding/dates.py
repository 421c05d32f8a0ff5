"""The dates and times of a text, and whether a date can follow from them."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from apigen_ray.stages.grounding.times import read_times

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
_HOLIDAYS: dict[str, tuple[tuple[int, int | None], ...]] = {
    "christmas": ((12, 24), (12, 25), (12, 26)), "halloween": ((10, 31),),
    "valentine": ((2, 14),), "new year": ((1, 1), (12, 31)), "independence day": ((7, 4),),
    "4th of july": ((7, 4),), "fourth of july": ((7, 4),), "st patrick": ((3, 17),),
    "boxing day": ((12, 26),), "juneteenth": ((6, 19),), "veterans day": ((11, 11),),
    "bastille day": ((7, 14),), "cinco de mayo": ((5, 5),), "easter": ((3, None), (4, None)),
    "thanksgiving": tuple((11, day) for day in range(22, 29)),
    "black friday": tuple((11, day) for day in range(23, 30)),
    "labor day": tuple((9, day) for day in range(1, 8)),
    "memorial day": tuple((5, day) for day in range(25, 32)),
    "mother's day": tuple((5, day) for day in range(8, 15)),
    "father's day": tuple((6, day) for day in range(15, 22)),
    "lunar new year": ((1, None), (2, None)), "chinese new year": ((1, None), (2, None)),
    "diwali": ((10, None), (11, None)),
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
_TIMESTAMPS = (9e8, 2.2e9)
"""Seconds since 1970 that are years from 1998 to 2039."""


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
        yield from self._days_between()

    def _days_between(self) -> Iterator[float]:
        """How many days and nights it is from one day to another."""
        whole = [each for each in self.days if each.day]
        for index, one in enumerate(whole[:8]):
            for other in whole[index + 1 : 8]:
                year = one.year or other.year or 2024
                with suppress(ValueError):
                    start = date(one.year or year, one.month, one.day or 1)
                    gap = abs((date(other.year or year, other.month, other.day or 1) - start).days)
                    yield from (float(gap), float(gap + 1))

    def _spans(self) -> Iterator[float]:
        """How long it is from one time to another, in hours, minutes and seconds."""
        clock = sorted({60 * hour + minute for hour, minute in self.times})[:8]
        for index, start in enumerate(clock):
            for end in clock[index + 1 :]:
                yield from ((end - start) / 60, float(end - start), 60.0 * (end - start))


def read_moments(text: str, *, spoken: bool = True) -> Moments:
    """Find the dates and times of a folded text."""
    relative = bool(_RELATIVE.search(text)) if spoken else False
    days = set(_days(text)) if spoken or any(c.isdigit() for c in text) else set()
    years = {int(match["y"]) for match in _YEAR.finditer(text)}
    years |= {each.year for each in days if each.year}
    times, vague = read_times(text, spoken=spoken)
    return Moments(frozenset(days), frozenset(years), times | vague, relative, vague)


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


def day_of_timestamp(value: float) -> Day | None:
    """The day of a number that is seconds or milliseconds since 1970."""
    seconds = value / 1000 if value > _TIMESTAMPS[1] * 10 else value
    if not _TIMESTAMPS[0] < seconds < _TIMESTAMPS[1]:
        return None
    day = datetime.fromtimestamp(seconds, UTC)
    return Day(day.year, day.month, day.day)


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
