"""MCP servers before a run, and through the stages."""

import json
from io import StringIO

import pytest
from rich.console import Console

import apigen_ray
from apigen_ray.config import load_config
from apigen_ray.errors import BadInput
from apigen_ray.tools.importers.findings import RefusalReason, gather
from apigen_ray.tools.importers.mcp import McpOptions
from apigen_ray.tools.library import load_library
from apigen_ray.workflows.import_mcp import read_mcp
from apigen_ray.workflows.import_tools import run_import
from apigen_ray.workflows.prepare import QUIET, prepare_executor
from apigen_ray.workflows.reachable import reachable_tools
from tests.stages.mcp.mcp_servers import SERVER
from tests.stages.sandbox.sandboxes import settings_for

QUICKSTART = "configs/quickstart.yaml"


@pytest.fixture
def servers(tmp_path):
    """A file with two servers, and what else a config needs."""
    settings_for("bubblewrap")
    described = {name: {"command": "python", "args": [SERVER]} for name in ("one", "two")}
    path = tmp_path / "mcp.json"
    path.write_text(json.dumps({"mcpServers": described, "sandbox": {"kind": "bubblewrap"}}))
    return path


def imported(path, tmp_path):
    out = tmp_path / "tools.jsonl"
    run_import(read_mcp([str(path)], McpOptions()), out, Console(file=StringIO()))
    return out


def config_of(servers, tools, *overrides):
    settings = [f"tools=[{tools}]", "seeds=[]", f"mcp_servers={servers}", "sandbox.kind=bubblewrap"]
    return load_config(QUICKSTART, [*settings, *overrides])


def prepared(config):
    library = reachable_tools(load_library(config.tools), config, QUIET)
    return prepare_executor(
        library,
        QUIET,
        execute=config.execute,
        sandbox=config.sandbox,
        rest=config.rest,
        mcp_servers=config.mcp_servers,
    )


def test_tools_of_two_servers_are_imported_with_names_and_backends_of_their_own(servers, tmp_path):
    lines = [json.loads(line) for line in imported(servers, tmp_path).read_text().splitlines()]
    assert len({line["name"] for line in lines}) == len(lines) == 10
    backends = {(line["backend"]["server"], line["backend"]["tool"]) for line in lines}
    assert ("one", "echo") in backends
    assert ("two", "echo") in backends


def test_a_server_that_does_not_start_is_refused_by_name(servers):
    described = json.loads(servers.read_text())
    described["mcpServers"]["two"]["args"].append("dies")
    servers.write_text(json.dumps(described))
    result = gather(read_mcp([str(servers)], McpOptions()))
    [refused] = [item for item in result.refused if item.reason is RefusalReason.SERVER]
    assert "mcp_servers.two" in refused.detail
    assert "no licence" in refused.detail
    assert len(result.imported) == 5


def test_what_was_imported_can_be_called(servers, tmp_path):
    tools = imported(servers, tmp_path)
    name = json.loads(tools.read_text().splitlines()[0])["name"]
    settings = settings_for("bubblewrap")
    with apigen_ray.Sandbox(tools, settings=settings, mcp_servers=str(servers)) as sandbox:
        assert sandbox.call(name, {"text": "x"}).result == "x"


def changed(servers, **server):
    described = json.loads(servers.read_text())
    described["mcpServers"]["one"] |= server
    servers.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("server", "says"),
    [
        ({"args": [SERVER, "renamed"]}, "mcp_servers.one: .* no longer lists the tool 'echo'"),
        ({"args": [SERVER, "changed"]}, "mcp_servers.one: .*inputSchema .* has changed"),
        ({"args": [SERVER, "old"]}, "mcp_servers.one: .*Unsupported protocol version"),
        ({"command": "no-such"}, "mcp_servers.one: .*no such command: no-such.*give an `image`"),
        ({"env": {"A": "${NO_SUCH_KEY}"}}, r"'one' needs \$NO_SUCH_KEY, which is not set"),
        ({"command": "uvx", "args": ["no-such-thing"]}, "sandbox build --mcp"),
    ],
    ids=["renamed", "changed", "old", "missing", "key", "unbuilt"],
)
def test_a_server_that_cannot_be_used_ends_the_run_before_its_first_prompt(
    servers, tmp_path, server, says
):
    tools = imported(servers, tmp_path)
    changed(servers, **server)
    with pytest.raises(BadInput, match=says):
        prepared(config_of(servers, tools))


def test_a_server_that_is_not_in_the_config_is_named(servers, tmp_path):
    tools = imported(servers, tmp_path)
    described = json.loads(servers.read_text())
    del described["mcpServers"]["two"]
    servers.write_text(json.dumps(described))
    config = config_of(servers, tools)
    with pytest.raises(BadInput, match="no MCP server 'two' in mcp_servers"):
        prepared(config)
    left = config_of(servers, tools, "execute.skip_unreachable=true")
    executor, _ = prepared(left)
    assert {backend.server for backend in executor.mcp.tools.values()} == {"one"}


@pytest.mark.usefixtures("shared_ray")
def test_rows_over_servers_are_verified_with_an_exact_ledger(servers, tmp_path):
    tools = imported(servers, tmp_path)
    names = [json.loads(line)["name"] for line in tools.read_text().splitlines()]
    echo = [name for name in names if "echo" in name]
    fail = next(name for name in names if "fail" in name)
    rows = [
        {
            "id": f"r{index}",
            "query": "q",
            "answers": [{"name": [*echo, fail][index % 3], "arguments": {"text": "x"}}],
        }
        for index in range(12)
    ]
    done = apigen_ray.verify(
        rows,
        tools=tools,
        stages=["format", "execution"],
        config=config_of(servers, tools, "execute.check_determinism=true"),
    )
    assert {outcome: n for outcome, n in done.outcomes.items() if n} == {
        "verified": 8,
        "fail_execution": 4,
    }
    results = [json.loads(row["execution_results"])[0] for row in done.rows("verified")]
    assert all(result["deterministic"] for result in results)
