"""Verified pairs join the seed pool: which, when, and always the same."""

import json
from collections import Counter
from random import Random

import pytest
from points import point

from apigen_ray.config import RunConfig
from apigen_ray.prompting.prompt_specs import PromptSpec, Task
from apigen_ray.prompting.seed_pool import FeedbackSettings, SeedPools, pool_of
from apigen_ray.records import Call, Pair, Reason, Seed, Style, Tool
from apigen_ray.run_folder.rows import as_table
from apigen_ray.run_folder.store import RunFolder


def tool(name, category):
    return Tool(name, f"Does {name}.", {"type": "object", "properties": {}}, category)


ADD, FIND = tool("add", "Math"), tool("find", "Search")
TOOLS = {"add": ADD, "find": FIND}
WORDS = [f"{first}{second}" for first in "bcdfg" for second in ("at", "in", "op", "ug", "en")]


def said(number):
    """Words of a number's own: no two are nearly the same."""
    return " ".join(Random(number).sample(WORDS, 8))


def pair(number, shown=ADD, style=Style.SIMPLE):
    calls = (Call(shown.name, {"x": number}),)
    return Seed(f"m-{number:06d}-0", style, Pair(said(number), calls), (shown,))


def row(number, round_, *, reason=None, model="m"):
    id_ = f"{model}-{number:06d}-0"
    return point(id_, reason, model=model, tools=(ADD,), round=round_, query=said(number))


def tasks(numbers, round_):
    return [Task(PromptSpec(n, Style.SIMPLE, 1, round_), {0: 0}) for n in numbers]


def feedback(folder, settings=None, rounds=4, models=("m",), seeds=()):
    return SeedPools(
        settings or FeedbackSettings(), seeds, TOOLS, dict.fromkeys(models, rounds), folder
    )


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path)


def test_a_pool_does_not_depend_on_the_order_in_which_pairs_came():
    pairs = [pair(n) for n in range(60)]
    chosen = pool_of((), pairs, seeds=(), cap=20)
    assert len(chosen) == 20
    assert pool_of((), Random(1).sample(pairs, len(pairs)), seeds=(), cap=20) == chosen


def test_old_and_new_pairs_have_the_same_chance():
    old = pool_of((), [pair(n) for n in range(100)], seeds=(), cap=50)
    new = pool_of(old, [pair(n) for n in range(100, 200)], seeds=(), cap=50)
    at_once = pool_of((), [pair(n) for n in range(200)], seeds=(), cap=50)
    assert new == at_once
    assert 10 < sum(p in old for p in new) < 40


def test_styles_and_categories_share_a_pool_equally():
    many = [pair(n) for n in range(80)]
    few = [pair(n, FIND) for n in range(80, 90)] + [
        pair(n, FIND, Style.PARALLEL) for n in range(90, 120)
    ]
    chosen = pool_of((), many + few, seeds=(), cap=60)
    counts = Counter((p.style, p.tools[0].category) for p in chosen)
    assert counts[Style.SIMPLE, "Search"] == 10  # all there are
    assert counts[Style.SIMPLE, "Math"] == counts[Style.PARALLEL, "Search"] == 25


def test_what_is_nearly_said_already_does_not_enter():
    first = pair(1)
    again = Seed("m-again", first.style, Pair(first.pair.query.upper(), first.pair.calls), (ADD,))
    assert len(pool_of((), [first, again], seeds=(), cap=9)) == 1
    assert pool_of((), [again], seeds=[first], cap=9) == ()


def test_a_pool_waits_for_its_rounds_and_not_for_the_one_before(folder):
    pools = feedback(folder)
    pools.expect({"m": tasks([0, 1], 0) + tasks([2], 1) + tasks([3], 2) + tasks([4], 3)})
    assert not list(pools.ready())
    pools.settle(as_table([row(0, 0)]))
    assert not list(pools.ready())
    pools.settle(as_table([row(1, 0, reason=Reason.ENDPOINT)]))  # an error does not hold up the run
    (second,) = pools.ready()
    assert (second.owner, second.round) == ("m", 2)
    assert [p.id for p in second.pairs] == ["m-000000-0"]
    pools.settle(as_table([row(2, 1)]))
    (third,) = pools.ready()
    assert (third.round, len(third.pairs)) == (3, 2)


def test_only_verified_pairs_enter(folder):
    pools = feedback(folder, rounds=3)
    pools.settle(
        as_table([row(0, 0, reason=Reason.RAISED), row(1, 0, reason=Reason.TRUNCATED), row(2, 0)])
    )
    (second,) = pools.ready()
    assert [p.id for p in second.pairs] == ["m-000002-0"]


def test_each_model_has_its_own_pool_unless_it_is_shared(folder, tmp_path):
    rows = [row(0, 0, model="a"), row(1, 0, model="b")]
    own = feedback(folder, rounds=3, models=("a", "b"))
    own.settle(as_table(rows))
    assert {pool.owner: [p.id for p in pool.pairs] for pool in own.ready()} == {
        "a": ["a-000000-0"],
        "b": ["b-000001-0"],
    }
    elsewhere = RunFolder(tmp_path / "shared")
    settings = FeedbackSettings(pool="shared")
    shared = feedback(elsewhere, settings, rounds=3, models=("a", "b"))
    shared.expect({"a": tasks([0], 0), "b": tasks([1], 0)})
    shared.settle(as_table(rows[:1]))
    assert not list(shared.ready())
    shared.settle(as_table(rows[1:]))
    (pool,) = shared.ready()
    assert (pool.owner, len(pool.pairs)) == ("", 2)


def test_a_resume_uses_the_stored_pools_and_goes_on_from_them(folder):
    rows = [row(n, n // 4) for n in range(12)]
    with folder.writing():
        first = feedback(folder, rounds=5)
        first.settle(as_table(rows))
        made = list(first.ready())
        assert [pool.round for pool in made] == [2, 3, 4]

        (folder.path / "pools" / "m" / "round-0004.jsonl").unlink()
        folder.commit(as_table(rows))
        again = feedback(folder, rounds=5)
        again.expect({"m": tasks([0], 0)})  # an error of a round that is in a pool already
        assert list(again.ready()) == made


def test_what_is_stored_can_be_read_as_seeds(folder):
    pools = feedback(folder, rounds=3)
    pools.settle(as_table([row(0, 0)]))
    list(pools.ready())
    (line,) = (folder.path / "pools" / "m" / "round-0002.jsonl").read_text().splitlines()
    assert json.loads(line).keys() == {"id", "style", "query", "answers", "tools"}


@pytest.mark.parametrize(
    ("given", "pool"),
    [(False, "off"), (True, "per_model"), ("shared", "shared"), ({"pool": False}, "off")],
)
def test_the_short_forms_of_yaml_are_understood(given, pool):
    fast = {"kind": "simulated", "name": "fast"}
    config = {"out": "x", "points": {"simple": 1}, "tools": ["t"], "models": [fast], "judge": fast}
    assert RunConfig.model_validate({**config, "feedback": given}).feedback.pool == pool
