"""The types that tool lists name, as JSON Schema.

They are in the notations of Python, Java, TypeScript and English: `List[int]`, `Map<String, Long>`,
`string[]`, `array of integers`.
"""

import ast
import math
import re
from functools import lru_cache

from apigen_ray.records import Json, JsonObject

_NAMES = {
    "string": ("str", "string", "char"),
    "integer": ("int", "integer", "long", "short", "byte", "bigint"),
    "number": ("float", "double", "number", "decimal"),
    "boolean": ("bool", "boolean"),
    "array": ("list", "array", "arraylist", "tuple", "queue", "stack", "sequence", "iterable"),
    "object": ("dict", "dictionary", "object", "hashmap", "hashtable", "map", "mapping"),
    "null": ("none", "null", "nonetype"),
}
_TYPES: dict[str, JsonObject] = {
    **{name: {"type": kind} for kind, names in _NAMES.items() for name in names},
    **{name: {"type": "array", "uniqueItems": True} for name in ("set", "frozenset")},
    "any": {},
}
_MAPS = frozenset({"dict", "mapping", "hashmap", "map"})
_LONGEST = 1000
_NOTE = re.compile(r"(?:^|[\s,;(]+)(optional|required|defaults?)\b(?!\[)", re.IGNORECASE)
_OF = re.compile(r"(?:an? )?(array|list|set|tuple)s? of (?:an? )?(.+)", re.IGNORECASE)
_OR = re.compile(r"\s+or\s+", re.IGNORECASE)


def split_note(written: str) -> tuple[str, bool]:
    """A type without the note beside it, and whether the note says that a value may be left out.

    Notes are those of `int, optional`, `int (optional)`, `optional int`, `int, default 5`.
    """
    note = _NOTE.search(written)
    if note is None:
        return written.strip(), False
    declared = written[: note.start()] or written[note.end() :]
    return declared.strip(" ,;()"), note[1].lower() != "required"


def type_schema(written: str) -> JsonObject:
    """The schema of a type expression such as `List[int]` or `Optional[str]`.

    An unreadable one allows any value: its author meant something by it.
    """
    declared, _ = split_note(written)
    known = _named(declared)
    return dict(_parsed(declared) if known is None else known)


def _named(name: str) -> JsonObject | None:
    name = name.lower()
    return _TYPES.get(name, _TYPES.get(name.removesuffix("s")))


@lru_cache(maxsize=4096)
def _parsed(text: str) -> JsonObject:
    if len(text) > _LONGEST:
        return {}
    if items := _OF.fullmatch(text):
        return type_schema(items[1]) | {"items": type_schema(items[2])}
    if _OR.search(text):
        return {"anyOf": [type_schema(part) for part in _OR.split(text)]}
    if text.endswith("[]"):
        return {"type": "array", "items": type_schema(text[:-2])}
    if text.endswith("?"):
        return {"anyOf": [type_schema(text[:-1]), {"type": "null"}]}
    try:
        pythonic = text.replace("<", "[").replace(">", "]")
        return _expression_schema(ast.parse(pythonic, mode="eval").body)
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return {}


def _expression_schema(node: ast.expr) -> JsonObject:
    match node:
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return dict(_named(name) or {})
        case ast.BinOp(left=left, op=ast.BitOr() | ast.Div(), right=right):
            return {"anyOf": [_expression_schema(left), _expression_schema(right)]}
        case ast.Subscript(value=ast.Name(id=name) | ast.Attribute(attr=name), slice=inner):
            members = inner.elts if isinstance(inner, ast.Tuple) else [inner]
            return _generic_schema(name.lower(), members)
        case ast.Call(func=ast.Name(id=name), args=members):  # `list(int)`, `string(uuid)`
            return _generic_schema(name.lower(), members)
        case _:
            return {}


def _generic_schema(name: str, members: list[ast.expr]) -> JsonObject:
    if not members:  # `List[()]`
        return dict(_named(name) or {})
    match name:
        case "literal":
            values = [ast.literal_eval(member) for member in members]
            return {"enum": values} if all(map(_is_scalar, values)) else {}
        case "optional":
            return {"anyOf": [_expression_schema(members[0]), {"type": "null"}]}
        case "union":
            return {"anyOf": [_expression_schema(member) for member in members]}
        case "tuple" if not isinstance(members[-1], ast.Constant):
            items: list[JsonObject] = [_expression_schema(member) for member in members]
            size = len(items)
            return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}
    schema = dict(_named(name) or {})
    if name in _MAPS and len(members) == 2:
        schema["additionalProperties"] = _expression_schema(members[1])
    elif schema.get("type") == "array":
        schema["items"] = _expression_schema(members[0])
    return schema


def _is_scalar(value: Json) -> bool:
    """Whether a value of Python is a scalar of JSON."""
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int | bool)
