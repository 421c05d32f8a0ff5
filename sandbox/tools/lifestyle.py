"""Cooking, decorating, parties and sleep."""

import math
import re
from typing import Annotated, Literal, TypedDict

CATEGORY = "Lifestyle"
__all__ = [
    "bedtimes_for_wake_time",
    "bread_dough_amounts",
    "flooring_packs_needed",
    "paint_needed",
    "scale_recipe",
    "split_event_budget",
    "wallpaper_rolls_needed",
]

_RoomLength = Annotated[float, {"minimum": 0.5, "maximum": 100}]
_Height = Annotated[float, {"minimum": 1.5, "maximum": 12}]
_Openings = Annotated[int, {"minimum": 0, "maximum": 50}]
_Percent = Annotated[float, {"minimum": 0, "maximum": 100}]

_DOOR_M2 = 1.8
_WINDOW_M2 = 1.5
_ROLL_LENGTH_M = 10.05


class Ingredient(TypedDict):
    """An ingredient of a recipe."""

    name: Annotated[str, {"minLength": 1, "maxLength": 100}]
    amount: Annotated[float, {"exclusiveMinimum": 0, "maximum": 100000}]
    unit: Annotated[str, {"maxLength": 30}]


def scale_recipe(
    ingredients: Annotated[list[Ingredient], {"maxItems": 60}],
    servings: Annotated[float, {"minimum": 0.5, "maximum": 1000}],
    wanted_servings: Annotated[float, {"minimum": 0.5, "maximum": 1000}],
    whole_pieces: bool = False,
) -> list[dict[str, float | str]]:
    """Scale the ingredients of a recipe to another number of servings.

    Args:
        ingredients: The ingredients with their amounts and units (an empty unit for pieces); at
            least one.
        servings: How many servings the recipe makes.
        wanted_servings: How many are wanted.
        whole_pieces: Whether to round what has no unit, such as eggs, up to whole pieces.

    Returns:
        The ingredients with their new amounts, to two decimals.

    Raises:
        ValueError: If there are no ingredients, or a number of servings is not positive.

    Examples:
        >>> scale_recipe([{"name": "flour", "amount": 250, "unit": "g"}], 4, 6)
        [{'name': 'flour', 'amount': 375.0, 'unit': 'g'}]
        >>> scale_recipe(
        ...     [
        ...         {"name": "eggs", "amount": 1, "unit": ""},
        ...         {"name": "olive oil", "amount": 2, "unit": "tbsp"},
        ...     ],
        ...     servings=2,
        ...     wanted_servings=5,
        ...     whole_pieces=True,
        ... )  # doctest: +NORMALIZE_WHITESPACE
        [{'name': 'eggs', 'amount': 3.0, 'unit': ''},
         {'name': 'olive oil', 'amount': 5.0, 'unit': 'tbsp'}]
        >>> scale_recipe(
        ...     ingredients=[{"name": "eggs", "amount": 3, "unit": ""}],
        ...     servings=12,
        ...     wanted_servings=8,
        ... )
        [{'name': 'eggs', 'amount': 2.0, 'unit': ''}]
    """
    if not ingredients:
        raise ValueError("ingredients must not be empty")
    if min(servings, wanted_servings) <= 0:
        raise ValueError("servings must be positive")
    scaled: list[dict[str, float | str]] = []
    for ingredient in ingredients:
        amount = round(ingredient["amount"] * wanted_servings / servings, 2)
        if whole_pieces and not ingredient["unit"]:
            amount = float(math.ceil(amount))
        scaled.append({"name": ingredient["name"], "amount": amount, "unit": ingredient["unit"]})
    return scaled


