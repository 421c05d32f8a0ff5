"""Servers that are started: what they answer, what becomes of bad ones, and what they can reach."""

import asyncio
import json

import pytest

from apigen_ray.errors import BadInput, McpUnavailable, SandboxLost
from apigen_ray.records import Call, Failed, McpBackend, Reason, Returned
from apigen_ray.stages.execute.mcp import as_servers, pools
from apigen_ray.stages.execute.mcp.build import prepare
from apigen_ray.stages.execute.mcp.prepared import split_launcher
from apigen_ray.stages.execute.sandbox.image import ensure_image
from apigen_ray.tools.backends import schema_digest
from tests.stages.mcp import plain_server
from tests.stages.mcp.mcp_servers import NAMES, ask, ask_once, calling, server_of
from tests.stages.sandbox.sandboxes import running, settings_for, sidecars

KINDS = ["process", "bubblewrap", pytest.param("docker", marks=pytest.mark.docker)]


@pytest.fixture(params=["bubblewrap"])
def kind(request):
    return request.param


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_is_one_through_a_data_point_and_fresh_for_the_next(kind):
    async with calling(kind) as caller:
        for text in "ab":
            async with caller.data_point(NAMES) as lease:
                first = await ask(lease, "note", text)
                second = await ask(lease, "note", text)
            assert first.result == {"memory": [text], "file": text}
            assert second.result == {"memory": [text, text], "file": text + text}
    assert running(kind) == set()


@pytest.mark.docker
async def test_servers_start_in_sidecars_and_reach_nothing():
    with sidecars(2):
        async with calling("sidecar") as caller:
            for text in "ab":
                result = await ask_once(caller, "note", text)
                assert result.result == {"memory": [text], "file": text}
            assert (await ask_once(caller, "act", "probe")).result == {"reached": []}


@pytest.mark.parametrize("per_data_point", [True, False], ids=["fresh", "shared"])
async def test_what_a_server_takes_is_freed_while_nobody_needs_it(
    kind, per_data_point, monkeypatch
):
    monkeypatch.setattr(pools, "IDLE_S", 0.01)
    async with calling(kind, slots=2, per_data_point=per_data_point) as caller:
        for text in "ab":
            result = await ask_once(caller, "note", text)
            assert result.result == {"memory": [text], "file": text}
            async with asyncio.timeout(30):
                while running(kind):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)


@pytest.mark.docker
async def test_a_server_runs_in_an_image_of_the_users_own():
    sandbox = settings_for("docker")
    image = ensure_image(sandbox).tag  # has a Python, as any image of a user's must
    async with calling("docker", command="python3", image=image) as caller:
        for text in "ab":
            result = await ask_once(caller, "note", text)
            assert result.result == {"memory": [text], "file": text}
        assert (await ask_once(caller, "act", "probe")).result == {"reached": []}


@pytest.mark.docker
@pytest.mark.parametrize("per_data_point", [True, False], ids=["fresh", "shared"])
async def test_servers_of_several_names_make_room_for_each_other_in_sidecars(per_data_point):
    others = [f"note of {name}" for name in ("b", "c")]
    with sidecars(2):
        async with calling(
            "sidecar", slots=2, servers=("a", "b", "c"), per_data_point=per_data_point
        ) as caller:

            async def two(*names):
                async with caller.data_point(names) as lease:
                    return [(await ask(lease, name, "x")).result["memory"][:1] for name in names]

            pairs = [("note", others[0]), (others[1], "note"), others]
            found = await asyncio.gather(*(two(*names) for names in pairs))
            assert found == [[["x"], ["x"]]] * 3
            with pytest.raises(SandboxLost, match="calls 3 MCP servers, and there are 2 sidecars"):
                await two("note", *others)


async def test_data_points_at_once_see_nothing_of_each_other(kind):
    async with (
        calling(kind, slots=2) as caller,
        caller.data_point(NAMES) as one,
        caller.data_point(NAMES) as other,
    ):
        await ask(one, "note", "a")
        result = await ask(other, "note", "b")
    assert result.result == {"memory": ["b"], "file": "b"}


async def test_a_shared_server_keeps_its_state(kind):
    async with calling(kind, per_data_point=False) as caller:
        await ask_once(caller, "note", "a")
        assert (await ask_once(caller, "note", "b")).result["memory"] == ["a", "b"]


async def test_a_shared_server_that_has_ended_is_started_again(kind):
    async with calling(kind, per_data_point=False) as caller:
        assert (await ask_once(caller, "act", "leave")).reason is Reason.CRASHED
        assert (await ask_once(caller, "echo", "b")).result == "b"


