"""Temporary folders go with what they were made for."""

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from apigen_ray.run_folder.owned_folders import (
    OwnedFolder,
    log_folder,
    remove_stale,
    temporary_folder,
)


@pytest.fixture(autouse=True)
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def failed(*logs):
    """The folder of what failed after it had written some logs."""
    with contextlib.suppress(ValueError), log_folder() as folder:
        for log in logs:
            (folder / log).touch()
        raise ValueError("see the log")
    return folder


def test_a_log_stays_only_after_an_error_and_until_the_next(temporary):
    with log_folder() as folder:
        (folder / "server.log").touch()
    assert not any(temporary.iterdir())
    kept = failed("server.log")
    assert (kept / "server.log").exists()
    assert not failed().exists()
    assert not kept.exists()


@pytest.mark.parametrize("end", ["", "import os; os.kill(os.getpid(), 9)"])
def test_a_temporary_folder_goes_with_its_process_or_with_the_next(temporary, end):
    code = "from apigen_ray.run_folder.owned_folders import temporary_folder as t; t('source')"
    made = [sys.executable, "-c", f"{code}; {end}"]
    subprocess.run(made, env={"TMPDIR": str(temporary)}, check=False)
    assert len(list(temporary.iterdir())) == bool(end)
    mine = temporary_folder("source")
    assert list(temporary.iterdir()) == [mine]


def test_looking_for_stale_folders_leaves_nothing_open(temporary):
    with contextlib.ExitStack() as owned:
        for _ in range(3):
            folder = OwnedFolder("tools", temporary)
            owned.callback(folder.remove)
        before = len(list(Path("/dev/fd").iterdir()))
        remove_stale(temporary, "apigen-ray-tools-")
        assert len(list(Path("/dev/fd").iterdir())) == before
