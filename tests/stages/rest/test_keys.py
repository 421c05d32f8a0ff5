"""API keys reach the host that they are for, and nothing else."""

import logging
from urllib.parse import quote

import pytest
from aiohttp import web

from apigen_ray.errors import RestUnavailable
from apigen_ray.records import Failed, Key, RestBackend, Returned, VirtualBackend

SECRET = 's3cr&t/"k+y'
ENV = {"THE_KEY": SECRET}
PLACES = [
    Key("header", "X-RapidAPI-Key", "THE_KEY"),
    Key("header", "Authorization", "THE_KEY", "Bearer "),
    Key("query", "api_key", "THE_KEY"),
    Key("cookie", "session", "THE_KEY"),
]


def shows_secret(text: str) -> bool:
    return "s3cr" in text or quote(SECRET, safe="") in text


@pytest.fixture
async def host(serve):
    """A server that remembers what it got, and answers with all of it."""
    seen = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.raw_path, dict(request.headers), await request.text()))
        said = {"target": request.raw_path, "headers": dict(request.headers)}
        said["query"] = dict(request.query)
        status = 401 if request.path == "/refused" else 200
        if request.path == "/wrong":
            said = {"error": f"invalid key {SECRET}"}
        return web.json_response(said, status=status)

    return await serve(answer), seen


@pytest.fixture
async def recorded(caller, tmp_path, caplog):
    """Make a call, and give all that is left of it: its result, the cassette and the log."""

    async def call(backend) -> str:
        cassette = tmp_path / "cassette.jsonl"
        with caplog.at_level(logging.DEBUG):
            made = caller(env=ENV, mode="record", cassette=str(cassette), retries=0)
            result = await made.call(backend, {"q": "x"})
        return f"{result}\n{cassette.read_text()}\n{caplog.text}"

    return call


@pytest.mark.parametrize("key", PLACES, ids=lambda key: key.name)
async def test_a_key_reaches_its_host(caller, host, key):
    url, seen = host
    backend = RestBackend("GET", url, auth_env=(key,))
    assert isinstance(await caller(env=ENV).call(backend, {}), Returned)
    target, headers, _ = seen[0]
    if key.place == "query":
        assert target == f"/?api_key={quote(SECRET, safe='')}"
    elif key.place == "cookie":
        assert SECRET in headers["Cookie"]
    else:
        assert headers[key.name] == key.prefix + SECRET


@pytest.mark.parametrize("key", PLACES, ids=lambda key: key.name)
@pytest.mark.parametrize("path", ["/ok", "/refused", "/wrong"])
async def test_a_key_that_a_host_repeats_is_nowhere(recorded, host, key, path):
    url, _ = host
    text = await recorded(RestBackend("GET", url + path, auth_env=(key,)))
    assert "***" in text
    assert not shows_secret(text)


@pytest.mark.parametrize("key", PLACES, ids=lambda key: key.name)
async def test_a_failed_call_does_not_show_its_key(recorded, key):
    text = await recorded(RestBackend("GET", "http://127.0.0.1:9/x", auth_env=(key,)))
    assert "Failed" in text
    assert not shows_secret(text)


async def test_a_failure_that_repeats_a_key_does_not_show_it(caller, serve):
    """A host may write the key into the name of the next host, which our message tells."""

    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://S3cretKey.invalid/"})

    async def lookup(host, port):
        raise OSError("unknown")

    backend = RestBackend("GET", await serve(redirect), auth_env=(PLACES[0],))
    made = caller(env={"THE_KEY": "S3cretKey"}, lookup=lookup, retries=0)
    result = await made.call(backend, {})
    assert isinstance(result, Failed)
    assert result.message.endswith("no such host: ***.invalid")


async def test_a_missing_key_is_no_failure_of_the_call(caller, host):
    url, seen = host
    backend = RestBackend("GET", url, auth_env=(PLACES[0],))
    with pytest.raises(RestUnavailable, match="THE_KEY is not set"):
        await caller(env={"THE_KEY": " "}).call(backend, {})
    assert not seen


async def test_a_key_with_a_control_character_is_not_sent_and_not_shown(caller, host):
    url, seen = host
    backend = RestBackend("GET", url, auth_env=(PLACES[0],))
    with pytest.raises(RestUnavailable, match="control character") as raised:
        await caller(env={"THE_KEY": "s3cret\r\nX: y"}).call(backend, {})
    assert not shows_secret(str(raised.value))
    assert not seen


async def test_a_virtual_servers_key_is_not_recorded(recorded, serve):
    seen = []

    async def answer(request):
        seen.append(await request.json())
        return web.json_response({"error": "", "response": str(seen[-1])})

    backend = VirtualBackend(await serve(answer), "Food", "tacos", "random", "THE_KEY")
    text = await recorded(backend)
    assert seen[0]["toolbench_key"] == SECRET
    assert not shows_secret(text)
