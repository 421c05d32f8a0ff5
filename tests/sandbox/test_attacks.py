"""Every attack we know, one promise each, followed by a call that must find all clean."""

import os

import pytest

from apigen_ray.records import Call
from apigen_ray.sandbox import Sandbox, hostile_tools
from apigen_ray.sandbox.self_check import attacks_on, check, look

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("attack", hostile_tools.EXPECTED)
async def test_contains(hostile_sandbox: Sandbox, kind: str, attack: str) -> None:
    runtime = "runsc" if kind == "gvisor" else None
    if attack not in attacks_on(kind, runtime):
        pytest.skip("only a container on Linux' own kernel promises this")
    clean = await look(hostile_sandbox)
    result = await check(hostile_sandbox, attack, clean)
    assert result.holds, f"{result.name} {result.detail}"


async def test_a_call_starts_from_a_clean_state(hostile_sandbox: Sandbox, kind: str) -> None:
    [seen] = await hostile_sandbox.run([Call("state", {})])
    assert seen.result == {
        "processes": 3 if kind == "sidecar" else 2,  # the runner and the call, and who attends
        "files": [],
        "may_write": True,
        "oom_score": 1000,  # whom the kernel kills first
        "niceness": os.nice(0) if kind in ("bubblewrap", "process") else 0,
        "limits": [256, 256],
        "length": 3,
        "text": '{"sum": 5}',
        "patched": False,
    }
