"""Grades, study plans, spaced repetition and reading."""

import math
from datetime import date, timedelta
from typing import Annotated, Literal, TypedDict

CATEGORY = "Education"
__all__ = [
    "correct_score_for_guessing",
    "course_grade",
    "estimate_reading_time",
    "final_score_needed",
    "grade_point_average",
    "next_review_interval",
    "study_schedule",
]

_Percent = Annotated[float, {"minimum": 0, "maximum": 100}]

_GRADE_POINTS = {
    "A+": 4.0,
    "A": 4.0,
    "A-": 3.7,
    "B+": 3.3,
    "B": 3.0,
    "B-": 2.7,
    "C+": 2.3,
    "C": 2.0,
    "C-": 1.7,
    "D+": 1.3,
    "D": 1.0,
    "D-": 0.7,
    "F": 0.0,
}


class Course(TypedDict):
    """A course that was graded."""

    grade: Literal["A+", "A", "A-", "B+", "B", "B-", "C+", "C", "C-", "D+", "D", "D-", "F"]
    credits: Annotated[float, {"exclusiveMinimum": 0, "maximum": 60}]


class Component(TypedDict):
    """A part of a course's grade, such as homework or an exam."""

    points: Annotated[float, {"minimum": 0, "maximum": 10000}]
    max_points: Annotated[float, {"minimum": 1, "maximum": 10000}]
    weight: Annotated[float, {"exclusiveMinimum": 0, "maximum": 100}]


def grade_point_average(
    courses: Annotated[list[Course], {"maxItems": 100}],
    previous_gpa: Annotated[float, {"minimum": 0, "maximum": 4}] = 0,
    previous_credits: Annotated[float, {"minimum": 0, "maximum": 1000}] = 0,
) -> dict[str, float]:
    """Compute a grade point average on the US scale of 4.0, for a term and over all terms.

    Args:
        courses: The letter grade and the credits of each course of the term; at least one.
        previous_gpa: The average of the terms before.
        previous_credits: The credits of the terms before; 0 if there were none.

    Returns:
        The `term_gpa`, the `cumulative_gpa` and the `total_credits`.

    Raises:
        ValueError: If there are no courses, a grade is unknown, or credits are not positive.

    Examples:
        >>> grade_point_average([{"grade": "A", "credits": 3}, {"grade": "B", "credits": 3}])
        {'term_gpa': 3.5, 'cumulative_gpa': 3.5, 'total_credits': 6.0}
        >>> grade_point_average(
        ...     [{"grade": "A-", "credits": 4}, {"grade": "C+", "credits": 2}],
        ...     previous_gpa=3.0,
        ...     previous_credits=24,
        ... )
        {'term_gpa': 3.233, 'cumulative_gpa': 3.047, 'total_credits': 30.0}
        >>> grade_point_average(courses=[{"grade": "B-", "credits": 3.5}])["term_gpa"]
        2.7
    """
    if not courses:
        raise ValueError("courses must not be empty")
    if min(course["credits"] for course in courses) <= 0 or previous_credits < 0:
        raise ValueError("credits must be positive")
    term_credits = math.fsum(course["credits"] for course in courses)
    points = math.fsum(_grade_points(course["grade"]) * course["credits"] for course in courses)
    total = term_credits + previous_credits
    return {
        "term_gpa": round(points / term_credits, 3),
        "cumulative_gpa": round((points + previous_gpa * previous_credits) / total, 3),
        "total_credits": round(total, 2),
    }


def _grade_points(grade: str) -> float:
    if grade not in _GRADE_POINTS:
        raise ValueError(f"{grade!r} is not a letter grade from A+ to F")
    return _GRADE_POINTS[grade]


