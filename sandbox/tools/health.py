"""Body measures, energy, training zones and running times. Estimates, no medical advice."""

from typing import Annotated, Literal, TypeAlias

CATEGORY = "Health"
__all__ = [
    "basal_metabolic_rate",
    "body_mass_index",
    "daily_water_intake",
    "healthy_weight_range",
    "heart_rate_zones",
    "predict_race_time",
    "running_pace",
]

WeightKg: TypeAlias = Annotated[float, {"minimum": 20, "maximum": 400}]
HeightCm: TypeAlias = Annotated[float, {"minimum": 100, "maximum": 250}]
Age: TypeAlias = Annotated[int, {"minimum": 15, "maximum": 100}]
DistanceKm: TypeAlias = Annotated[float, {"minimum": 0.1, "maximum": 1000}]
ClockTime: TypeAlias = Annotated[
    str, {"pattern": "^([0-9]{1,3}:[0-5][0-9]|[0-9]{1,2}):[0-5][0-9]$", "maxLength": 9}
]

_BMI_LIMITS = {"who": (18.5, 25, 30, 35, 40), "asian": (18.5, 23, 27.5, 32.5, 37.5)}
_BMI_CLASSES = ("underweight", "normal", "overweight", "obese I", "obese II", "obese III")
_ACTIVITY = {
    "sedentary": 1.2,
    "light": 1.375,
    "moderate": 1.55,
    "active": 1.725,
    "very_active": 1.9,
}
_KM_PER_MILE = 1.609344


def body_mass_index(
    weight_kg: WeightKg, height_cm: HeightCm, cutoffs: Literal["who", "asian"] = "who"
) -> dict[str, float | str]:
    """Compute the body mass index (BMI) of an adult and its class.

    Args:
        weight_kg: Body weight in kilograms.
        height_cm: Body height in centimetres.
        cutoffs: The limits of the classes: `who` for the international ones, `asian` for the lower
            ones that the WHO suggests for Asian populations.

    Returns:
        The BMI in kg/m², to one decimal, and its class.

    Examples:
        >>> body_mass_index(70, 175)
        {'bmi': 22.9, 'class': 'normal'}
        >>> body_mass_index(68.5, 170, cutoffs="asian")
        {'bmi': 23.7, 'class': 'overweight'}
        >>> body_mass_index(weight_kg=120, height_cm=180)
        {'bmi': 37.0, 'class': 'obese II'}
    """
    bmi = round(weight_kg / (height_cm / 100) ** 2, 1)
    return {"bmi": bmi, "class": _BMI_CLASSES[sum(bmi >= limit for limit in _BMI_LIMITS[cutoffs])]}


def healthy_weight_range(
    height_cm: HeightCm, cutoffs: Literal["who", "asian"] = "who"
) -> dict[str, float]:
    """Give the weights at which an adult of a height has a normal body mass index.

    Args:
        height_cm: Body height in centimetres.
        cutoffs: `who` for a BMI from 18.5 to 25, `asian` for one from 18.5 to 23.

    Returns:
        The lowest and highest weight in kilograms, to one decimal.

    Examples:
        >>> healthy_weight_range(180)
        {'lowest_kg': 59.9, 'highest_kg': 81.0}
        >>> healthy_weight_range(160, cutoffs="asian")
        {'lowest_kg': 47.4, 'highest_kg': 58.9}
        >>> healthy_weight_range(height_cm=200)
        {'lowest_kg': 74.0, 'highest_kg': 100.0}
    """
    square = (height_cm / 100) ** 2
    lowest, highest, *_ = _BMI_LIMITS[cutoffs]
    return {"lowest_kg": round(lowest * square, 1), "highest_kg": round(highest * square, 1)}


def basal_metabolic_rate(
    weight_kg: WeightKg,
    height_cm: HeightCm,
    age: Age,
    sex: Literal["male", "female"],
    *,
    formula: Literal["mifflin_st_jeor", "harris_benedict"] = "mifflin_st_jeor",
    activity: Literal["sedentary", "light", "moderate", "active", "very_active"] = "sedentary",
) -> dict[str, int]:
    """Estimate the energy a body needs at rest (BMR), and in a day with its activity.

    Args:
        weight_kg: Body weight in kilograms.
        height_cm: Body height in centimetres.
        age: Age in years.
        sex: Biological sex, which the formulas tell apart.
        formula: The formula for the BMR; `harris_benedict` is its revision of 1984.
        activity: How active the person is: from no exercise (`sedentary`), over exercise on 1-3
            (`light`), 3-5 (`moderate`) or 6-7 days a week (`active`) to hard physical work.

    Returns:
        The basal metabolic rate and the daily need, in kilocalories.

    Examples:
        >>> basal_metabolic_rate(80, 180, 30, "male")
        {'bmr_kcal': 1780, 'daily_kcal': 2136}
        >>> basal_metabolic_rate(60, 165, 25, "female", activity="moderate")
        {'bmr_kcal': 1345, 'daily_kcal': 2085}
        >>> basal_metabolic_rate(
        ...     weight_kg=80, height_cm=180, age=30, sex="male", formula="harris_benedict"
        ... )
        {'bmr_kcal': 1854, 'daily_kcal': 2224}
    """
    male = sex == "male"
    if formula == "mifflin_st_jeor":
        rate = 10 * weight_kg + 6.25 * height_cm - 5 * age + (5 if male else -161)
    elif male:
        rate = 88.362 + 13.397 * weight_kg + 4.799 * height_cm - 5.677 * age
    else:
        rate = 447.593 + 9.247 * weight_kg + 3.098 * height_cm - 4.330 * age
    return {"bmr_kcal": round(rate), "daily_kcal": round(rate * _ACTIVITY[activity])}


