"""Dice, drops, levels, tournaments and the speed of play."""

import itertools
import math
from typing import Annotated, Literal

CATEGORY = "Gaming"
__all__ = [
    "dice_probability",
    "dice_roll_statistics",
    "drop_chance",
    "elimination_bracket",
    "experience_level",
    "mouse_sensitivity",
    "weapon_damage_per_second",
]

_DiceCount = Annotated[int, {"minimum": 1, "maximum": 20}]
_Sides = Annotated[int, {"minimum": 2, "maximum": 100}]
_Modifier = Annotated[int, {"minimum": -1000, "maximum": 1000}]
_Player = Annotated[str, {"minLength": 1, "maxLength": 60}]


def dice_roll_statistics(
    dice: _DiceCount, sides: _Sides = 6, modifier: _Modifier = 0
) -> dict[str, float]:
    """Describe the total of a roll such as 3d6+2: its range, mean and spread.

    Args:
        dice: How many dice are rolled.
        sides: The number of sides of each.
        modifier: What is added to the total; negative to subtract.

    Returns:
        The `minimum`, `maximum`, `mean` and `standard_deviation` of the total.

    Raises:
        ValueError: If there are no dice, or they have fewer than two sides.

    Examples:
        >>> dice_roll_statistics(2)
        {'minimum': 2, 'maximum': 12, 'mean': 7.0, 'standard_deviation': 2.4152}
        >>> dice_roll_statistics(dice=1, sides=20, modifier=5)
        {'minimum': 6, 'maximum': 25, 'mean': 15.5, 'standard_deviation': 5.7663}
        >>> dice_roll_statistics(8, 6, modifier=-2)["mean"]
        26.0
    """
    _check_dice(dice, sides)
    return {
        "minimum": dice + modifier,
        "maximum": dice * sides + modifier,
        "mean": dice * (sides + 1) / 2 + modifier,
        "standard_deviation": round(math.sqrt(dice * (sides**2 - 1) / 12), 4),
    }


def _check_dice(dice: int, sides: int) -> None:
    if not 1 <= dice <= 20 or not 2 <= sides <= 100:
        raise ValueError(f"1 to 20 dice of 2 to 100 sides can be rolled, not {dice}d{sides}")


def dice_probability(
    dice: _DiceCount,
    sides: _Sides,
    target: Annotated[int, {"minimum": -1000, "maximum": 3000}],
    *,
    comparison: Literal["at_least", "at_most", "exactly"] = "at_least",
    modifier: _Modifier = 0,
) -> float:
    """Compute the exact probability that the total of some dice reaches a target.

    Args:
        dice: How many dice are rolled.
        sides: The number of sides of each.
        target: The total to compare with.
        comparison: Whether the total is to be at least, at most or exactly the target.
        modifier: What is added to the total; negative to subtract.

    Returns:
        The probability from 0 to 1.

    Raises:
        ValueError: If there are no dice or too many, or they have fewer than two sides.

    Examples:
        >>> dice_probability(2, 6, 7, comparison="exactly")
        0.166667
        >>> dice_probability(1, 20, 15, modifier=5)
        0.55
        >>> dice_probability(dice=3, sides=6, target=4, comparison="at_most")
        0.018519
    """
    _check_dice(dice, sides)
    wanted = target - modifier
    matching = 0
    for total, ways in enumerate(_ways_to_roll(dice, sides), start=dice):
        if comparison == "exactly":
            matches = total == wanted
        else:
            matches = total >= wanted if comparison == "at_least" else total <= wanted
        matching += ways if matches else 0
    return round(matching / sides**dice, 6)


def _ways_to_roll(dice: int, sides: int) -> list[int]:
    """How many rolls have each total, from the lowest total on."""
    ways = [1]
    for _ in range(dice):
        sums = [0, *itertools.accumulate(ways)]
        last = len(ways)
        ways = [
            sums[min(i + 1, last)] - sums[max(0, i + 1 - sides)] for i in range(last + sides - 1)
        ]
    return ways


