"""REST backends of tool lists are read, and what could go elsewhere is refused."""

import re

import pytest

from apigen_ray.records import Key, RestBackend, VirtualBackend
from apigen_ray.tools.read_forms import UnreadableTool, read_tool

SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}


def rest_tool(**backend):
    return {"name": "f", "parameters": SCHEMA, "backend": {"kind": "rest", **backend}}


def test_a_rest_backend_is_read():
    tool = read_tool(
        rest_tool(
            method="get",
            url="https://api.example.com/v1/{a}/né#top",
            params_in={"b": "query:filter[b]"},
            headers={"X-RapidAPI-Host": "api.example.com"},
            auth_env={"in": "header", "name": "Authorization", "env": "KEY", "prefix": "Bearer "},
        )
    )
    assert tool.backend == RestBackend(
        "GET",
        "https://api.example.com/v1/{a}/n%C3%A9",
        {"b": "query:filter[b]"},
        {"X-RapidAPI-Host": "api.example.com"},
        (Key("header", "Authorization", "KEY", "Bearer "),),
    )


def test_a_virtual_backend_is_read():
    names = {"category": "Food", "tool_name": "tacos", "api_name": "random"}
    backend = {"kind": "virtual", "url": "http://localhost:8080/virtual", **names}
    tool = read_tool({"name": "f", "parameters": SCHEMA, "backend": backend})
    assert tool.backend == VirtualBackend(
        "http://localhost:8080/virtual", "Food", "tacos", "random"
    )


@pytest.mark.parametrize(
    ("backend", "says"),
    [
        ({}, "url None"),
        ({"url": "ftp://a.com"}, "not an http"),
        ({"url": "https://{host}/x"}, "fixed host"),
        ({"url": "https://a.com:{port}/x"}, "fixed host"),
        ({"url": "https://user:pw@a.com/"}, "without credentials"),
        ({"url": "https://a.com\\@b.com/"}, "fixed host"),
        ({"url": "http://[::1"}, "fixed host"),
        ({"url": "http:///x"}, "fixed host"),
        ({"url": "http://a.com", "method": "CONNECT"}, "method 'CONNECT'"),
        ({"url": "http://a.com", "params_in": {"a": "path"}}, "no {a}"),
        ({"url": "http://a.com", "params_in": {"a": "footer"}}, "'footer' must be one of"),
        ({"url": "http://a.com", "params_in": {"a": "header:Host"}}, "Host may not be set"),
        ({"url": "http://a.com", "params_in": {"a": "header:X: y"}}, "not a header name"),
        ({"url": "http://a.com", "params_in": {"a": "cookie:b;c"}}, "not a valid cookie name"),
        ({"url": "http://a.com", "params_in": ["a"]}, "params_in must be an object"),
        (
            {"url": "http://a.com", "headers": {"Transfer-Encoding": "chunked"}},
            "may not be set by a tool",
        ),
        (
            {"url": "http://a.com", "headers": {"Proxy-Authorization": "x"}},
            "may not be set by a tool",
        ),
        ({"url": "http://a.com", "headers": {"X": "a\r\nHost: b"}}, "control character"),
        ({"url": "http://a.com", "headers": {"X": 1}}, "headers must be an object"),
        ({"url": "http://a.com", "auth_env": "KEY"}, "auth_env must be"),
        (
            {"url": "http://a.com", "auth_env": {"in": "body", "name": "k", "env": "K"}},
            "auth_env must be",
        ),
        (
            {"url": "http://a.com", "auth_env": [{"in": "header", "name": "TE", "env": "K"}]},
            "TE may not",
        ),
        ({"url": "http://a.com", "verify": False}, "unknown key 'verify'"),
    ],
)
def test_a_rest_backend_that_could_go_elsewhere_is_refused(backend, says):
    with pytest.raises(UnreadableTool, match=re.escape(says)):
        read_tool(rest_tool(**backend))
