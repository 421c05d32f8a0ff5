"""Python tools that do HTTP themselves reach the hosts on the list, through the proxy alone."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from pydantic import ValidationError
from sandboxes import opened, settings_for

from apigen_ray.errors import BadInput
from apigen_ray.records import Call, CallResult, Failed, Json, Reason, Returned
from apigen_ray.stages.execute.sandbox import (
    Sandbox,
    SandboxSettings,
    ToolCode,
    choose_kind,
    opening,
    pack,
)
from apigen_ray.stages.execute.sandbox.pool import Pool
from apigen_ray.stages.execute.sandbox.protocol import take_listener

pytestmark = pytest.mark.asyncio(loop_scope="module")
WEB_TOOLS = Path(__file__).with_name("web_tools.py")
NAMES = (
    "fetch", "fetch_or_else", "refused_then_crashes", "connect", "look_up", "try_sockets",
    "try_to_listen", "proxy_port", "kill_everything", "flood", "open_and_close", "ask_and_leave",
    "ask_from_a_daemon", "send_raw", "run_curl",
)  # fmt: skip


@dataclass
class Site:
    """Servers on loopback: http, https, and one that is on no list; with the paths asked for."""

    http: int = 0
    https: int = 0
    unlisted: int = 0
    asked: list[str] = field(default_factory=list)


@pytest.fixture(
    scope="module", params=[pytest.param("docker", marks=pytest.mark.docker), "bubblewrap"]
)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost that nobody signed but itself, with its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", folder / "key.pem", "-out", folder / "authority.pem", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site(certificate: Path) -> AsyncIterator[Site]:
    site = Site()

    async def answer(request: web.Request) -> web.Response:
        site.asked.append(request.path)
        if request.path == "/away":
            return web.Response(status=302, headers={"Location": request.query["to"]})
        return web.Response(text=f"hello from {request.path}")

    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate / "authority.pem", certificate / "key.pem")
    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    for context in (None, tls, None):
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    site.http, site.https, site.unlisted = (address[1] for address in runner.addresses)
    yield site
    await runner.cleanup()


def web_code(certificate: Path) -> ToolCode:
    code = pack([WEB_TOOLS], {name: ("web_tools", name) for name in NAMES})
    return ToolCode(
        code.files | {"authority.pem": (certificate / "authority.pem").read_bytes()}, code.functions
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(kind: str, site: Site, certificate: Path) -> AsyncIterator[Sandbox]:
    egress = {
        "hosts": [f"localhost:{site.http}", f"localhost:{site.https}"],
        "allow": [f"127.0.0.1:{site.http}", f"127.0.0.1:{site.https}"],
    }
    settings = settings_for(kind, egress=egress, timeout_s=4.0)
    async with opened(settings, web_code(certificate)) as sandbox:
        yield sandbox


async def made(sandbox: Sandbox, name: str, /, **arguments: Json) -> CallResult:
    [result] = await sandbox.run([Call(name, arguments)])
    return result


async def value(sandbox: Sandbox, name: str, /, **arguments: Json) -> Json:
    result = await made(sandbox, name, **arguments)
    assert isinstance(result, Returned), result
    return result.result


async def reason(sandbox: Sandbox, name: str, /, **arguments: Json) -> Reason:
    result = await made(sandbox, name, **arguments)
    assert isinstance(result, Failed), result
    return result.reason


async def reached(sandbox: Sandbox, site: Site) -> bool:
    return await value(sandbox, "fetch", url=f"http://localhost:{site.http}/a") == "hello from /a"


async def test_a_listed_host_is_reached(sandbox: Sandbox, site: Site) -> None:
    assert await reached(sandbox, site)


async def test_a_listed_host_is_reached_by_tls_from_end_to_end(
    sandbox: Sandbox, site: Site
) -> None:
    url = f"https://localhost:{site.https}/secret"
    assert await value(sandbox, "fetch", url=url) == "hello from /secret"


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    "host",
    [
        "example.com", "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "[::1]",
        "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "0.0.0.0", "[::]",
        "169.254.169.254", "localhost.evil.org",
    ],
)  # fmt: skip
async def test_another_host_is_refused_in_every_notation(
    sandbox: Sandbox, site: Site, scheme: str, host: str
) -> None:
    asked = len(site.asked)
    result = await made(sandbox, "fetch", url=f"{scheme}://{host}:{site.http}/")
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
    assert host.strip("[]") in result.message
    assert len(site.asked) == asked


async def test_another_port_of_a_listed_host_is_refused(sandbox: Sandbox, site: Site) -> None:
    url = f"http://localhost:{site.unlisted}/"
    assert await reason(sandbox, "fetch", url=url) == Reason.EGRESS_DENIED


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/", "http://127.0.0.1:8265/"])
async def test_a_redirect_to_another_host_is_refused(sandbox: Sandbox, site: Site, to: str) -> None:
    url = f"http://localhost:{site.http}/away?to={to}"
    assert await reason(sandbox, "fetch", url=url) == Reason.EGRESS_DENIED


async def test_a_tool_that_puts_up_with_a_refusal_succeeds(sandbox: Sandbox) -> None:
    assert await value(sandbox, "fetch_or_else", url="http://example.com/") == "something else"


async def test_a_crash_after_a_refusal_stays_a_crash(sandbox: Sandbox) -> None:
    assert await reason(sandbox, "refused_then_crashes", url="http://x.org/") == Reason.CRASHED


async def test_a_failure_without_a_refusal_is_no_refusal(sandbox: Sandbox, site: Site) -> None:
    await made(sandbox, "fetch_or_else", url="http://example.com/")
    assert await reason(sandbox, "fetch", url="nonsense") == Reason.RAISED


async def test_a_listed_host_that_is_down_is_no_refusal(
    kind: str, certificate: Path, unused_tcp_port: int
) -> None:
    egress = {"hosts": ["localhost"], "allow": ["127.0.0.1"]}
    async with opened(settings_for(kind, egress=egress), web_code(certificate)) as sandbox:
        url = f"http://localhost:{unused_tcp_port}/"
        assert await reason(sandbox, "fetch", url=url) == Reason.RAISED


async def test_refusals_are_counted(sandbox: Sandbox, site: Site) -> None:
    assert isinstance(sandbox, Pool)
    before = sandbox.egress_denials
    await made(sandbox, "fetch_or_else", url="http://example.com/")
    await reached(sandbox, site)
    assert sandbox.egress_denials == before + 1


async def test_a_call_is_told_its_own_refusals_where_calls_share_a_fork(
    kind: str, site: Site, certificate: Path
) -> None:
    egress = {"hosts": [f"localhost:{site.http}"], "allow": ["127.0.0.1"]}
    settings = settings_for(kind, egress=egress, fork_per="data_point")
    urls = [f"http://localhost:{site.http}/", "http://example.com/", "nonsense"]
    async with opened(settings, web_code(certificate)) as sandbox:
        results = await sandbox.run([Call("fetch", {"url": url}) for url in urls])
    failures = [one.reason if isinstance(one, Failed) else None for one in results]
    assert failures == [None, Reason.EGRESS_DENIED, Reason.RAISED]


# --- around the proxy


@pytest.mark.parametrize("host", ["127.0.0.1", "1.1.1.1", "169.254.169.254"])
async def test_nothing_is_reached_past_the_proxy(sandbox: Sandbox, site: Site, host: str) -> None:
    assert await reason(sandbox, "connect", host=host, port=site.http) == Reason.RAISED


async def test_names_can_not_be_looked_up(sandbox: Sandbox) -> None:
    assert await reason(sandbox, "look_up", host="example.com") == Reason.RAISED


async def test_tcp_is_the_only_socket_there_is(sandbox: Sandbox) -> None:
    """No unix socket, no UDP, no IPv6, nothing raw, no netlink: AF_INET, SOCK_STREAM."""
    assert await value(sandbox, "try_sockets") == ["2/1/0", "2/1/6"]


async def test_a_call_can_not_listen(sandbox: Sandbox) -> None:
    """A port that a call has bound would be missing to the calls after it."""
    assert await value(sandbox, "try_to_listen") == []


async def test_the_proxy_of_another_slot_is_out_of_reach(
    kind: str, sandbox: Sandbox, site: Site, certificate: Path
) -> None:
    egress = {"hosts": ["example.org"]}
    async with opened(settings_for(kind, egress=egress), web_code(certificate)) as other:
        port = await value(other, "proxy_port")
        assert port != await value(sandbox, "proxy_port")
        assert await reason(sandbox, "connect", host="127.0.0.1", port=port) == Reason.RAISED


# --- attacks on the proxy, each followed by a call that must be right


async def test_there_is_nothing_to_kill(sandbox: Sandbox, site: Site) -> None:
    assert await value(sandbox, "kill_everything") == "tried"
    assert await reached(sandbox, site)


def descriptors() -> int:
    """How many this process holds."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_flood_of_connections_ends_with_its_call(sandbox: Sandbox, site: Site) -> None:
    before = descriptors()
    assert int(str(await value(sandbox, "flood", connections=240))) > 64
    assert await reached(sandbox, site)
    await asyncio.sleep(0.1)
    assert descriptors() <= before + 5


