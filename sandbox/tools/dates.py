"""Calendar arithmetic and durations, on ISO 8601 dates and without time zones."""

import calendar
import re
from datetime import date, timedelta
from typing import Annotated, Literal, TypeAlias

CATEGORY = "Tools"
__all__ = [
    "add_months",
    "age_on_date",
    "count_business_days",
    "easter_date",
    "format_duration",
    "iso_week_date",
    "next_anniversary",
    "nth_weekday_of_month",
    "parse_iso_duration",
    "recurring_dates",
]

IsoDate: TypeAlias = Annotated[str, {"format": "date"}]
Weekday: TypeAlias = Literal[
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"
]

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_WEEKENDS = {
    "saturday_sunday": {5, 6},
    "friday_saturday": {4, 5},
    "thursday_friday": {3, 4},
    "sunday_only": {6},
}
_SECONDS = {"week": 604_800, "day": 86_400, "hour": 3_600, "minute": 60, "second": 1}


def _read(text: str, name: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{name} {text!r} is not a date like 2024-03-15: {error}") from error


def _shifted(day: date, months: int) -> date:
    """The same day some months later, or the last day of a month that has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not date.min.year <= year <= date.max.year:
        raise ValueError(f"{months} months from {day} is outside the years 1 to 9999")
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def count_business_days(
    start_date: IsoDate,
    end_date: IsoDate,
    weekend: Literal[
        "saturday_sunday", "friday_saturday", "thursday_friday", "sunday_only"
    ] = "saturday_sunday",
    include_end: bool = False,
) -> int:
    """Count the working days between two dates.

    The first day is counted if it is a working day, the last one only on request. Public holidays
    count as working days.

    Args:
        start_date: The first day of the period, such as 2024-03-01.
        end_date: The last day of the period; not before the first.
        weekend: Which days of the week are no working days.
        include_end: Whether the last day itself belongs to the period.

    Returns:
        The number of working days.

    Raises:
        ValueError: if a date doesn't exist or the period ends before it begins.

    Examples:
        >>> count_business_days("2024-03-01", "2024-03-31")
        21
        >>> count_business_days("2024-12-23", "2024-12-27", include_end=True)
        5
        >>> count_business_days("2024-06-01", "2024-06-30", "friday_saturday", True)
        21
        >>> count_business_days("2025-01-06", "2025-01-13", weekend="sunday_only")
        6
    """
    start, end = _read(start_date, "start_date"), _read(end_date, "end_date")
    if end < start:
        raise ValueError(f"end_date {end_date} is before start_date {start_date}")
    free = _WEEKENDS[weekend]
    weeks, rest = divmod((end - start).days + include_end, 7)
    odd = sum((start.weekday() + offset) % 7 not in free for offset in range(rest))
    return weeks * (7 - len(free)) + odd


def iso_week_date(day: IsoDate) -> dict[str, int | str]:
    """Give the ISO 8601 week of a date.

    ISO weeks begin on Monday, and week 1 holds the first Thursday of the year; the first days of
    January can belong to the last week of the year before.

    Args:
        day: A calendar date, such as 2024-12-30.

    Returns:
        The ISO year, the week (1 to 53), the weekday's name, and the week date as text.

    Raises:
        ValueError: if the date doesn't exist.

    Examples:
        >>> iso_week_date("2024-12-30")
        {'year': 2025, 'week': 1, 'weekday': 'monday', 'week_date': '2025-W01-1'}
        >>> iso_week_date("2021-01-03")
        {'year': 2020, 'week': 53, 'weekday': 'sunday', 'week_date': '2020-W53-7'}
        >>> iso_week_date("2024-07-04")["week_date"]
        '2024-W27-4'
    """
    year, week, number = _read(day, "day").isocalendar()
    return {
        "year": year,
        "week": week,
        "weekday": _WEEKDAYS[number - 1],
        "week_date": f"{year:04}-W{week:02}-{number}",
    }


def add_months(
    start_date: IsoDate,
    months: Annotated[int, {"minimum": -12000, "maximum": 12000}],
    month_end: Literal["clamp", "keep_last_day"] = "clamp",
) -> str:
    """Move a date by whole months, backwards if the number is negative.

    Args:
        start_date: The date to begin from, such as 2024-01-31.
        months: How many months to go forward; negative goes back.
        month_end: `clamp` uses the last day only where the day doesn't exist in the month;
            `keep_last_day` also maps the last day of a month to the last day of the other.

    Returns:
        The resulting ISO date.

    Raises:
        ValueError: if the date doesn't exist or the result is outside the years 1 to 9999.

    Examples:
        >>> add_months("2024-01-31", 1)
        '2024-02-29'
        >>> add_months("2023-02-28", 6, month_end="keep_last_day")
        '2023-08-31'
        >>> add_months("2024-05-15", -18)
        '2022-11-15'
    """
    start = _read(start_date, "start_date")
    moved = _shifted(start, months)
    is_last = start.day == calendar.monthrange(start.year, start.month)[1]
    if month_end == "keep_last_day" and is_last:
        moved = moved.replace(day=calendar.monthrange(moved.year, moved.month)[1])
    return moved.isoformat()


def recurring_dates(
    first_date: IsoDate,
    frequency: Literal["daily", "weekly", "monthly", "yearly"],
    count: Annotated[int, {"minimum": 1, "maximum": 200}],
    interval: Annotated[int, {"minimum": 1, "maximum": 100}] = 1,
) -> list[str]:
    """List the dates of a recurring event, such as a payment or a check-up.

    Monthly and yearly events on a day that a month lacks fall on its last day, and return to their
    own day afterwards.

    Args:
        first_date: The date of the first event, such as 2024-01-31.
        frequency: The unit of the repetition.
        count: How many dates to list, with the first one.
        interval: Repeat every this many units; 2 with `weekly` is every other week.

    Returns:
        The ISO dates in order.

    Raises:
        ValueError: if the date doesn't exist or an event would be after the year 9999.

    Examples:
        >>> recurring_dates("2024-01-31", "monthly", 3)
        ['2024-01-31', '2024-02-29', '2024-03-31']
        >>> recurring_dates("2024-03-04", "weekly", count=4, interval=2)
        ['2024-03-04', '2024-03-18', '2024-04-01', '2024-04-15']
        >>> recurring_dates("2024-02-29", "yearly", 2, interval=4)
        ['2024-02-29', '2028-02-29']
        >>> recurring_dates("2023-12-30", "daily", 3)
        ['2023-12-30', '2023-12-31', '2024-01-01']
    """
    first = _read(first_date, "first_date")
    steps = range(0, count * interval, interval)
    if frequency in ("monthly", "yearly"):
        months = 12 if frequency == "yearly" else 1
        return [_shifted(first, step * months).isoformat() for step in steps]
    days = 7 if frequency == "weekly" else 1
    try:
        return [(first + timedelta(days=step * days)).isoformat() for step in steps]
    except OverflowError as error:
        raise ValueError("an event would be after the year 9999") from error


def age_on_date(birth_date: IsoDate, on_date: IsoDate) -> dict[str, int]:
    """Give a person's exact age on a date, in years, months and days.

    Who was born on the last day of a long month turns older on the last day of a shorter one.

    Args:
        birth_date: The date of birth, such as 1990-06-15.
        on_date: The date at which the age is asked for; not before the birth.

    Returns:
        Full years, further full months, further days, and the total number of days lived.

    Raises:
        ValueError: if a date doesn't exist or the person isn't born yet.

    Examples:
        >>> age_on_date("1990-06-15", "2024-06-14")
        {'years': 33, 'months': 11, 'days': 30, 'total_days': 12418}
        >>> age_on_date("2000-02-29", "2024-02-29")
        {'years': 24, 'months': 0, 'days': 0, 'total_days': 8766}
        >>> age_on_date(birth_date="2023-12-25", on_date="2024-01-01")
        {'years': 0, 'months': 0, 'days': 7, 'total_days': 7}
    """
    birth, today = _read(birth_date, "birth_date"), _read(on_date, "on_date")
    if today < birth:
        raise ValueError(f"on_date {on_date} is before birth_date {birth_date}")
    months = (today.year - birth.year) * 12 + today.month - birth.month
    if _shifted(birth, months) > today:
        months -= 1
    return {
        "years": months // 12,
        "months": months % 12,
        "days": (today - _shifted(birth, months)).days,
        "total_days": (today - birth).days,
    }


def next_anniversary(
    event_date: IsoDate,
    today: IsoDate,
    leap_day: Literal["february_28", "march_1"] = "february_28",
) -> dict[str, int | str]:
    """Find the next birthday or anniversary of an event and how many days are left until it.

    An anniversary that is today counts as the next one, with 0 days left.

    Args:
        event_date: The date of the event itself, such as a birth or a wedding.
        today: The date from which to look forward; not before the event.
        leap_day: When an event of February 29 is celebrated in a year without that day.

    Returns:
        The ISO date of the anniversary, its number, its weekday, and the days until it.

    Raises:
        ValueError: if a date doesn't exist, `today` is before the event, or the anniversary would
            be after the year 9999.

    Examples:
        >>> next_anniversary("1990-06-15", "2024-06-20")
        {'date': '2025-06-15', 'number': 35, 'weekday': 'sunday', 'days_left': 360}
        >>> next_anniversary("2000-02-29", "2023-01-30", leap_day="march_1")
        {'date': '2023-03-01', 'number': 23, 'weekday': 'wednesday', 'days_left': 30}
        >>> next_anniversary("2010-09-01", today="2024-09-01")["days_left"]
        0
    """
    event, now = _read(event_date, "event_date"), _read(today, "today")
    if now < event:
        raise ValueError(f"today {today} is before event_date {event_date}")
    number = max(1, now.year - event.year)
    found = _anniversary(event, number, leap_day)
    if found < now:
        number += 1
        found = _anniversary(event, number, leap_day)
    return {
        "date": found.isoformat(),
        "number": number,
        "weekday": _WEEKDAYS[found.weekday()],
        "days_left": (found - now).days,
    }


def _anniversary(event: date, number: int, leap_day: str) -> date:
    day = _shifted(event, 12 * number)
    moved = day.day != event.day and leap_day == "march_1"
    return day + timedelta(days=1) if moved else day


def nth_weekday_of_month(
    year: Annotated[int, {"minimum": 1, "maximum": 9999}],
    month: Annotated[int, {"minimum": 1, "maximum": 12}],
    weekday: Weekday,
    occurrence: Literal["first", "second", "third", "fourth", "fifth", "last"] = "first",
) -> str:
    """Find a date such as the fourth Thursday of November (Thanksgiving in the USA).

    Args:
        year: The calendar year.
        month: The month, 1 for January to 12 for December.
        weekday: The day of the week.
        occurrence: Which of the month's days with that weekday.

    Returns:
        The ISO date.

    Raises:
        ValueError: if the month has no fifth such weekday.

    Examples:
        >>> nth_weekday_of_month(2024, 11, "thursday", "fourth")
        '2024-11-28'
        >>> nth_weekday_of_month(2025, 5, "monday", occurrence="last")
        '2025-05-26'
        >>> nth_weekday_of_month(2024, 9, "monday")
        '2024-09-02'
    """
    first, length = calendar.monthrange(year, month)
    days = range(1 + (_WEEKDAYS.index(weekday) - first) % 7, length + 1, 7)
    index = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": len(days) - 1}
    if index[occurrence] >= len(days):
        raise ValueError(f"{year}-{month:02} has no fifth {weekday}")
    return date(year, month, days[index[occurrence]]).isoformat()


def easter_date(
    year: Annotated[int, {"minimum": 1583, "maximum": 4099}],
    church: Literal["western", "orthodox"] = "western",
) -> dict[str, str]:
    """Find Easter Sunday of a year, and the feasts that depend on it, in the Gregorian calendar.

    Args:
        year: The calendar year, from the first of the Gregorian calendar.
        church: `western` for the Catholic and Protestant date, `orthodox` for the date of the
            Orthodox churches, reckoned by the Julian calendar.

    Returns:
        The ISO dates of Good Friday, Easter Sunday, Ascension Day and Pentecost.

    Examples:
        >>> easter_date(2024)["easter_sunday"]
        '2024-03-31'
        >>> easter_date(2024, church="orthodox")["easter_sunday"]
        '2024-05-05'
        >>> easter_date(2038)["pentecost"]
        '2038-06-13'
        >>> easter_date(2025, "orthodox")["good_friday"]
        '2025-04-18'
    """
    sunday = _western_easter(year) if church == "western" else _orthodox_easter(year)
    feasts = {"good_friday": -2, "easter_sunday": 0, "ascension_day": 39, "pentecost": 49}
    return {name: (sunday + timedelta(days=days)).isoformat() for name, days in feasts.items()}


def _western_easter(year: int) -> date:
    """The anonymous Gregorian algorithm (Meeus, Jones and Butcher)."""
    golden = year % 19
    century, in_century = divmod(year, 100)
    lunar = (century - (century + 8) // 25 + 1) // 3
    epact = (19 * golden + century - century // 4 - lunar + 15) % 30
    weekday = (32 + 2 * (century % 4) + 2 * (in_century // 4) - epact - in_century % 4) % 7
    correction = (golden + 11 * epact + 22 * weekday) // 451
    month, day = divmod(epact + weekday - 7 * correction + 114, 31)
    return date(year, month, day + 1)


def _orthodox_easter(year: int) -> date:
    """Meeus's Julian algorithm, moved by the difference between the two calendars."""
    moon = (19 * (year % 19) + 15) % 30
    weekday = (2 * (year % 4) + 4 * (year % 7) - moon + 34) % 7
    month, day = divmod(moon + weekday + 114, 31)
    difference = year // 100 - year // 400 - 2
    return date(year, month, day + 1) + timedelta(days=difference)


def format_duration(
    seconds: Annotated[float, {"minimum": 0, "maximum": 1e11}],
    style: Literal["long", "short", "clock"] = "long",
    max_units: Annotated[int, {"minimum": 1, "maximum": 5}] = 5,
) -> str:
    """Write a number of seconds as text that people read easily.

    Args:
        seconds: The duration in seconds; a fraction is rounded to the nearest second.
        style: `long` as in "2 hours 5 minutes", `short` as in "2h 5m", `clock` as in "2:05:00".
        max_units: Show at most this many units and drop the smaller rest; not used by `clock`.

    Returns:
        The duration as text.

    Examples:
        >>> format_duration(93784)
        '1 day 2 hours 3 minutes 4 seconds'
        >>> format_duration(7500, style="short")
        '2h 5m'
        >>> format_duration(3661.6, "clock")
        '1:01:02'
        >>> format_duration(1209661, style="long", max_units=1)
        '2 weeks'
    """
    left = round(seconds)
    if style == "clock":
        return f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}"
    parts: list[str] = []
    for unit, size in _SECONDS.items():
        amount, left = divmod(left, size)
        if amount or (unit == "second" and not parts):
            plural = "" if amount == 1 else "s"
            parts.append(f"{amount} {unit}{plural}" if style == "long" else f"{amount}{unit[0]}")
    return " ".join(parts[:max_units])


