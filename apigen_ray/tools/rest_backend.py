"""The JSON form of REST backends, read and checked.

A tool list is data from elsewhere: what it could use to reach another host than the one it names,
or to change the framing of a request, is refused here.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from apigen_ray.records import Key, RestBackend, VirtualBackend

PLACES = ("path", "query", "header", "cookie", "body", "payload")
"""Where an argument may go; one that goes to `payload` is the whole body."""
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_RESERVED_HEADERS = frozenset(
    {
        "connection", "content-length", "cookie", "expect", "host", "keep-alive", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
"""Headers that frame a request or say whom it is for."""


class UnreadableBackend(ValueError):
    """The value is no backend; the message says what is wrong."""


def read_rest(value: Mapping[Any, Any]) -> RestBackend:
    """Read `{"method", "url", "params_in"?, "headers"?, "auth_env"?}`.

    Raises:
        UnreadableBackend: naming the key that is wrong.
    """
    _only(value, {"method", "url", "params_in", "headers", "auth_env"})
    method = str(value.get("method", "GET")).upper()
    if method not in METHODS:
        raise UnreadableBackend(f"method {method!r} is none of {', '.join(METHODS)}")
    url = _url(value.get("url"))
    headers = _texts(value, "headers")
    for name, text in headers.items():
        check_header(name, text)
    return RestBackend(method, url, _params_in(value, url), headers, _keys(value.get("auth_env")))


def read_virtual(value: Mapping[Any, Any]) -> VirtualBackend:
    """Read `{"url", "category", "tool_name", "api_name", "key_env"?}`.

    Raises:
        UnreadableBackend: naming the key that is wrong.
    """
    _only(value, {"url", "category", "tool_name", "api_name", "key_env"})
    match value:
        case {"category": str(category), "tool_name": str(tool_name), "api_name": str(api_name)}:
            key_env = value.get("key_env")
        case _:
            raise UnreadableBackend("category, tool_name and api_name are the API's names there")
    if not isinstance(key_env, str | None):
        raise UnreadableBackend("key_env is the name of an environment variable")
    return VirtualBackend(_url(value.get("url")), category, tool_name, api_name, key_env)


def check_header(name: str, text: str) -> None:
    """Refuse a header that would end early, begin another, or change where a request goes.

    Raises:
        UnreadableBackend: saying which.
    """
    if not _TOKEN.fullmatch(name):
        raise UnreadableBackend(f"{name[:100]!r} is no header name")
    if name.lower() in _RESERVED_HEADERS or name.lower().startswith("proxy-"):
        raise UnreadableBackend(f"the header {name} is not a tool's to set")
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise UnreadableBackend(f"the value of header {name} holds a control character")


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
            f"url {value!r} is no http(s) URL with a fixed host, without a user"
        )
    return quote(parts._replace(fragment="").geturl(), safe=":/?[]@!$&'()*+,;=%{}")


def _params_in(value: Mapping[str, Any], url: str) -> dict[str, str]:
    params_in = _texts(value, "params_in")
    for argument, written in params_in.items():
        place, _, name = written.partition(":")
        if place not in PLACES:
            raise UnreadableBackend(
                f"params_in {argument!r}: {place!r} is none of {', '.join(PLACES)}"
            )
        if place == "path" and (name or argument) not in PLACEHOLDER.findall(url):
            raise UnreadableBackend(f"params_in {argument!r}: url has no {{{name or argument}}}")
        if place == "header":
            check_header(name or argument, "")
        if place == "cookie" and not _TOKEN.fullmatch(name or argument):
            raise UnreadableBackend(f"params_in {argument!r}: no name for a cookie")
    places = [written.partition(":")[0] for written in params_in.values()]
    if "payload" in places and places.count("payload") + places.count("body") > 1:
        raise UnreadableBackend("params_in: beside a payload nothing else goes into the body")
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
        'auth_env is {"in": "header"|"query"|"cookie", "name", "env", "prefix"?}, or a list of them'
    )


def _texts(value: Mapping[str, Any], key: str) -> dict[str, str]:
    texts = value.get(key, {})
    if not isinstance(texts, Mapping) or not all(isinstance(v, str) for v in texts.values()):
        raise UnreadableBackend(f"{key} is an object of texts")
    return dict(texts)
