"""What tests share: one Ray, and a plain word where no Docker engine answers."""

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


class OneRay(LoadScopeScheduling):
    """Tests go to the workers by file; all files that need Ray are left to one of them."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", maxsplit=1)[0]
        return "ray" if _needs_ray(file) else file


@functools.cache
def _needs_ray(file: str) -> bool:
    return "shared_ray" in (ROOT / file).read_text()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneRay:
    """Let other tests run beside those that need Ray, and no run beside a run."""
    config.option.loadscopereorder = False  # by numbers of tests: Ray's are few and long
    return OneRay(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that need Ray; skip those that need Docker where no engine answers."""
    items.sort(key=lambda item: not _needs_ray(item.nodeid.split("::", maxsplit=1)[0]))
    marked = [item for item in items if item.get_closest_marker("docker")]
    if marked and not _docker_answers():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no Docker engine answers"))


@pytest.fixture(scope="session")
def shared_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One Ray on this machine for all tests that need it: starting it takes ten seconds."""
    with pytest.MonkeyPatch.context() as patch:
        # Its workers have the environment it was started in: the keys of `rest_server` as well.
        patch.setenv("HARBOUR_BOOKS_CUSTOMER", "customer-key")
        patch.setenv("HARBOUR_BOOKS_PARTNER", "partner-key")
        with ray_session(tmp_path_factory.mktemp("ray") / "ray.log"):
            yield
