"""One warm sandbox of each kind, shared by the session."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from sandboxes import opened, settings_for, sidecars

from apigen_ray.stages.execute.sandbox import Sandbox
from apigen_ray.stages.execute.sandbox.attacks.self_check import hostile_code

KINDS = [
    pytest.param("docker", marks=pytest.mark.docker),
    pytest.param("sidecar", marks=pytest.mark.docker),
    pytest.param("gvisor", marks=pytest.mark.docker),
    "bubblewrap",
    "process",
]


@pytest.fixture(scope="session", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "sidecar":
        with sidecars(5):
            yield "sidecar"
    else:
        yield str(request.param)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def sandbox(kind: str) -> AsyncIterator[Sandbox]:
    async with opened(settings_for(kind)) as sandbox:
        yield sandbox


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def hostile_sandbox(kind: str) -> AsyncIterator[Sandbox]:
    # As much time as users give: attacks that don't wait for its end are not to be hit by it.
    async with opened(settings_for(kind, timeout_s=10.0), hostile_code()) as sandbox:
        yield sandbox
