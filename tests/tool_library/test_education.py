import pytest


def test_a_failed_course_counts_with_its_credits(tools):
    courses = [{"grade": "A", "credits": 3}, {"grade": "F", "credits": 1}]
    assert tools.grade_point_average(courses)["term_gpa"] == 3.0


@pytest.mark.parametrize(
    ("courses", "message"),
    [
        ([], "empty"),
        ([{"grade": "E", "credits": 3}], "letter grade"),
        ([{"grade": "A", "credits": 0}], "credits"),
    ],
)
def test_averages_of_nothing_or_of_unknown_grades_are_refused(tools, courses, message):
    with pytest.raises(ValueError, match=message):
        tools.grade_point_average(courses)


def test_the_letter_changes_at_whole_tens(tools):
    def letter(points):
        part = {"points": points, "max_points": 1000, "weight": 1}
        return tools.course_grade([part])["letter"]

    assert [letter(n) for n in (900, 899, 800, 799, 700, 600, 599)] == list("ABBCCDF")


def test_not_all_parts_of_a_course_can_be_dropped(tools):
    part = {"points": 5, "max_points": 10, "weight": 1}
    with pytest.raises(ValueError, match="none is left"):
        tools.course_grade([part, part], drop_lowest=2)
    with pytest.raises(ValueError, match="none is left"):
        tools.course_grade([])


def test_the_score_needed_leads_to_the_target(tools):
    needed = tools.final_score_needed(72, 80, 35)["needed_percent"]
    assert 72 * 0.65 + needed * 0.35 == pytest.approx(80, abs=0.01)


def test_what_is_needed_is_possible_up_to_a_full_score(tools):
    assert tools.final_score_needed(80, 90, 50)["outlook"] == "possible"
    assert tools.final_score_needed(79.9, 90, 50)["outlook"] == "out_of_reach"
    assert tools.final_score_needed(50, 25, 50)["outlook"] == "secured"
    with pytest.raises(ValueError, match="1 to 100"):
        tools.final_score_needed(50, 50, 0)


@pytest.mark.parametrize(
    ("quality", "ease"), [(5, 2.6), (4, 2.5), (3, 2.36), (2, 2.5), (1, 2.5), (0, 2.5)]
)
def test_the_ease_changes_as_in_sm_2(tools, quality, ease):
    assert tools.next_review_interval(quality, 3, 2.5, 15)["ease"] == ease


def test_the_ease_never_falls_below_its_limit(tools):
    assert tools.next_review_interval(3, 4, 1.3, 20)["ease"] == 1.3
    with pytest.raises(ValueError, match="ease"):
        tools.next_review_interval(3, 4, 1.2, 20)


def test_intervals_grow_while_a_card_is_remembered(tools):
    days, card = [], {"repetitions": 0, "ease": 2.5, "interval_days": 0}
    for _ in range(5):
        card = tools.next_review_interval(4, **card)
        days.append(card["interval_days"])
    assert days == [1, 6, 15, 38, 95]


def test_reading_takes_at_least_a_day(tools):
    assert tools.estimate_reading_time(1, minutes_per_day=60)["days"] == 1
    assert tools.estimate_reading_time(6000, 200, minutes_per_day=30)["days"] == 1
    assert tools.estimate_reading_time(6001, 200, minutes_per_day=30)["days"] == 2
    with pytest.raises(ValueError, match="words"):
        tools.estimate_reading_time(0)


def test_blind_guessing_gains_nothing(tools):
    assert tools.correct_score_for_guessing(25, 75, choices=4)["score"] == 0
    assert tools.correct_score_for_guessing(0, 10, choices=2)["score"] == -10
    with pytest.raises(ValueError, match="question"):
        tools.correct_score_for_guessing(0, 0)


def test_a_study_plan_covers_all_days_in_order(tools):
    plan = tools.study_schedule("2024-02-26", "2024-03-07", {"a": 3, "b": 5, "c": 2})
    assert plan["study_days"] == 10
    assert [(step["first_day"], step["last_day"]) for step in plan["plan"]] == [
        ("2024-02-26", "2024-02-28"),
        ("2024-02-29", "2024-03-04"),
        ("2024-03-05", "2024-03-06"),
    ]


@pytest.mark.parametrize(
    ("start", "exam", "topics"),
    [
        ("2024-06-03", "2024-06-03", {"a": 1}),
        ("2024-06-03", "2026-06-03", {"a": 1}),
        ("2024-06-03", "2024-06-31", {"a": 1}),
        ("2024-06-03", "2024-06-10", {}),
    ],
)
def test_study_plans_without_days_or_topics_are_refused(tools, start, exam, topics):
    with pytest.raises(ValueError, match=r"exam|day|topic"):
        tools.study_schedule(start, exam, topics)


def test_nobody_studies_on_a_free_sunday(tools):
    with pytest.raises(ValueError, match="no day to study"):
        tools.study_schedule("2024-06-02", "2024-06-03", {"a": 1}, rest_on_sundays=True)