@pytest.mark.parametrize(
    ("name", "text", "reason", "says"),
    [
        ("fail", "too bad", Reason.RAISED, "too bad"),
        ("act", "error", Reason.RAISED, "no such thing"),
        ("act", "leave", Reason.CRASHED, "exited with status 3: last words"),
        ("act", "close", Reason.CRASHED, "closed its output"),
        ("act", "hang", Reason.TIMEOUT, "no result in 1 s"),
        ("act", "spin", Reason.TIMEOUT, "no result in 1 s"),
        ("act", "fork bomb", Reason.TIMEOUT, "no result in 1 s"),
        ("act", "garbage", Reason.CRASHED, "no message"),
        ("act", "huge", Reason.OUTPUT_TOO_LARGE, "message of over 8 MB"),
        ("act", "large", Reason.OUTPUT_TOO_LARGE, "over 1048576"),
        ("act", "flood", Reason.OUTPUT_TOO_LARGE, "messages besides the answer"),
        ("act", "logs", Reason.OUTPUT_TOO_LARGE, "to stderr"),
        ("act", "unfitting", Reason.NOT_SERIALIZABLE, "content"),
        ("show", '{"content": []}', Reason.EMPTY_RESULT, "no content"),
    ],
)
async def test_what_goes_wrong_is_the_data_points_and_the_next_is_clean(
    kind, name, text, reason, says
):
    patient = 1 if reason is Reason.TIMEOUT else 20
    async with calling(kind, timeout_s=patient) as caller:
        result = await ask_once(caller, name, text)
        assert isinstance(result, Failed)
        assert (result.reason, says in result.message) == (reason, True), result
        assert (await ask_once(caller, "note", "x")).result == {"memory": ["x"], "file": "x"}


@pytest.mark.docker
async def test_memory_ends_at_the_containers_limit():
    async with calling("docker", timeout_s=30) as caller:
        assert (await ask_once(caller, "act", "memory")).reason in (Reason.MEMORY, Reason.CRASHED)
        assert (await ask_once(caller, "echo", "x")).result == "x"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_hostile_server_reaches_nothing(kind, monkeypatch):
    monkeypatch.setenv("HOST_SECRET", "1")
    async with calling(kind) as caller:
        result = await ask_once(caller, "act", "probe")
    assert isinstance(result, Returned), result
    assert result.result == {"reached": []}


async def test_a_process_that_stays_behind_is_gone_for_the_next_data_point(kind):
    async with calling(kind) as caller:
        assert (await ask_once(caller, "act", "stay")).result == "left"
        for _ in range(3):
            assert (await ask_once(caller, "note", "x")).result == {"memory": ["x"], "file": "x"}


@pytest.mark.parametrize("kind", [KINDS[1], KINDS[2]])
async def test_hosts_that_are_listed_are_reached_and_no_others(kind):
    async def greet(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
        writer.close()

    web = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = web.sockets[0].getsockname()[1]
    listed, other = f"http://127.0.0.1:{port}/", "http://example.com/"
    settings = {"hosts": ["127.0.0.1"], "env": {"ADDRESSES": listed}}
    async with web, calling(kind, allow=(f"127.0.0.1:{port}",), **settings) as caller:
        assert (await ask_once(caller, "act", "fetch")).result == ["hello"]
    settings["env"]["ADDRESSES"] = other
    async with calling(kind, **settings) as caller:
        result = await ask_once(caller, "act", "fetch")
    assert result.reason is Reason.EGRESS_DENIED
    assert "example.com:80 is not one of the allowed hosts" in result.message


async def test_a_server_that_asks_for_something_is_declined(kind):
    async with calling(kind) as caller:
        told = await ask_once(caller, "act", "ask")
    assert set(told.result.values()) == {"error"}
    assert len(told.result) == 3


@pytest.mark.parametrize(("act", "result"), [("progress", "done"), ("forge", "genuine")])
async def test_what_is_no_answer_is_none(kind, act, result):
    async with calling(kind) as caller:
        assert (await ask_once(caller, "act", act)).result == result


async def test_a_banner_on_stdout_is_passed_over(kind):
    async with calling(kind, "banner") as caller:
        assert (await ask_once(caller, "echo", "x")).result == "x"


@pytest.mark.parametrize(
    ("content", "result"),
    [
        ([{"type": "text", "text": "plain"}], "plain"),
        ([{"type": "text", "text": '{"a": [1]}'}], {"a": [1]}),
        (
            [{"type": "image", "data": "AAAA", "mimeType": "image/png"}],
            {"type": "image", "mimeType": "image/png", "bytes": 3},
        ),
        (
            [{"type": "resource", "resource": {"uri": "file:///a", "text": "b"}}],
            {"type": "resource", "uri": "file:///a", "text": "b"},
        ),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], ["a", "b"]),
    ],
)
async def test_contents_become_results(kind, content, result):
    async with calling(kind) as caller:
        assert (await ask_once(caller, "show", json.dumps({"content": content}))).result == result


