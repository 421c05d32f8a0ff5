"""How fast rows become reports, exports and verified data: `python tests/bench/bench_results.py`.

Makes a run folder of 160,000 rows, one of a million, and a million rows of foreign data (or as many
as are given), and takes them through the commands that a user types, and through what a run does
after its last row. Printed are wall seconds, CPU seconds and the most memory that the command and
its workers held at once.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from apigen_ray.datasets.export.formats import format_names
from apigen_ray.records import (
    OUTCOME_OF,
    Checked,
    JsonObject,
    Outcome,
    Reason,
    Rejected,
    Stage,
    Style,
    Tool,
)
from apigen_ray.run_folder.rows import Row, as_table, new_row, rejected_row
from apigen_ray.run_folder.store import RunFolder
from apigen_ray.stages.check import CheckSettings, check_pair, signatures_of
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import tool_columns, xlam_form

TOOLS = Path(__file__).parents[2] / "sandbox" / "tools"
ROWS_PER_PART = 256
COMMAND = ["-m", "apigen_ray"]
CONCLUDE = """
import sys
from rich.console import Console
from apigen_ray.workflows.finish import finish
from apigen_ray.run_folder.store import RunFolder
finish(RunFolder(sys.argv[1]), int(sys.argv[2]), Console())
"""
"""What a run does after its last row."""
FAILURES = {
    Reason.WRONG_TYPE: Stage.CHECK,
    Reason.UNKNOWN_ARGUMENT: Stage.CHECK,
    Reason.RAISED: Stage.EXECUTE,
    Reason.TIMEOUT: Stage.EXECUTE,
    Reason.JUDGED_NO: Stage.JUDGE,
    Reason.RATE_LIMITED: Stage.GENERATE,
}
_VALUES: JsonObject = {
    "integer": 7,
    "number": 9.5,
    "string": "Lisbon",
    "boolean": True,
    "array": [],
}
_WORDS = [f"{a}{b}{c}" for a in "bdfklmnprst" for b in "aeiou" for c in ("ne", "ra", "lo")]


def main() -> None:
    """Make the data, run the commands, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=160_000, help="of the run folder")
    parser.add_argument("--foreign", type=int, default=1_000_000, help="rows to verify")
    parser.add_argument("--many", type=int, default=1_000_000, help="rows of the large run folder")
    steps = ["report", "export", "conclude", "verify"]
    parser.add_argument("--only", choices=steps, help="just one of these")
    parser.add_argument("--folder", type=Path, help="keep the data here, and use what is there")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        run, foreign = folder / f"run-{given.rows}", folder / f"foreign-{given.foreign}.jsonl"
        large = folder / f"run-{given.many}-in-large-parts"
        if given.only in (None, "report", "export") and not run.exists():
            make_run(run, given.rows)
        if given.only in (None, "conclude") and not large.exists():
            make_run(large, given.many, per_part=2000)
        if given.only in (None, "verify") and not foreign.exists():
            make_foreign(foreign, given.foreign)
        print(f"{'command':<30}{'rows':>12}{'wall s':>9}{'CPU s':>9}{'rows/s':>10}{'MB':>7}")
        if given.only in (None, "report"):
            measure("report", given.rows, [*COMMAND, "report", str(run)])
        if given.only in (None, "export"):
            for form in format_names():
                command = [
                    *COMMAND,
                    "export",
                    str(run),
                    "--format",
                    form,
                    "--out",
                    str(folder / form),
                ]
                measure(f"export {form}", given.rows, command)
        if given.only in (None, "conclude"):
            program = ["-c", CONCLUDE, str(large), str(given.many)]
            measure("conclude", given.many, program)
        if given.only in (None, "verify"):
            with tempfile.TemporaryDirectory(dir=folder) as out:
                options = ["--stages", "format", "--out", f"{out}/run"]
                command = [*COMMAND, "verify", str(foreign), *options]
                measure("verify, format", given.foreign, command)


def make_run(path: Path, count: int, per_part: int = ROWS_PER_PART) -> None:
    """A run folder as data points of two models would leave it."""
    tools = _callable_tools()
    folder = RunFolder(path)
    with folder.writing():
        folder.write_json("manifest.json", {"requested": count, "config": {}})
        waiting: list[Row] = []
        for number in range(count):
            waiting.append(_row(number, tools))
            if len(waiting) == per_part or number == count - 1:
                folder.commit(as_table(waiting))
                waiting = []


