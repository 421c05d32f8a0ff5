"""What tests share: one Ray, and a plain word where no Docker engine answers."""

from collections.abc import Iterator

import docker
import pytest
from docker.errors import DockerException

from apigen_ray.pipeline import ray_session


def _docker_answers() -> bool:
    try:
        return bool(docker.from_env().ping())
    except DockerException:
        return False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip tests that need Docker where no engine answers."""
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
