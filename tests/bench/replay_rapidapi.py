"""Calls that models made to RapidAPI's APIs, verified from a recording: verdicts beside outcomes.

    uv run python tests/bench/replay_rapidapi.py FOLDER OUT

FOLDER holds `apis.jsonl` (ToolBench's `api_list` objects) and traces of calls with what ToolBench's
server answered: `tooldec_calls.jsonl`, `calls_with_outcomes.jsonl`. They are written to OUT as a
tool list, a data set and a cassette, and `apigen-ray verify` does the rest, with no network.
"""

import argparse
import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

from apigen_ray.records import VirtualBackend
from apigen_ray.stages.execute.rest.cassette import Recorder
from apigen_ray.stages.execute.rest.client import Response
from apigen_ray.stages.execute.rest.request import build

CODES = {
    0: "a result", 1: "no such function", 2: "arguments unreadable", 5: "time-out",
    6: "API not working", 7: "unauthorised", 8: "not subscribed", 11: "error in the answer",
    12: "request failed",
}  # fmt: skip
"""What ToolBench calls its codes; 3 and 4 end a trace and are no calls."""
TRACES = ("tooldec_calls.jsonl", "calls_with_outcomes.jsonl")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    tools = out / "tools.jsonl"
    apis = str(arguments.folder / "apis.jsonl")
    command("tools", "import", "toolbench", apis, "--backend", "virtual", "--out", str(tools))
    recorded = prepare(arguments.folder, out, known_functions(tools))
    (out / "config.yaml").write_text(yaml.safe_dump(config(out, tools)))
    command(
        "verify", str(out / "data.jsonl"), "--tools", str(tools), "--out", str(out / "run"),
        "--stages", "format,execution", "--config", str(out / "config.yaml"),
    )  # fmt: skip
    print(table(recorded, out / "run"))


def command(*words: str) -> None:
    """What a user would type."""
    print("$ apigen-ray", *words, flush=True)
    done = subprocess.run([sys.executable, "-m", "apigen_ray", *words], check=False)
    if done.returncode > 1:  # 1: some rows ended in an error, which the table shows
        sys.exit(done.returncode)


def config(out: Path, tools: Path) -> dict[str, Any]:
    model = {"kind": "simulated", "name": "unused"}
    return {
        "out": str(out / "unused"), "points": {"simple": 1}, "tools": [str(tools)], "seeds": [],
        "models": [model], "judge": model,
        "rest": {"mode": "replay", "cassette": str(out / "cassette.jsonl")},
    }  # fmt: skip


def known_functions(tools: Path) -> dict[str, tuple[str, VirtualBackend]]:
    """Our tools by the names that ToolBench gives them."""
    found = {}
    for line in tools.read_text().splitlines():
        tool = json.loads(line)
        kept = {k: v for k, v in tool["backend"].items() if k not in ("kind", "key_env")}
        backend = VirtualBackend(**kept)
        found[f"{backend.api_name}_for_{backend.tool_name}"[-64:]] = tool["name"], backend
    return found


def prepare(
    folder: Path, out: Path, known: Mapping[str, tuple[str, VirtualBackend]]
) -> dict[str, int]:
    """Write the data set and the cassette; -> the recorded code of each row."""
    codes: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    seen = set()
    cassette = out / "cassette.jsonl"
    cassette.unlink(missing_ok=True)
    recorder = Recorder(cassette)
    with (out / "data.jsonl").open("w") as data:
        for call in calls(folder):
            name, backend = known.get(call["function"], (call["function"], None))
            identity = call["function"], call["arguments_raw"]
            if call["observation_code"] not in CODES:
                continue
            if identity in seen:
                left_out["made before, with the same arguments"] += 1
                continue
            seen.add(identity)
            if backend is None and call["observation_code"] != 1:
                left_out["an API that apis.jsonl doesn't have"] += 1
                continue
            if not is_json(call["observation"]):
                left_out["the recorded answer is cut off"] += 1
                continue
            offered = {known[one][0] for one in call.get("offered", ()) if one in known}
            offered |= {name} if backend else set()
            row = {"id": str(len(codes)), "tools": sorted(offered), "query": call["query"]}
            try:
                arguments = json.loads(call["arguments_raw"])
                row["answers"] = [{"name": name, "arguments": arguments}]
            except ValueError:
                row["answers"] = f'[{{"name": "{name}", "arguments": {call["arguments_raw"]}}}]'
            else:
                answer = call["observation"].encode()
                if backend and isinstance(arguments, dict):
                    request = build(backend, arguments)
                    recorder.append(request, Response(200, "application/json", answer, 0.1))
            codes[row["id"]] = call["observation_code"]
            data.write(json.dumps(row) + "\n")
    recorder.close()
    for why, count in left_out.items():
        print(f"left out: {count} calls: {why}")
    return codes


def calls(folder: Path) -> Iterator[dict[str, Any]]:
    for name in TRACES:
        for line in (folder / name).read_text().splitlines():
            yield json.loads(line)


def is_json(text: str) -> bool:
    with contextlib.suppress(ValueError):
        json.loads(text)
        return True
    return False


def table(recorded: Mapping[str, int], run: Path) -> str:
    rows = pq.read_table(run / "samples", columns=["id", "outcome", "reason"]).to_pylist()
    verdicts = {row["id"]: f"{row['outcome']} {row['reason'] or ''}".strip() for row in rows}
    counts = Counter((CODES[code], verdicts[id_]) for id_, code in recorded.items())
    lines = [f"{'recorded':<22}{'verdict':<34}{'calls':>6}"]
    lines += [f"{was:<22}{verdict:<34}{n:>6,}" for (was, verdict), n in sorted(counts.items())]
    return "\n".join([*lines, f"{'':<22}{'':<34}{len(recorded):>6,}"])


if __name__ == "__main__":
    main()
