"""Requests, built from a backend and the arguments that a model wrote.

A `Request` holds no API key, so that it can be recorded and shown; keys are added by `signed`, just
before it is sent. No argument can leave its place: a path parameter stays one segment of the path,
a header value one line.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from apigen_ray.errors import RestUnavailable
from apigen_ray.records import Json, JsonObject, Key, RestBackend, VirtualBackend
from apigen_ray.strict_json import canonical
from apigen_ray.tools.backends import PLACEHOLDER, UnreadableBackend, check_header

_WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_FORM = "application/x-www-form-urlencoded"
_MULTIPART = "multipart/form-data"
_IN_NAMES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # as browsers escape them


class Unsendable(ValueError):
    """No request can be made of the arguments; the message names the one that is wrong."""


@dataclass(slots=True)
class Request:
    """A request made of a backend and arguments, without API keys."""

    method: str
    url: str
    query: list[tuple[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    cookies: list[tuple[str, str]] = field(default_factory=list)
    body: Json = None
    keys: tuple[Key, ...] = ()

    @property
    def place(self) -> str:
        """The request as messages name it: without its query, which may be long."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.netloc}{parts.path}"

    def fingerprint(self) -> str:
        """A hash that is equal for equal requests, whatever the order of their arguments."""
        asked = [self.method, self.url, sorted(self.query), sorted(self.headers.items())]
        rest: list[Any] = [sorted(self.cookies), self.body]
        return sha256(canonical([*asked, *rest]).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Signed:
    """A request as it is sent, with the API keys that it carries."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    secrets: tuple[str, ...]


def build(backend: RestBackend | VirtualBackend, arguments: JsonObject) -> Request:
    """The request that a call makes.

    Raises:
        Unsendable: if an argument would leave its place, or is missing from the URL.
    """
    if isinstance(backend, VirtualBackend):
        return _virtual(backend, arguments)
    request = Request(backend.method, backend.url, headers=dict(backend.headers))
    request.keys = backend.auth_env
    whole_body = "payload" in {place.partition(":")[0] for place in backend.params_in.values()}
    default = "query" if whole_body or backend.method in _WITHOUT_BODY else "body"
    in_url = set(PLACEHOLDER.findall(backend.url))
    segments = {}
    for argument, value in arguments.items():
        place, _, name = backend.params_in.get(argument, "").partition(":")
        name = name or argument
        if not place:
            place = "path" if argument in in_url else default
        if place == "path":
            segments[name] = _segment(argument, value)
        elif value is not None or place == "body":
            _put(request, place, name, value)
    request.url = PLACEHOLDER.sub(lambda match: _filled(match, segments), backend.url)
    return request


def _put(request: Request, place: str, name: str, value: Json) -> None:
    match place:
        case "query":
            request.query += [(name, text) for text in _texts(value)]
        case "header":
            try:
                check_header(name, text := ",".join(_texts(value)))
            except UnreadableBackend as error:
                raise Unsendable(str(error)) from None
            request.headers[name] = text
        case "cookie":
            request.cookies.append((name, quote(",".join(_texts(value)), safe="")))
        case "payload":
            request.body = value
        case _:
            request.body = {**_members(request.body), name: value}


def _members(body: Json) -> JsonObject:
    return body if isinstance(body, dict) else {}


def _segment(argument: str, value: Json) -> str:
    """A value as one segment of a path.

    Servers unescape slashes before they resolve `..`, and some treat an empty segment as none: such
    values are refused, however they would be written.
    """
    text = ",".join(_texts(value)) if value is not None else ""
    if not text.strip() or {".", ".."} & set(re.split(r"[/\\]", text.strip())):
        raise Unsendable(f"{argument}: {text[:100]!r} cannot be a segment of a path")
    return quote(text, safe="")


def _filled(match: re.Match[str], segments: Mapping[str, str]) -> str:
    try:
        return segments[match[1]]
    except KeyError:
        raise Unsendable(f"{match[1]}: missing; the URL needs it") from None


def _texts(value: Json) -> list[str]:
    """A value as it stands in a query: lists are repeated, objects are JSON text."""
    if isinstance(value, list):
        return [_text(item) for item in value]
    return [_text(value)]


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _virtual(backend: VirtualBackend, arguments: JsonObject) -> Request:
    names = {"category": backend.category, "tool_name": backend.tool_name}
    asked = {"api_name": backend.api_name, "tool_input": json.dumps(arguments), "strip": ""}
    return Request(
        "POST",
        backend.url,
        body={**names, **asked, "toolbench_key": ""},
        keys=(Key("body", "toolbench_key", backend.key_env),) if backend.key_env else (),
    )


def signed(request: Request, env: Mapping[str, str]) -> Signed:
    """The request as it is sent, with the keys that `env` holds.

    Raises:
        RestUnavailable: if a variable is missing.
    """
    query, headers, cookies = list(request.query), dict(request.headers), list(request.cookies)
    body, secrets = request.body, []
    for key in request.keys:
        secret = env.get(key.env, "").strip()
        if not secret:
            raise RestUnavailable(f"{request.place}: the environment variable {key.env} is not set")
        if not secret.isprintable():
            raise RestUnavailable(f"the environment variable {key.env} holds a control character")
        secrets.append(secret)
        value = key.prefix + secret
        match key.place:
            case "query":
                query.append((key.name, value))
            case "header":
                headers[key.name] = value
            case "cookie":
                cookies.append((key.name, value))
            case "body":
                body = {**_members(body), key.name: value}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies)
    return Signed(
        request.method,
        _with_query(request.url, query),
        headers,
        _encoded(body, headers),
        tuple(secrets),
    )


def _with_query(url: str, query: list[tuple[str, str]]) -> str:
    if not query:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query, quote_via=quote, safe='')}"


def _encoded(body: Json, headers: dict[str, str]) -> bytes | None:
    """The body as bytes, in the form that a `Content-Type` of the tool asks for, or JSON."""
    if body is None:
        return None
    header = next((name for name in headers if name.lower() == "content-type"), "Content-Type")
    content_type = headers.setdefault(header, "application/json").lower()
    if isinstance(body, str) and content_type.startswith("text/"):
        return body.encode()
    if isinstance(body, dict) and content_type.startswith((_FORM, _MULTIPART)):
        pairs = [(name, text) for name, value in body.items() for text in _texts(value)]
        if content_type.startswith(_FORM):
            return urlencode(pairs).encode()
        boundary = sha256(canonical(body).encode()).hexdigest()  # no text holds its own hash
        headers[header] = f"{_MULTIPART}; boundary={boundary}"
        return _multipart(pairs, boundary)
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _multipart(pairs: Sequence[tuple[str, str]], boundary: str) -> bytes:
    parts = (
        f"--{boundary}\r\nContent-Disposition: form-data;"
        f' name="{name.translate(_IN_NAMES)}"\r\n\r\n{text}\r\n'
        for name, text in pairs
    )
    return "".join((*parts, f"--{boundary}--\r\n")).encode()
