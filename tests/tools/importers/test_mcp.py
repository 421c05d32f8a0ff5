"""Tools of MCP servers, from files and from servers that run, hang and die."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from apigen_ray.errors import BadInput
from apigen_ray.tools.importers.findings import RefusalReason, gather
from apigen_ray.tools.importers.mcp import McpOptions, read_mcp

DATA = Path(__file__).parents[2] / "data" / "imports"
SERVER = Path(__file__).with_name("mcp_server.py")
SCHEMA = {"type": "object", "properties": {"gauge": {"type": "string"}}}
STDIO = f"stdio:{sys.executable} {SERVER}"


def read(source, **options):
    return gather(read_mcp([str(source)], McpOptions(**options)))


@pytest.fixture(scope="module")
def url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, SERVER, "http", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


def check_the_librarys_tools(result):
    assert not result.refused
    names = [(item.tool.name, item.original_name) for item in result.imported]
    assert names == [("find_book", "find_book"), ("shelf_list", "shelf.list")]
    assert {item.source for item in result.imported} == {"mcp:Library of Babel"}
    tool = result.imported[0].tool
    assert tool.description == "Find a book by its title."
    assert tool.parameters["required"] == ["title"]
    assert (tool.backend.server, tool.backend.tool) == ("Library of Babel", "find_book")
    assert result.imported[1].tool.backend.tool == "shelf.list"


def test_a_stdio_server_is_asked_for_its_tools():
    check_the_librarys_tools(read(f"{STDIO} stdio"))


def test_an_http_server_is_asked_for_its_tools(url):
    check_the_librarys_tools(read(url))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (f"{STDIO} die", "no licence"),
        (f"{STDIO} hang", "within 0.5 s"),
        (f"{STDIO} babble", "within 0.5 s"),
        ("stdio:no-such-command", "no-such-command"),
        ("stdio:", "OSError|Error"),
        ("http://127.0.0.1:9/mcp", "connection attempts failed"),
    ],
    ids=["dies", "hangs", "babbles", "missing", "empty", "unreachable"],
)
def test_a_server_that_does_not_answer_is_one_line(source, says, capfd):
    timeout = 0.5 if "0.5" in says else 30
    (refused,) = read(source, timeout=timeout).refused
    assert refused.reason is RefusalReason.SERVER
    assert any(word in refused.detail for word in says.split("|"))
    assert "\n" not in refused.detail
    assert capfd.readouterr() == ("", "")


def test_a_server_that_is_not_mcp_is_one_line(url):
    (refused,) = read(url.removesuffix("mcp") + "nothing").refused
    assert refused.reason is RefusalReason.SERVER


def test_lists_of_livemcpbench_are_read_with_their_category():
    result = read(DATA / "mcp_livemcpbench.jsonl")
    assert not result.refused
    categories = {item.tool.category for item in result.imported}
    assert categories == {"Data", "Finance"}
    assert "$schema" not in json.dumps([item.tool.parameters for item in result.imported])


def test_dockers_lists_say_what_a_tool_takes_or_are_refused():
    result = read(DATA / "mcp_docker.jsonl")
    health = next(i.tool for i in result.imported if i.tool.name == "check_pod_health")
    assert health.parameters["required"] == ["pod_name"]
    assert {item.reason for item in result.refused} == {RefusalReason.NO_PARAMETERS}
    assert all("zscaler" in item.detail for item in result.refused)


@pytest.mark.parametrize("wrap", [lambda t: {"tools": t}, lambda t: {"result": {"tools": t}}, list])
def test_answers_to_tools_list_are_read_as_they_are_kept(tmp_path, wrap):
    path = tmp_path / "answer.json"
    path.write_text(json.dumps(wrap([{"name": "a", "inputSchema": SCHEMA}])))
    (imported,) = read(path).imported
    assert imported.tool.parameters == SCHEMA


def test_a_bad_tool_is_refused_and_the_rest_imported(tmp_path):
    path = tmp_path / "answer.json"
    tools = [
        {"name": "good", "inputSchema": {"type": "object"}},
        {"inputSchema": {"type": "object"}},
        {"name": "bad", "inputSchema": {"type": "object", "properties": {"a": {"minimum": "x"}}}},
        {"name": "worse", "inputSchema": {"type": "object", "required": [{}], "properties": 5}},
        {"name": "far", "inputSchema": {"type": "object", "properties": {"a": {"$ref": "#/no"}}}},
    ]
    path.write_text(json.dumps({"tools": tools}))
    result = read(path)
    assert [item.tool.name for item in result.imported][:1] == ["good"]
    assert [item.reason for item in result.refused][:1] == [RefusalReason.INVALID_TOOL]
    assert "far" in result.refused[-1].detail


def test_a_command_without_its_scheme_is_told_so(tmp_path):
    command = f"{sys.executable} -m server"
    with pytest.raises(BadInput, match="to start this server, give 'stdio:"):
        read(command)
    with pytest.raises(BadInput, match=r"nowhere\.json: no such file or folder in /"):
        read("nowhere.json")
