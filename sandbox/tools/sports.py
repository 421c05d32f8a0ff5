"""Tables, ratings, percentages and fixtures of team sports."""

from typing import Annotated, Literal, TypeAlias, TypedDict

CATEGORY = "Sports"
__all__ = [
    "batting_statistics",
    "league_table",
    "pythagorean_expectation",
    "round_robin_schedule",
    "update_elo_ratings",
    "winning_percentage",
]

Team: TypeAlias = Annotated[str, {"minLength": 1, "maxLength": 60}]
Goals: TypeAlias = Annotated[int, {"minimum": 0, "maximum": 999}]
Count: TypeAlias = Annotated[int, {"minimum": 0, "maximum": 100000}]
Rating: TypeAlias = Annotated[float, {"minimum": 0, "maximum": 5000}]


class Match(TypedDict):
    """The result of a match."""

    home: Team
    away: Team
    home_goals: Goals
    away_goals: Goals


def league_table(
    matches: Annotated[list[Match], {"maxItems": 500}],
    points_for_win: Annotated[int, {"minimum": 1, "maximum": 10}] = 3,
    points_for_draw: Annotated[int, {"minimum": 0, "maximum": 10}] = 1,
) -> list[dict[str, int | str]]:
    """Make the table of a league from the results of its matches.

    Teams are ranked by points, then goal difference, goals scored, and name.

    Args:
        matches: The results: the teams `home` and `away`, and their goals.
        points_for_win: The points of the winner.
        points_for_draw: The points of both teams after a draw.

    Returns:
        One row a team, the leader first.

    Raises:
        ValueError: if there are no matches, or a team plays against itself.

    Examples:
        >>> league_table([{"home": "Ajax", "away": "PSV", "home_goals": 2, "away_goals": 1}])[0]
        {'team': 'Ajax', 'played': 1, 'points': 3, 'scored': 2, 'conceded': 1}
        >>> [
        ...     row["points"]
        ...     for row in league_table(
        ...         [
        ...             {"home": "Reds", "away": "Blues", "home_goals": 1, "away_goals": 1},
        ...             {"home": "Blues", "away": "Greens", "home_goals": 0, "away_goals": 3},
        ...         ],
        ...         points_for_win=2,
        ...     )
        ... ]
        [2, 1, 1]
        >>> league_table(
        ...     matches=[{"home": "Kiel", "away": "Lyon", "home_goals": 28, "away_goals": 28}],
        ...     points_for_win=2,
        ...     points_for_draw=1,
        ... )[1]
        {'team': 'Lyon', 'played': 1, 'points': 1, 'scored': 28, 'conceded': 28}
    """
    if not matches:
        raise ValueError("matches: at least one match is needed")
    rows: dict[str, list[int]] = {}
    for match in matches:
        if match["home"] == match["away"]:
            raise ValueError(f"{match['home']!r} can't play against itself")
        home, away = match["home_goals"], match["away_goals"]
        for team, own, other in ((match["home"], home, away), (match["away"], away, home)):
            points = points_for_draw if own == other else points_for_win * (own > other)
            row = rows.setdefault(team, [0, 0, 0, 0])
            row[:] = [row[0] + 1, row[1] + points, row[2] + own, row[3] + other]
    table: list[dict[str, int | str]] = []
    for team, (played, points, scored, conceded) in sorted(rows.items(), key=_rank):
        numbers = {"played": played, "points": points, "scored": scored, "conceded": conceded}
        table.append({"team": team, **numbers})
    return table


def _rank(item: tuple[str, list[int]]) -> tuple[int, int, int, str]:
    team, (_, points, scored, conceded) = item
    return -points, conceded - scored, -scored, team