def make_foreign(path: Path, count: int) -> None:
    """Rows in the xLAM format, one in ten with a flaw; each with its tools, like the released."""
    tools = _callable_tools()
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            drawn = random.Random(number)
            shown = drawn.sample(tools, drawn.randint(1, 4))
            calls = [_call(tool) for tool in shown[: drawn.randint(1, 2)]]
            if number % 10 == 0:
                calls[0] |= {"arguments": {"invented": 1}}
            row = {
                "id": number,
                "query": _query(drawn),
                "answers": json.dumps(calls),
                "tools": json.dumps([xlam_form(tool) for tool in shown]),
            }
            file.write(json.dumps(row) + "\n")


def _row(number: int, tools: Sequence[Tool]) -> Row:
    drawn = random.Random(number)
    style = drawn.choice(list(Style)[:4])
    one = style in (Style.SIMPLE, Style.PARALLEL)
    shown = drawn.sample(tools, 1 if one else drawn.randint(2, 4))
    calls = [_call(tool) for tool in (shown * 2)[: 1 if style in ("simple", "multiple") else 2]]
    results = [{"ok": True, "result": {"value": drawn.random()}, "seconds": 0.002} for _ in calls]
    model = f"model-{number % 2}"
    new = new_row(
        f"{model}-{number // 2:06d}-0",
        model=model,
        style=style,
        prompt_id=f"{number // 2:06d}",
        tried=0,
        **tool_columns(shown),
    )
    new |= {
        "query": _query(drawn),
        "answers": json.dumps(calls),
        "execution_results": json.dumps(results),
        "thought": f"The calls answer the query: {_query(drawn)}",
        "completion": json.dumps(calls),
        "messages_hash": f"{number // 2:064d}",
        "input_tokens": 900,
        "output_tokens": 90,
        "cost_usd": 0.0003,
        "generate_s": drawn.lognormvariate(1, 1),
        "execute_s": drawn.lognormvariate(-6, 1),
        "judge_s": drawn.lognormvariate(0, 1),
    }
    if drawn.random() < 0.75:
        return {**new, "outcome": Outcome.VERIFIED.value}
    reason, stage = drawn.choice(list(FAILURES.items()))
    if OUTCOME_OF[reason] is Outcome.FAIL_FORMAT:
        new["execution_results"] = None
    return rejected_row(new, stage, Rejected(reason, f"calls[0].arguments: {_query(drawn)}"))


def _callable_tools() -> list[Tool]:
    """The tools of our library that take the simplest arguments."""
    found = []
    for tool in load_library([str(TOOLS)]).tools:
        pair: JsonObject = {"query": "q", "answers": [_call(tool)]}
        result = check_pair(
            pair, style=None, signatures=signatures_of([tool]), settings=CheckSettings()
        )
        if isinstance(result, Checked):
            found.append(tool)
    return found


def _call(tool: Tool) -> JsonObject:
    schema: Any = tool.parameters
    arguments: JsonObject = {
        name: _VALUES.get(schema["properties"][name].get("type", ""), {})
        for name in schema.get("required", [])
    }
    return {"name": tool.name, "arguments": arguments}


def _query(drawn: random.Random) -> str:
    """Words of which each query has its own, but for one in twenty that many have."""
    if drawn.random() < 0.05:
        drawn = random.Random(drawn.randint(0, 500))
    return " ".join(drawn.choices(_WORDS, k=drawn.randint(8, 24)))


def measure(label: str, rows: int, arguments: Sequence[str]) -> None:
    """Run Python with arguments, and print what it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
    peak = [0]
    watcher = threading.Thread(target=_watch, args=(process, peak))
    watcher.start()
    if process.wait():
        sys.exit(f"{label}: exit code {process.returncode}")
    watcher.join()
    wall = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"{label:<30}{rows:>12,}{wall:>9.1f}{cpu:>9.1f}{rows / wall:>10,.0f}{peak[0]:>7,}")


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(_megabytes, _family(process.pid))))
        time.sleep(0.2)


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except OSError:
        return
    for child in children:
        yield from _family(int(child))


def _megabytes(pid: int) -> int:
    """Memory of a process, with its part of what it shares."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
