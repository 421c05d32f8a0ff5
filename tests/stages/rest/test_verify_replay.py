"""Stage 2 from a recording, by the command that a user types."""

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml

from apigen_ray import pipeline  # noqa: F401 - it tells Ray about its environment first
from apigen_ray.cli import main
from apigen_ray.records import VirtualBackend
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.execute.rest.cassette import Recorder
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.request import build

CALLS = Path(__file__).parents[2] / "data" / "rapidapi_calls.jsonl"
VERDICTS = {"result": "verified", "nothing": "empty_result", "error": "a failure"}


def test_recorded_calls_are_verified_without_a_network(tmp_path, shared_ray):
    """The first 40 calls, and one that nobody recorded: it is an error, not a bad sample."""
    calls = [json.loads(line) for line in CALLS.read_text().splitlines()[:40]]
    recorder = Recorder(tmp_path / "cassette.jsonl")
    tools, rows = {}, []
    for number, call in enumerate(calls):
        names = call["category"], call["tool_name"], call["api_name"]
        backend = VirtualBackend("http://toolbench.example/virtual", *names)
        name = f"{call['tool_name']}_{call['api_name']}"
        keys = dict(zip(("category", "tool_name", "api_name"), names, strict=True))
        tool = tools.setdefault(
            name,
            {
                "name": name,
                "description": "an API",
                "parameters": {"type": "object", "properties": {"never": {"type": "string"}}},
                "backend": {"kind": "virtual", "url": backend.url, **keys},
            },
        )
        tool["parameters"]["properties"] |= {key: {} for key in call["arguments"]}
        answer = Response(200, "application/json", call["answer"].encode(), 0.1)
        recorder.append(build(backend, call["arguments"]), answer)
        answers = [{"name": name, "arguments": call["arguments"]}]
        rows.append({"id": str(number), "query": "q", "answers": answers, "tools": [name]})
    recorder.close()
    unknown = [{"name": name, "arguments": {"never": "recorded"}}]
    rows.append({"id": "unknown", "query": "q", "answers": unknown, "tools": [name]})
    write(tmp_path / "tools.jsonl", tools.values())
    write(tmp_path / "data.jsonl", rows)
    model = {"kind": "simulated", "name": "unused"}
    config = {
        "out": "unused", "points": {"simple": 1}, "tools": [str(tmp_path / "tools.jsonl")],
        "seeds": [], "models": [model], "judge": model,
        "rest": {"mode": "replay", "cassette": str(tmp_path / "cassette.jsonl")},
    }  # fmt: skip
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit) as ended:
        main(
            [
                "verify", str(tmp_path / "data.jsonl"), "--tools", str(tmp_path / "tools.jsonl"),
                "--stages", "format,execution", "--config", str(tmp_path / "config.yaml"),
                "--out", str(tmp_path / "run"),
            ]
        )  # fmt: skip
    assert ended.value.code == 1  # for the one that was never recorded
    found = {row["id"]: row for t in RunFolder(tmp_path / "run").tables() for row in t.to_pylist()}
    assert (found.pop("unknown")["outcome"], len(found)) == ("error", 40)
    read = Counter((call["read_as"], verdict(found[str(n)])) for n, call in enumerate(calls))
    assert read == Counter((call["read_as"], VERDICTS[call["read_as"]]) for call in calls)


def verdict(row) -> str:
    if row["outcome"] == "verified":
        return "verified"
    return row["reason"] if row["reason"] == "empty_result" else "a failure"


def write(path, rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