def update_elo_ratings(
    rating_a: Rating,
    rating_b: Rating,
    result: Literal["a_wins", "draw", "b_wins"],
    k_factor: Annotated[float, {"minimum": 1, "maximum": 100}] = 20,
) -> dict[str, float]:
    """Update the Elo ratings of two players or teams after a game.

    Args:
        rating_a: The rating of player A before the game.
        rating_b: The rating of player B before the game.
        result: Who won.
        k_factor: How strongly one game moves a rating; 10, 20 and 40 are common in chess.

    Returns:
        The score that was expected of A (0 to 1), and both new ratings.

    Examples:
        >>> update_elo_ratings(2400, 2000, "a_wins", k_factor=32)
        {'expected_a': 0.9091, 'new_rating_a': 2402.91, 'new_rating_b': 1997.09}
        >>> update_elo_ratings(1500, 1500, "draw")
        {'expected_a': 0.5, 'new_rating_a': 1500.0, 'new_rating_b': 1500.0}
        >>> update_elo_ratings(rating_a=1800, rating_b=1600, result="b_wins", k_factor=40)
        {'expected_a': 0.7597, 'new_rating_a': 1769.61, 'new_rating_b': 1630.39}
    """
    expected = 1 / (1 + 10 ** ((rating_b - rating_a) / 400))
    gained = k_factor * ({"a_wins": 1.0, "draw": 0.5, "b_wins": 0.0}[result] - expected)
    return {
        "expected_a": round(expected, 4),
        "new_rating_a": round(rating_a + gained, 2),
        "new_rating_b": round(rating_b - gained, 2),
    }


def winning_percentage(
    wins: Count,
    losses: Count,
    ties: Count = 0,
    tie_value: Annotated[float, {"minimum": 0, "maximum": 1}] = 0.5,
) -> float:
    """Compute the winning percentage of a team, written as a share as in North American leagues.

    Args:
        wins: Games won.
        losses: Games lost.
        ties: Games that ended in a tie.
        tie_value: What part of a win a tie counts.

    Returns:
        The share from 0 to 1, to three decimals.

    Raises:
        ValueError: if there are no games.

    Examples:
        >>> winning_percentage(10, 6)
        0.625
        >>> winning_percentage(9, 5, ties=2)
        0.625
        >>> winning_percentage(wins=9, losses=5, ties=2, tie_value=0)
        0.562
        >>> winning_percentage(116, 46)
        0.716
    """
    games = wins + losses + ties
    if games == 0:
        raise ValueError("there are no games to compute a percentage of")
    return round((wins + ties * tie_value) / games, 3)


def batting_statistics(
    at_bats: Annotated[int, {"minimum": 1, "maximum": 20000}],
    hits: Count,
    *,
    doubles: Count = 0,
    triples: Count = 0,
    home_runs: Count = 0,
    walks: Count = 0,
    hit_by_pitch: Count = 0,
    sacrifice_flies: Count = 0,
) -> dict[str, float]:
    """Compute a baseball batter's average, on-base percentage, slugging and OPS.

    Args:
        at_bats: Official times at bat.
        hits: All hits, doubles, triples and home runs included.
        doubles: Hits for two bases.
        triples: Hits for three bases.
        home_runs: Home runs.
        walks: Bases on balls.
        hit_by_pitch: Times hit by a pitch.
        sacrifice_flies: Sacrifice flies.

    Returns:
        `average`, `on_base`, `slugging`, and the sum of the last two as `ops`, to three decimals.

    Raises:
        ValueError: if there are more hits than times at bat, or more long hits than hits.

    Examples:
        >>> batting_statistics(
        ...     456, 185, doubles=33, triples=3, home_runs=37, walks=147, hit_by_pitch=3
        ... )
        {'average': 0.406, 'on_base': 0.553, 'slugging': 0.735, 'ops': 1.287}
        >>> batting_statistics(
        ...     at_bats=419,
        ...     hits=165,
        ...     doubles=35,
        ...     triples=1,
        ...     home_runs=12,
        ...     walks=48,
        ...     hit_by_pitch=2,
        ...     sacrifice_flies=5,
        ... )
        {'average': 0.394, 'on_base': 0.454, 'slugging': 0.568, 'ops': 1.022}
        >>> batting_statistics(at_bats=40, hits=10)
        {'average': 0.25, 'on_base': 0.25, 'slugging': 0.25, 'ops': 0.5}
    """
    if hits > at_bats:
        raise ValueError(f"{hits} hits are more than {at_bats} times at bat")
    if doubles + triples + home_runs > hits:
        raise ValueError("doubles, triples and home runs together are more than all hits")
    reached = hits + walks + hit_by_pitch
    on_base = reached / (at_bats + walks + hit_by_pitch + sacrifice_flies)
    slugging = (hits + doubles + 2 * triples + 3 * home_runs) / at_bats
    return {
        "average": round(hits / at_bats, 3),
        "on_base": round(on_base, 3),
        "slugging": round(slugging, 3),
        "ops": round(on_base + slugging, 3),
    }


