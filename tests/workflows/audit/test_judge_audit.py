"""A run tests its judges before it needs them, and says which of them are worth nothing."""

import io
from contextlib import contextmanager
from pathlib import Path

import pytest
from example_runs import config
from rich.console import Console

from apigen_ray.models.budget import Limits
from apigen_ray.models.response_cache import LocalCache, ResponseCache
from apigen_ray.models.simulated import SimulatedEndpoint, serving
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.report.audit_record import JUDGE_AUDIT, read_audit
from apigen_ray.run_folder.store import REPLIES, RunFolder
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.audit.judge_audit import audit_judges
from apigen_ray.workflows.prepare import prepare_executor

ROOT = Path(__file__).parents[3]
SEEDS = str(ROOT / "configs" / "seeds.jsonl")
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
        audit_judges(
            folder,
            settings,
            seeds,
            executor=executor,
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
        assert printed.startswith("judge judge: passes 12 of 12 right pairs, ")
        [found] = read_audit(folder, JUDGE_AUDIT).judges
    assert found.is_informative
    assert found.wrong.hits <= 1  # results that are another row's: it can't know