def bread_dough_amounts(
    dough_grams: Annotated[float, {"minimum": 50, "maximum": 100000}],
    hydration_percent: Annotated[float, {"minimum": 40, "maximum": 120}] = 65,
    salt_percent: Annotated[float, {"minimum": 0, "maximum": 5}] = 2,
    yeast_percent: Annotated[float, {"minimum": 0, "maximum": 5}] = 1,
) -> dict[str, float]:
    """Compute flour, water, salt and yeast for an amount of dough, from baker's percentages.

    In baker's percentages each ingredient is in percent of the flour.

    Args:
        dough_grams: The weight of the whole dough, in grams.
        hydration_percent: The water, in percent of the flour.
        salt_percent: The salt, in percent of the flour.
        yeast_percent: The yeast, in percent of the flour.

    Returns:
        The grams of `flour`, `water`, `salt` and `yeast`.

    Raises:
        ValueError: If the dough has no weight, or a percentage is negative.

    Examples:
        >>> bread_dough_amounts(1680)
        {'flour': 1000.0, 'water': 650.0, 'salt': 20.0, 'yeast': 10.0}
        >>> bread_dough_amounts(dough_grams=900, hydration_percent=78, yeast_percent=0)
        {'flour': 500.0, 'water': 390.0, 'salt': 10.0, 'yeast': 0.0}
        >>> bread_dough_amounts(825.0, 60, salt_percent=2.5, yeast_percent=2.5)["flour"]
        500.0
    """
    if dough_grams <= 0 or min(hydration_percent, salt_percent, yeast_percent) < 0:
        raise ValueError("dough_grams must be positive, and percentages not negative")
    flour = dough_grams / (1 + (hydration_percent + salt_percent + yeast_percent) / 100)
    return {
        "flour": round(flour, 1),
        "water": round(flour * hydration_percent / 100, 1),
        "salt": round(flour * salt_percent / 100, 1),
        "yeast": round(flour * yeast_percent / 100, 1),
    }


def paint_needed(
    room_length_m: _RoomLength,
    room_width_m: _RoomLength,
    room_height_m: _Height = 2.5,
    *,
    coats: Annotated[int, {"minimum": 1, "maximum": 5}] = 2,
    doors: _Openings = 1,
    windows: _Openings = 1,
    paint_ceiling: bool = False,
    coverage_m2_per_litre: Annotated[float, {"minimum": 1, "maximum": 30}] = 10,
) -> dict[str, float]:
    """Compute how much paint the walls of a rectangular room take.

    Args:
        room_length_m: The length of the room, in metres.
        room_width_m: Its width, in metres.
        room_height_m: Its height, in metres.
        coats: How many times it is painted.
        doors: The number of doors, of 1.8 m² each, not painted.
        windows: The number of windows, of 1.5 m² each.
        paint_ceiling: Whether the ceiling is painted too.
        coverage_m2_per_litre: The area that a litre of paint covers once, in square metres.

    Returns:
        The `area_m2` to paint, the `litres` for all coats, and the number of `cans` of 2.5 litres.

    Raises:
        ValueError: If a measure is not positive, or doors and windows leave no wall.

    Examples:
        >>> paint_needed(5, 4)
        {'area_m2': 41.7, 'litres': 8.34, 'cans': 4}
        >>> paint_needed(3.5, 3, 2.4, coats=1, doors=2, windows=0, paint_ceiling=True)
        {'area_m2': 38.1, 'litres': 3.81, 'cans': 2}
        >>> paint_needed(
        ...     room_length_m=6, room_width_m=4, windows=3, coverage_m2_per_litre=12.5
        ... )["litres"]
        6.99
    """
    if min(room_length_m, room_width_m, room_height_m, coverage_m2_per_litre, coats) <= 0:
        raise ValueError("measures, coats and coverage must be positive")
    area = 2 * (room_length_m + room_width_m) * room_height_m
    area -= doors * _DOOR_M2 + windows * _WINDOW_M2
    if area <= 0:
        raise ValueError("doors and windows leave no wall to paint")
    if paint_ceiling:
        area += room_length_m * room_width_m
    litres = area * coats / coverage_m2_per_litre
    return {
        "area_m2": round(area, 2),
        "litres": round(litres, 2),
        "cans": math.ceil(round(litres / 2.5, 9)),
    }


