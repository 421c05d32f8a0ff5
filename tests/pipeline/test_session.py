"""Ray for a run keeps its own words to the log."""

import logging
import time

import pytest
import ray._private.worker
from ray._private.utils import push_error_to_driver


@pytest.mark.usefixtures("shared_ray")
def test_what_ray_reports_is_logged_and_not_printed(capsys, caplog):
    with caplog.at_level(logging.WARNING, "apigen_ray"):
        push_error_to_driver(ray._private.worker.global_worker, "worker_pool_large", "8 workers")
        deadline = time.monotonic() + 30
        while "8 workers" not in caplog.text and time.monotonic() < deadline:
            time.sleep(0.05)
    assert "reported by raylet: 8 workers" in caplog.text
    assert not any(capsys.readouterr())
