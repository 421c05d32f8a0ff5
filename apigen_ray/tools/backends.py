"""The JSON form of backends: `read_backend` and `backend_form` are inverse to each other.

A tool list is untrusted input: whatever could reach a host other than the one it names, or change
the framing of a request, is refused here.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from apigen_ray import strict_json
from apigen_ray.records import (
    Backend,
    JsonObject,
    Key,
    McpBackend,
    PythonBackend,
    RestBackend,
    VirtualBackend,
)

PLACES = ("path", "query", "header", "cookie", "body", "payload")
"""Where an argument may go; `payload` means that the argument is the whole body."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED_HEADERS = frozenset(
    {
        "connection", "content-length", "cookie", "expect", "host", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that frame a request or name its recipient."""


class UnreadableBackend(ValueError):
    """The value is not a backend; the message says what is wrong."""


def read_backend(value: object) -> Backend:
    """Read a backend of any kind.

    Raises:
        UnreadableBackend: if the kind is unknown, or naming the key that is wrong.
    """
    match value:
        case {"kind": "python", "module": str(module), "function": str(function)}:
            return PythonBackend(module, function)
        case {"kind": "rest", **rest}:
            return read_rest(rest)
        case {"kind": "virtual", **rest}:
            return _read_virtual(rest)
        case {"kind": "mcp", **rest}:
            return _read_mcp(rest)
    raise UnreadableBackend(f"{value!r} is not a python, rest, virtual or mcp backend")


def backend_form(backend: Backend) -> JsonObject:
    """The JSON form of a backend; empty members are left out."""
    match backend:
        case PythonBackend(module=module, function=function):
            return {"kind": "python", "module": module, "function": function}
        case RestBackend():
            optional: JsonObject = {
                "params_in": dict(backend.params_in),
                "headers": dict(backend.headers),
                "auth_env": [_key_form(key) for key in backend.auth_env],
            }
            form: JsonObject = {"kind": "rest", "method": backend.method, "url": backend.url}
            return form | {key: value for key, value in optional.items() if value}
        case VirtualBackend():
            names: JsonObject = {
                "kind": "virtual",
                "url": backend.url,
                "category": backend.category,
                "tool_name": backend.tool_name,
                "api_name": backend.api_name,
            }
            return names | ({"key_env": backend.key_env} if backend.key_env else {})
        case McpBackend():
            tool: JsonObject = {"kind": "mcp", "server": backend.server, "tool": backend.tool}
            return tool | ({"schema": backend.schema} if backend.schema else {})


def _key_form(key: Key) -> JsonObject:
    form: JsonObject = {"in": key.place, "name": key.name, "env": key.env}
    return form | ({"prefix": key.prefix} if key.prefix else {})


def read_rest(value: Mapping[Any, Any]) -> RestBackend:
    """Read `{"method", "url", "params_in"?, "headers"?, "auth_env"?}`.

    Raises:
        UnreadableBackend: naming the key that is wrong.
    """
    _only(value, {"method", "url", "params_in", "headers", "auth_env"})
    method = str(value.get("method", "GET")).upper()
    if method not in METHODS:
        raise UnreadableBackend(f"method {method!r}: must be one of {', '.join(METHODS)}")
    url = _url(value.get("url"))
    headers = _texts(value, "headers")
    for name, text in headers.items():
        check_header(name, text)
    return RestBackend(method, url, _params_in(value, url), headers, _keys(value.get("auth_env")))


def _read_virtual(value: Mapping[Any, Any]) -> VirtualBackend:
    """Read `{"url", "category", "tool_name", "api_name", "key_env"?}`.

    Raises:
        UnreadableBackend: naming the key that is wrong.
    """
    _only(value, {"url", "category", "tool_name", "api_name", "key_env"})
    match value:
        case {"category": str(category), "tool_name": str(tool_name), "api_name": str(api_name)}:
            key_env = value.get("key_env")
        case _:
            raise UnreadableBackend("category, tool_name and api_name must be text")
    if not isinstance(key_env, str | None):
        raise UnreadableBackend("key_env must be the name of an environment variable")
    return VirtualBackend(_url(value.get("url")), category, tool_name, api_name, key_env)


def schema_digest(input_schema: Any) -> str:
    """A digest of an MCP tool's `inputSchema`, the same for the same schema."""
    return hashlib.sha256(strict_json.canonical(input_schema).encode()).hexdigest()[:16]


def _read_mcp(value: Mapping[Any, Any]) -> McpBackend:
    """Read `{"server", "tool", "schema"?}`.

    Raises:
        UnreadableBackend: naming the key that is wrong.
    """
    _only(value, {"server", "tool", "schema"})
    match value:
        case {"server": str(server), "tool": str(tool)} if server and tool:
            schema = value.get("schema")
        case _:
            raise UnreadableBackend("server and tool must be names")
    if not isinstance(schema, str | None):
        raise UnreadableBackend("schema must be the digest that `tools import mcp` wrote")
    return McpBackend(server, tool, schema)


def check_header(name: str, text: str) -> None:
    """Refuse a header that would end early, start another one, or redirect the request.

    Raises:
        UnreadableBackend: naming the header.
    """
    if not _TOKEN.fullmatch(name):
        raise UnreadableBackend(f"{name[:100]!r} is not a header name")
    if name.lower() in _RESERVED_HEADERS or name.lower().startswith("proxy-"):
        raise UnreadableBackend(f"header {name} may not be set by a tool")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise UnreadableBackend(f"the value of header {name} contains a control character")


def _only(value: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(map(str, value.keys() - known))
    if unknown:
        raise UnreadableBackend(f"unknown key {unknown[0]!r} (known: {', '.join(sorted(known))})")


def _url(value: object) -> str:
    """A URL whose host is fixed and whose characters can all be sent as they are."""
    text = value if isinstance(value, str) else ""
    try:
        parts = urlsplit(text)
        fixed = bool(parts.hostname) and not set(parts.netloc) & set("{}@\\") and parts.port != 0
    except ValueError:
        fixed = False
    if not fixed or parts.scheme not in ("http", "https"):
        raise UnreadableBackend(
            f"url {value!r} is not an http(s) URL with a fixed host and without credentials"
        )
    return quote(parts._replace(fragment="").geturl(), safe=":/?[]@!$&'()*+,;=%{}")


def _params_in(value: Mapping[str, Any], url: str) -> dict[str, str]:
    params_in = _texts(value, "params_in")
    for argument, written in params_in.items():
        place, _, name = written.partition(":")
        if place not in PLACES:
            raise UnreadableBackend(
                f"params_in {argument!r}: {place!r} must be one of {', '.join(PLACES)}"
            )
        if place == "path" and (name or argument) not in PLACEHOLDER.findall(url):
            raise UnreadableBackend(f"params_in {argument!r}: url has no {{{name or argument}}}")
        if place == "header":
            check_header(name or argument, "")
        if place == "cookie" and not _TOKEN.fullmatch(name or argument):
            raise UnreadableBackend(f"params_in {argument!r}: not a valid cookie name")
    places = [written.partition(":")[0] for written in params_in.values()]
    if "payload" in places and places.count("payload") + places.count("body") > 1:
        raise UnreadableBackend("params_in: with a payload, nothing else may go into the body")
    return params_in


def _keys(value: object) -> tuple[Key, ...]:
    listed = value if isinstance(value, list) else [] if value is None else [value]
    return tuple(_key(item) for item in listed)


def _key(value: object) -> Key:
    match value:
        case {
            "in": ("header" | "query" | "cookie") as place,
            "name": str(name),
            "env": str(env),
            **rest,
        } if set(rest) <= {"prefix"} and _TOKEN.fullmatch(name):
            prefix = str(rest.get("prefix", ""))
            if place == "header":
                check_header(name, prefix)
            return Key(place, name, env, prefix)
    raise UnreadableBackend(
        'auth_env must be {"in": "header"|"query"|"cookie", "name", "env", "prefix"?}, or a list'
    )


def _texts(value: Mapping[str, Any], key: str) -> dict[str, str]:
    texts = value.get(key, {})
    if not isinstance(texts, Mapping) or not all(isinstance(v, str) for v in texts.values()):
        raise UnreadableBackend(f"{key} must be an object whose values are text")
    return dict(texts)