def flooring_packs_needed(
    room_length_m: _RoomLength,
    room_width_m: _RoomLength,
    pack_area_m2: Annotated[float, {"minimum": 0.1, "maximum": 50}],
    *,
    waste_percent: _Percent = 10,
    pack_price: Annotated[float, {"minimum": 0, "maximum": 100000}] = 0,
) -> dict[str, float]:
    """Compute how many packs of laminate, parquet or tiles a rectangular room takes.

    Args:
        room_length_m: The length of the room, in metres.
        room_width_m: Its width, in metres.
        pack_area_m2: The area that a pack covers, in square metres.
        waste_percent: What is bought more for cutting, in percent; 15 for diagonal patterns.
        pack_price: The price of a pack, in any currency; 0 if unknown.

    Returns:
        The `floor_m2`, the number of `packs`, the `spare_m2` bought beyond the floor, and the
        `total_price`.

    Raises:
        ValueError: If a measure is not positive, or the waste or price negative.

    Examples:
        >>> flooring_packs_needed(5, 4, 2.2)
        {'floor_m2': 20.0, 'packs': 10, 'spare_m2': 2.0, 'total_price': 0.0}
        >>> flooring_packs_needed(3.6, 2.5, 1.48, waste_percent=15, pack_price=32.5)
        {'floor_m2': 9.0, 'packs': 7, 'spare_m2': 1.36, 'total_price': 227.5}
        >>> flooring_packs_needed(room_length_m=7, room_width_m=5.5, pack_area_m2=1.995)["packs"]
        22
    """
    if min(room_length_m, room_width_m, pack_area_m2) <= 0:
        raise ValueError("measures must be positive")
    if waste_percent < 0 or pack_price < 0:
        raise ValueError("waste_percent and pack_price can't be negative")
    floor = room_length_m * room_width_m
    packs = math.ceil(round(floor * (1 + waste_percent / 100) / pack_area_m2, 9))
    return {
        "floor_m2": round(float(floor), 2),
        "packs": packs,
        "spare_m2": round(packs * pack_area_m2 - floor, 2),
        "total_price": round(float(packs * pack_price), 2),
    }


def wallpaper_rolls_needed(
    wall_width_m: Annotated[float, {"minimum": 0.5, "maximum": 200}],
    wall_height_m: Annotated[float, {"minimum": 0.5, "maximum": 4}] = 2.5,
    pattern_repeat_cm: Annotated[float, {"minimum": 0, "maximum": 100}] = 0,
    roll_width_cm: Annotated[float, {"minimum": 30, "maximum": 150}] = 53,
) -> dict[str, int]:
    """Compute how many rolls of wallpaper, 10.05 m long, a wall takes.

    Args:
        wall_width_m: The width of all walls together, in metres.
        wall_height_m: Their height, in metres.
        pattern_repeat_cm: The height after which the pattern repeats, in centimetres; strips are
            cut at whole repeats. 0 for paper without one.
        roll_width_cm: The width of a roll, in centimetres.

    Returns:
        The number of `strips`, the `strips_per_roll` and the number of `rolls`.

    Raises:
        ValueError: If a measure is not positive, or a strip is longer than a roll.

    Examples:
        >>> wallpaper_rolls_needed(10.6)
        {'strips': 20, 'strips_per_roll': 4, 'rolls': 5}
        >>> wallpaper_rolls_needed(4, wall_height_m=2.5, pattern_repeat_cm=64)
        {'strips': 8, 'strips_per_roll': 3, 'rolls': 3}
        >>> wallpaper_rolls_needed(wall_width_m=5.2, wall_height_m=3.2, roll_width_cm=104)
        {'strips': 5, 'strips_per_roll': 3, 'rolls': 2}
    """
    if min(wall_width_m, wall_height_m, roll_width_cm) <= 0 or pattern_repeat_cm < 0:
        raise ValueError("measures must be positive")
    strip = wall_height_m
    if pattern_repeat_cm:
        repeat = pattern_repeat_cm / 100
        strip = math.ceil(round(wall_height_m / repeat, 9)) * repeat
    per_roll = int(_ROLL_LENGTH_M / strip + 1e-9)
    if per_roll < 1:
        raise ValueError("a strip would be longer than a roll of 10.05 m")
    strips = math.ceil(round(wall_width_m * 100 / roll_width_cm, 9))
    return {"strips": strips, "strips_per_roll": per_roll, "rolls": math.ceil(strips / per_roll)}


