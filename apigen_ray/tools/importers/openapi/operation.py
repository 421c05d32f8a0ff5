"""One operation as one tool: its arguments, and the backend that says where they are sent."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from apigen_ray.records import Key, RestBackend
from apigen_ray.tools.importers.documents import Unusable
from apigen_ray.tools.importers.findings import Finding, Found, Note, RefusalReason, Refused
from apigen_ray.tools.importers.names import legal
from apigen_ray.tools.importers.openapi.access import keys_of, server_url
from apigen_ray.tools.importers.openapi.document import Document, Place
from apigen_ray.tools.importers.openapi.parameters import (
    declared_examples,
    encode,
    read_parameter,
    schema_examples,
)

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_IGNORED_HEADERS = frozenset({"accept", "authorization", "content-type"})


def read_operation(document: Document, place: Place) -> Iterator[Finding]:
    """The tool that an operation is, with notes; or why it is refused."""
    where = f"{document.path}: {place.method.upper()} {place.template}"
    try:
        if not isinstance(place.item[place.method], dict):
            raise Unusable(RefusalReason.UNREADABLE, "the operation must be an object")
        operation = _Operation(document, place, where)
        found = operation.tool()
    except Unusable as error:
        yield Refused(where, error.reason, error.detail)
    except RecursionError:
        yield Refused(where, RefusalReason.TOO_LARGE, "nested too deeply")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A document may have any value in any place; it is not checked against a schema first.
        detail = f"not valid OpenAPI: {type(error).__name__}: {error}"
        yield Refused(where, RefusalReason.UNREADABLE, detail)
    else:
        yield from (Note(where, text) for text in operation.notes)
        yield found


class _Operation:
    """An operation, with its arguments as they are collected."""

    def __init__(self, document: Document, place: Place, where: str) -> None:
        self._document = document
        self._schemas = document.schemas
        self._place = place
        self._operation: Mapping[str, Any] = place.item[place.method]
        self._url = place.template
        self._where = where
        self.notes: list[str] = []
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._params_in: dict[str, str] = {}
        self._examples: dict[str, Any] = {}
        self._headers: dict[str, str] = {}

    def tool(self) -> Found:
        """The tool that calls the operation.

        Raises:
            Unusable: if stage 2 can't call it.
        """
        keys = keys_of(self._document, self._place)
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
            description=_description(self._operation, self._place.item),
            parameters=parameters | ({"$defs": defs} if defs else {}),
            category=self._document.category,
            backend=self._backend(keys),
            returns=self._returns(),
        )

    def _returns(self) -> dict[str, Any] | None:
        """The schema of what the operation answers with if it succeeds, where there is one."""
        responses = self._operation.get("responses")
        if not isinstance(responses, dict):
            return None
        for status in ("200", "201", "202", "2XX", "default"):
            for written, response in responses.items():
                if str(written).upper() == status:
                    return self._response(response)
        return None

    def _response(self, written: Any) -> dict[str, Any] | None:
        try:
            response, base = self._document.resolve(written, self._place.base)
            content = response.get("content") or {}
            media = content[_media_type(content)]
            schema = self._schemas.converted(media["schema"], base)
            examples, defs = declared_examples(media), self._schemas.closure(schema)
        except (Unusable, AttributeError, KeyError, TypeError, RecursionError):
            return None  # unreadable, or no JSON: nothing can refer to a part of it
        shown = {"examples": examples[:1]} if examples else {}
        return schema | shown | ({"$defs": defs} if defs else {})

    def _name(self) -> str:
        name = self._operation.get("operationId")
        if not isinstance(name, str) or not name.strip():
            path = self._place.template.replace("{", "").replace("}", "")
            return legal(f"{self._place.method}_{path}", self._place.method)
        first = self._document.first_use(name, self._where)
        if first != self._where:
            other = first.removeprefix(f"{self._document.path}: ")
            self.notes.append(f"operationId {name!r} is already used by {other}: renamed")
        return name

    def _add(self, name: str, place: str, schema: Any, *, required: bool) -> str:
        """Add what a place calls `name`, as an argument with a legal and unique name."""
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
        for written in [*(self._place.item.get("parameters") or []), *own]:
            parameter, base = self._document.resolve(written, self._place.base)
            match parameter:
                case {"name": str(name), "in": "path" | "query" | "header" | "cookie" as place}:
                    result[place, name] = parameter, base
                case _:
                    shown = json.dumps(parameter, default=str)[:100]
                    raise Unusable(RefusalReason.UNREADABLE, f"not a parameter: {shown}")
        return list(result.values())

    def _add_parameter(self, written: Mapping[str, Any], base: str) -> None:
        parameter = read_parameter(written, base, self._schemas)
        place, required = parameter.place, parameter.required
        try:
            encoding = encode(parameter, self._url, self._schemas)
        except Unusable as error:
            if required:
                raise
            self.notes.append(f"left out: {error.detail}")
            return
        self._url = encoding.url
        if encoding.members is not None:
            for name, schema, needed in encoding.members:
                self._add(name, place, schema, required=required and needed)
            return
        argument = self._add(parameter.name, place, encoding.schema, required=required)
        if parameter.examples:
            self._examples[argument] = encoding.example(parameter.examples[0])

    def _add_body(self) -> None:
        """Add the members of the body, without which the tool would do something else."""
        body, base = self._document.resolve(self._operation.get("requestBody"), self._place.base)
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
            detail = f"the document does not name the members of its {media_type} body"
            raise Unusable(RefusalReason.UNSUPPORTED_BODY, detail)
        whole = next((e for e in declared_examples(media) if isinstance(e, dict)), None)
        if whole is None:
            listed = self._schemas.plain(self._schemas.converted(schema, base)).get("examples")
            whole = next((e for e in listed or [] if isinstance(e, dict)), {})
        for name, described in members.properties.items():
            needed = name in members.required
            if plain == _FORMS[1] and self._is_file(described):
                if needed:
                    raise Unusable(RefusalReason.UNSUPPORTED_BODY, f"{name!r} is a file")
                self.notes.append(f"left out: {name!r} is a file")
                continue
            argument = self._add(name, "body", described, required=needed)
            if name in whole:
                self._examples[argument] = whole[name]
            elif examples := schema_examples(self._schemas.plain(described)):
                self._examples[argument] = examples[0]

    def _add_whole_body(
        self, media: Mapping[str, Any], raw: Any, base: str, required: bool
    ) -> None:
        """Add one argument that is the whole body: a list, text, or one of several types."""
        schema = self._schemas.converted(raw, base)
        argument = self._add("body", "payload", schema, required=required)
        if examples := [*declared_examples(media), *schema_examples(self._schemas.plain(schema))]:
            self._examples[argument] = examples[0]

    def _is_file(self, schema: Any) -> bool:
        """Whether a field of a multipart form holds bytes, or a list of such."""
        plain = self._schemas.plain(schema)
        items = plain.get("items")
        encoded = {"contentMediaType", "contentEncoding"} & plain.keys()
        return (
            bool(encoded)
            or plain.get("format") == "binary"
            or (isinstance(items, dict) and self._is_file(items))
        )

    def _backend(self, keys: tuple[Key, ...]) -> RestBackend | None:
        declared = {
            place.partition(":")[2] or argument
            for argument, place in self._params_in.items()
            if place.partition(":")[0] == "path"
        }
        for name in set(re.findall(r"\{([^{}]+)\}", self._url)) ^ declared:
            detail = f"the path parameter {name!r} is not in both the path and `parameters`"
            raise Unusable(RefusalReason.BAD_BACKEND, detail)
        server = server_url(self._document, self._place)
        if server is None:
            self.notes.append("not callable: the document names no server (give one with --server)")
            return None
        return RestBackend(
            method=self._place.method.upper(),
            url=server.rstrip("/") + self._url,
            params_in=self._params_in,
            headers=self._headers,
            auth_env=keys,
        )


def _media_type(content: Mapping[str, Any]) -> str:
    """The media type that stage 2 sends: JSON if there is one, else a form, else text."""
    plain = {name: name.partition(";")[0].strip().lower() for name in content}
    for wanted in ("application/json", "+json", "*/*", "application/*", *_FORMS, "text/plain"):
        for name, kind in plain.items():
            if kind == wanted or (wanted == "+json" and kind.endswith("+json")):
                return name
    listed = ", ".join(content) or "no named type"
    raise Unusable(
        RefusalReason.UNSUPPORTED_BODY, f"a body of {listed}; only JSON, forms and text can be sent"
    )


def _description(operation: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """Summary and description, or one of them if it begins with the other."""
    texts = [operation.get("summary"), operation.get("description")]
    if not any(texts):
        texts = [item.get("summary"), item.get("description")]
    first, second = (" ".join(str(text or "").split()) for text in texts)
    if not first or second.lower().startswith(first.rstrip(".").lower()):
        return second or first
    if not second:
        return first
    return f"{first}{'' if first[-1] in '.!?' else '.'} {second}"
