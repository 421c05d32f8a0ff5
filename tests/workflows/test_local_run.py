"""A whole run with a real language model: SmolLM2-135M, on this machine's processors."""

import io
import json
from importlib.util import find_spec

import pytest
from example_runs import ROOT, config, rows, simulated
from rich.console import Console

from apigen_ray.prompting.templates import texts
from apigen_ray.records import Call, Outcome, Pair
from apigen_ray.stages.copied import copied
from apigen_ray.workflows.run import run

POINTS = 30
TOOLS = [
    str(ROOT / "sandbox" / "tools" / f"{name}.py")
    for name in ("business", "maths", "music", "units")
]
"""Eight calls of each tool are run before the first is asked about."""

pytestmark = [
    pytest.mark.usefixtures("shared_ray"),
    pytest.mark.skipif(find_spec("xllamacpp") is None, reason="the extra `local` is not installed"),
]


def test_what_a_real_model_gets_verified_holds_the_values_of_its_calls(tmp_path):
    model = {
        "kind": "local",
        "name": "smollm2-135m",
        "model": "smollm2-135m",
        "temperature": 0,
        "max_tokens": 60,
    }
    settings = config(
        tmp_path / "run",
        points={"simple": POINTS},
        tools=TOOLS,
        models=[model],
        judge=simulated("judge", profile="perfect"),
        strategy="calls_first",
        grounding={"reject": "argument"},
        sampling={"examples": {"min": 1, "max": 1}, "voices": ["plain"]},  # a prompt takes seconds
        feedback="off",
    )
    result = run(settings, console=Console(file=io.StringIO()))
    assert result.complete
    found = rows(settings.out)
    assert len(found) == POINTS  # each has an outcome, and none is there twice
    assert len({row["id"] for row in found}) == POINTS
    assert {row["strategy"] for row in found} == {"calls_first"}
    assert not [row for row in found if row["outcome"] == Outcome.ERROR]
    assert sum(row["output_tokens"] for row in found) > 5 * POINTS
    for row in found:
        if row["outcome"] == Outcome.VERIFIED:
            calls = [Call(call["name"], call["arguments"]) for call in json.loads(row["answers"])]
            assert copied(Pair(row["query"], tuple(calls)), [], texts().values()) is None
            assert json.loads(row["ungrounded"]) == []
    log = (tmp_path / "run" / "llama-smollm2-135m.log").read_text()
    assert "model loaded" in log
