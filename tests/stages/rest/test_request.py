"""Arguments become requests, and none leaves its place."""

import json
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from aiohttp import web

from apigen_ray.records import Failed, Reason, RestBackend, Returned
from apigen_ray.stages.execute.rest.request import Unsendable, build
from apigen_ray.tools.backends import UnreadableBackend, read_rest


async def sent(caller, backend, arguments):
    result = await caller().call(backend, arguments)
    assert isinstance(result, Returned), result
    return result.result


async def test_arguments_of_a_get_go_into_the_query(caller, echo):
    got = await sent(caller, RestBackend("GET", echo + "/x"), {"city": "São Paulo & more", "n": 3})
    assert parse_qsl(urlsplit(got["target"]).query) == [("city", "São Paulo & more"), ("n", "3")]


async def test_arguments_of_a_post_go_into_a_json_body(caller, echo):
    got = await sent(caller, RestBackend("POST", echo), {"a": [1, {"b": None}], "c": "ü"})
    assert json.loads(got["text"]) == {"a": [1, {"b": None}], "c": "ü"}
    assert got["headers"]["content-type"] == "application/json"


async def test_a_form_is_sent_where_the_tool_says_so(caller, echo):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    got = await sent(
        caller, RestBackend("POST", echo, headers=headers), {"a": "x&y=z", "b": [1, 2]}
    )
    assert parse_qsl(got["text"]) == [("a", "x&y=z"), ("b", "1"), ("b", "2")]


@pytest.mark.parametrize("value", [[1, {"a": None}], "text", 1.5, False, {"a": 1}])
async def test_an_argument_can_be_the_whole_body(caller, echo, value):
    backend = RestBackend("POST", echo + "/{id}", {"items": "payload"})
    got = await sent(caller, backend, {"items": value, "id": 7, "dry": True})
    assert json.loads(got["text"]) == value
    assert got["headers"]["content-type"] == "application/json"
    assert got["target"] == "/7?dry=true"


async def test_a_text_can_be_the_whole_body(caller, echo):
    headers = {"Content-Type": "text/plain"}
    backend = RestBackend("POST", echo, {"text": "payload"}, headers)
    got = await sent(caller, backend, {"text": 'Grüße, "you"\n'})
    assert got["text"] == 'Grüße, "you"\n'
    assert got["headers"]["content-type"] == "text/plain"


async def test_a_multipart_form_is_sent_where_the_tool_says_so(caller, serve):
    async def answer(request: web.Request) -> web.Response:
        form = await request.post()
        return web.json_response([[name, value] for name, value in form.items()])

    url = await serve(answer)
    backend = RestBackend("POST", url, headers={"content-type": "multipart/form-data"})
    arguments = {"a": "x\r\n--y\r\n\r\nz", "b": [1, True], 'q"\r\nX: ': "ü", "c": {"d": None}}
    assert await sent(caller, backend, arguments) == [
        ["a", "x\r\n--y\r\n\r\nz"], ["b", "1"], ["b", "true"], ["q%22%0D%0AX: ", "ü"],
        ["c", '{"d": null}'],
    ]  # fmt: skip


async def test_no_field_of_a_multipart_form_ends_it(caller, echo):
    """A boundary that an argument could know would let it add fields of its own."""
    backend = RestBackend("POST", echo, headers={"Content-Type": "multipart/form-data"})
    got = await sent(caller, backend, {"a": "x"})
    boundary = got["headers"]["content-type"].partition("boundary=")[2]
    forged = f'x\r\n--{boundary}\r\nContent-Disposition: form-data; name="b"\r\n\r\ny'
    again = await sent(caller, backend, {"a": forged})
    true_boundary = again["headers"]["content-type"].partition("boundary=")[2]
    assert len(again["text"].split(f"--{true_boundary}")) == 3


@pytest.mark.parametrize(
    "places", [{"a": "payload", "b": "payload"}, {"a": "payload", "b": "body"}]
)
def test_beside_a_payload_nothing_goes_into_the_body(places):
    with pytest.raises(UnreadableBackend, match="with a payload"):
        read_rest({"method": "POST", "url": "http://a.example.com/", "params_in": places})


async def test_each_argument_goes_where_the_tool_says(caller, echo):
    params_in = {"size": "query:filter[size]", "lang": "header:Accept-Language", "sid": "cookie"}
    backend = RestBackend("PUT", echo + "/items/{id}/parts", params_in)
    got = await sent(
        caller, backend, {"id": 7, "size": 2, "lang": "de", "sid": "a b", "rest": True}
    )
    assert got["target"] == "/items/7/parts?filter%5Bsize%5D=2"
    assert got["headers"]["accept-language"] == "de"
    assert got["headers"]["cookie"] == "sid=a%20b"
    assert json.loads(got["text"]) == {"rest": True}