def split_event_budget(
    budget: Annotated[float, {"minimum": 1, "maximum": 1e8}],
    shares: Annotated[
        dict[str, Annotated[float, {"exclusiveMinimum": 0, "maximum": 1000}]],
        {"minProperties": 1, "maxProperties": 30},
    ],
    guests: Annotated[int, {"minimum": 1, "maximum": 100000}] = 1,
    reserve_percent: Annotated[float, {"minimum": 0, "maximum": 50}] = 0,
) -> dict[str, object]:
    """Split the budget of a party or wedding among its items, exact to the cent.

    Args:
        budget: The whole budget, in any currency.
        shares: The weight of each item, such as {"food": 5, "music": 1}; they needn't add up to
            anything in particular.
        guests: The number of guests.
        reserve_percent: What to keep for surprises, in percent of the budget.

    Returns:
        The `reserve`, the `amounts` of the items, which add up to the rest of the budget, and the
        budget `per_guest`.

    Raises:
        ValueError: If the budget or a share is not positive, or there are no shares or guests.

    Examples:
        >>> split_event_budget(1000, {"food": 5, "venue": 3, "music": 2})["amounts"]
        {'food': 500.0, 'venue': 300.0, 'music': 200.0}
        >>> split_event_budget(100, {"cake": 1, "games": 1, "prizes": 1}, guests=8)["amounts"]
        {'cake': 33.34, 'games': 33.33, 'prizes': 33.33}
        >>> split_event_budget(
        ...     budget=20000, shares={"catering": 60, "photos": 40}, guests=80, reserve_percent=10
        ... )
        {'reserve': 2000.0, 'amounts': {'catering': 10800.0, 'photos': 7200.0}, 'per_guest': 250.0}
    """
    if not shares or min(shares.values()) <= 0:
        raise ValueError("shares needs at least one item, each with a positive share")
    if budget <= 0 or guests < 1 or not 0 <= reserve_percent <= 50:
        raise ValueError("budget and guests must be positive, reserve_percent from 0 to 50")
    reserve = round(budget * reserve_percent)  # in cents
    rest = round(budget * 100) - reserve
    whole = math.fsum(shares.values())
    cents = {item: math.floor(rest * share / whole) for item, share in shares.items()}
    short = rest - sum(cents.values())
    lost = sorted(shares, key=lambda item: cents[item] - rest * shares[item] / whole)
    for item in lost[:short]:
        cents[item] += 1
    return {
        "reserve": reserve / 100,
        "amounts": {item: amount / 100 for item, amount in cents.items()},
        "per_guest": round(budget / guests, 2),
    }


def bedtimes_for_wake_time(
    wake_time: Annotated[str, {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"}],
    cycle_minutes: Annotated[int, {"minimum": 70, "maximum": 120}] = 90,
    minutes_to_fall_asleep: Annotated[int, {"minimum": 0, "maximum": 120}] = 15,
    clock: Literal["24h", "12h"] = "24h",
) -> list[dict[str, float | str]]:
    """List when to go to bed so as to wake up between sleep cycles.

    Args:
        wake_time: When to get up, as HH:MM on a 24-hour clock.
        cycle_minutes: The length of a sleep cycle, in minutes; 90 on average.
        minutes_to_fall_asleep: How long it takes to fall asleep, in minutes.
        clock: How to write the bedtimes: on a 24-hour or a 12-hour clock.

    Returns:
        The bedtimes for six, five and four cycles, with the hours of sleep.

    Raises:
        ValueError: If the time is not written HH:MM, or minutes are out of range.

    Examples:
        >>> bedtimes_for_wake_time("07:00")  # doctest: +NORMALIZE_WHITESPACE
        [{'bedtime': '21:45', 'cycles': 6, 'hours_of_sleep': 9.0},
         {'bedtime': '23:15', 'cycles': 5, 'hours_of_sleep': 7.5},
         {'bedtime': '00:45', 'cycles': 4, 'hours_of_sleep': 6.0}]
        >>> bedtimes_for_wake_time("06:30", minutes_to_fall_asleep=30, clock="12h")[1]
        {'bedtime': '10:30 PM', 'cycles': 5, 'hours_of_sleep': 7.5}
        >>> bedtimes_for_wake_time(wake_time="05:45", cycle_minutes=100)[0]["bedtime"]
        '19:30'
    """
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", wake_time):
        raise ValueError(f"{wake_time!r} is not a time from 00:00 to 23:59")
    if not 70 <= cycle_minutes <= 120 or not 0 <= minutes_to_fall_asleep <= 120:
        raise ValueError("cycles have 70 to 120 minutes, and falling asleep takes 0 to 120")
    hours, minutes = map(int, wake_time.split(":"))
    bedtimes: list[dict[str, float | str]] = []
    for cycles in (6, 5, 4):
        asleep = cycles * cycle_minutes
        minute = (hours * 60 + minutes - asleep - minutes_to_fall_asleep) % 1440
        slept = {"cycles": cycles, "hours_of_sleep": round(asleep / 60, 2)}
        bedtimes.append({"bedtime": _clock_time(minute, clock), **slept})
    return bedtimes


def _clock_time(minute_of_day: int, clock: str) -> str:
    hour, minute = divmod(minute_of_day, 60)
    if clock == "24h":
        return f"{hour:02d}:{minute:02d}"
    return f"{(hour - 1) % 12 + 1}:{minute:02d} {'AM' if hour < 12 else 'PM'}"
