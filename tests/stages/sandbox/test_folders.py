"""What a process leaves behind when it is killed goes at the next start, and nothing else does."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from apigen_ray.run_folder.owned_folders import OwnedFolder
from apigen_ray.stages.execute.sandbox.image import host_root

OPEN = """
import asyncio, sys
from sandboxes import benign_code, settings_for
from apigen_ray.stages.execute.sandbox import open_sandbox

async def main():
    sandbox = await open_sandbox(settings_for(sys.argv[1]), benign_code())
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    await sandbox.close()

asyncio.run(main())
"""
OWN = """
import sys
from pathlib import Path
from apigen_ray.run_folder.owned_folders import OwnedFolder

OwnedFolder("tools", Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""
HOLD = """
import sys
from apigen_ray.stages.execute.sandbox import image

image._copy_python = lambda root: None
print(image.host_root(), flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def tmp_path() -> Iterator[Path]:  # pytest's can't be entered by a uid that nobody else has
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_a_folder_that_is_taken_for_stale_at_once_is_made_again(tmp_path, monkeypatch):
    make, made = tempfile.mkdtemp, []

    def taken(**options):
        path = make(**options)
        made.append(path)
        if len(made) == 1:  # another process has just removed what nobody held
            Path(path).rmdir()
        return path

    monkeypatch.setattr(tempfile, "mkdtemp", taken)
    mine = OwnedFolder("tools", tmp_path)
    assert mine.path == Path(made[1])
    assert mine.path.is_dir()
    mine.remove()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Popen[str]]]:
    """Start a script that has a temporary folder of its own, and wait for its first line."""
    started = []

    def start(script: str, *arguments: str) -> Popen[str]:
        process = Popen(
            [sys.executable, "-c", script, *arguments],
            env=os.environ | {"TMPDIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parent)},
            stdin=PIPE,
            stdout=PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def end(process: Popen[str], how: int | None = None) -> None:
    """Kill it, or let it close what it opened."""
    if how:
        process.send_signal(how)
        process.wait()
    else:
        process.communicate("\n", timeout=30)


def names(folder: Path, prefix: str) -> set[str]:
    return {path.name for path in folder.iterdir() if path.name.startswith(prefix)}


@pytest.mark.parametrize("kind", [pytest.param("docker", marks=pytest.mark.docker), "process"])
def test_what_a_killed_process_left_goes_at_the_next_start(
    start: Callable[..., Popen[str]], tmp_path: Path, kind: str
) -> None:
    end(start(OPEN, kind), signal.SIGKILL)
    [left] = names(tmp_path, "apigen-ray-tools-")
    second = start(OPEN, kind)
    assert left not in names(tmp_path, "apigen-ray-tools-")
    end(second)
    assert len(names(tmp_path, "apigen-ray-python-")) <= 1  # a copy of Python to be used again
    assert names(tmp_path, "apigen-ray-") == names(tmp_path, "apigen-ray-python-")


def test_the_folder_of_a_living_process_stays(
    start: Callable[..., Popen[str]], tmp_path: Path
) -> None:
    living = start(OWN, str(tmp_path))
    [its] = names(tmp_path, "apigen-ray-tools-")
    mine = OwnedFolder("tools", tmp_path)
    assert its in names(tmp_path, "apigen-ray-tools-")
    end(living, signal.SIGKILL)
    mine.remove()
    OwnedFolder("tools", tmp_path).remove()
    assert not names(tmp_path, "apigen-ray-")


def test_a_folder_for_another_purpose_stays(tmp_path: Path) -> None:
    (tmp_path / "apigen-ray-toolsmith").mkdir()
    (tmp_path / "tools-x").mkdir()
    OwnedFolder("tools", tmp_path).remove()
    assert names(tmp_path, "") == {"apigen-ray-toolsmith", "tools-x"}


def test_copies_of_other_versions_go_unless_they_are_in_use(
    start: Callable[..., Popen[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    living = start(HOLD)
    [used] = names(tmp_path, "apigen-ray-python-")
    (tmp_path / "apigen-ray-python-0-older").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("apigen_ray.stages.execute.sandbox.image._copy_python", lambda root: None)
    monkeypatch.setattr(
        "apigen_ray.stages.execute.sandbox.image._runner_sources", lambda: [b"another version"]
    )
    mine = host_root()
    assert names(tmp_path, "apigen-ray-python-") == {used, mine.name}
    end(living)
    subprocess.run(["rm", "-r", tmp_path / used], check=True)
