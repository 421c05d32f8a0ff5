"""The egress proxy lets tools reach listed hosts, and nothing else."""

import asyncio
import shutil
import socket
import ssl
import subprocess
from types import SimpleNamespace

import pytest
from aiohttp import web

from apigen_ray.stages.execute.rest.proxy import CONNECTIONS, EgressProxy


@pytest.fixture
async def proxy(tmp_path):
    """Start a proxy; gives a function that sends it bytes and reads its answer to the end."""
    started = []

    async def start(hosts, allow=("127.0.0.0/8",), addresses=("127.0.0.1",)):
        async def lookup(host, port):
            return [next(addresses)] if not isinstance(addresses, tuple) else list(addresses)

        path = tmp_path / f"{len(started)}.sock"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        started.append(EgressProxy(hosts, allow, lookup))
        started[-1].start(listener)

        async def ask(text: str, *, wait_s: float = 2.0) -> str:
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(text.encode("latin-1"))
            answer = await asyncio.wait_for(reader.read(), wait_s)
            writer.close()
            return answer.decode("latin-1")

        ask.path, ask.proxy = path, started[-1]
        return ask

    yield start
    for one in started:
        one.close()


@pytest.fixture
async def site(serve):
    """A site on loopback, its port, and the requests that it got."""

    requests = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.text()
        requests.append((request.method, request.raw_path, dict(request.headers), body))
        return web.Response(text="hello")

    port = int((await serve(answer)).rsplit(":", 1)[1])
    return SimpleNamespace(requests=requests, port=port)


def get(url: str, host: str, *headers: str) -> str:
    return "\r\n".join([f"GET {url} HTTP/1.1", f"Host: {host}", *headers, "", ""])


def tunnel(authority: str) -> str:
    return f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n"


async def test_a_listed_host_is_reached(proxy, site):
    ask = await proxy(["api.example.com"])
    url = f"http://api.example.com:{site.port}/a%20b?c=1"
    answer = await ask(get(url, "api.example.com", "X-A: b"))
    assert answer.startswith("HTTP/1.1 200")
    assert answer.endswith("hello")
    method, target, headers, _ = site.requests[0]
    assert (method, target, headers["X-A"]) == ("GET", "/a%20b?c=1", "b")


async def test_a_body_is_passed_on(proxy, site):
    ask = await proxy(["api.example.com"])
    head = (
        f"POST http://api.example.com:{site.port}/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"
    )
    assert (await ask(head + "a=b&c")).endswith("hello")
    assert site.requests[0][3] == "a=b&c"


@pytest.mark.parametrize(
    "host",
    [
        "other.example.com", "example.com", "api.example.com.evil.org", "127.0.0.1", "127.1",
        "2130706433", "0x7f.1", "0177.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0",
    ],
)  # fmt: skip
@pytest.mark.parametrize("way", ["plain", "tunnel"])
async def test_another_host_is_refused(proxy, site, host, way):
    ask = await proxy(["api.example.com"])
    authority = f"{host}:{site.port}"
    plain = get(f"http://{authority}/", authority)
    answer = await ask(plain if way == "plain" else tunnel(authority))
    assert answer.startswith("HTTP/1.1 403")
    assert not site.requests


async def test_a_port_that_is_not_listed_is_refused(proxy, site):
    ask = await proxy(["api.example.com:443"])
    answer = await ask(get(f"http://api.example.com:{site.port}/", "api.example.com"))
    assert answer.startswith("HTTP/1.1 403")


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "::1", "::ffff:127.0.0.1"]
)
@pytest.mark.parametrize("way", ["plain", "tunnel"])
async def test_a_listed_host_with_an_inner_address_is_refused(proxy, site, address, way):
    ask = await proxy(["api.example.com"], allow=(), addresses=(address,))
    authority = f"api.example.com:{site.port}"
    plain = get(f"http://{authority}/", authority)
    answer = await ask(plain if way == "plain" else tunnel(authority))
    assert answer.startswith("HTTP/1.1 403")
    assert "not a public address" in answer
    assert not site.requests


async def test_a_host_is_looked_up_once_a_connection(proxy, site):
    """DNS rebinding: what is dialled is the answer that was checked."""
    ask = await proxy(
        ["api.example.com"], allow=("127.0.0.1",), addresses=iter(["127.0.0.1", "127.0.0.2"])
    )
    request = get(f"http://api.example.com:{site.port}/", "api.example.com")
    assert (await ask(request)).startswith("HTTP/1.1 200")
    assert (await ask(request)).startswith("HTTP/1.1 403")


async def test_a_second_request_on_a_connection_goes_nowhere(proxy, site):
    ask = await proxy(["api.example.com"])
    url = f"http://api.example.com:{site.port}"
    answer = await ask(get(f"{url}/1", "a", "Connection: keep-alive") + get(f"{url}/2", "a"))
    assert answer.count("hello") == 1
    assert [target for _, target, _, _ in site.requests] == ["/1"]


async def test_the_host_header_is_the_host_that_was_checked(proxy, site):
    ask = await proxy(["api.example.com"])
    await ask(get(f"http://api.example.com:{site.port}/", "internal.example.com"))
    assert site.requests[0][2]["Host"] == f"api.example.com:{site.port}"


async def test_headers_of_the_hop_stay_behind(proxy, site):
    ask = await proxy(["api.example.com"])
    url = f"http://api.example.com:{site.port}/"
    await ask(get(url, "a", "Proxy-Authorization: x", "Connection: X-Mine", "X-Mine: 1", "TE: y"))
    assert not {"Proxy-Authorization", "X-Mine", "TE"} & site.requests[0][2].keys()