def course_grade(
    components: Annotated[list[Component], {"minItems": 1, "maxItems": 50}],
    drop_lowest: Annotated[int, {"minimum": 0, "maximum": 10}] = 0,
) -> dict[str, float | str]:
    """Compute the weighted grade of a course from its parts.

    Args:
        components: The points reached, the points possible and the weight of each part; weights
            needn't add up to 100, so that a course can be graded before it ends.
        drop_lowest: How many of the parts with the lowest share of points don't count.

    Returns:
        The weighted `percent`, and the `letter` on the usual US scale: A from 90, B from 80, C from
        70, D from 60.

    Raises:
        ValueError: If no part is left, or a weight or maximum is not positive.

    Examples:
        >>> course_grade(
        ...     [
        ...         {"points": 45, "max_points": 50, "weight": 40},
        ...         {"points": 80, "max_points": 100, "weight": 60},
        ...     ]
        ... )
        {'percent': 84.0, 'letter': 'B'}
        >>> course_grade(
        ...     [
        ...         {"points": 10, "max_points": 10, "weight": 1},
        ...         {"points": 4, "max_points": 10, "weight": 1},
        ...         {"points": 9, "max_points": 10, "weight": 1},
        ...     ],
        ...     drop_lowest=1,
        ... )
        {'percent': 95.0, 'letter': 'A'}
        >>> course_grade(components=[{"points": 11.5, "max_points": 20, "weight": 25}])
        {'percent': 57.5, 'letter': 'F'}
    """
    if any(part["max_points"] <= 0 or part["weight"] <= 0 for part in components):
        raise ValueError("max_points and weights must be positive")
    shares = sorted((part["points"] / part["max_points"], part["weight"]) for part in components)
    counted = shares[max(0, drop_lowest) :]
    if not counted:
        raise ValueError(f"with {drop_lowest} of {len(shares)} parts dropped, none is left")
    weights = math.fsum(weight for _, weight in counted)
    percent = round(100 * math.fsum(share * weight for share, weight in counted) / weights, 2)
    letters = ((90, "A"), (80, "B"), (70, "C"), (60, "D"))
    letter = next((letter for bound, letter in letters if percent >= bound), "F")
    return {"percent": percent, "letter": letter}


def final_score_needed(
    current_percent: _Percent,
    target_percent: _Percent,
    final_weight_percent: Annotated[float, {"minimum": 1, "maximum": 100}],
) -> dict[str, float | str]:
    """Compute what score in a final exam brings a course to a target grade.

    Args:
        current_percent: The grade so far, in percent, of all that counts except the final exam.
        target_percent: The grade wanted for the course, in percent.
        final_weight_percent: How much the final exam counts, in percent of the course.

    Returns:
        The `needed_percent` in the exam, and the `outlook`: "secured" if even 0 is enough,
        "possible", or "out_of_reach" if more than 100 would be needed.

    Raises:
        ValueError: If the exam doesn't count from 1 to 100 percent.

    Examples:
        >>> final_score_needed(85, 90, 25)
        {'needed_percent': 105.0, 'outlook': 'out_of_reach'}
        >>> final_score_needed(current_percent=78, target_percent=80, final_weight_percent=40)
        {'needed_percent': 83.0, 'outlook': 'possible'}
        >>> final_score_needed(95.0, 70, 20)
        {'needed_percent': -30.0, 'outlook': 'secured'}
    """
    if not 1 <= final_weight_percent <= 100:
        raise ValueError("final_weight_percent must be from 1 to 100")
    weight = final_weight_percent / 100
    needed = round((target_percent - current_percent * (1 - weight)) / weight, 2) + 0.0
    if needed > 100:
        return {"needed_percent": needed, "outlook": "out_of_reach"}
    return {"needed_percent": needed, "outlook": "possible" if needed > 0 else "secured"}


