"""Runners that are processes come to an end in any order of events."""

import asyncio
import sys

import pytest

from apigen_ray.stages.execute.sandbox.transports.process import ChildProcess


class SeenLate:
    """A process that is gone, which its parent's event loop learns only later."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.pid = process.pid
        self.waits = 0

    async def wait(self) -> int:
        self.waits += 1
        if self.waits == 1:
            await asyncio.Event().wait()
        return 0


async def test_a_runner_that_ends_while_it_is_to_be_killed_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("apigen_ray.stages.execute.sandbox.transports.process.SWEEP_S", 0.1)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "", start_new_session=True)
    await process.wait()
    late = SeenLate(process)
    await ChildProcess(late).stop()  # type: ignore[arg-type]
    assert late.waits == 2
