"""What tests share: a Ray, their order, and a plain word where no Docker engine answers."""

import functools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.errors import DockerException
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from apigen_ray.pipeline.session import ray_session

ROOT = Path(__file__).parents[1]

# Processes that tests start, some hundred, would else compile all that they import: a second each.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env().ping())
    except DockerException:
        return False


RAYS = 2
"""Workers that may start a Ray: it takes ten seconds, and then a part of a processor."""

LONGEST = (
    "pipeline/test_pipeline.py",
    "workflows/test_stopping.py",
    "workflows/test_run.py",
    "workflows/test_local_run.py",
    "stages/mcp/test_stdio_servers.py",
    "stages/sandbox/test_contract.py",
    "stages/sandbox/test_attacks.py",
    "models/test_simulated_server.py",
)
"""Files that take half a minute and more come first, so that the workers end together."""


class FewRays(LoadScopeScheduling):
    """Tests go to the workers by file; files that need Ray are left to some of them."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.split("::", maxsplit=1)[0]

    def _assign_work_unit(self, node: WorkerController) -> None:
        if node not in self.nodes[:RAYS]:
            without = (file for file in self.workqueue if not _needs_ray(file))
            if file := next(without, None):
                self.workqueue.move_to_end(file, last=False)
        super()._assign_work_unit(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FewRays:
    """Keep the order of the files: by numbers of tests, those that need Ray would be the last."""
    config.option.loadscopereorder = False
    return FewRays(config, log)


@functools.cache
def _needs_ray(file: str) -> bool:
    return "shared_ray" in (ROOT / file).read_text()


@functools.cache
def _place(file: str) -> tuple[bool, int]:
    """Where a file comes: what needs Ray before the rest, of each the longest first."""
    name = file.removeprefix("tests/")
    return not _needs_ray(file), LONGEST.index(name) if name in LONGEST else len(LONGEST)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; skip tests that need Docker where no engine answers."""
    items.sort(key=lambda item: _place(item.nodeid.split("::", maxsplit=1)[0]))
    marked = [item for item in items if item.get_closest_marker("docker")]
    if marked and not _docker_answers():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no Docker engine answers"))


@pytest.fixture(scope="session")
def shared_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray for all tests of a worker that need it: starting it takes ten seconds."""
    with pytest.MonkeyPatch.context() as patch:
        # Its workers have the environment it was started in: the keys of `rest_server` as well.
        patch.setenv("HARBOUR_BOOKS_CUSTOMER", "customer-key")
        patch.setenv("HARBOUR_BOOKS_PARTNER", "partner-key")
        with ray_session(tmp_path_factory.mktemp("ray") / "ray.log"):
            yield