def next_review_interval(
    quality: Annotated[int, {"minimum": 0, "maximum": 5}],
    repetitions: Annotated[int, {"minimum": 0, "maximum": 1000}] = 0,
    ease: Annotated[float, {"minimum": 1.3, "maximum": 5}] = 2.5,
    interval_days: Annotated[int, {"minimum": 0, "maximum": 36500}] = 0,
) -> dict[str, float]:
    """Schedule the next review of a flashcard by the SM-2 algorithm of spaced repetition.

    Args:
        quality: How well it was remembered: 5 perfectly, 4 after hesitation, 3 with difficulty, 2
            or less not.
        repetitions: How many times in a row it was remembered before this review.
        ease: The card's ease factor before this review.
        interval_days: The days from the previous review to this one.

    Returns:
        The days until the next review, and the new `repetitions` and `ease`. A card that was
        forgotten starts again and keeps its ease.

    Raises:
        ValueError: If the quality is not from 0 to 5, or the ease is below 1.3.

    Examples:
        >>> next_review_interval(4)
        {'interval_days': 1, 'repetitions': 1, 'ease': 2.5}
        >>> next_review_interval(quality=5, repetitions=2, ease=2.6, interval_days=6)
        {'interval_days': 16, 'repetitions': 3, 'ease': 2.7}
        >>> next_review_interval(3, repetitions=1, ease=2.5, interval_days=1)
        {'interval_days': 6, 'repetitions': 2, 'ease': 2.36}
        >>> next_review_interval(2, repetitions=5, ease=2.1, interval_days=40)
        {'interval_days': 1, 'repetitions': 0, 'ease': 2.1}
    """
    if not 0 <= quality <= 5 or ease < 1.3:
        raise ValueError("quality must be from 0 to 5, and ease at least 1.3")
    if quality < 3:
        return {"interval_days": 1, "repetitions": 0, "ease": round(float(ease), 2)}
    if repetitions < 2:
        days = (1, 6)[repetitions]
    else:
        days = max(1, math.ceil(round(interval_days * ease, 6)))
    missing = 5 - quality
    eased = max(1.3, ease + 0.1 - missing * (0.08 + missing * 0.02))
    return {"interval_days": days, "repetitions": repetitions + 1, "ease": round(eased, 2)}


def estimate_reading_time(
    words: Annotated[int, {"minimum": 1, "maximum": 10000000}],
    words_per_minute: Annotated[float, {"minimum": 50, "maximum": 1000}] = 238,
    images: Annotated[int, {"minimum": 0, "maximum": 1000}] = 0,
    minutes_per_day: Annotated[float | None, {"minimum": 1, "maximum": 1440}] = None,
) -> dict[str, float]:
    """Estimate how long it takes to read a text, and how many days at a daily amount.

    Args:
        words: The length of the text.
        words_per_minute: The reading speed; 238 is an adult's average for silent reading.
        images: How many images to look at; each takes 12 seconds.
        minutes_per_day: The time for reading in a day; left out, all is read in one day.

    Returns:
        The `minutes` and the `days`.

    Raises:
        ValueError: If there are no words, or the speed or time is not positive.

    Examples:
        >>> estimate_reading_time(1190)
        {'minutes': 5.0, 'days': 1}
        >>> estimate_reading_time(words=90000, words_per_minute=250, minutes_per_day=25)
        {'minutes': 360.0, 'days': 15}
        >>> estimate_reading_time(2000, words_per_minute=200.0, images=10)["minutes"]
        12.0
    """
    if words < 1 or words_per_minute <= 0 or images < 0:
        raise ValueError("words and words_per_minute must be positive")
    if minutes_per_day is not None and minutes_per_day <= 0:
        raise ValueError("minutes_per_day must be positive")
    minutes = words / words_per_minute + images * 0.2
    days = 1 if minutes_per_day is None else math.ceil(round(minutes / minutes_per_day, 9))
    return {"minutes": round(minutes, 1), "days": max(1, days)}


def correct_score_for_guessing(
    right: Annotated[int, {"minimum": 0, "maximum": 1000}],
    wrong: Annotated[int, {"minimum": 0, "maximum": 1000}],
    choices: Annotated[int, {"minimum": 2, "maximum": 10}] = 4,
    omitted: Annotated[int, {"minimum": 0, "maximum": 1000}] = 0,
) -> dict[str, float]:
    """Score a multiple-choice test by formula, so that blind guesses gain nothing on average.

    Args:
        right: The number of right answers.
        wrong: The number of wrong answers.
        choices: How many answers each question offers.
        omitted: The number of questions without an answer.

    Returns:
        The corrected `score` (right answers, less a share of the wrong ones), that score in percent
        of all questions, and the `score_of_guesser` who answers all of them blindly, uncorrected.

    Raises:
        ValueError: If there are no questions, or fewer than two choices.

    Examples:
        >>> correct_score_for_guessing(30, 10, choices=5)
        {'score': 27.5, 'percent': 68.75, 'score_of_guesser': 8.0}
        >>> correct_score_for_guessing(right=18, wrong=6, omitted=6)
        {'score': 16.0, 'percent': 53.33, 'score_of_guesser': 7.5}
        >>> correct_score_for_guessing(5, 15, choices=4)
        {'score': 0.0, 'percent': 0.0, 'score_of_guesser': 5.0}
    """
    questions = right + wrong + omitted
    if questions < 1 or min(right, wrong, omitted) < 0:
        raise ValueError("there must be at least one question, and no negative numbers")
    if choices < 2:
        raise ValueError("choices must be at least 2")
    score = right - wrong / (choices - 1)
    return {
        "score": round(score, 2),
        "percent": round(100 * score / questions, 2),
        "score_of_guesser": round(questions / choices, 2),
    }


