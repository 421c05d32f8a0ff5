"""Swagger 2.0 documents, turned into OpenAPI 3.0.

`definitions`, `parameters` and `responses` stay where they are, so that references find them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
_FORMS = ("multipart/form-data", "application/x-www-form-urlencoded")
_STYLES = {"ssv": "spaceDelimited", "pipes": "pipeDelimited", "tsv": "tabDelimited"}
"""How lists are joined; nothing sends the last."""
_BESIDE_SCHEMA = frozenset(
    {"allowEmptyValue", "collectionFormat", "description", "in", "name", "required"}
)
_VALUES = frozenset({"default", "enum", "example", "examples"})


def to_openapi_3(root: Mapping[str, Any]) -> dict[str, Any]:
    """A document of Swagger 2.0 as one of OpenAPI 3.0.

    Raises:
        AttributeError, KeyError, TypeError: if it is not valid Swagger.
    """
    document: dict[str, Any] = _renamed(root)
    paths = {
        template: _path_item(item, document) if isinstance(item, dict) else item
        for template, item in (document.get("paths") or {}).items()
    }
    schemes = (document.get("securityDefinitions") or {}).items()
    return document | {
        "openapi": "3.0.3",
        "servers": _servers(document, document.get("schemes")),
        "components": {"securitySchemes": {name: _security(scheme) for name, scheme in schemes}},
        "paths": paths,
    }


def _renamed(value: Any) -> Any:
    """The keywords of schemas that have another form in OpenAPI 3.0."""
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: item if key in _VALUES else _renamed(item) for key, item in value.items()}
    if value.get("x-nullable") is True:
        result["nullable"] = True
    if isinstance(value.get("discriminator"), str):
        result["discriminator"] = {"propertyName": value["discriminator"]}
    if value.get("type") == "file":
        result |= {"type": "string", "format": "binary"}
    return result


def _servers(document: Mapping[str, Any], schemes: Sequence[str] | None) -> list[dict[str, str]]:
    path = str(document.get("basePath") or "/")
    host = document.get("host")
    if not host:
        return [{"url": path}]
    usable = [scheme for scheme in schemes or ["https"] if scheme in ("https", "http")]
    return [{"url": f"{scheme}://{host}{path}"} for scheme in sorted(usable, reverse=True)]


def _security(scheme: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "http", "scheme": "basic"} if scheme.get("type") == "basic" else dict(scheme)


def _path_item(item: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    result = {key: value for key, value in item.items() if key != "parameters"}
    for method in _METHODS:
        if isinstance(item.get(method), dict):
            result[method] = _operation(item[method], item.get("parameters") or [], document)
    return result


def _operation(
    operation: Mapping[str, Any], shared: Sequence[Any], document: Mapping[str, Any]
) -> dict[str, Any]:
    written = [_resolved(p, document) for p in [*shared, *(operation.get("parameters") or [])]]
    last = {(p.get("in"), p.get("name") if p.get("in") != "body" else ""): p for p in written}
    consumes = operation.get("consumes") or document.get("consumes") or []
    result = dict(operation)
    result["parameters"] = [
        _parameter(p) for p in last.values() if p.get("in") not in ("body", "formData")
    ]
    for body in (p for p in last.values() if p.get("in") == "body"):
        content = {
            name: {"schema": body.get("schema")} for name in consumes or ["application/json"]
        }
        result["requestBody"] = {"required": body.get("required") is True, "content": content}
    if fields := [p for p in last.values() if p.get("in") == "formData"]:
        result["requestBody"] = _form(fields, consumes)
    if operation.get("schemes"):
        result["servers"] = _servers(document, operation["schemes"])
    return result


def _resolved(parameter: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter, or the shared one that it refers to."""
    reference = parameter.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/parameters/"):
        return dict(parameter)
    return dict(document["parameters"][reference.removeprefix("#/parameters/")])


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in parameter:
        return dict(parameter)
    result: dict[str, Any] = {k: v for k, v in parameter.items() if k in _BESIDE_SCHEMA}
    how = result.pop("collectionFormat", "csv")
    result["schema"] = _schema(parameter)
    if parameter.get("type") == "array":
        simple = parameter.get("in") in ("path", "header")
        result["style"] = _STYLES.get(how, "simple" if simple else "form")
        result["explode"] = how == "multi"
    return result


def _schema(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in parameter.items() if key not in _BESIDE_SCHEMA}


def _form(fields: Sequence[Mapping[str, Any]], consumes: Sequence[str]) -> dict[str, Any]:
    files = any(field.get("format") == "binary" for field in fields)
    forms = _FORMS[:1] if files else (*(name for name in consumes if name in _FORMS), _FORMS[1])
    needed = [field["name"] for field in fields if field.get("required") is True]
    schema = {"type": "object", "properties": dict(map(_field, fields)), "required": needed}
    return {"required": bool(needed), "content": {forms[0]: {"schema": schema}}}


def _field(field: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """A field of a form; a list that is joined is one text there."""
    joined = field.get("type") == "array" and field.get("collectionFormat", "csv") != "multi"
    schema = {"type": "string"} if joined else _schema(field)
    mark = {"ssv": "spaces", "tsv": "tabs", "pipes": "pipes"}.get(
        str(field.get("collectionFormat")), "commas"
    )
    notes = [field.get("description"), f"Several values are separated by {mark}." if joined else ""]
    text = " ".join(str(note) for note in notes if note)
    return str(field["name"]), schema | ({"description": text} if text else {})