_ISO_DURATION = re.compile(
    r"P(?:(?P<week>\d{1,9})W)?(?:(?P<day>\d{1,9})D)?"
    r"(?:T(?:(?P<hour>\d{1,9})H)?(?:(?P<minute>\d{1,9})M)?(?:(?P<second>\d{1,9}(?:\.\d{1,6})?)S)?)?"
)


def parse_iso_duration(
    duration: Annotated[str, {"pattern": "^P[0-9WDTHMS.]+$", "maxLength": 60}],
    unit: Literal["seconds", "minutes", "hours", "days", "weeks"] = "seconds",
) -> float:
    """Convert an ISO 8601 duration to a number.

    Years and months are refused, since they have no fixed length.

    Args:
        duration: The duration, of weeks, days, hours, minutes and seconds: P1DT12H or PT90M.
        unit: The unit of the result.

    Returns:
        The length of the duration in that unit.

    Raises:
        ValueError: if the text is no such duration, or has years or months.

    Examples:
        >>> parse_iso_duration("PT1H30M")
        5400.0
        >>> parse_iso_duration("P1DT12H", unit="hours")
        36.0
        >>> parse_iso_duration("P2W", "days")
        14.0
        >>> parse_iso_duration("PT2M30.5S")
        150.5
    """
    match = _ISO_DURATION.fullmatch(duration)
    if match is None or not any(match.groups()) or duration.endswith("T"):
        raise ValueError(f"{duration!r} is not a duration of weeks, days and time, like P1DT2H30M")
    total = sum(float(match[name] or 0) * size for name, size in _SECONDS.items())
    return total / _SECONDS[unit.removesuffix("s")]
