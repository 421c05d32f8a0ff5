"""Every attack we know, one promise each, followed by a call that must find all clean."""

import asyncio
import os
from collections.abc import Iterable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio
from sandboxes import opened, settings_for

from apigen_ray.records import Call
from apigen_ray.stages.execute.sandbox import Sandbox
from apigen_ray.stages.execute.sandbox.attacks import hostile_tools
from apigen_ray.stages.execute.sandbox.attacks.self_check import (
    CheckResult,
    attacks_on,
    check,
    hostile_code,
    look,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

ENDLESS = {name for name, one in hostile_tools.ATTACKS.items() if one.expected[0] == "timeout"}
ENDLESS.add("grow_in_many_processes")  # one that is killed is followed by the next
AT_ONCE = 3


def attacks(kind: str) -> list[str]:
    return list(attacks_on(kind, "runsc" if kind == "gvisor" else None))


async def results(sandbox: Sandbox, names: Iterable[str]) -> dict[str, CheckResult]:
    clean = await look(sandbox)
    return {name: await check(sandbox, name, clean) for name in names}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def endless(kind: str) -> dict[str, CheckResult]:
    """What became of the attacks that take all of their time, in sandboxes side by side."""
    names = [name for name in attacks(kind) if name in ENDLESS]
    async with AsyncExitStack() as stack:
        opening = (
            stack.enter_async_context(opened(settings_for(kind), hostile_code()))
            for _ in range(AT_ONCE)
        )
        sandboxes = [await one for one in opening]
        shares = (results(one, names[at::AT_ONCE]) for at, one in enumerate(sandboxes))
        return {
            name: result
            for share in await asyncio.gather(*shares)
            for name, result in share.items()
        }


@pytest.mark.parametrize("attack", hostile_tools.ATTACKS)
async def test_contains(
    hostile_sandbox: Sandbox, endless: dict[str, CheckResult], kind: str, attack: str
) -> None:
    if attack not in attacks(kind):
        pytest.skip("only a container on Linux' own kernel promises this")
    result = endless.get(attack) or (await results(hostile_sandbox, [attack]))[attack]
    assert result.holds, f"{result.name} {result.detail}"


async def test_a_call_starts_from_a_clean_state(hostile_sandbox: Sandbox, kind: str) -> None:
    [seen] = await hostile_sandbox.run([Call("state", {})])
    assert seen.result == {
        "processes": 3 if kind == "sidecar" else 2,  # the runner and the call, and the watcher
        "files": [],
        "may_write": True,
        "oom_score": 1000,  # whom the kernel kills first
        "niceness": os.nice(0) if kind in ("bubblewrap", "process") else 0,
        "limits": [256, 256],
        "length": 3,
        "text": '{"sum": 5}',
        "patched": False,
    }
