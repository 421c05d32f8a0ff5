"""A run tests its judges before it needs them, and says which of them are worth nothing."""

import io
from contextlib import contextmanager
from pathlib import Path

import pytest
from example_runs import SEEDS, config
from rich.console import Console
from stub_judges import always

from apigen_ray.models.budget import Limits
from apigen_ray.models.response_cache import LocalCache, ResponseCache
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.report.audit_record import JUDGE_AUDIT, read_audit
from apigen_ray.run_folder.store import REPLIES, RunFolder
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.audit.judge_audit import audit_judges, choose, choosing_pairs
from apigen_ray.workflows.audit.measure import examine_many
from apigen_ray.workflows.audit.sources import as_cases
from apigen_ray.workflows.prepare import prepare_executor, run_async

ROOT = Path(__file__).parents[3]

TOOLS = [str(ROOT / "sandbox" / "tools")]


@pytest.fixture(scope="module")
def library():
    return load_library(TOOLS)


@pytest.fixture(scope="module")
def seeds(library):
    return load_seeds([SEEDS], library.by_name())[0]


@pytest.fixture(scope="module")
def judge():
    with serving([SimulatedEndpoint(name="judge", latency_s=0.01, known=SEEDS)]) as running:
        yield running["judge"]


@contextmanager
def audited(out, seeds, judges, *, pairs=24, limits=None, executor=None):
    """The folder, what was printed, and how many replies were paid for and used again."""
    settings = config(out, judge_audit={"pairs": pairs})
    folder, console = RunFolder(out), Console(file=io.StringIO(), width=1000)
    with folder.writing():
        cache = ResponseCache(folder.path / REPLIES, limits or Limits(None, None))
        with choosing_pairs(folder, settings, seeds, executor) as chosen:
            audit_judges(
                folder,
                settings,
                chosen,
                judges={f"judge/{judge.name}": judge for judge in judges},
                cache=LocalCache(cache),
                console=console,
            )
        cache.close()
    yield folder, console.file.getvalue(), cache.summary()


def test_a_judge_that_knows_is_told_from_one_that_does_not(tmp_path, library, seeds, judge):
    executor, _ = prepare_executor(
        library,
        Console(file=io.StringIO()),
        execute=config(tmp_path).execute,
        sandbox=config(tmp_path).sandbox,
        rest=config(tmp_path).rest,
    )
    with audited(tmp_path / "run", seeds, [judge], executor=executor) as (folder, printed, _):
        assert "judge judge: passes 12 of 12 right pairs, " in printed
        [found] = read_audit(folder, JUDGE_AUDIT).judges
    assert found.is_informative
    assert found.wrong.hits <= 2  # results that are another row's: it can't know


def test_a_resume_pays_for_nothing_and_says_the_same(tmp_path, seeds, judge):
    with audited(tmp_path / "run", seeds, [judge]) as (_, first, paid):
        assert paid.paid >= 24
    with audited(tmp_path / "run", seeds, [judge]) as (_, again, resumed):
        assert (again, resumed.paid, resumed.reused) == (first.partition("\n")[2], 0, 0)
    (tmp_path / "run" / JUDGE_AUDIT).unlink()  # as `--fresh` does, which keeps the replies
    with audited(tmp_path / "run", seeds, [judge]) as (_, again, fresh):
        assert (again, fresh.paid, fresh.reused) == (first, 0, paid.paid)


def test_a_judge_that_says_yes_to_everything_is_named_as_worthless(tmp_path, seeds):
    with always("yes") as worthless, audited(tmp_path, seeds, [worthless]) as (_, printed, _):
        assert "judge always-yes: its verdicts say nothing: it passes 12 of 12 right" in printed
        assert "12 of 12 wrong ones (Fisher's exact test, p = 1)" in printed


def test_a_judge_that_says_the_opposite_is_worth_as_little(tmp_path, seeds):
    with always("no") as worthless, audited(tmp_path, seeds, [worthless]) as (folder, printed, _):
        assert "its verdicts say nothing" in printed
        assert read_audit(folder, JUDGE_AUDIT).warnings


def test_a_judge_that_is_down_costs_its_audit_and_no_more(tmp_path, seeds, judge):
    down = judge.model_copy(
        update={"name": "down", "base_url": "http://127.0.0.1:9/v1", "max_retries": 0}
    )
    with audited(tmp_path, seeds, [down, judge]) as (folder, printed, _):
        _, *lines = printed.splitlines()
        assert lines[0].startswith("judge down: not audited: http://127.0.0.1:9/v1")
        assert lines[1].startswith("judge judge: passes 12 of 12 right pairs")
        assert read_audit(folder, JUDGE_AUDIT) is None  # a resume tries again


def test_a_budget_that_is_spent_costs_the_audit_and_no_more(tmp_path, seeds, judge):
    limits = Limits(None, 0)
    with audited(tmp_path, seeds, [judge], limits=limits) as (_, printed, replies):
        assert "judge judge: not audited: " in printed
        assert replies.paid == 0


def test_it_can_be_left_out_and_without_seeds_it_says_so(tmp_path, seeds, judge):
    with audited(tmp_path / "off", seeds, [judge], pairs=0) as (_, printed, replies):
        assert (printed, replies.paid) == ("", 0)
    with audited(tmp_path / "none", [], [judge]) as (_, printed, replies):
        assert (printed, replies.paid) == (
            "judges: not audited: the run has no seeds that pass its checks\n",
            0,
        )


def test_two_judges_are_compared_and_vote_together(tmp_path, seeds, judge):
    with always("yes") as worthless, audited(tmp_path, seeds, [worthless, judge]) as (folder, *_):
        found = read_audit(folder, JUDGE_AUDIT)
    one, other = found.judges
    assert (one.name, one.is_informative, other.is_informative) == ("always-yes", False, True)
    assert found.jury.wrong == other.wrong  # all must pass
    assert found.agreements[0].kappa is None  # one of them always says the same


def test_the_wrong_pairs_are_of_many_kinds_and_no_check_before_the_judge_finds_them(seeds):
    settings = config("nowhere", judge_audit={"pairs": 24}, grounding={"reject": "argument"})
    asked = run_async(choose(as_cases(seeds), settings, None))
    wrong = [question.case for question in asked if question.wrong]
    assert len(wrong) == 12 == len(asked) - len(wrong)
    assert len({case.id.rpartition("/")[2] for case in wrong}) >= 6
    examined = run_async(examine_many(wrong, settings.check, None))
    assert not [each for each in examined if each.is_caught("argument")]
    assert run_async(choose(as_cases(seeds), settings, None)) == asked
