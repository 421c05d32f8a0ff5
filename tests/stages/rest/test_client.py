"""What a host can do to us is bounded, and what we do to a host, too."""

import asyncio
import gzip
import time
import zlib
from pathlib import Path

import pytest
from aiohttp import web

from apigen_ray.records import Failed, Key, Reason, RestBackend, Returned

FAST = {"timeout_s": 0.3, "retries": 0}


async def failure(caller, url, method="GET", **settings):
    started = time.monotonic()
    result = await caller(**{**FAST, **settings}).call(RestBackend(method, url), {})
    assert isinstance(result, Failed), result
    assert "\n" not in result.message
    assert time.monotonic() - started < 2
    return result


# --- caps


async def drip(writer: asyncio.StreamWriter, what: bytes, every_s: float) -> None:
    while True:
        writer.write(what)
        await writer.drain()
        await asyncio.sleep(every_s)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["silence", "head", "body", "chunks"],
)
async def test_a_server_that_drips_is_left_after_the_time_out(caller, serve_raw, head):
    async def behave(writer):
        writer.write(head)
        await drip(writer, b"1\r\na\r\n" if b"chunked" in head else b"", 0.05)

    assert (await failure(caller, await serve_raw(behave))).reason == Reason.TIMEOUT


async def test_headers_that_drip_are_left_after_the_time_out(caller, serve_raw):
    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await drip(writer, b"X-A: b\r\n", 0.05)

    assert (await failure(caller, await serve_raw(behave))).reason == Reason.TIMEOUT


async def test_headers_without_end_are_refused(caller, serve_raw):
    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n")
        await drip(writer, b"X-A: " + b"b" * 4000 + b"\r\n", 0)

    result = await failure(caller, await serve_raw(behave), timeout_s=5)
    assert result.reason == Reason.CONNECTION


async def test_a_body_without_end_is_cut_off(caller, serve_raw):
    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await drip(writer, b"x" * 65536, 0)

    result = await failure(caller, await serve_raw(behave), timeout_s=5)
    assert result.reason == Reason.OUTPUT_TOO_LARGE


async def test_a_body_that_says_it_is_too_large_is_not_read(caller, serve_raw):
    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(5)

    result = await failure(caller, await serve_raw(behave), timeout_s=4)
    assert result.reason == Reason.OUTPUT_TOO_LARGE


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress)],
)
async def test_a_zip_bomb_is_not_unpacked(caller, serve, encoding, pack):
    bomb = pack(b"\0" * (256 << 20))
    assert len(bomb) < 1 << 20

    async def answer(request):
        return web.Response(body=bomb, headers={"Content-Encoding": encoding})

    url = await serve(answer)
    before = _resident_mb()
    result = await failure(caller, url, timeout_s=5)
    assert result.reason == Reason.OUTPUT_TOO_LARGE
    assert _resident_mb() - before < 64


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / (1 << 20)


async def test_an_answer_of_just_the_largest_size_is_read(caller, serve):
    async def answer(request):
        return web.Response(text="x" * 2048)

    url = await serve(answer)
    assert isinstance(await caller(response_bytes=2048).call(RestBackend("GET", url), {}), Returned)
    result = await caller(response_bytes=2047).call(RestBackend("GET", url), {})
    assert isinstance(result, Failed)


@pytest.mark.parametrize(
    "junk",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"",
    ],
)
async def test_bad_http_is_a_connection_fault(caller, serve_raw, junk):
    async def behave(writer):
        writer.write(junk)
        await writer.drain()

    assert (await failure(caller, await serve_raw(behave))).reason == Reason.CONNECTION


async def test_a_closed_port_is_a_connection_fault(caller):
    assert (await failure(caller, "http://127.0.0.1:9")).reason == Reason.CONNECTION


@pytest.mark.parametrize("found", [OSError("nothing known"), []])
async def test_an_unknown_name_is_a_connection_fault(caller, found):
    async def lookup(host, port):
        if isinstance(found, OSError):
            raise found
        return found

    result = await failure(caller, "http://nowhere.example", lookup=lookup)
    assert result.reason == Reason.CONNECTION
    assert "no such host: nowhere.example" in result.message


