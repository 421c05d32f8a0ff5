"""What the coordinator knows of a run."""

from apigen_ray.pipeline.coordinator import STALE_S, InFlightTracker


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
