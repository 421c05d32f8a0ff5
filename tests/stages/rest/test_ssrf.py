"""No call reaches an address that isn't public, whichever way it is led there."""

import pytest
from aiohttp import web

from apigen_ray.records import Failed, Reason, RestBackend, Returned

NOTATIONS = [
    "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "017700000001",
    "127.0.0.1.", "localhost", "localhost.", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[::]", "[0:0:0:0:0:0:0:1]", "0.0.0.0", "0", "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1", "\u0661\u0662\u0667.0.0.1",
    "\u2460\u2461\u2466.0.0.1", "\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3",
    "0X7F.0.0.1", "0x7F.0x0.0x0.0x1", "0177.0.0.01", "127.0.1", "00127.0.0.1", "4294967296",
    "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[::ffff:0:127.0.0.1]", "[::1%25lo]", "[fe80::1%25lo]", "[::1%lo]", "[::ffff:127.0.0.1%25lo]",
    "%31%32%37.0.0.1", "127.0.0.1%00.example.com", "127.0.0.1%2eexample.com", "LOCALHOST",
    "127.0.0.1..",
]  # fmt: skip


@pytest.fixture
async def inner(serve):
    """A service on loopback that nobody may reach, and how often it was."""

    class Inner:
        reached = 0
        port = 0

    async def answer(request: web.Request) -> web.Response:
        Inner.reached += 1
        return web.json_response({"secret": 1})

    Inner.port = int((await serve(answer)).rsplit(":", 1)[1])
    return Inner


def unknown(host: str, result: Failed) -> bool:
    """Some resolvers don't know the one, and the other is no URL."""
    return (host == "localhost." or "\\" in host) and result.reason == Reason.CONNECTION


@pytest.mark.parametrize("host", NOTATIONS)
async def test_loopback_is_refused_in_every_notation(caller, inner, host):
    backend = RestBackend("GET", f"http://{host}:{inner.port}/")
    result = await caller(allow=()).call(backend, {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED or unknown(host, result)
    assert inner.reached == 0


@pytest.mark.parametrize(
    "host",
    [
        *NOTATIONS,
        "user@127.0.0.1",
        "192.0.2.1@127.0.0.1",
        "192.0.2.1#@127.0.0.1",
        "192.0.2.1\\@127.0.0.1",
    ],
)
async def test_a_redirect_to_loopback_is_refused_in_every_notation(caller, serve, inner, host):
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"http://{host}:{inner.port}/"})

    outer = await serve(redirect)
    port = outer.rsplit(":", 1)[1]
    # The first hop's port is open, so it is only the second that can be refused.
    result = await caller(allow=(f"127.0.0.1:{port}",), retries=0).call(
        RestBackend("GET", outer), {}
    )
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED or unknown(host, result)
    assert inner.reached == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://[fd00:ec2::254]/",
        "http://100.100.100.200/",
    ],
)
async def test_metadata_services_are_refused(caller, url):
    result = await caller(allow=()).call(RestBackend("GET", url), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


async def test_a_redirect_to_a_metadata_service_is_refused(caller, serve):
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://169.254.169.254/"})

    result = await caller().call(RestBackend("GET", await serve(redirect)), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
    assert "169.254.169.254" in result.message


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "javascript:1", "unix:///x"],
)
async def test_a_redirect_to_another_scheme_is_not_followed(caller, serve, location):
    async def redirect(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": location})

    result = await caller().call(RestBackend("GET", await serve(redirect)), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


async def test_a_redirect_that_names_a_user_is_not_followed(caller, serve, echo):
    async def redirect(request: web.Request) -> web.Response:
        location = echo.replace("http://", "http://root:secret@")
        return web.Response(status=302, headers={"Location": location})

    result = await caller().call(RestBackend("GET", await serve(redirect)), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "169.254.169.254", "::ffff:127.0.0.1"])
async def test_a_public_name_with_an_inner_address_is_refused(caller, inner, address):
    async def lookup(host, port):
        return [address]

    backend = RestBackend("GET", f"http://harmless.example.com:{inner.port}/")
    result = await caller(allow=(), lookup=lookup).call(backend, {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
    assert inner.reached == 0


async def test_a_name_that_changes_its_address_between_lookups_is_refused(caller, serve, inner):
    """DNS rebinding: the second answer differs from the one that was checked."""
    answers = iter([["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]])
    looked_up = []

    async def lookup(host, port):
        looked_up.append(host)
        return next(answers)

    made = caller(allow=("127.0.0.2",), lookup=lookup, retries=0)
    backend = RestBackend("GET", f"http://rebinding.example.com:{inner.port}/")
    first = await made.call(backend, {})
    assert isinstance(first, Failed)  # nobody listens there, and the other address isn't tried
    assert first.reason == Reason.CONNECTION
    assert looked_up == ["rebinding.example.com"]
    second = await made.call(backend, {})
    assert isinstance(second, Failed)
    assert second.reason == Reason.EGRESS_DENIED
    assert inner.reached == 0


async def test_of_several_addresses_only_permitted_ones_are_dialled(caller, echo):
    async def lookup(host, port):
        return ["10.1.1.1", "127.0.0.1", "::1"]

    url = echo.replace("127.0.0.1", "mixed.example.com")
    result = await caller(lookup=lookup).call(RestBackend("GET", url), {})
    assert isinstance(result, Returned)


async def test_the_resolver_gives_no_inner_address_even_if_the_socket_is_not_checked(
    caller, inner, monkeypatch
):
    async def lookup(host, port):
        return ["127.0.0.1"]

    monkeypatch.setattr(
        "apigen_ray.stages.execute.rest.policy.Policy.check_address", lambda *_: None
    )
    backend = RestBackend("GET", f"http://harmless.example.com:{inner.port}/")
    assert isinstance(await caller(allow=(), lookup=lookup).call(backend, {}), Failed)
    assert inner.reached == 0


async def test_the_socket_is_checked_even_if_the_resolver_is_not(caller, inner, monkeypatch):
    monkeypatch.setattr("apigen_ray.stages.execute.rest.policy.Policy.check_host", lambda *_: None)
    backend = RestBackend("GET", f"http://127.0.0.1:{inner.port}/")
    result = await caller(allow=()).call(backend, {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
    assert inner.reached == 0


async def test_proxies_of_the_environment_are_not_used(caller, echo, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert isinstance(await caller().call(RestBackend("GET", echo), {}), Returned)


async def test_an_opened_address_can_be_called(caller, echo):
    port = echo.rsplit(":", 1)[1]
    made = caller(allow=(f"127.0.0.1:{port}",))
    assert isinstance(await made.call(RestBackend("GET", echo), {}), Returned)


async def test_with_hosts_given_others_are_not_called(caller, echo):
    result = await caller(hosts=("*.example.com",)).call(RestBackend("GET", echo), {})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
