"""What the coordinator knows of a run."""

from pathlib import Path
from types import SimpleNamespace

from apigen_ray.models.budget import Limits
from apigen_ray.pipeline import operators
from apigen_ray.pipeline.coordinator import STALE_S, Coordinator, InFlightTracker
from apigen_ray.records import Reply


def test_the_requests_of_a_models_clients_are_added_up_while_they_tell():
    now = 0.0
    loads = InFlightTracker(lambda: now)
    loads.report_load("m", "a", 60, 64)
    loads.report_load("judge", "b", 1, 8)
    now = STALE_S - 1
    loads.report_load("m", "b", 3, 32)
    loads.report_load("m", "b", 2, 32)
    assert loads.requests() == {"m": (62, 96), "judge": (1, 8)}
    now = STALE_S + 1
    assert loads.requests() == {"m": (2, 32)}


def test_replies_are_counted_as_they_come_and_only_new_ones_by_their_tokens(tmp_path):
    path = Path(tmp_path)
    coordinator = Coordinator(path, path / "replies", Limits())
    assert coordinator.activity().replies == 0
    reply = Reply("x", "stop", 100, 20, 0.0, 3.0, 1)
    coordinator.put([("a", reply), ("b", reply)])
    coordinator.get("a")
    coordinator.notice("model m: slow")
    coordinator.notice("model m: slow")
    activity = coordinator.activity()
    assert (activity.replies, activity.output_tokens) == (3, 40)
    assert activity.notices == ("model m: slow",)
    coordinator.close()


def test_only_data_points_count_as_progress():
    told = []
    coordinator = SimpleNamespace(report_settled=told.append)
    rows = [
        {"model": "m", "outcome": "fail_format", "reason": "no_calls"},
        {"model": "m", "outcome": None, "reason": None},
        {"model": "", "outcome": "fail_execution", "reason": "raised"},  # a call that was drawn
        {"model": "m", "outcome": "error", "reason": "budget"},  # is asked for again
    ]
    operators._report_settled(rows, coordinator)
    assert told == [["fail_format"]]
