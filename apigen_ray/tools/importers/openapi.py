"""Tools from OpenAPI 3.0 and 3.1 documents: one for each operation.

An operation's parameters and the members of its JSON or form body become arguments of one tool.
What is sent where is told by the backend.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from apigen_ray.records import Key, RestBackend
from apigen_ray.tools.categories import category_of
from apigen_ray.tools.importers.documents import References, Unusable, parse_document, read_document
from apigen_ray.tools.importers.findings import (
    Finding,
    Found,
    Note,
    RefusalReason,
    Refused,
    document_files,
)
from apigen_ray.tools.importers.names import legal
from apigen_ray.tools.importers.openapi_parameters import (
    read_parameter,
    sent,
    told_examples,
    values,
)
from apigen_ray.tools.importers.openapi_schemas import Schemas

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
MAX_HOPS = 20
SUFFIXES = (".json", ".yaml", ".yml")
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_IGNORED_HEADERS = frozenset({"accept", "authorization", "content-type"})


@dataclass(frozen=True, slots=True)
class OpenApiOptions:
    """What the user says about documents."""

    server: str | None = None
    """The base URL, where a document names none or not the one to call."""
    category: str = "Other"
    auth_env: Mapping[str, str] = field(default_factory=dict)
    """Security scheme to the environment variable that holds its key or token."""
    allow_remote_refs: bool = False


def read_openapi(sources: Sequence[str], options: OpenApiOptions) -> Iterator[Finding]:
    """The operations of documents, or of all documents in folders.

    Also read are ToolAlpaca's files, which hold a document as text in `Documentation`.
    """
    for path in document_files(sources, SUFFIXES):
        try:
            root = read_document(path)
            if isinstance(root, dict) and isinstance(root.get("Documentation"), str):
                known = category_of("toolalpaca", root.get("Category"))
                root = parse_document(root["Documentation"])
            else:
                known = None
            document = _Document(root, path, options, known or options.category)
        except Unusable as error:
            yield Refused(str(path), error.reason, error.detail)
        else:
            yield from document.findings()


class _Document:
    """A document, and what its operations share."""

    def __init__(self, root: Any, path: Path, options: OpenApiOptions, category: str) -> None:
        if not isinstance(root, dict) or not {"openapi", "swagger"} & root.keys():
            raise Unusable(RefusalReason.UNREADABLE, "no OpenAPI document: it has no `openapi`")
        version = str(root.get("openapi") or root.get("swagger"))
        if not re.match(r"3\.[012]", version):
            detail = f"OpenAPI {version}; convert it to 3.0 or 3.1 first"
            raise Unusable(RefusalReason.UNSUPPORTED_VERSION, detail)
        if not isinstance(root.get("paths") or {}, dict):
            raise Unusable(RefusalReason.UNREADABLE, "`paths` is no object")
        info = root.get("info")
        title = info.get("title") if isinstance(info, dict) else None
        self.root = root
        self.path = path
        self.options = options
        self.category = category
        self.title = str(title or path.stem)
        self.references = References(root, path, allow_remote=options.allow_remote_refs)
        # In 3.0 a $ref hides what stands beside it.
        self.schemas = Schemas(self.references, hides=version.startswith("3.0"))
        self.ids: dict[str, str] = {}

    def findings(self) -> Iterator[Finding]:
        """The tools of all operations."""
        for template, written in (self.root.get("paths") or {}).items():
            where = f"{self.path}: {template}"
            try:
                item, base = self.followed(written, self.references.base)
            except Unusable as error:
                yield Refused(where, error.reason, error.detail)
                continue
            if not isinstance(item, dict):
                yield Refused(where, RefusalReason.UNREADABLE, "the path holds no object")
                continue
            for method in METHODS:
                if method in item:
                    yield from _Operation(self, str(template), method, item, base=base).findings()

    def followed(self, value: Any, base: str) -> tuple[Any, str]:
        """What an object is, or where its `$ref` leads, and in which document."""
        for _ in range(MAX_HOPS):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value, base
            value, base = self.references.follow(value["$ref"], base)
        raise Unusable(RefusalReason.BROKEN_REF, f"$ref {base!r} leads to itself")


class _Operation:
    """An operation, with its arguments as they are collected."""

    def __init__(
        self,
        document: _Document,
        template: str,
        method: str,
        item: Mapping[str, Any],
        *,
        base: str,
    ) -> None:
        self._document = document
        self._schemas = document.schemas
        self._template = template
        self._method = method
        self._item = item
        self._operation: Mapping[str, Any] = item[method]
        self._base = base
        self._url = template
        self._where = f"{document.path}: {method.upper()} {template}"
        self._notes: list[str] = []
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._params_in: dict[str, str] = {}
        self._examples: dict[str, Any] = {}
        self._headers: dict[str, str] = {}

    def findings(self) -> Iterator[Finding]:
        """The tool, with notes, or why it is refused."""
        try:
            if not isinstance(self._operation, dict):
                raise Unusable(RefusalReason.UNREADABLE, "the operation is no object")
            found = self._tool()
        except Unusable as error:
            yield Refused(self._where, error.reason, error.detail)
        except RecursionError:
            yield Refused(self._where, RefusalReason.TOO_LARGE, "nested too deeply")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # A document may have any value in any place; it is not checked against a schema first.
            detail = f"not as OpenAPI has it: {type(error).__name__}: {error}"
            yield Refused(self._where, RefusalReason.UNREADABLE, detail)
        else:
            yield from (Note(self._where, text) for text in self._notes)
            yield found

    def _tool(self) -> Found:
        keys = self._keys()
        taken = {(key.place, key.name.lower()) for key in keys}
        for written, base in self._parameters():
            place, name = str(written["in"]), str(written["name"]).lower()
            if (place, name) not in taken and (place != "header" or name not in _IGNORED_HEADERS):
                self._add_parameter(written, base)
        self._add_body()
        parameters: dict[str, Any] = {"type": "object", "properties": self._properties}
        if self._required:
            parameters["required"] = self._required
        if self._examples and self._examples.keys() >= set(self._required):
            parameters["examples"] = [self._examples]
        defs = self._schemas.closure(self._properties)
        return Found(
            where=self._where,
            source=f"openapi:{self._document.path.name}",
            name=self._name(),
            scope=self._document.title,
            description=_description(self._operation, self._item),
            parameters=parameters | ({"$defs": defs} if defs else {}),
            category=self._document.category,
            backend=self._backend(keys),
        )

    def _name(self) -> str:
        name = self._operation.get("operationId")
        if not isinstance(name, str) or not name.strip():
            path = self._template.replace("{", "").replace("}", "")
            return legal(f"{self._method}_{path}", self._method)
        first = self._document.ids.setdefault(name, self._where)
        if first != self._where:
            other = first.removeprefix(f"{self._document.path}: ")
            self._notes.append(f"operationId {name!r} is also that of {other}: renamed")
        return name

    def _add(self, name: str, place: str, schema: Any, *, required: bool) -> str:
        """Add what is called `name` in a place, as an argument of a legal name of its own."""
        argument, number = legal(name, "value"), 1
        while argument in self._properties:
            argument = legal(f"{place}_{name}" + (f"_{number}" if number > 1 else ""))
            number += 1
        self._properties[argument] = schema
        if required:
            self._required.append(argument)
        self._params_in[argument] = place if argument == name else f"{place}:{name}"
        return argument

    def _parameters(self) -> list[tuple[dict[str, Any], str]]:
        """The operation's parameters, and those of its path that it doesn't override."""
        result: dict[tuple[str, str], tuple[dict[str, Any], str]] = {}
        own = self._operation.get("parameters") or []
        for written in [*(self._item.get("parameters") or []), *own]:
            parameter, base = self._document.followed(written, self._base)
            match parameter:
                case {"name": str(name), "in": "path" | "query" | "header" | "cookie" as place}:
                    result[place, name] = parameter, base
                case _:
                    shown = json.dumps(parameter, default=str)[:100]
                    raise Unusable(RefusalReason.UNREADABLE, f"no parameter: {shown}")
        return list(result.values())

    def _add_parameter(self, written: Mapping[str, Any], base: str) -> None:
        parameter = read_parameter(written, base, self._schemas)
        place, required = parameter.place, parameter.required
        try:
            how = sent(parameter, self._url, self._schemas)
        except Unusable as error:
            if required:
                raise
            self._notes.append(f"left out: {error.detail}")
            return
        self._url = how.url
        if how.members is not None:
            for name, schema, needed in how.members:
                self._add(name, place, schema, required=required and needed)
            return
        argument = self._add(parameter.name, place, how.schema, required=required)
        if parameter.examples:
            self._examples[argument] = how.example(parameter.examples[0])

    def _add_body(self) -> None:
        """Add the members of the body. A tool that couldn't send its body would be another tool."""
        body, base = self._document.followed(self._operation.get("requestBody"), self._base)
        if body is None:
            return
        content = body.get("content") or {}
        media_type = _media_type(content)
        media = content[media_type]
        schema = media.get("schema")
        members = self._schemas.members(schema, base)
        plain = media_type.partition(";")[0].strip().lower()
        if plain not in ("application/json", "*/*", "application/*"):
            self._headers["Content-Type"] = plain
        if members is None and plain not in _FORMS and schema:
            self._add_whole_body(media, schema, base, required=body.get("required") is True)
            return
        if members is None or (not members.properties and members.free):
            detail = f"a body of {media_type} whose members the document does not name"
            raise Unusable(RefusalReason.UNSUPPORTED_BODY, detail)
        whole = next((e for e in told_examples(media) if isinstance(e, dict)), None)
        if whole is None:
            listed = self._schemas.plain(self._schemas.converted(schema, base)).get("examples")
            whole = next((e for e in listed or [] if isinstance(e, dict)), {})
        for name, described in members.properties.items():
            needed = name in members.required
            if plain == _FORMS[1] and self._is_file(described):
                if needed:
                    raise Unusable(RefusalReason.UNSUPPORTED_BODY, f"{name!r} is a file")
                self._notes.append(f"left out: {name!r} is a file")
                continue
            argument = self._add(name, "body", described, required=needed)
            if name in whole:
                self._examples[argument] = whole[name]
            elif told := values(self._schemas.plain(described)):
                self._examples[argument] = told[0]

    def _add_whole_body(
        self, media: Mapping[str, Any], raw: Any, base: str, required: bool
    ) -> None:
        """Add an argument that is the body: a list, a text, or one of several things."""
        schema = self._schemas.converted(raw, base)
        argument = self._add("body", "payload", schema, required=required)
        if told := [*told_examples(media), *values(self._schemas.plain(schema))]:
            self._examples[argument] = told[0]

    def _is_file(self, schema: Any) -> bool:
        """Whether a field of a multipart form holds bytes, or a list of such."""
        plain = self._schemas.plain(schema)
        items = plain.get("items")
        told = {"contentMediaType", "contentEncoding"} & plain.keys()
        return (
            bool(told)
            or plain.get("format") == "binary"
            or (isinstance(items, dict) and self._is_file(items))
        )

    def _backend(self, keys: tuple[Key, ...]) -> RestBackend | None:
        told = {
            place.partition(":")[2] or argument
            for argument, place in self._params_in.items()
            if place.partition(":")[0] == "path"
        }
        for name in set(re.findall(r"\{([^{}]+)\}", self._url)) ^ told:
            detail = f"the path parameter {name!r} is not in both the path and `parameters`"
            raise Unusable(RefusalReason.BAD_BACKEND, detail)
        server = self._server()
        if server is None:
            self._notes.append("not callable: the document names no server (--server gives one)")
            return None
        return RestBackend(
            method=self._method.upper(),
            url=server.rstrip("/") + self._url,
            params_in=self._params_in,
            headers=self._headers,
            auth_env=keys,
        )

    def _server(self) -> str | None:
        """The first server's URL, with the defaults of its variables; None if it has no host."""
        listed = self._operation.get("servers") or self._item.get("servers")
        urls = []
        for server in listed or self._document.root.get("servers") or []:
            url = str(server.get("url") or "/")
            for name, variable in (server.get("variables") or {}).items():
                url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
            urls.append(url)
        given = self._document.options.server
        if given is not None:  # a host alone takes the document's own path
            alone = not urlsplit(given).path.strip("/")
            return urljoin(given, urlsplit(urls[0]).path) if alone and urls else given
        return next((url for url in urls if urlsplit(url).scheme in ("http", "https")), None)

    def _keys(self) -> tuple[Key, ...]:
        """The keys of the first way to get access that stage 2 can go."""
        ways = self._operation.get("security", self._document.root.get("security"))
        if not ways:
            return ()
        components = self._document.root.get("components") or {}
        schemes = components.get("securitySchemes") or {}
        given = self._document.options.auth_env
        refused = ""

        def wanted(way: Mapping[str, Any]) -> tuple[bool, bool]:
            """One whose keys the user names comes first, then access without any."""
            return not way or not set(way) <= given.keys(), bool(way)

        for way in sorted(ways, key=wanted):
            try:
                return tuple(
                    self._key(name, self._document.followed(schemes.get(name), self._base)[0])
                    for name in way
                )
            except Unusable as error:
                refused = error.detail
        raise Unusable(RefusalReason.UNSUPPORTED_AUTH, refused)

    def _key(self, scheme: str, described: Any) -> Key:
        env = self._document.options.auth_env.get(scheme) or _variable(
            f"{self._document.title}_{scheme}"
        )
        match described:
            case {"type": "apiKey", "in": "header" | "query" | "cookie" as place, "name": name}:
                return Key(place, str(name), env)
            case {"type": "http", "scheme": str(how)} if how.lower() in ("bearer", "basic"):
                return Key("header", "Authorization", env, f"{how.capitalize()} ")
            case {"type": "oauth2" | "openIdConnect"}:
                return Key("header", "Authorization", env, "Bearer ")
            case None:
                detail = f"the security scheme {scheme!r} is not described"
            case _:
                detail = f"the security scheme {scheme!r} needs more than a key or token"
        raise Unusable(RefusalReason.UNSUPPORTED_AUTH, detail)


def _media_type(content: Mapping[str, Any]) -> str:
    """The media type that stage 2 sends: JSON if there is one, else a form, else text."""
    plain = {name: name.partition(";")[0].strip().lower() for name in content}
    for wanted in ("application/json", "+json", "*/*", "application/*", *_FORMS, "text/plain"):
        for name, kind in plain.items():
            if kind == wanted or (wanted == "+json" and kind.endswith("+json")):
                return name
    listed = ", ".join(content) or "no named type"
    raise Unusable(
        RefusalReason.UNSUPPORTED_BODY, f"a body of {listed}; JSON, forms and text are sent"
    )


def _variable(name: str) -> str:
    """The name of an environment variable: `MUSEUM_API_BEARER`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")


def _description(operation: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """Summary and description, once if one begins with the other."""
    texts = [operation.get("summary"), operation.get("description")]
    if not any(texts):
        texts = [item.get("summary"), item.get("description")]
    first, second = (" ".join(str(text or "").split()) for text in texts)
    if not first or second.lower().startswith(first.rstrip(".").lower()):
        return second or first
    if not second:
        return first
    return f"{first}{'' if first[-1] in '.!?' else '.'} {second}"
