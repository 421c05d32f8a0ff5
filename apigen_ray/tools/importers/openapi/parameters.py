"""How the parameters of OpenAPI are sent: places, styles, `explode`.

Stage 2 sends text as it is, repeats the items of a list in a query and joins them by commas in
other places, and writes objects as JSON text. Other styles are met by taking an object apart, by
changing the URL, or by an argument that is already the encoded text; the rest is refused.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apigen_ray.tools.importers.documents import Unusable
from apigen_ray.tools.importers.findings import RefusalReason
from apigen_ray.tools.importers.openapi.schemas import Schemas, kind_of

_DELIMITERS = {"form": ",", "spaceDelimited": " ", "pipeDelimited": "|"}
_NAMED = {",": "commas", " ": "spaces", "|": "pipes"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as its document describes it."""

    place: str
    name: str
    required: bool
    style: str
    explode: bool
    in_json: bool
    """Whether it is sent as JSON text, whatever it is."""
    schema: dict[str, Any]
    kinds: frozenset[str]
    examples: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a parameter is sent: as one argument, or as one argument for each of its `members`."""

    url: str
    schema: dict[str, Any]
    members: tuple[tuple[str, Any, bool], ...] | None = None
    delimiter: str | None = None

    def example(self, value: Any) -> Any:
        """The argument for an example of the parameter."""
        if self.delimiter is not None and isinstance(value, list):
            return self.delimiter.join(map(_text, value))
        return value


def read_parameter(written: Mapping[str, Any], base: str, schemas: Schemas) -> Parameter:
    """Read a parameter object.

    Raises:
        Unusable: if its type is neither given nor shown by examples.
    """
    place, name = str(written["in"]), str(written["name"])
    content = written.get("content")
    raw, in_json = written.get("schema"), False
    if isinstance(content, dict) and content:
        media_type, media = next(iter(content.items()))
        raw, in_json = (media or {}).get("schema"), "json" in media_type
    schema = schemas.converted(raw, base)
    examples = declared_examples(written)
    kinds = schemas.kinds(schema)
    if not kinds:
        kinds = {kind_of(value) for value in [*examples, *schema_examples(schema)]}
        if not kinds:
            detail = f"parameter {name!r} in {place} has no type"
            raise Unusable(RefusalReason.UNTYPED_PARAMETER, detail)
        schema = {"type": sorted(kinds) if len(kinds) > 1 else min(kinds)} | schema
    if text := " ".join(str(written.get("description") or "").split()):
        schema = {**schema, "description": text}
    style = str(written.get("style") or ("form" if place in ("query", "cookie") else "simple"))
    explode = written.get("explode")
    return Parameter(
        place=place,
        name=name,
        required=place == "path" or written.get("required") is True,
        style=style,
        explode=style == "form" if explode is None else str(explode).lower() == "true",
        in_json=in_json,
        schema=schema,
        kinds=frozenset(kinds - {"null"}),
        examples=examples or schema_examples(schema),
    )


def encode(parameter: Parameter, url: str, schemas: Schemas) -> Encoding:
    """How stage 2 sends a parameter; may change the URL template.

    Raises:
        Unusable: if it can't send it in the style asked for.
    """
    name, schema, kinds = parameter.name, parameter.schema, parameter.kinds
    braces = f"{{{name}}}"
    objects, lists = kinds == {"object"}, "object" not in kinds
    if parameter.in_json:
        if objects:
            return Encoding(url, schema)
        raise _cannot(parameter, "JSON text")
    match parameter.place, parameter.style, parameter.explode:
        case "path", "label", _ if not kinds & {"array", "object"}:
            return Encoding(url.replace(braces, f".{braces}"), schema)
        case "path", "matrix", explode if lists and not (explode and "array" in kinds):
            return Encoding(url.replace(braces, f";{name}={braces}"), schema)
        case _ if not kinds & {"array", "object"}:
            return Encoding(url, schema)
        case "query", "deepObject", _ if objects:
            return Encoding(url, schema, _members(parameter, f"{name}[%s]", schemas))
        case "query", "form", True if objects:
            return Encoding(url, schema, _members(parameter, "%s", schemas))
        case "query", "form", True if lists:
            return Encoding(url, schema)
        case "query", ("form" | "spaceDelimited" | "pipeDelimited") as style, _ if lists:
            delimiter = _DELIMITERS[style]
            return Encoding(url, _joined(schema, delimiter, schemas), delimiter=delimiter)
        case (("path" | "header"), "simple", _) if lists:
            return Encoding(url, schema)
        case "cookie", "form", False if lists:
            return Encoding(url, schema)
    how = f"style {parameter.style}{' exploded' if parameter.explode else ''}"
    raise _cannot(parameter, how)


def _members(
    parameter: Parameter, wire: str, schemas: Schemas
) -> tuple[tuple[str, Any, bool], ...]:
    """The members of an object: the name each is sent as, its schema, whether it is required."""
    merged = schemas.members_of(parameter.schema)
    nested = merged and any("object" in schemas.kinds(s) for s in merged.properties.values())
    if merged is None or not merged.properties or nested:
        raise _cannot(parameter, f"style {parameter.style}, without members that are plain values,")
    return tuple(
        (wire % member, schema, member in merged.required)
        for member, schema in merged.properties.items()
    )


def _joined(schema: dict[str, Any], delimiter: str, schemas: Schemas) -> dict[str, Any]:
    """A list as one text, with a pattern if its items are enumerated."""
    plain = schemas.plain(schema)
    items = schemas.plain(plain.get("items") or {})
    notes = (plain.get("description"), f"Several values are separated by {_NAMED[delimiter]}.")
    text: dict[str, Any] = {"type": "string", "description": " ".join(filter(None, notes))}
    if isinstance(items.get("enum"), list) and items["enum"]:
        one = "|".join(re.escape(_text(value)) for value in items["enum"])
        text["pattern"] = f"^({one})({re.escape(delimiter)}({one}))*$"
    if isinstance(plain.get("default"), list):
        text["default"] = delimiter.join(map(_text, plain["default"]))
    return text


def _cannot(parameter: Parameter, how: str) -> Unusable:
    what = " or ".join(sorted(parameter.kinds)) or "value"
    detail = f"{parameter.place} parameter {parameter.name!r}: {what} in {how} is not sent"
    return Unusable(RefusalReason.UNSUPPORTED_STYLE, f"{detail} by stage 2")


def declared_examples(described: Mapping[str, Any]) -> list[Any]:
    """The examples of a parameter or media type."""
    if "example" in described:
        return [described["example"]]
    listed = described.get("examples")
    if isinstance(listed, dict):
        return [e["value"] for e in listed.values() if isinstance(e, dict) and "value" in e]
    return []


def schema_examples(schema: Mapping[str, Any]) -> list[Any]:
    """The examples of a schema, or else its default."""
    examples = schema.get("examples")
    listed = list(examples) if isinstance(examples, list) else []
    if not listed and schema.get("default") is not None:
        listed = [schema["default"]]
    return listed


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