async def test_the_next_call_after_a_hostile_one_is_right(caller, serve, serve_raw):
    async def behave(writer):
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await drip(writer, b"x" * 65536, 0)

    async def answer(request):
        return web.json_response([1])

    made = caller(**FAST)
    hostile, good = await serve_raw(behave), await serve(answer)
    await asyncio.gather(*(made.call(RestBackend("GET", hostile), {}) for _ in range(8)))
    result = await made.call(RestBackend("GET", good), {})
    assert isinstance(result, Returned)
    assert result.result == [1]


# --- redirects


@pytest.fixture
async def redirecting(serve):
    """Make a server that redirects every path but `/end`, and tells what it saw there."""

    async def start(status: int, target=lambda request: "/end"):
        async def answer(request: web.Request) -> web.Response:
            if request.path == "/end":
                headers = {name.lower(): value for name, value in request.headers.items()}
                return web.json_response(
                    {"method": request.method, "headers": headers, "text": await request.text()}
                )
            return web.Response(status=status, headers={"Location": target(request)})

        return await serve(answer)

    return start


@pytest.mark.parametrize(
    ("status", "method", "arrives_as"),
    [
        (301, "GET", "GET"), (302, "GET", "GET"), (307, "GET", "GET"), (308, "GET", "GET"),
        (301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"),
        (307, "POST", "POST"), (308, "POST", "POST"), (302, "PUT", "PUT"),
    ],
)  # fmt: skip
async def test_redirects_are_followed_as_the_standard_says(
    caller, redirecting, status, method, arrives_as
):
    url = await redirecting(status)
    result = await caller().call(RestBackend(method, url + "/start"), {"a": 1})
    assert isinstance(result, Returned), result
    assert result.result["method"] == arrives_as
    assert bool(result.result["text"]) == (arrives_as in ("POST", "PUT"))


async def test_no_more_redirects_are_followed_than_set(caller, redirecting):
    seen = []

    def further(request):
        seen.append(request.path)
        return request.path + "x"

    result = await failure(caller, await redirecting(302, further) + "/s", redirects=3)
    assert result.reason == Reason.HTTP_STATUS
    assert "more than 3 redirects" in result.message
    assert seen == ["/s", "/sx", "/sxx", "/sxxx"]


async def test_headers_and_keys_stay_at_the_first_origin(caller, redirecting, echo):
    url = await redirecting(302, lambda request: echo + "/elsewhere")
    backend = RestBackend(
        "GET",
        url + "/start",
        {"who": "header:X-User", "sid": "cookie"},
        {"X-Static": "1"},
        (Key("header", "X-Key", "K"), Key("query", "key", "K")),
    )
    result = await caller(env={"K": "hush-hush"}).call(backend, {"who": "me", "sid": "s", "q": "1"})
    assert isinstance(result, Returned), result
    got = result.result["headers"]
    assert not {"x-key", "x-user", "x-static", "cookie"} & got.keys()
    assert "hush" not in str(result)
    assert result.result["target"] == "/elsewhere"


async def test_headers_go_on_within_the_origin(caller, redirecting):
    url = await redirecting(302)
    backend = RestBackend("GET", url, {}, {"X-Static": "1"}, (Key("header", "X-Key", "K"),))
    result = await caller(env={"K": "hush-hush"}).call(backend, {})
    assert isinstance(result, Returned)
    assert result.result["headers"]["x-static"] == "1"
    assert result.result["headers"]["x-key"] == "***"


async def test_a_body_does_not_go_to_another_origin(caller, redirecting, echo):
    url = await redirecting(307, lambda request: echo)
    result = await caller().call(RestBackend("POST", url + "/start"), {"a": 1})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


async def test_cookies_are_not_kept_between_calls(caller, serve):
    seen = []

    async def answer(request):
        seen.append(request.headers.get("Cookie"))
        return web.json_response([1], headers={"Set-Cookie": "sid=1; Path=/"})

    url, made = await serve(answer), caller()
    await made.call(RestBackend("GET", url), {})
    await made.call(RestBackend("GET", url), {})
    assert seen == [None, None]


# --- retries


@pytest.fixture
async def failing(serve):
    """A server that fails some times before it answers, and how often it was asked."""

    class Server:
        url = ""
        asked = 0

    async def start(times: int, status: int, headers: dict[str, str]):
        Server.asked = 0

        async def answer(request):
            Server.asked += 1
            if Server.asked <= times:
                return web.Response(status=status, headers=headers)
            return web.json_response([1])

        Server.url = await serve(answer)
        return Server

    return start


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("retry_after", ["0", "Wed, 21 Oct 2015 07:28:00 GMT"])
async def test_a_host_that_says_when_to_come_back_is_asked_again(
    caller, failing, status, retry_after
):
    server = await failing(2, status, {"Retry-After": retry_after})
    assert isinstance(await caller().call(RestBackend("GET", server.url), {}), Returned)
    assert server.asked == 3


async def test_the_pause_that_a_host_asks_for_is_kept(caller, failing):
    server = await failing(1, 429, {"Retry-After": "1"})
    result = await caller().call(RestBackend("GET", server.url), {})
    assert isinstance(result, Returned)
    assert result.seconds >= 1.0
    assert server.asked == 2


@pytest.mark.parametrize("retry_after", [None, "3600", "soon", "-1", "9" * 400])
async def test_a_host_that_does_not_say_or_asks_too_much_is_not_asked_again(
    caller, failing, retry_after
):
    server = await failing(1, 429, {"Retry-After": retry_after} if retry_after else {})
    result = await caller().call(RestBackend("GET", server.url), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.HTTP_STATUS
    assert server.asked == 1


@pytest.mark.parametrize("status", [400, 404, 500, 502])
async def test_other_statuses_are_not_asked_again(caller, failing, status):
    server = await failing(1, status, {"Retry-After": "0"})
    assert isinstance(await caller().call(RestBackend("GET", server.url), {}), Failed)
    assert server.asked == 1


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_call_that_may_change_something_is_sent_once(caller, failing, method):
    server = await failing(1, 503, {"Retry-After": "0"})
    assert isinstance(await caller().call(RestBackend(method, server.url), {}), Failed)
    assert server.asked == 1


@pytest.mark.parametrize(("method", "asked"), [("GET", 3), ("DELETE", 3), ("POST", 1)])
async def test_a_connection_fault_is_tried_again_where_that_does_no_harm(
    caller, serve_raw, method, asked
):
    connections = []

    async def behave(writer):
        connections.append(1)

    url = await serve_raw(behave)
    result = await caller(retries=2).call(RestBackend(method, url), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.CONNECTION
    # aiohttp dials twice by itself where a kept connection may have been closed.
    assert len(connections) in (asked, 2 * asked)


# --- limits


async def test_a_host_gets_no_more_calls_at_a_time_than_set(caller, serve):
    running, most = 0, 0

    async def answer(request):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02)
        running -= 1
        return web.json_response([1])

    made, url = caller(per_host_concurrency=3), await serve(answer)
    await asyncio.gather(*(made.call(RestBackend("GET", url), {}) for _ in range(12)))
    assert most == 3


async def test_waiting_for_a_turn_is_no_time_out(caller, serve):
    async def answer(request):
        await asyncio.sleep(0.2)
        return web.json_response([1])

    made, url = caller(per_host_concurrency=1, timeout_s=0.4), await serve(answer)
    results = await asyncio.gather(*(made.call(RestBackend("GET", url), {}) for _ in range(4)))
    assert all(isinstance(result, Returned) for result in results)


async def test_a_slow_host_does_not_hold_up_others(caller, serve, echo):
    async def answer(request):
        await asyncio.sleep(1)
        return web.Response()

    made, slow = caller(per_host_concurrency=1, timeout_s=1), await serve(answer)
    waiting = [asyncio.create_task(made.call(RestBackend("GET", slow), {})) for _ in range(3)]
    await asyncio.sleep(0.05)
    result = await asyncio.wait_for(made.call(RestBackend("GET", echo), {}), 0.5)
    assert isinstance(result, Returned)
    for task in waiting:
        task.cancel()


async def test_a_host_gets_no_more_calls_a_second_than_set(caller, echo):
    made = caller(per_host_rate=20)
    started = time.monotonic()
    await asyncio.gather(*(made.call(RestBackend("GET", echo), {}) for _ in range(11)))
    assert 0.5 <= time.monotonic() - started < 1.0