def pythagorean_expectation(
    points_for: Count,
    points_against: Count,
    games: Annotated[int, {"minimum": 1, "maximum": 1000}] = 162,
    exponent: Annotated[float, {"minimum": 0.5, "maximum": 20}] = 2,
) -> dict[str, float]:
    """Estimate how many games a team deserved to win, from what it scored and allowed.

    Args:
        points_for: Runs, points or goals scored in all games.
        points_against: Runs, points or goals allowed.
        games: The number of games of the season.
        exponent: 2 in James's original formula for baseball; about 14 for basketball.

    Returns:
        The expected share of wins, and the number of wins.

    Raises:
        ValueError: if nothing was scored or allowed.

    Examples:
        >>> pythagorean_expectation(800, 700)
        {'win_share': 0.566, 'wins': 91.8}
        >>> pythagorean_expectation(9250, 8900, games=82, exponent=14)
        {'win_share': 0.632, 'wins': 51.8}
        >>> pythagorean_expectation(points_for=60, points_against=60, games=38)
        {'win_share': 0.5, 'wins': 19.0}
    """
    if points_for == 0 and points_against == 0:
        raise ValueError("nothing was scored or allowed")
    largest = max(points_for, points_against)
    scored, allowed = (points_for / largest) ** exponent, (points_against / largest) ** exponent
    share = scored / (scored + allowed)
    return {"win_share": round(share, 3), "wins": round(share * games, 1)}


def round_robin_schedule(
    teams: Annotated[list[Team], {"maxItems": 30, "uniqueItems": True}],
    return_matches: bool = False,
) -> list[list[list[str]]]:
    """Draw up a tournament in which every team meets every other one (circle method).

    With an odd number of teams, one of them rests in each round.

    Args:
        teams: The names of the teams; at least two.
        return_matches: Whether to add a second half with home and away swapped.

    Returns:
        The rounds, each a list of pairs of the home and the away team.

    Raises:
        ValueError: if there are fewer than two teams, or a name is repeated.

    Examples:
        >>> round_robin_schedule(["A", "B", "C"])
        [[['B', 'C']], [['C', 'A']], [['A', 'B']]]
        >>> round_robin_schedule(["Oslo", "Rome"], return_matches=True)
        [[['Oslo', 'Rome']], [['Rome', 'Oslo']]]
        >>> round_robin_schedule(teams=["red", "blue", "green", "gold"])[0]
        [['red', 'gold'], ['blue', 'green']]
    """
    if len(teams) < 2 or len(set(teams)) < len(teams):
        raise ValueError("teams: at least two different names are needed, each once")
    circle: list[str | None] = [*teams, *([None] if len(teams) % 2 else [])]
    half = len(circle) // 2
    rounds = []
    for number in range(len(circle) - 1):
        pairs = [*zip(circle[:half], reversed(circle[half:]), strict=True)]
        if number % 2:  # the first team never moves, and is not to be at home each time
            pairs[0] = pairs[0][::-1]
        rounds.append([[home, away] for home, away in pairs if home and away])
        circle = [circle[0], circle[-1], *circle[1:-1]]
    if return_matches:
        rounds += [[[away, home] for home, away in pairs] for pairs in rounds]
    return rounds
