from datetime import date, timedelta

import pytest


def test_business_days_agree_with_counting_one_by_one(tools):
    start = date(2024, 2, 21)
    for length in range(40):
        end = start + timedelta(days=length)
        days = [start + timedelta(days=i) for i in range(length)]
        expected = sum(day.weekday() < 5 for day in days)
        assert tools.count_business_days(start.isoformat(), end.isoformat()) == expected


def test_a_period_that_ends_before_it_begins_is_refused(tools):
    assert tools.count_business_days("2024-03-01", "2024-03-01") == 0
    with pytest.raises(ValueError, match="before start_date"):
        tools.count_business_days("2024-03-02", "2024-03-01")


@pytest.mark.parametrize(
    ("day", "week"),
    [
        ("2008-12-29", "2009-W01-1"),
        ("2010-01-03", "2009-W53-7"),
        ("2005-01-01", "2004-W53-6"),
        ("2007-12-31", "2008-W01-1"),
    ],
)
def test_weeks_at_the_turn_of_the_year_are_those_of_iso_8601(tools, day, week):
    assert tools.iso_week_date(day)["week_date"] == week


@pytest.mark.parametrize(
    ("start", "months", "moved"),
    [
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-03-31", -1, "2024-02-29"),
        ("1900-01-31", 1, "1900-02-28"),
        ("2000-01-31", 1, "2000-02-29"),
        ("2024-01-15", -1, "2023-12-15"),
        ("0001-01-01", 0, "0001-01-01"),
    ],
)
def test_months_end_where_the_calendar_says(tools, start, months, moved):
    assert tools.add_months(start, months) == moved


@pytest.mark.parametrize(("start", "months"), [("0001-01-01", -1), ("9999-12-01", 1)])
def test_months_beyond_the_calendar_are_refused(tools, start, months):
    with pytest.raises(ValueError, match="years 1 to 9999"):
        tools.add_months(start, months)


def test_monthly_events_return_to_their_own_day(tools):
    dates = tools.recurring_dates("2023-12-30", "monthly", 4)
    assert dates == ["2023-12-30", "2024-01-30", "2024-02-29", "2024-03-30"]
    for frequency in ("daily", "weekly", "monthly", "yearly"):
        with pytest.raises(ValueError, match="9999"):
            tools.recurring_dates("9999-12-31", frequency, 2)


def test_ages_before_and_on_the_birthday(tools):
    assert tools.age_on_date("2000-03-01", "2024-02-29")["years"] == 23
    assert tools.age_on_date("2000-03-01", "2024-03-01")["years"] == 24
    assert tools.age_on_date("2004-02-29", "2023-02-28")["years"] == 19
    assert tools.age_on_date("2024-01-01", "2024-01-01")["total_days"] == 0
    with pytest.raises(ValueError, match="before birth_date"):
        tools.age_on_date("2024-01-02", "2024-01-01")


def test_the_first_anniversary_is_a_year_after_the_event(tools):
    found = tools.next_anniversary("2024-05-01", "2024-05-01")
    assert (found["date"], found["number"]) == ("2025-05-01", 1)
    with pytest.raises(ValueError, match="before event_date"):
        tools.next_anniversary("2024-05-01", "2024-04-30")


def test_leap_days_are_celebrated_as_asked(tools):
    for leap_day, expected in (("february_28", "2025-02-28"), ("march_1", "2025-03-01")):
        assert tools.next_anniversary("2020-02-29", "2024-03-01", leap_day)["date"] == expected


def test_the_last_weekday_is_the_fourth_or_the_fifth(tools):
    assert tools.nth_weekday_of_month(2024, 2, "thursday", "fifth") == "2024-02-29"
    assert tools.nth_weekday_of_month(2024, 2, "friday", "last") == "2024-02-23"
    with pytest.raises(ValueError, match="no fifth"):
        tools.nth_weekday_of_month(2024, 2, "friday", "fifth")


@pytest.mark.parametrize(
    ("year", "western", "orthodox"),
    [
        (1818, "03-22", "04-26"),  # the earliest western date
        (1943, "04-25", "04-25"),  # the latest
        (2000, "04-23", "04-30"),
        (2017, "04-16", "04-16"),
        (2019, "04-21", "04-28"),
        (2025, "04-20", "04-20"),
    ],
)
def test_easter_is_when_the_tables_say(tools, year, western, orthodox):
    for church, day in (("western", western), ("orthodox", orthodox)):
        assert tools.easter_date(year, church)["easter_sunday"] == f"{year}-{day}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (0.4, "0 seconds"),
        (59.6, "1 minute"),
        (3600, "1 hour"),
        (86401, "1 day 1 second"),
    ],
)
def test_durations_leave_out_what_is_zero(tools, seconds, text):
    assert tools.format_duration(seconds) == text


@pytest.mark.parametrize(
    "duration", ["P", "PT", "P1DT", "P1Y", "P2M", "1H", "PT1H30", "P1W1X", "PT1.5H", ""]
)
def test_what_is_no_duration_is_refused(tools, duration):
    with pytest.raises(ValueError, match="not a duration"):
        tools.parse_iso_duration(duration)