async def test_structured_content_is_the_result(kind):
    shown = {"content": [{"type": "text", "text": "n"}], "more": {"structuredContent": {"n": 1}}}
    async with calling(kind) as caller:
        assert (await ask_once(caller, "show", json.dumps(shown))).result == {"n": 1}


async def test_keys_come_from_the_environment_and_are_in_no_result(kind):
    given = {"TOKEN": "Bearer ${KEY}", "TZ": "UTC"}
    async with calling(kind, keys={"KEY": "s3cret-value"}, env=given) as caller:
        seen = (await ask_once(caller, "act", "environment")).result
    assert (seen["TOKEN"], seen["TZ"]) == ("Bearer ***", "UTC")


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("dies", "exited with status 1: no licence"),
        ("hangs", "no list of tools within"),
        ("old", "Unsupported protocol version from the server: 2023-01-01"),
        ("renamed", "no longer lists the tool 'echo'"),
        ("changed", "the inputSchema of its tool 'echo' has changed"),
    ],
)
async def test_a_server_that_is_not_as_imported_is_an_error_that_names_it(kind, how, says):
    digest = schema_digest(plain_server.TEXT)
    tools = {"echo": McpBackend("plain", "echo", digest)}
    limit = 1 if how == "hangs" else 20
    async with calling(kind, how, tools=tools, start_timeout_s=limit) as caller:
        with pytest.raises(McpUnavailable, match=f"MCP server plain: .*{says}"):
            await ask_once(caller, "echo", "x")


async def test_a_command_that_is_missing_is_named(kind):
    async with calling(kind, command="no-such-command") as caller:
        with pytest.raises(McpUnavailable, match="no such command: no-such-command"):
            await ask_once(caller, "echo", "x")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"a": {}}, "mcp_servers.a: must have either a command or a url"),
        ({"a": {"command": "x", "url": "http://h/"}}, "either a command or a url"),
        ({"a": {"command": "x", "imagee": "y"}}, "mcp_servers.a.imagee"),
        ({"a": {"url": "ftp://h/"}}, "is not an http"),
        ({"a": {"url": "http://h/", "type": "sse"}}, "type 'sse'"),
        ({"a": {"url": "http://h/", "hosts": ["b.c"]}}, "hosts: only for servers with a command"),
        ("no-such-file.json", "no-such-file.json"),
    ],
)
def test_bad_servers_are_one_line(value, says):
    with pytest.raises(BadInput) as error:
        as_servers(value)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_a_clients_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "claude_desktop_config.json"
    servers = {"t": {"command": "uvx", "args": ["mcp-server-time"], "disabled": False}}
    path.write_text(json.dumps({"mcpServers": servers, "theme": "dark"}))
    assert as_servers(str(path))["t"].args == ("mcp-server-time",)


@pytest.mark.parametrize(
    ("command", "program", "package"),
    [
        ("uvx mcp-server-time --tz x", "mcp-server-time --tz x", "mcp-server-time"),
        ("uvx mcp-server-git==2.0", "mcp-server-git", "mcp-server-git==2.0"),
        ("uvx --from pkg@1 prog a", "prog a", "pkg@1"),
        ("npx -y @scope/server .", "npm:@scope+server .", "npm:@scope/server"),
        ("npx -y server@latest", "npm:server", "npm:server@latest"),
        ("python a.py", "python a.py", None),
    ],
)
def test_launchers_are_read_as_what_they_start(command, program, package):
    assert split_launcher(command.split()) == (tuple(program.split()), package)


def test_a_server_whose_packages_are_not_installed_says_what_to_do():
    settings = server_of(packages=["no-such-package-here"])
    with pytest.raises(BadInput, match=r"mcp_servers.x: .*sandbox build --mcp"):
        prepare("x", settings, "bubblewrap")


def test_hosts_need_a_sandbox_with_a_network_of_its_own():
    with pytest.raises(BadInput, match=r"mcp_servers.x: hosts: a sandbox of kind process"):
        prepare("x", server_of(hosts=["a.example"]), "process")


async def test_calls_after_a_time_out_are_not_sent(kind):
    async with calling(kind, timeout_s=0.5) as caller, caller.data_point(NAMES) as lease:
        await lease.call(Call("act", {"text": "hang"}))
        result = await ask(lease, "echo", "x")
    assert (result.reason, result.seconds) == (Reason.TIMEOUT, 0.0)