HOST = "\r\nHost: api.example.com"
SITE = f"http://api.example.com/ HTTP/1.1{HOST}\r\n"
UNREADABLE = {
    "nonsense": 400,
    "GET http://api.example.com/ HTTP/1.1": 400,
    f"GET {SITE}X: y\r\n\tfolded": 400,
    f"GET {SITE}X: y\rZ: w": 400,
    "GET / HTTP/1.1\r\nHost: api.example.com": 400,
    f"GET https://api.example.com/ HTTP/1.1{HOST}": 400,
    f"GET ftp://api.example.com/ HTTP/1.1{HOST}": 400,
    f"GET http://user@api.example.com/ HTTP/1.1{HOST}": 400,
    f"GET http://api.example.com:port/ HTTP/1.1{HOST}": 400,
    f"GET http:///x HTTP/1.1{HOST}": 400,
    f"GET http://api.example.com/ HTTP/2.0{HOST}": 400,
    f"GET http://api.example.com/\x01 HTTP/1.1{HOST}": 400,
    f"GET {SITE}X : y": 400,
    f"GET {SITE}X: y\r\n folded": 400,
    f"GET {SITE}X: y\nZ: w": 400,
    f"GET {SITE}Host: a\r\nHost: b": 400,
    f"POST {SITE}Content-Length: 1\r\nContent-Length: 2": 400,
    f"POST {SITE}Content-Length: +1": 400,
    f"POST {SITE}Transfer-Encoding: chunked": 411,
    f"CONNECT api.example.com HTTP/1.1{HOST}": 400,
    f"CONNECT api.example.com:x HTTP/1.1{HOST}": 400,
    f"CONNECT :443 HTTP/1.1{HOST}": 400,
    f"GET {SITE}X: {'y' * 20_000}": 431,
}


@pytest.mark.parametrize(("head", "status"), UNREADABLE.items())
async def test_what_two_readers_could_read_differently_is_refused(proxy, head, status):
    answer = await (await proxy(["api.example.com"]))(head + "\r\n\r\n")
    assert answer.startswith(f"HTTP/1.1 {status} ")


async def test_a_dead_host_is_told_as_such(proxy):
    ask = await proxy(["api.example.com"])
    answer = await ask(get("http://api.example.com:9/", "api.example.com"))
    assert answer.startswith("HTTP/1.1 502")


async def test_a_client_that_says_nothing_is_left(proxy, monkeypatch):
    monkeypatch.setattr("apigen_ray.stages.execute.rest.proxy.HEAD_S", 0.2)
    assert await (await proxy(["api.example.com"]))("GET http://") == ""


async def test_no_more_connections_are_taken_than_can_be_served(proxy, site):
    """The others wait in the kernel, where they take nothing of this process."""
    ask = await proxy(["api.example.com"])
    silent = [(await asyncio.open_unix_connection(ask.path))[1] for _ in range(CONNECTIONS)]
    request = get(f"http://api.example.com:{site.port}/", "api.example.com")
    with pytest.raises(TimeoutError):
        await ask(request, wait_s=0.3)
    silent.pop().close()
    assert (await ask(request)).endswith("hello")
    for writer in silent:
        writer.close()


async def test_a_call_has_so_many_connections_and_the_next_has_them_again(proxy, site, monkeypatch):
    monkeypatch.setattr("apigen_ray.stages.execute.rest.proxy.CONNECTIONS_PER_CALL", 3)
    ask = await proxy(["api.example.com"])
    request = get(f"http://api.example.com:{site.port}/", "api.example.com")
    for _ in range(3):
        assert (await ask(request)).endswith("hello")
    with pytest.raises(TimeoutError):
        await ask(request, wait_s=0.3)
    ask.proxy.cut()
    assert (await ask(request)).endswith("hello")


async def test_an_answer_without_end_is_cut_off(proxy, serve_raw, monkeypatch):
    monkeypatch.setattr("apigen_ray.stages.execute.rest.proxy.ANSWER_BYTES", 1 << 20)

    async def behave(writer):
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    port = (await serve_raw(behave)).rsplit(":", 1)[1]
    ask = await proxy(["api.example.com"])
    answer = await ask(get(f"http://api.example.com:{port}/", "a"))
    assert len(answer) == 1 << 20


async def test_a_connection_ends_with_its_client(proxy, serve_raw):
    gone = asyncio.Event()

    async def behave(writer):
        try:
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.01)
        finally:
            gone.set()

    port = (await serve_raw(behave)).rsplit(":", 1)[1]
    ask = await proxy(["api.example.com"])
    _, writer = await asyncio.open_unix_connection(ask.path)
    writer.write(get(f"http://api.example.com:{port}/", "a").encode())
    await asyncio.sleep(0.1)
    writer.close()
    await asyncio.wait_for(gone.wait(), 2)


@pytest.fixture
def certificate(tmp_path):
    """A certificate for api.example.com with its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path / "certificate.pem"
    subprocess.run(
        [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
            "-nodes", "-keyout", path, "-out", tmp_path / "out.pem", "-days", "2",
            "-subj", "/CN=api.example.com", "-addext", "subjectAltName=DNS:api.example.com",
        ],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + (tmp_path / "out.pem").read_text())
    return path


async def test_tls_goes_through_a_tunnel(proxy, certificate):
    """The certificate is checked by the client, end to end."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)

    async def connected(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecure")
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    ask = await proxy(["api.example.com"])
    reader, writer = await asyncio.open_unix_connection(ask.path)
    writer.write(tunnel(f"api.example.com:{port}").encode())
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    trusting = ssl.create_default_context(cafile=str(certificate))
    await writer.start_tls(trusting, server_hostname="api.example.com")
    writer.write(b"GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    assert (await asyncio.wait_for(reader.readuntil(b"secure"), 2)).endswith(b"secure")
    writer.close()
    server.close()