def drop_chance(
    drop_rate: Annotated[float, {"exclusiveMinimum": 0, "maximum": 1}],
    attempts: Annotated[int, {"minimum": 1, "maximum": 1000000}],
    confidence: Annotated[float, {"minimum": 0.01, "maximum": 0.999}] = 0.95,
) -> dict[str, float]:
    """Compute the chance of getting a rare item in a number of tries, all independent.

    Args:
        drop_rate: The chance of the item in one try, such as 0.01 for 1 %.
        attempts: The number of tries.
        confidence: The chance wanted, for which to say how many tries are needed.

    Returns:
        The chance of at least one item, the expected number of items, and the
        `attempts_for_confidence` that make at least one as likely as wanted.

    Raises:
        ValueError: If a rate or chance is out of its range.

    Examples:
        >>> drop_chance(0.01, 100)
        {'chance': 0.633968, 'expected_drops': 1.0, 'attempts_for_confidence': 299}
        >>> drop_chance(drop_rate=0.25, attempts=4, confidence=0.5)
        {'chance': 0.683594, 'expected_drops': 1.0, 'attempts_for_confidence': 3}
        >>> drop_chance(0.006, 90, confidence=0.9)["attempts_for_confidence"]
        383
    """
    if not 1e-9 <= drop_rate <= 1 or not 0 < confidence < 1:
        raise ValueError("drop_rate must be from 1e-9 to 1, and confidence between 0 and 1")
    if attempts < 1:
        raise ValueError("there must be at least one attempt")
    needed = 1
    if drop_rate < confidence:
        needed = math.ceil(round(math.log1p(-confidence) / math.log1p(-drop_rate), 9))
    return {
        "chance": round(1 - (1 - drop_rate) ** attempts, 6),
        "expected_drops": round(attempts * drop_rate, 4),
        "attempts_for_confidence": needed,
    }


def experience_level(
    experience: Annotated[float, {"minimum": 0, "maximum": 1e9}],
    first_level_cost: Annotated[float, {"minimum": 1, "maximum": 1e6}] = 100,
    growth: Annotated[float, {"minimum": 1, "maximum": 3}] = 1.5,
    max_level: Annotated[int, {"minimum": 2, "maximum": 200}] = 50,
) -> dict[str, float]:
    """Find a character's level from experience points, where each level costs more than the last.

    Characters start at level 1 without points.

    Args:
        experience: All points earned so far.
        first_level_cost: The points from level 1 to level 2.
        growth: By what the cost is multiplied with each further level; 1 keeps it the same.
        max_level: The highest level.

    Returns:
        The `level`, the points earned since it was reached, and the points still missing to the
        next level, which are 0 at the highest.

    Raises:
        ValueError: If the experience is negative, or the cost or growth too small.

    Examples:
        >>> experience_level(300)
        {'level': 3, 'points_into_level': 50.0, 'points_to_next': 175.0}
        >>> experience_level(experience=2500, first_level_cost=1000, growth=1)
        {'level': 3, 'points_into_level': 500.0, 'points_to_next': 500.0}
        >>> experience_level(9999, 50, growth=2, max_level=5)
        {'level': 5, 'points_into_level': 9249.0, 'points_to_next': 0.0}
    """
    if experience < 0 or first_level_cost <= 0 or growth < 1:
        raise ValueError("experience and first_level_cost must be positive, growth at least 1")
    level, rest, cost = 1, float(experience), float(first_level_cost)
    while level < max_level and rest >= cost:
        rest -= cost
        cost *= growth
        level += 1
    missing = cost - rest if level < max_level else 0.0
    return {
        "level": level,
        "points_into_level": round(rest, 2),
        "points_to_next": round(missing, 2),
    }


def elimination_bracket(
    players: Annotated[list[_Player], {"maxItems": 128, "uniqueItems": True}],
) -> dict[str, object]:
    """Draw the first round of a single-elimination tournament by seeding.

    The best two seeds can only meet in the final; where the number of players is no power of two,
    the best ones go through to the second round without playing.

    Args:
        players: The names from the first seed to the last; at least two.

    Returns:
        The number of `rounds`, the first-round `matches` as pairs in the order of the bracket, and
        the `byes`, the players who rest in the first round.

    Raises:
        ValueError: If there are fewer than two players, or a name is repeated.

    Examples:
        >>> elimination_bracket(["Ann", "Bo", "Cy", "Di"])
        {'rounds': 2, 'matches': [['Ann', 'Di'], ['Bo', 'Cy']], 'byes': []}
        >>> elimination_bracket(["Red", "Blue", "Green"])
        {'rounds': 2, 'matches': [['Blue', 'Green']], 'byes': ['Red']}
        >>> elimination_bracket(players=["A", "B", "C", "D", "E", "F"])
        {'rounds': 3, 'matches': [['D', 'E'], ['C', 'F']], 'byes': ['A', 'B']}
    """
    if len(players) < 2 or len(set(players)) < len(players):
        raise ValueError("players: at least two different names are needed, each once")
    if len(players) > 128:
        raise ValueError("a bracket has up to 128 players")
    order = [1]
    while len(order) < len(players):
        order = [seed for top in order for seed in (top, 2 * len(order) + 1 - top)]
    pairs = zip(order[::2], order[1::2], strict=True)
    matches = [[players[i - 1], players[j - 1]] for i, j in pairs if max(i, j) <= len(players)]
    byes = players[: len(order) - len(players)]
    return {"rounds": len(order).bit_length() - 1, "matches": matches, "byes": byes}


