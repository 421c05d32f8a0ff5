"""How fast chains of calls are run: each waits for the result that it refers to. By hand:

    uv run python tests/bench/bench_chains.py [--rows 1000] [--slots 2] [--kind auto]

The seeds of configs/seeds-sequential.jsonl go through the step of stage 2, as many at a time as a
run would have in flight: tools are read from the row, references resolved, arguments checked again.
Beside it, the same calls with the values already in place, as rows of other styles have them.
"""

import argparse
import asyncio
import json
import time

from rich.console import Console

from apigen_ray.pipeline.steps import execute_step
from apigen_ray.prompting.seeds import load_seeds
from apigen_ray.records import Call, Style
from apigen_ray.run_folder.rows import Row, calls_form, new_row, with_values
from apigen_ray.stages.execute.dispatch import Dispatcher, ExecuteSettings
from apigen_ray.stages.execute.rest import RestCaller, RestSettings
from apigen_ray.stages.execute.sandbox import Sandbox, SandboxSettings, open_sandbox
from apigen_ray.tools.library import load_library
from apigen_ray.tools.write_forms import tool_columns
from apigen_ray.workflows.prepare import prepare_executor

IN_FLIGHT = 64


async def measure(rows: list[Row], sandbox: Sandbox) -> tuple[list[Row], float]:
    """The rows after stage 2, and the seconds that it took."""

    async def opened() -> Sandbox:
        return sandbox

    runner = Dispatcher({}, RestCaller(RestSettings(), {}), opened)
    room = asyncio.Semaphore(IN_FLIGHT)

    async def one(row: Row) -> Row:
        async with room:
            return await execute_step(row, runner, ExecuteSettings())

    start = time.perf_counter()
    done = await asyncio.gather(*map(one, rows))
    return list(done), time.perf_counter() - start


def with_calls(row: Row, style: Style, calls: list[Call]) -> Row:
    """A row of a style, not run yet, with these calls."""
    answers = json.dumps(calls_form(calls))
    return with_values(row, style=style.value, answers=answers, execution_results=None)


async def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--slots", type=int, default=2)
    parser.add_argument("--kind", default="auto")
    options = parser.parse_args()
    console = Console()
    library = load_library(["sandbox/tools"])
    seeds, _ = load_seeds(["configs/seeds-sequential.jsonl"], library.by_name())
    settings = SandboxSettings(kind=options.kind, slots=options.slots)
    executor, _ = prepare_executor(
        library, console, execute=ExecuteSettings(), sandbox=settings, rest=RestSettings()
    )
    rows = []
    for number in range(options.rows):
        seed = seeds[number % len(seeds)]
        row = new_row(
            str(number),
            model="",
            style=Style.SEQUENTIAL,
            prompt_id="",
            tried=0,
            **tool_columns(seed.tools, returns=True),
        )
        rows.append(with_calls(row, Style.SEQUENTIAL, list(seed.pair.calls)))
    sandbox = await open_sandbox(executor.sandbox, executor.code)
    try:
        await measure(rows[:50], sandbox)  # warm
        chained, seconds = await measure(rows, sandbox)
        failed = [row["detail"] for row in chained if row["outcome"]]
        assert not failed, failed[:3]
        plain = []
        for row in chained:
            results = json.loads(row["execution_results"] or "[]")
            calls = [
                Call(call["name"], result.get("arguments", call["arguments"]))
                for call, result in zip(json.loads(row["answers"] or "[]"), results, strict=True)
            ]
            plain.append(with_calls(row, Style.PARALLEL_MULTIPLE, calls))
        _, plain_seconds = await measure(plain, sandbox)
    finally:
        await sandbox.close()
    calls = sum(len(json.loads(row["answers"] or "[]")) for row in rows)
    for name, took in (("chained", seconds), ("values in place", plain_seconds)):
        console.print(f"{name}: {calls / took:,.0f} calls/s, {len(rows) / took:,.0f} rows/s")


if __name__ == "__main__":
    asyncio.run(main())
