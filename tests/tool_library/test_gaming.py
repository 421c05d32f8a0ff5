import pytest


def test_probabilities_of_all_totals_add_up_to_one(tools):
    totals = [tools.dice_probability(3, 6, t, comparison="exactly") for t in range(3, 19)]
    assert sum(totals) == pytest.approx(1, abs=1e-5)
    assert totals == pytest.approx(totals[::-1])
    assert max(totals) == 0.125  # 27 of 216 rolls make 10, and as many 11


@pytest.mark.parametrize(
    ("target", "comparison", "expected"),
    [(0, "at_least", 1), (13, "at_least", 0), (1, "at_most", 0), (12, "at_most", 1)],
)
def test_targets_beyond_the_dice_are_certain_or_impossible(tools, target, comparison, expected):
    assert tools.dice_probability(2, 6, target, comparison=comparison) == expected


def test_a_modifier_moves_the_target(tools):
    for modifier in (-3, 4):
        moved = tools.dice_probability(2, 8, 9 + modifier, modifier=modifier)
        assert moved == tools.dice_probability(2, 8, 9)


@pytest.mark.parametrize(("dice", "sides"), [(0, 6), (21, 6), (1, 1), (2, 101)])
def test_impossible_dice_are_refused(tools, dice, sides):
    with pytest.raises(ValueError, match="dice"):
        tools.dice_probability(dice, sides, 3)
    with pytest.raises(ValueError, match="dice"):
        tools.dice_roll_statistics(dice, sides)


def test_the_most_dice_are_counted_exactly(tools):
    assert tools.dice_probability(20, 100, 1010) == pytest.approx(0.5, abs=0.002)
    assert tools.dice_probability(20, 2, 20, comparison="exactly") == 1e-6  # 2 ** -20


def test_a_certain_drop_takes_one_attempt(tools):
    assert tools.drop_chance(1, 1) == {
        "chance": 1.0,
        "expected_drops": 1.0,
        "attempts_for_confidence": 1,
    }


@pytest.mark.parametrize("rate", [0, -0.1, 1.5])
def test_impossible_drop_rates_are_refused(tools, rate):
    with pytest.raises(ValueError, match="drop_rate"):
        tools.drop_chance(rate, 10)


def test_attempts_for_confidence_are_just_enough(tools):
    needed = tools.drop_chance(0.03, 1, confidence=0.9)["attempts_for_confidence"]
    assert tools.drop_chance(0.03, needed)["chance"] >= 0.9
    assert tools.drop_chance(0.03, needed - 1)["chance"] < 0.9


def test_levels_begin_exactly_where_the_cost_is_paid(tools):
    assert tools.experience_level(99.99)["level"] == 1
    assert tools.experience_level(100)["level"] == 2
    assert tools.experience_level(250)["level"] == 3


def test_no_level_is_above_the_highest(tools):
    top = tools.experience_level(1e9, first_level_cost=1, growth=1, max_level=10)
    assert (top["level"], top["points_to_next"]) == (10, 0)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 13, 64, 127])
def test_each_player_is_once_in_the_first_round(tools, count):
    players = [f"p{number}" for number in range(count)]
    bracket = tools.elimination_bracket(players)
    drawn = bracket["byes"] + [player for match in bracket["matches"] for player in match]
    assert sorted(drawn) == sorted(players)
    assert len(bracket["matches"]) + len(bracket["byes"]) == 2 ** (bracket["rounds"] - 1)


@pytest.mark.parametrize("players", [[], ["only"], ["a", "b", "a"], ["x"] * 129])
def test_brackets_of_too_few_or_repeated_players_are_refused(tools, players):
    with pytest.raises(ValueError, match="players"):
        tools.elimination_bracket(players)


def test_the_same_effective_resolution_turns_as_far(tools):
    slow = tools.mouse_sensitivity(400, 2)
    fast = tools.mouse_sensitivity(1600, 0.5)
    assert slow["cm_per_turn"] == fast["cm_per_turn"]
    with pytest.raises(ValueError, match="positive"):
        tools.mouse_sensitivity(800, 0)


def test_an_instant_reload_costs_nothing(tools):
    weapon = tools.weapon_damage_per_second(40, 5, magazine=10, reload_seconds=0)
    assert weapon["sustained_dps"] == weapon["burst_dps"] == 200
    with pytest.raises(ValueError, match="magazine"):
        tools.weapon_damage_per_second(40, 5, magazine=0)
