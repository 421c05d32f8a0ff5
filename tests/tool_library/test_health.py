import itertools

import pytest


@pytest.mark.parametrize(
    ("weight", "name"),
    [
        (18.4, "underweight"),
        (18.5, "normal"),
        (24.9, "normal"),
        (25, "overweight"),
        (30, "obese I"),
        (35, "obese II"),
        (40, "obese III"),
    ],
)
def test_classes_of_body_mass_begin_at_their_limits(tools, weight, name):
    # Four times the weight at two metres is the index itself.
    assert tools.body_mass_index(4 * weight, 200)["class"] == name


def test_the_ends_of_the_healthy_range_are_normal_and_not(tools):
    ends = tools.healthy_weight_range(200)
    assert tools.body_mass_index(ends["lowest_kg"], 200)["class"] == "normal"
    assert tools.body_mass_index(ends["highest_kg"], 200)["class"] == "overweight"


def test_the_formulas_differ_by_sex_as_published(tools):
    woman = tools.basal_metabolic_rate(70, 170, 40, "female")["bmr_kcal"]
    man = tools.basal_metabolic_rate(70, 170, 40, "male")["bmr_kcal"]
    assert man - woman in (165, 166, 167)  # 5 and -161
    older = tools.basal_metabolic_rate(70, 170, 50, "male")["bmr_kcal"]
    assert man - older == 50


def test_more_activity_needs_more_energy(tools):
    levels = ("sedentary", "light", "moderate", "active", "very_active")
    needs = [
        tools.basal_metabolic_rate(70, 170, 40, "male", activity=level)["daily_kcal"]
        for level in levels
    ]
    assert needs == sorted(set(needs))


def test_zones_follow_each_other_up_to_the_maximum(tools):
    zones = list(tools.heart_rate_zones(50, 55, "tanaka").values())
    assert all(low[1] == high[0] for low, high in itertools.pairwise(zones))
    assert zones[-1][1] == 173  # 208 - 0.7 * 50


def test_a_started_glass_counts(tools):
    assert tools.daily_water_intake(50)["glasses"] == 7  # 1750 ml
    assert tools.daily_water_intake(50.1)["glasses"] == 8


def test_pace_carries_into_the_minute(tools):
    assert tools.running_pace(1, "4:59")["pace"] == "4:59"
    assert tools.running_pace(3, "17:59")["pace"] == "6:00"
    assert tools.running_pace(0.5, "45:00")["pace"] == "1:30:00"


def test_the_same_distance_takes_the_same_time(tools):
    assert tools.predict_race_time(10, "42:42", 10)["time"] == "42:42"
    assert tools.predict_race_time(42.195, "3:00:00", 42.195, 1.2)["time"] == "3:00:00"


def test_no_time_is_refused(tools):
    with pytest.raises(ValueError, match="longer than 0"):
        tools.running_pace(10, "0:00")
    with pytest.raises(ValueError, match="longer than 0"):
        tools.predict_race_time(10, "0:00:00", 5)
