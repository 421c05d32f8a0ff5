"""Ray for a run keeps its own words to the log."""

import logging
import os
import tempfile
import time
from pathlib import Path

import pytest
import ray._private.worker
from ray._private.utils import push_error_to_driver
from upath import UPath

from apigen_ray.errors import BadInput
from apigen_ray.pipeline import session
from apigen_ray.run_folder.owned_folders import OwnedFolder


@pytest.mark.usefixtures("shared_ray")
def test_what_ray_reports_is_logged_and_not_printed(capsys, caplog):
    with caplog.at_level(logging.WARNING, "apigen_ray"):
        push_error_to_driver(ray._private.worker.global_worker, "worker_pool_large", "8 workers")
        deadline = time.monotonic() + 30
        while "8 workers" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "reported by raylet: 8 workers" in caplog.text
    assert not any(capsys.readouterr())


def start(monkeypatch, errors):
    """Start a Ray that fails in some ways first; returns how often it was tried."""
    tried = []

    def init(**_):
        tried.append(1)
        if errors:
            raise errors.pop(0)

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr("ray.init", init)
    monkeypatch.setattr("ray.shutdown", lambda: None)
    session._start_ray()
    return len(tried)


SLOW = "The current node timed out during startup. This could happen because ..."


def test_a_machine_that_is_busy_gets_a_second_chance(monkeypatch):
    assert start(monkeypatch, []) == 1
    assert start(monkeypatch, [Exception(SLOW)]) == 2
    with pytest.raises(BadInput, match="did not start within 30 s, twice"):
        start(monkeypatch, [Exception(SLOW), Exception(SLOW)])
    with pytest.raises(BadInput, match="no Ray at RAY_ADDRESS=local: other version"):
        start(monkeypatch, [RuntimeError("other version\nmore")])


@pytest.fixture
def no_ray(monkeypatch, tmp_path):
    """No Ray is running, and none is started; gives the folders that one was told to use."""
    told = []
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.shutdown", lambda: None)
    monkeypatch.setattr("ray.init", lambda **given: told.append(given.get("_temp_dir")))
    for name in ("RAY_ADDRESS", "RAY_TMPDIR"):
        monkeypatch.delenv(name, raising=False)
    return told


def test_nothing_is_left_in_the_temporary_folder(no_ray, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(session, "LONGEST_PARENT", 1000)
    with session.ray_session(UPath(os.devnull)):
        [folder] = map(Path, no_ray)
        (folder / "session").mkdir()
        OwnedFolder("tools", tmp_path).release()  # as of an actor that Ray has killed
    assert not any(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt), session.ray_session(UPath(os.devnull)):
        raise KeyboardInterrupt
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["RAY_ADDRESS", "RAY_TMPDIR"])
def test_where_the_user_says_it_ray_keeps_its_files_there(no_ray, monkeypatch, tmp_path, name):
    monkeypatch.setenv(name, "local")
    with session.ray_session(UPath(tmp_path / "ray.log")):
        assert no_ray == [None]
