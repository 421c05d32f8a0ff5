"""Whatever happens to a run, it ends complete, and nothing is lost, doubled or left over."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHAOS = Path(__file__).with_name("chaos.py")


@pytest.mark.chaos
def test_a_run_survives_what_happens_to_it():
    """Five kills of the driver, some of workers, containers and a node; an endpoint goes down.

    In a process and a Ray of its own. For longer: `python tests/chaos/chaos.py -h`.
    """
    alone = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, str(CHAOS), "--points", "40", "--kills", "5", "--seed", "1"],
        env=alone,
        capture_output=True,
        text=True,
        check=False,
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    assert "processes and containers left over: 0" in done.stdout
