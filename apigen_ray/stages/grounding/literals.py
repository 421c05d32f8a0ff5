"""The values of a call that a query has to account for: its leaves less what its schema says."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from apigen_ray.records import Call, Json, JsonObject, Tool
from apigen_ray.stages.grounding.text import (
    STOP_WORDS,
    fold,
    split_identifier,
    stem,
    vocabulary,
    words_of,
)
from apigen_ray.tools.references import read_reference

_EXAMPLE = re.compile(
    r"\(?\b(?:e\.?g\.?|for example|for instance|such as|example|examples|like|eg|i\.e\.)[,:]?\s"
    r"(?:[^.;()]|\.\d|\([^()]*\))*",
    re.IGNORECASE,
)

_NEUTRAL = frozenset(vocabulary("any all none null n/a true false yes no default auto unknown"))
GENERIC = STOP_WORDS | frozenset(
    vocabulary(
        "get set find calculate compute retrieve fetch provide give given use using used specific "
        "specified value values name number list type data information info id user based function "
        "api returns return result results various search date time details check make create one "
        "new between within two need want help like know also other all each more"
    )
)
"""Words that say nothing of what a function is for."""
_LONG = 20_000
"""Texts beyond this length aren't parsed."""
_ARGUMENT = re.compile(r"calls\[\d+\]\.arguments\.?[^.\[]*")
_MEANS = r"(?:[:=]|-+>?|for\b|means\b|is\b|represents\b)"
_KEY = re.compile(r"\bapi[ _-]?key|\bapp[ _-]?(?:id|key)\b|client[ _-]?secret", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Literal:
    """A leaf of a call's arguments, with what the schema says of it."""

    path: str
    name: str
    """The property it stands under."""
    value: bool | int | float | str
    about: str = ""
    """The description of its parameter."""

    @property
    def argument(self) -> str:
        """The path of the argument it is, or is part of."""
        found = _ARGUMENT.match(self.path)
        return found[0] if found else self.path


def literals(index: int, call: Call, tool: Tool | None) -> Iterator[Literal]:
    """The leaves of one call that its tool's schema doesn't explain."""
    schema = tool.parameters if tool else {}
    yield from _walk(call.arguments, schema, f"calls[{index}].arguments", "")


def _walk(value: Json, schema: JsonObject, path: str, name: str) -> Iterator[Literal]:
    if _is_explained(value, schema) or read_reference(value):
        return
    own = schema.get("description")
    if isinstance(value, str) and value[:1] in ("[", "{"):
        value = _parsed(value)
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _walk(each, _property(schema, key), f"{path}.{key}", key)
    elif isinstance(value, str | int | float):
        if not _is_documented(value, own) and not _is_key(name, value, own):
            yield Literal(path, name, value, own if isinstance(own, str) else "")
    elif value is not None:
        for index, each in enumerate(value):
            item = _item(schema, index)
            if "description" not in item and own is not None:
                item = {**item, "description": own}
            yield from _walk(each, item, f"{path}[{index}]", name)


def _is_explained(value: Json, schema: JsonObject) -> bool:
    """Whether no query has to say the value: a default, one of an enum, yes, no or nothing."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return True
    if isinstance(value, str) and value.casefold() in _NEUTRAL:
        return True
    if "default" in schema and _same(schema["default"], value):
        return True
    if "const" in schema or _in_enum(value, schema):
        return True
    choices = [each for key in ("anyOf", "oneOf") for each in _objects(schema.get(key))]
    return any(_is_explained(value, choice) for choice in choices)


def choices(call: Call, tool: Tool | None) -> Iterator[Literal]:
    """The arguments that are one of an enum of texts: a query that says them is on the topic."""
    schema = tool.parameters if tool else {}
    for name, value in call.arguments.items():
        if isinstance(value, str) and _is_chosen(value, _property(schema, name)):
            yield Literal(name, name, value)


def documented(call: Call, tool: Tool | None) -> Iterator[tuple[str, str]]:
    """The arguments whose description states their value, as texts, with the description."""
    schema = tool.parameters if tool else {}
    for name, value in call.arguments.items():
        about = _property(schema, name).get("description")
        if isinstance(value, str | int | float) and isinstance(about, str) and str(value) in about:
            yield str(value), about


def chosen(index: int, call: Call, schema: JsonObject) -> Iterator[Literal]:
    """The leaves of one call that are one of an enum, or yes, and not the default."""
    yield from _chosen(call.arguments, schema, f"calls[{index}].arguments", "")


def _chosen(value: Json, schema: JsonObject, path: str, name: str) -> Iterator[Literal]:
    if "default" in schema and _same(schema["default"], value):
        return
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _chosen(each, _property(schema, key), f"{path}.{key}", key)
    elif isinstance(value, bool):
        if value or "default" in schema:
            yield Literal(path, name, value)
    elif isinstance(value, str | int | float):
        options = [
            schema,
            *(each for key in ("anyOf", "oneOf") for each in _objects(schema.get(key))),
        ]
        if str(value).casefold() not in _NEUTRAL and any(_in_enum(value, each) for each in options):
            yield Literal(path, name, value)
    elif value is not None:
        for number, each in enumerate(value):
            yield from _chosen(each, _item(schema, number), f"{path}[{number}]", name)


def alternatives(call: Call, tool: Tool) -> Iterator[Literal]:
    """The choices that a call could have made instead, of its arguments of few texts, or of yes."""
    properties = tool.parameters.get("properties")
    for name, schema in properties.items() if isinstance(properties, dict) else ():
        if not isinstance(schema, dict):
            continue
        value = call.arguments.get(name, schema.get("default"))
        if schema.get("type") == "boolean" and value is not True:
            yield Literal(name, name, True)
        options = schema.get("enum")
        for option in options if isinstance(options, list) else ():
            if isinstance(option, str) and not _same(option, value) and option not in _NEUTRAL:
                yield Literal(name, name, option)


def _is_chosen(value: str, schema: JsonObject) -> bool:
    return value.casefold() not in _NEUTRAL and _in_enum(value, schema)


def _same(default: Json, value: Json) -> bool:
    return default == value or (
        not isinstance(default, dict | list) and fold(str(default)) == fold(str(value))
    )


def _in_enum(value: Json, schema: JsonObject) -> bool:
    choices = schema.get("enum")
    return isinstance(choices, list) and any(_same(choice, value) for choice in choices)


def _objects(value: Json) -> list[JsonObject]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _property(schema: JsonObject, key: str) -> JsonObject:
    properties = schema.get("properties")
    if isinstance(properties, dict):
        found = properties.get(key)
        if isinstance(found, dict):
            return found
    for name in ("anyOf", "oneOf", "allOf"):
        for choice in _objects(schema.get(name)):
            if found := _property(choice, key):
                return found
    rest = schema.get("additionalProperties")
    return rest if isinstance(rest, dict) else {}


def _item(schema: JsonObject, index: int) -> JsonObject:
    items = schema.get("items")
    if isinstance(items, dict):
        return items
    several = _objects(items) or _objects(schema.get("prefixItems"))
    return several[index] if index < len(several) else {}


def _parsed(text: str) -> Json:
    """The list or object that a text spells in JSON or Python; the text itself if it is neither."""
    if len(text) > _LONG:
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if isinstance(value, list | dict) else text


def _is_key(name: str, value: bool | int | float | str, own: Json) -> bool:
    """Whether the value is an API key: it comes with the tool, not from the user."""
    if not isinstance(value, str) or len(value) < 12 or " " in value:
        return False
    return bool(_KEY.search(name) or (isinstance(own, str) and _KEY.search(own)))


def _is_documented(value: bool | int | float | str, own: Json) -> bool:
    """Whether the documentation states the value, other than as an example.

    An example that was copied is what the check is to find, so examples don't count.
    """
    if not isinstance(own, str):
        return False
    text = str(value)
    short = isinstance(value, str) and (len(text) == 1 or text.isdigit())
    return _listed(own, text) if short or isinstance(value, int) else _states(own, text)


def _listed(documentation: str, value: str) -> bool:
    """Whether a short value is one of a list with meanings: `1 for Bangkok`, `2: Chiang Mai`."""
    if value not in documentation:
        return False
    mark = rf"(?<![\w.-])['\"(]?{re.escape(value)}['\")]?\s*(?:{_MEANS}|\()"
    return re.search(mark, documentation) is not None or (
        len(value) > 1 and _states(documentation, value)
    )


def _states(documentation: str, value: str) -> bool:
    kept = fold(_EXAMPLE.sub(" ", documentation))
    wanted = fold(value)
    if wanted not in kept:
        return False
    return re.search(rf"(?<![\w.-]){re.escape(wanted)}(?![\w-]|\.\d)", kept) is not None


def glosses(value: str, about: str) -> Iterator[str]:
    """What a description says that a value stands for: `SF (San Francisco)`, `kg for kilograms`."""
    if value not in about:
        return
    name = rf"(?<![\w-])['\"`]?{re.escape(value)}['\"`]?"
    for match in re.finditer(rf"{name}\s*(?:\(([^()]*)\)|{_MEANS}\s+([^,;.()]*))", about):
        yield match[1] or match[2]
    for match in re.finditer(rf"((?:[\w-]+ ){{1,3}})\({name}\)", about):
        yield match[1]


def topic(call: Call, tool: Tool | None) -> tuple[frozenset[str], frozenset[str]]:
    """The stems of the words that say what a call does: of its name, and of its documentation."""
    about = " ".join((split_identifier(" ".join(call.arguments)), tool.description if tool else ""))
    return stems_of(split_identifier(call.name)), stems_of(about)


def stems_of(text: str) -> frozenset[str]:
    """The stems of a text's words, without those that most descriptions have."""
    words = words_of(fold(text))
    return frozenset(stem(word) for word in words if len(word) > 2 and word not in GENERIC)