async def test_a_name_in_the_url_is_filled_without_being_told(caller, echo):
    got = await sent(
        caller, RestBackend("GET", echo + "/{a}-{b}?fixed=1"), {"b": "y", "a": "x", "c": 1}
    )
    assert got["target"] == "/x-y?fixed=1&c=1"


async def test_lists_are_repeated_booleans_are_json_and_nulls_are_left_out(caller, echo):
    arguments = {"ids": [1, 2], "on": True, "nothing": None, "box": {"a": 1}, "none": []}
    got = await sent(caller, RestBackend("GET", echo), arguments)
    assert parse_qsl(urlsplit(got["target"]).query) == [
        ("ids", "1"), ("ids", "2"), ("on", "true"), ("box", '{"a": 1}'),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [
        "a/b",
        "a?x=1",
        "a#b",
        "a%2fb",
        "%2e%2e%2fadmin",
        "@evil.com",
        "a b",
        "é/ü",
        "a;b=c",
        "a\r\nX: y",
        "a\\b",
        "..a",
        "\x00",
    ],
)
async def test_a_path_argument_stays_one_segment(caller, echo, value):
    got = await sent(caller, RestBackend("GET", echo + "/users/{id}/orders"), {"id": value})
    before, segment, after = got["target"].rsplit("/", 2)
    assert (before, after) == ("/users", "orders")
    assert unquote(segment) == value


@pytest.mark.parametrize(
    "value", ["..", ".", "../admin", "a/../../admin", "a\\..\\b", "", " ", " .. ", None, []]
)
def test_a_path_argument_that_servers_may_resolve_is_not_sent(value):
    with pytest.raises(Unsendable, match=r"id: .* cannot be a segment"):
        build(RestBackend("GET", "http://a.com/users/{id}"), {"id": value})


def test_a_missing_path_argument_is_not_sent():
    with pytest.raises(Unsendable, match="id: missing"):
        build(RestBackend("GET", "http://a.com/users/{id}"), {})


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\x00b", "a\x7fb", "\x1b[2J"])
async def test_a_header_argument_with_a_control_character_is_not_sent(caller, echo, value):
    backend = RestBackend("GET", echo, {"h": "header:X-H"})
    result = await caller().call(backend, {"h": value})
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED
    assert "control character" in result.message


async def test_a_cookie_argument_stays_one_cookie(caller, echo):
    backend = RestBackend("GET", echo, {"c": "cookie"})
    got = await sent(caller, backend, {"c": "1; admin=1\r\nX: y"})
    assert got["headers"]["cookie"] == "c=1%3B%20admin%3D1%0D%0AX%3A%20y"
    assert "x" not in got["headers"]


async def test_a_query_argument_stays_one_value(caller, echo):
    got = await sent(caller, RestBackend("GET", echo + "/p?k=1"), {"q": "1&k=2#frag\r\nX: y"})
    assert parse_qsl(urlsplit(got["target"]).query) == [("k", "1"), ("q", "1&k=2#frag\r\nX: y")]


async def test_an_argument_can_not_name_another_host(caller, echo):
    backend = RestBackend("GET", echo + "/{where}")
    got = await sent(caller, backend, {"where": "@evil.com/"})
    assert got["headers"]["host"] in echo


@pytest.mark.parametrize("arguments", [{"q": "\ud800"}, {"q": float("nan")}, {"\udfff": 1}])
async def test_arguments_that_are_no_text_are_not_sent(caller, echo, arguments):
    result = await caller().call(RestBackend("POST", echo), arguments)
    assert isinstance(result, Failed)
    assert result.reason == Reason.EGRESS_DENIED


def test_the_order_of_arguments_does_not_change_the_fingerprint():
    backend = RestBackend("GET", "http://a.com/x", {"h": "header:H"})
    one = build(backend, {"a": 1, "b": [2, 3], "h": "z"}).fingerprint()
    assert one == build(backend, {"h": "z", "b": [2, 3], "a": 1}).fingerprint()
    assert one != build(backend, {"a": 1, "b": [2, 4], "h": "z"}).fingerprint()
    assert one != build(backend, {"a": 1, "b": [2, 3], "h": "y"}).fingerprint()
