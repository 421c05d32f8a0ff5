import pytest


def test_a_recipe_scaled_there_and_back_is_the_same(tools):
    recipe = [{"name": "rice", "amount": 300.0, "unit": "g"}]
    assert tools.scale_recipe(tools.scale_recipe(recipe, 4, 10), 10, 4) == recipe


def test_only_pieces_are_rounded_up(tools):
    recipe = [
        {"name": "egg", "amount": 1, "unit": ""},
        {"name": "milk", "amount": 1, "unit": "cup"},
    ]
    scaled = tools.scale_recipe(recipe, 2, 3, whole_pieces=True)
    assert [item["amount"] for item in scaled] == [2.0, 1.5]


@pytest.mark.parametrize("servings", [(0, 4), (4, 0)])
def test_recipes_for_nobody_are_refused(tools, servings):
    with pytest.raises(ValueError, match="servings"):
        tools.scale_recipe([{"name": "x", "amount": 1, "unit": ""}], *servings)
    with pytest.raises(ValueError, match="empty"):
        tools.scale_recipe([], 2, 4)


def test_parts_of_a_dough_add_up(tools):
    dough = tools.bread_dough_amounts(1234, hydration_percent=71, salt_percent=1.8)
    assert sum(dough.values()) == pytest.approx(1234, abs=0.2)
    with pytest.raises(ValueError, match="positive"):
        tools.bread_dough_amounts(0)


def test_a_full_can_is_not_followed_by_another(tools):
    room = {"doors": 0, "windows": 0, "coats": 1}
    assert tools.paint_needed(5, 5, 2.5, **room)["cans"] == 2  # 50 m², 5 litres
    assert tools.paint_needed(5, 5.1, 2.5, **room)["cans"] == 3


def test_walls_of_doors_and_windows_need_no_paint(tools):
    with pytest.raises(ValueError, match="no wall"):
        tools.paint_needed(1, 1, 2.4, doors=4, windows=4)


def test_exact_packs_of_flooring_are_not_rounded_up(tools):
    floor = tools.flooring_packs_needed(6, 3, 1.8, waste_percent=10)
    assert (floor["packs"], floor["spare_m2"]) == (11, 1.8)
    with pytest.raises(ValueError, match="negative"):
        tools.flooring_packs_needed(6, 3, 1.8, waste_percent=-1)


def test_a_pattern_never_saves_wallpaper(tools):
    for repeat in (0, 20, 53, 64, 100):
        plain = tools.wallpaper_rolls_needed(12, 2.6)
        patterned = tools.wallpaper_rolls_needed(12, 2.6, pattern_repeat_cm=repeat)
        assert patterned["rolls"] >= plain["rolls"]


def test_a_wall_higher_than_a_roll_is_refused(tools):
    assert tools.wallpaper_rolls_needed(0.53, 10.05) == {
        "strips": 1,
        "strips_per_roll": 1,
        "rolls": 1,
    }
    with pytest.raises(ValueError, match="longer than a roll"):
        tools.wallpaper_rolls_needed(0.53, 10.06)


@pytest.mark.parametrize("budget", [0.01, 100, 99.99, 1234.56])
def test_amounts_of_a_budget_add_up_to_the_cent(tools, budget):
    shares = {"a": 1, "b": 1, "c": 1, "d": 0.5}
    split = tools.split_event_budget(budget, shares, reserve_percent=7)
    cents = [round(100 * amount) for amount in (split["reserve"], *split["amounts"].values())]
    assert sum(cents) == round(100 * budget)


@pytest.mark.parametrize("shares", [{}, {"a": 0}, {"a": 2, "b": -1}])
def test_budgets_without_shares_are_refused(tools, shares):
    with pytest.raises(ValueError, match="share"):
        tools.split_event_budget(100, shares)


def test_noon_and_midnight_are_twelve_oclock(tools):
    def bedtime(wake_time):
        slept = {"minutes_to_fall_asleep": 0, "clock": "12h"}
        return tools.bedtimes_for_wake_time(wake_time, **slept)[0]["bedtime"]

    assert bedtime("09:00") == "12:00 AM"
    assert bedtime("21:00") == "12:00 PM"
    assert bedtime("22:30") == "1:30 PM"


@pytest.mark.parametrize("time", ["24:00", "7:00", "07:60", "noon", ""])
def test_what_is_no_time_is_refused(tools, time):
    with pytest.raises(ValueError, match="not a time"):
        tools.bedtimes_for_wake_time(time)
