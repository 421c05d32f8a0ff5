"""MCP servers in the sandbox, beside the bare SDK client with the same server outside.

Run by hand, with Docker: uv run python tests/bench/bench_mcp.py
It builds the image of its server first (`sandbox build --mcp`).
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median

import docker
from mcp import Client, StdioServerParameters

import apigen_ray
from apigen_ray.records import Call, McpBackend, Returned
from apigen_ray.stages.execute.mcp import McpCaller, McpServer, McpTools
from apigen_ray.stages.execute.mcp.build import build, prepare
from apigen_ray.stages.execute.rest import RestSettings
from apigen_ray.stages.execute.sandbox import SandboxSettings, choose_kind

SERVER = str(Path(__file__).with_name("mcp_server.py"))
SETTINGS = McpServer(command="python", args=(SERVER,), packages=("mcp==2.3.0",))
CALLS, ROUNDS, POINTS, SERVERS, ROWS = 1000, 3, 150, 5, 2000


async def bare() -> float:
    """Calls/s of the SDK's own client."""
    started = StdioServerParameters(command=sys.executable, args=[SERVER])
    async with Client(started, cache=None) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        began = time.monotonic()
        for index in range(CALLS):
            answer = await client.call_tool("add", {"a": index, "b": 2})
            assert not answer.is_error
        return CALLS / (time.monotonic() - began)


async def warm(caller: McpCaller) -> float:
    """Calls/s within one data point."""
    async with caller.data_point(["add"]) as lease:
        await lease.call(Call("add", {"a": 1, "b": 2}))
        began = time.monotonic()
        for index in range(CALLS):
            result = await lease.call(Call("add", {"a": index, "b": 2}))
            assert isinstance(result, Returned), result
        return CALLS / (time.monotonic() - began)


async def fresh(caller: McpCaller) -> float:
    """Data points/s, each with a server of its own and one call."""

    async def one(index: int) -> None:
        async with caller.data_point(["note"]) as lease:
            result = await lease.call(Call("note", {"text": str(index)}))
            assert isinstance(result, Returned), result
            assert result.result == {"result": [str(index)] * 2}, result

    began = time.monotonic()
    await asyncio.gather(*map(one, range(POINTS)))
    return POINTS / (time.monotonic() - began)


async def rates(kind: str) -> None:
    sandbox = SandboxSettings.model_validate({"kind": kind, "base_image": "host", "slots": 2})
    server = prepare("s", SETTINGS, choose_kind(sandbox)[0])
    tools = {name: McpBackend("s", name) for name in ("add", "note")}
    caller = McpCaller(McpTools(tools, {"s": server}), sandbox, RestSettings(), {})
    try:
        await fresh(caller)  # starts the boxes
        pairs = [(await bare(), await warm(caller)) for _ in range(ROUNDS)]
        points = [await fresh(caller) for _ in range(ROUNDS)]
    finally:
        await caller.close()
    alone, ours = (median(column) for column in zip(*pairs, strict=True))
    share = median(one / other for other, one in pairs)
    print(f"{kind}: warm {ours:.0f} calls/s, bare SDK {alone:.0f}: {share:.2f} of it")
    print(f"{kind}: fresh servers {median(points):.1f} points/s ({min(points):.1f} at worst)")


def ledger() -> None:
    """Rows over several servers through `verify`; what fails and what passes is known."""
    names = [f"s{number}" for number in range(SERVERS)]
    shape = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    parameters = {"type": "object", "properties": shape, "required": ["a", "b"]}
    why = {"type": "object", "properties": {"why": {"type": "string"}}, "required": ["why"]}
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder) / "tools.jsonl"
        with tools.open("w") as file:
            for name in names:
                for tool, schema in (("add", parameters), ("fail", why)):
                    backend = {"kind": "mcp", "server": name, "tool": tool}
                    form = {"name": f"{name}_{tool}", "description": tool, "parameters": schema}
                    file.write(json.dumps(form | {"backend": backend}) + "\n")
        rows, expected = [], Counter()
        for index in range(ROWS):
            name = names[index % SERVERS]
            bad = index % 10 == 0
            call = {"name": f"{name}_add", "arguments": {"a": index, "b": 1}}
            if bad:
                call = {"name": f"{name}_fail", "arguments": {"why": "planned"}}
            rows.append({"id": f"r{index}", "query": "q", "answers": [call]})
            expected["fail_execution" if bad else "verified"] += 1
        described = {name: SETTINGS.model_dump(exclude_unset=True) for name in names}
        config = {
            "out": f"{folder}/unused",
            "points": {"simple": 1},
            "tools": [str(tools)],
            "models": [{"kind": "simulated", "name": "m"}],
            "judge": {"kind": "simulated", "name": "j"},
            "sandbox": {"kind": "docker", "base_image": "host", "slots": 2},
            "mcp_servers": described,
        }
        began = time.monotonic()
        done = apigen_ray.verify(
            rows, tools=tools, stages=["format", "execution"], out=f"{folder}/v", config=config
        )
        seconds = time.monotonic() - began
        counts = Counter(row["outcome"] for row in done.rows())
    left = docker.from_env().containers.list(all=True, filters={"label": "apigen-ray"})
    lines = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    alive = [line for line in lines.stdout.splitlines() if "mcp_server.py" in line]
    print(f"ledger: {dict(counts)}, expected {dict(expected)}, {ROWS / seconds:.1f} rows/s")
    print(f"left: {len(left)} containers, {len(alive)} processes")
    assert counts == expected


if __name__ == "__main__":
    for each in ("docker", "bubblewrap"):
        print(f"{each}: {build(SETTINGS, each)}")
        asyncio.run(rates(each))
    ledger()