async def test_ports_can_not_be_used_up(sandbox: Sandbox, site: Site) -> None:
    assert await value(sandbox, "open_and_close", seconds=2)
    for _ in range(3):
        assert await reached(sandbox, site)


async def test_what_a_call_asked_for_last_is_not_held_against_the_next(
    sandbox: Sandbox,
) -> None:
    for _ in range(5):
        await made(sandbox, "ask_and_leave", url="http://example.com/")
        assert await reason(sandbox, "fetch", url="nonsense") == Reason.RAISED


async def test_a_process_left_behind_asks_for_nothing_more(sandbox: Sandbox, site: Site) -> None:
    url = f"http://localhost:{site.http}/left-behind"
    assert await value(sandbox, "ask_from_a_daemon", url=url) == "left"
    asked = site.asked.count("/left-behind")
    await asyncio.sleep(0.3)
    assert site.asked.count("/left-behind") == asked
    assert await reached(sandbox, site)


@pytest.mark.parametrize("text", ["\0" * 20_000, "GET / HTTP/1.1\r\n\r\n", "CONNECT x\r\n\r\n"])
async def test_nonsense_is_answered_or_cut_off(sandbox: Sandbox, site: Site, text: str) -> None:
    assert str(await value(sandbox, "send_raw", text=text)).startswith("HTTP/1.1 4")
    assert await reached(sandbox, site)