def mouse_sensitivity(
    dpi: Annotated[float, {"minimum": 50, "maximum": 32000}],
    sensitivity: Annotated[float, {"minimum": 0.01, "maximum": 100}],
    degrees_per_count: Annotated[float, {"minimum": 0.0001, "maximum": 1}] = 0.022,
    *,
    new_dpi: Annotated[float | None, {"minimum": 50, "maximum": 32000}] = None,
) -> dict[str, float]:
    """Compute how far to move a mouse for a full turn in a game, and the setting for another mouse.

    Args:
        dpi: The resolution of the mouse in counts per inch.
        sensitivity: The sensitivity set in the game.
        degrees_per_count: How far the game turns per count at sensitivity 1; 0.022 in games with
            the Source engine.
        new_dpi: The resolution of another mouse that is to feel the same; left out, it is `dpi`.

    Returns:
        The centimetres of a full turn, the effective DPI (resolution times sensitivity), and the
        `equivalent_sensitivity` at the other resolution.

    Raises:
        ValueError: If a setting is not positive.

    Examples:
        >>> mouse_sensitivity(800, 1.0)
        {'cm_per_turn': 51.95, 'effective_dpi': 800.0, 'equivalent_sensitivity': 1.0}
        >>> mouse_sensitivity(dpi=400, sensitivity=2, new_dpi=1600)
        {'cm_per_turn': 51.95, 'effective_dpi': 800.0, 'equivalent_sensitivity': 0.5}
        >>> mouse_sensitivity(800, 0.35, degrees_per_count=0.07)["cm_per_turn"]
        46.65
    """
    if min(dpi, sensitivity, degrees_per_count) <= 0 or (new_dpi is not None and new_dpi <= 0):
        raise ValueError("all settings must be positive")
    counts = 360 / (degrees_per_count * sensitivity)
    return {
        "cm_per_turn": round(counts / dpi * 2.54, 2),
        "effective_dpi": round(float(dpi * sensitivity), 2),
        "equivalent_sensitivity": round(dpi * sensitivity / (new_dpi or dpi), 4),
    }


def weapon_damage_per_second(
    damage: Annotated[float, {"minimum": 0, "maximum": 1e6}],
    attacks_per_second: Annotated[float, {"minimum": 0.05, "maximum": 100}],
    *,
    critical_chance: Annotated[float, {"minimum": 0, "maximum": 1}] = 0,
    critical_multiplier: Annotated[float, {"minimum": 1, "maximum": 20}] = 2,
    magazine: Annotated[int | None, {"minimum": 1, "maximum": 10000}] = None,
    reload_seconds: Annotated[float, {"minimum": 0, "maximum": 60}] = 2,
) -> dict[str, float]:
    """Compute a weapon's average damage per second, with critical hits and reloading.

    Args:
        damage: The damage of a normal hit.
        attacks_per_second: How often it attacks.
        critical_chance: The chance of a critical hit, from 0 to 1.
        critical_multiplier: How many times the damage a critical hit does.
        magazine: Attacks between reloads; left out if it never reloads.
        reload_seconds: How long a reload takes, if there is a magazine.

    Returns:
        The average `damage_per_hit`, the `burst_dps` while attacking, and the `sustained_dps`
        with reloads counted.

    Raises:
        ValueError: If the weapon doesn't attack, or its magazine is empty.

    Examples:
        >>> weapon_damage_per_second(50, 2)
        {'damage_per_hit': 50.0, 'burst_dps': 100.0, 'sustained_dps': 100.0}
        >>> weapon_damage_per_second(30, 10, magazine=30, reload_seconds=3)
        {'damage_per_hit': 30.0, 'burst_dps': 300.0, 'sustained_dps': 150.0}
        >>> weapon_damage_per_second(
        ...     damage=80, attacks_per_second=1.5, critical_chance=0.25, critical_multiplier=3
        ... )
        {'damage_per_hit': 120.0, 'burst_dps': 180.0, 'sustained_dps': 180.0}
    """
    if attacks_per_second <= 0 or (magazine is not None and magazine < 1):
        raise ValueError("attacks_per_second must be positive, and a magazine not empty")
    per_hit = damage * (1 + critical_chance * (critical_multiplier - 1))
    burst = per_hit * attacks_per_second
    firing = math.inf if magazine is None else magazine / attacks_per_second
    share = 1.0 if magazine is None else firing / (firing + reload_seconds)
    return {
        "damage_per_hit": round(float(per_hit), 2),
        "burst_dps": round(float(burst), 2),
        "sustained_dps": round(float(burst * share), 2),
    }