def study_schedule(
    start_date: Annotated[str, {"format": "date"}],
    exam_date: Annotated[str, {"format": "date"}],
    topic_hours: Annotated[
        dict[str, Annotated[float, {"minimum": 0.25, "maximum": 200}]],
        {"minProperties": 1, "maxProperties": 30},
    ],
    rest_on_sundays: bool = False,
) -> dict[str, object]:
    """Plan when to study each topic before an exam, with the same time each day.

    Topics are studied in the order given; the day of the exam is free.

    Args:
        start_date: The first day of study, as YYYY-MM-DD.
        exam_date: The day of the exam, as YYYY-MM-DD; at most a year later.
        topic_hours: The hours that each topic needs.
        rest_on_sundays: Whether not to study on Sundays.

    Returns:
        The number of `study_days`, the `hours_per_day`, and for each topic of the `plan` the first
        and the last day it is studied.

    Raises:
        ValueError: If a date doesn't exist, there is no day to study or more than a year, or there
            are no topics.

    Examples:
        >>> study_schedule("2024-06-03", "2024-06-07", {"Algebra": 6, "Geometry": 2})
        ... # doctest: +NORMALIZE_WHITESPACE
        {'study_days': 4, 'hours_per_day': 2.0,
         'plan': [{'topic': 'Algebra', 'first_day': '2024-06-03', 'last_day': '2024-06-05'},
                  {'topic': 'Geometry', 'first_day': '2024-06-06', 'last_day': '2024-06-06'}]}
        >>> study_schedule("2024-06-01", "2024-06-04", {"Verbs": 3}, rest_on_sundays=True)
        ... # doctest: +NORMALIZE_WHITESPACE
        {'study_days': 2, 'hours_per_day': 1.5,
         'plan': [{'topic': 'Verbs', 'first_day': '2024-06-01', 'last_day': '2024-06-03'}]}
        >>> study_schedule(
        ...     start_date="2025-01-06",
        ...     exam_date="2025-01-16",
        ...     topic_hours={"Cells": 4.5, "Genetics": 7.5, "Ecology": 3},
        ... )["hours_per_day"]
        1.5
    """
    first, exam = date.fromisoformat(start_date), date.fromisoformat(exam_date)
    if not 1 <= (exam - first).days <= 366:
        raise ValueError("the exam must be from 1 to 366 days after the start")
    if not topic_hours or min(topic_hours.values()) <= 0:
        raise ValueError("topic_hours needs at least one topic, each with positive hours")
    calendar = [first + timedelta(days=i) for i in range((exam - first).days)]
    days = [day for day in calendar if not (rest_on_sundays and day.weekday() == 6)]
    if not days:
        raise ValueError("there is no day to study before the exam")
    per_day = math.fsum(topic_hours.values()) / len(days)
    plan = []
    done = 0.0
    for topic, hours in topic_hours.items():
        begin = min(int(done / per_day + 1e-9), len(days) - 1)
        done += hours
        end = min(math.ceil(done / per_day - 1e-9), len(days)) - 1
        span = {"first_day": days[begin].isoformat(), "last_day": days[end].isoformat()}
        plan.append({"topic": topic, **span})
    return {"study_days": len(days), "hours_per_day": round(per_day, 2), "plan": plan}