async def test_other_programs_stay_out_of_reach(sandbox: Sandbox) -> None:
    assert await reason(sandbox, "run_curl", url="http://example.com/") == Reason.RAISED


# --- off, and where it can't be had


async def test_without_egress_nothing_is_reached(kind: str, site: Site, certificate: Path) -> None:
    async with opened(settings_for(kind), web_code(certificate)) as sandbox:
        url = f"http://localhost:{site.http}/"
        assert await reason(sandbox, "fetch", url=url) == Reason.RAISED
        assert await value(sandbox, "try_sockets") == []


@pytest.mark.parametrize("other", ["sidecar", "process"])
async def test_a_kind_that_shares_a_network_can_not_have_egress(other: str) -> None:
    with pytest.raises(ValidationError, match=f"kind {other}.* network; docker and bubblewrap can"):
        SandboxSettings.model_validate({"kind": other, "egress": {"hosts": ["a.example.com"]}})


async def test_egress_is_refused_where_only_a_process_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(opening, "_best_kind", lambda: "process")
    settings = SandboxSettings.model_validate({"egress": {"hosts": ["a.example.com"]}})
    with pytest.raises(BadInput, match=r"sandbox\.egress: a sandbox of kind process"):
        choose_kind(settings)


@pytest.mark.parametrize("said", [b"", b"L"], ids=["it ended", "it sent none"])
async def test_a_runtime_that_lets_no_socket_out_is_refused(said: bytes) -> None:
    ours, runners = socket.socketpair()
    with ours, runners:
        runners.sendall(said)
        runners.shutdown(socket.SHUT_WR)
        with pytest.raises(BadInput, match=r"sandbox\.egress: .*gVisor"):
            await take_listener(ours)


@pytest.mark.parametrize(
    "egress",
    [{}, {"hosts": []}, {"hosts": ["http://a.example.com"]}, {"hosts": ["a"], "allow": ["b"]}],
)
async def test_an_unreadable_list_is_refused(egress: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="egress"):
        SandboxSettings.model_validate({"egress": egress})
