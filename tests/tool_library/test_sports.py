from itertools import combinations

import pytest


def match(home, away, home_goals, away_goals):
    return {"home": home, "away": away, "home_goals": home_goals, "away_goals": away_goals}


def test_a_table_is_ranked_by_points_then_goals_then_name(tools):
    matches = [
        match("d", "c", 1, 1),
        match("b", "a", 2, 2),
        match("e", "x", 1, 0),
        match("f", "x", 3, 0),
    ]
    ranks = [row["team"] for row in tools.league_table(matches)]
    assert ranks == ["f", "e", "a", "b", "c", "d", "x"]


@pytest.mark.parametrize("matches", [[], [match("a", "a", 1, 0)]])
def test_leagues_without_opponents_are_refused(tools, matches):
    with pytest.raises(ValueError, match=r"at least one|itself"):
        tools.league_table(matches)


def test_goals_scored_are_goals_conceded(tools):
    table = tools.league_table([match("a", "b", 3, 1), match("b", "c", 2, 2)])
    assert sum(row["scored"] for row in table) == sum(row["conceded"] for row in table) == 8


def test_points_pass_from_one_player_to_the_other(tools):
    for result in ("a_wins", "draw", "b_wins"):
        new = tools.update_elo_ratings(1732, 1490, result, 24)
        assert new["new_rating_a"] + new["new_rating_b"] == pytest.approx(1732 + 1490, abs=0.02)
    assert tools.update_elo_ratings(2000, 1600, "draw")["expected_a"] == round(10 / 11, 4)


def test_percentages_need_a_game(tools):
    assert tools.winning_percentage(0, 3) == 0
    assert tools.winning_percentage(0, 0, ties=2) == 0.5
    with pytest.raises(ValueError, match="no games"):
        tools.winning_percentage(0, 0)


def test_four_home_runs_slug_four(tools):
    perfect = tools.batting_statistics(4, 4, home_runs=4)
    assert perfect == {"average": 1.0, "on_base": 1.0, "slugging": 4.0, "ops": 5.0}


@pytest.mark.parametrize("hits", [{"hits": 5}, {"hits": 2, "doubles": 2, "triples": 1}])
def test_more_hits_than_possible_are_refused(tools, hits):
    with pytest.raises(ValueError, match="more than"):
        tools.batting_statistics(4, **hits)


def test_expectations_of_both_teams_add_up(tools):
    one = tools.pythagorean_expectation(800, 700)["win_share"]
    other = tools.pythagorean_expectation(700, 800)["win_share"]
    assert one + other == pytest.approx(1, abs=0.001)
    assert tools.pythagorean_expectation(5, 0, exponent=20)["win_share"] == 1
    with pytest.raises(ValueError, match="nothing"):
        tools.pythagorean_expectation(0, 0)


@pytest.mark.parametrize("count", [2, 3, 6, 9, 30])
def test_everyone_meets_everyone_once_and_plays_once_a_round(tools, count):
    teams = [f"t{number}" for number in range(count)]
    rounds = tools.round_robin_schedule(teams)
    pairs = sorted(tuple(sorted(pair)) for matches in rounds for pair in matches)
    assert pairs == sorted(tuple(sorted(pair)) for pair in combinations(teams, 2))
    for matches in rounds:
        playing = [team for pair in matches for team in pair]
        assert len(playing) == len(set(playing))


@pytest.mark.parametrize("teams", [[], ["a"], ["a", "a"]])
def test_tournaments_of_one_are_refused(tools, teams):
    with pytest.raises(ValueError, match="at least two"):
        tools.round_robin_schedule(teams)