def heart_rate_zones(
    age: Annotated[int, {"minimum": 10, "maximum": 90}],
    resting_heart_rate: Annotated[int, {"minimum": 0, "maximum": 100}] = 0,
    max_rate_formula: Literal["fox", "tanaka"] = "fox",
) -> dict[str, list[int]]:
    """Give the five heart-rate zones for endurance training.

    Zones are steps of 10 % from 50 % to 100 % of the maximum heart rate or, with a resting rate,
    of the reserve between the two (Karvonen's method).

    Args:
        age: Age in years, from which the maximum rate is estimated.
        resting_heart_rate: Heart rate at rest in beats per minute; 0 if not known.
        max_rate_formula: `fox` for 220 - age, `tanaka` for 208 - 0.7 * age.

    Returns:
        The lowest and highest heart rate of each zone, in beats per minute.

    Examples:
        >>> heart_rate_zones(40)["zone_2_endurance"]
        [108, 126]
        >>> heart_rate_zones(40, resting_heart_rate=60)["zone_2_endurance"]
        [132, 144]
        >>> heart_rate_zones(age=30, max_rate_formula="tanaka")["zone_5_maximum"]
        [168, 187]
        >>> heart_rate_zones(20)["zone_1_recovery"]
        [100, 120]
    """
    highest = 220 - age if max_rate_formula == "fox" else 208 - 0.7 * age
    reserve = highest - resting_heart_rate
    limits = [round(resting_heart_rate + reserve * tenth / 10) for tenth in range(5, 11)]
    names = ("recovery", "endurance", "aerobic", "threshold", "maximum")
    return {
        f"zone_{number}_{name}": limits[number - 1 : number + 1]
        for number, name in enumerate(names, 1)
    }


def daily_water_intake(
    weight_kg: WeightKg,
    exercise_minutes: Annotated[int, {"minimum": 0, "maximum": 600}] = 0,
    climate: Literal["temperate", "hot"] = "temperate",
) -> dict[str, float | int]:
    """Estimate how much water a person should drink in a day.

    A rule of thumb: 35 ml per kilogram of body weight, 12 ml per minute of exercise, and 500 ml
    more in a hot climate.

    Args:
        weight_kg: Body weight in kilograms.
        exercise_minutes: Minutes of exercise on that day.
        climate: The climate at the place.

    Returns:
        The amount in litres, and in glasses of 250 ml, rounded up.

    Examples:
        >>> daily_water_intake(70)
        {'litres': 2.45, 'glasses': 10}
        >>> daily_water_intake(60, exercise_minutes=45)
        {'litres': 2.64, 'glasses': 11}
        >>> daily_water_intake(weight_kg=82, exercise_minutes=30, climate="hot")
        {'litres': 3.73, 'glasses': 15}
    """
    millilitres = round(35 * weight_kg + 12 * exercise_minutes + 500 * (climate == "hot"))
    return {"litres": round(millilitres / 1000, 2), "glasses": -(-millilitres // 250)}


def _seconds(duration: str) -> int:
    total = 0
    for part in duration.split(":"):
        total = total * 60 + int(part)
    if not total:
        raise ValueError("the time must be longer than 0 seconds")
    return total


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    minutes = whole // 60 % 60
    return f"{hours}{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def running_pace(
    distance_km: DistanceKm, time: ClockTime, unit: Literal["km", "mile"] = "km"
) -> dict[str, float | str]:
    """Compute the average pace and speed of a run.

    Args:
        distance_km: The distance in kilometres.
        time: The time it took, as minutes:seconds or hours:minutes:seconds.
        unit: Whether to give pace and speed per kilometre or per mile.

    Returns:
        The pace (time per unit), and the speed (units per hour).

    Raises:
        ValueError: if the time is zero.

    Examples:
        >>> running_pace(10, "50:00")
        {'pace': '5:00', 'speed': 12.0}
        >>> running_pace(42.195, "3:30:00")
        {'pace': '4:59', 'speed': 12.06}
        >>> running_pace(distance_km=10, time="50:00", unit="mile")
        {'pace': '8:03', 'speed': 7.46}
    """
    seconds = _seconds(time)
    units = distance_km / (_KM_PER_MILE if unit == "mile" else 1)
    return {"pace": _clock(seconds / units), "speed": round(units / seconds * 3600, 2)}


def predict_race_time(
    distance_km: DistanceKm,
    time: ClockTime,
    target_km: DistanceKm,
    fatigue: Annotated[float, {"minimum": 1, "maximum": 1.2}] = 1.06,
) -> dict[str, str]:
    """Predict the time of a race from that of a shorter or longer one (Riegel's formula).

    Args:
        distance_km: The distance of the known race in kilometres.
        time: The time of the known race, as minutes:seconds or hours:minutes:seconds.
        target_km: The distance of the race to predict in kilometres.
        fatigue: How much slower a runner gets with distance: Riegel's exponent, 1 for not at all.

    Returns:
        The predicted time, and the pace per kilometre.

    Raises:
        ValueError: if the time is zero.

    Examples:
        >>> predict_race_time(10, "50:00", 21.0975)
        {'time': '1:50:19', 'pace': '5:14'}
        >>> predict_race_time(5, "20:00", 10, fatigue=1)
        {'time': '40:00', 'pace': '4:00'}
        >>> predict_race_time(distance_km=21.0975, time="1:45:00", target_km=42.195)
        {'time': '3:38:55', 'pace': '5:11'}
    """
    seconds = _seconds(time) * (target_km / distance_km) ** fatigue
    return {"time": _clock(seconds), "pace": _clock(seconds / target_km)}
