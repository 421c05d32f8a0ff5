"""The axes of charts say what they should, however little data there is."""

import pytest

from apigen_ray.report.charts import latencies


@pytest.mark.parametrize("taken", [[0.1, 0.2, 0.5], [0.5], [0.001, 0.1, 10.0]])
def test_the_axis_of_seconds_has_plain_numbers(taken):
    drawn = latencies({"generate": taken})
    assert "mathdefault" not in drawn
    assert "times10" not in drawn
    assert any(f">{number}<" in drawn for number in ("0.1", "0.5"))
