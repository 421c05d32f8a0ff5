"""Describe the functions of a Python source as JSON Schema; run as a child process.

Types become schemas through pydantic (`Literal`, `Optional`, `TypedDict`,
`Annotated[..., Field(ge=0)]`); so that tool code needs no library, a plain dict of JSON Schema
keywords in `Annotated` is merged into the schema too. Descriptions come from the docstring (Google,
NumPy, reST or epydoc style), example calls from its doctests.

A call passes JSON values. The runner (`sandbox/binding.py`) makes enums, dataclasses, pydantic
models, dates, times and sets of them; a function that takes anything else (bytes, a generic class
of its own, ...) is skipped: it would be given plain text, a list or a dict. (A tuple is accepted:
the function is given a list.)
"""

import ast
import contextlib
import dataclasses
import doctest
import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from datetime import date, datetime, time
from enum import Enum
from pathlib import Path
from types import ModuleType, NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NewType,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

import docstring_parser
import typing_extensions
from pydantic import BaseModel, Field, create_model
from typing_extensions import TypeAliasType

Function = Callable[..., Any]
_JSON_TYPES = frozenset(
    {Any, None, NoneType, bool, int, float, str, list, dict, tuple, object, Sequence, Mapping,
     Iterable, Collection}
)  # fmt: skip
"""Types that JSON values have when they arrive."""
_ACCEPTED = _JSON_TYPES | {date, datetime, time, set, frozenset, Set}
"""The same, and those that the runner makes, besides enums, dataclasses and pydantic models."""
_LITERALS = frozenset({bool, int, str, NoneType})
_QUALIFIERS = frozenset(
    {typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly}
)


class Undescribable(Exception):
    """The function can't be offered as a tool; the message says why."""


def describe_source(root: Path) -> dict[str, Any]:
    """The tools of a file or package folder, and what was skipped and why."""
    tools, skipped = [], []
    for module in _modules(root.resolve()):
        category = str(getattr(module, "CATEGORY", "Other"))
        for name, function in _functions(module):
            try:
                described = describe(name, function)
            except Undescribable as reason:
                skipped.append(f"{module.__name__}.{name}: {reason}")
            else:
                origin = {"module": module.__name__, "function": name, "category": category}
                tools.append(described | origin)
    return {"tools": tools, "skipped": skipped}


def _modules(root: Path) -> Iterator[ModuleType]:
    sys.path.insert(0, str(root.parent))
    top = importlib.import_module(root.stem if root.is_file() else root.name)
    yield top
    for found in pkgutil.walk_packages(getattr(top, "__path__", []), top.__name__ + "."):
        yield importlib.import_module(found.name)


def _functions(module: ModuleType) -> list[tuple[str, Function]]:
    """The functions of `get_tools()`, else of `__all__`, else the public ones defined there."""
    if hasattr(module, "get_tools"):
        return list(module.get_tools().items())
    names = getattr(module, "__all__", None)
    if names is not None:
        return [(name, getattr(module, name)) for name in names]
    return [
        (name, value)
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    ]


def describe(name: str, function: Function) -> dict[str, Any]:
    """Name, description and parameter schema of one function.

    Raises:
        Undescribable: if a call by argument names can't reach all its parameters, or a type has no
            JSON form.
    """
    if inspect.isclass(function) or not callable(function):
        raise Undescribable("not a function")
    try:
        doc = docstring_parser.parse(inspect.getdoc(function) or "")
    except docstring_parser.ParseError as error:
        raise Undescribable(f"docstring can't be read: {error}".splitlines()[0]) from error
    if not doc.short_description:
        raise Undescribable("no docstring")
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise Undescribable("its signature can't be read") from error
    parameters = _schema(function, signature)
    for documented in doc.params:
        properties = parameters["properties"]
        if documented.arg_name in properties and documented.description:
            text = " ".join(documented.description.split())
            properties[documented.arg_name].setdefault("description", text)
    examples = _example_arguments({name, function.__name__}, function, signature)
    if examples:
        parameters["examples"] = examples
    texts = (doc.short_description, doc.long_description)
    description = " ".join(" ".join(text.split()) for text in texts if text)
    described = {"name": name, "description": description, "parameters": parameters}
    returns = _returns(function, doc)
    return described | ({"returns": returns} if returns else {})


def _returns(function: Function, doc: docstring_parser.Docstring) -> dict[str, Any] | None:
    """The schema of what a function returns, with what its docstring says and shows of it."""
    hint = get_type_hints(function, include_extras=True).get("return")
    try:
        if hint is None or _foreign(hint):
            return None
        model = create_model("Result", value=(_with_keywords(hint), ...))
        schema = _without_titles(model.model_json_schema(mode="serialization"))
    except Exception:
        return None
    returns = schema["properties"]["value"] | ({"$defs": d} if (d := schema.get("$defs")) else {})
    if doc.returns and doc.returns.description:
        returns.setdefault("description", " ".join(doc.returns.description.split()))
    if examples := _example_results(function):
        returns["examples"] = examples
    return dict(returns)


def _example_results(function: Function) -> list[Any]:
    """What the docstring's doctest calls of the function return, as JSON."""
    found: list[Any] = []
    try:
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")
    except ValueError:  # one that was never run
        return []
    for example in examples:
        # What is not a literal, or is no JSON, is no result that can be shown.
        with contextlib.suppress(SyntaxError, ValueError, TypeError):
            node = ast.parse(example.source, mode="eval").body
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == function.__name__:
                found.append(json.loads(json.dumps(ast.literal_eval(example.want.strip()))))
    return found


def _schema(function: Function, signature: inspect.Signature) -> dict[str, Any]:
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError as error:
        raise Undescribable(f"annotation can't be resolved: {error}") from error
    fields: dict[str, Any] = {}
    for parameter in signature.parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise Undescribable(f"parameter {parameter.name!r} can't be given by name")
        if parameter.name not in hints:
            raise Undescribable(f"parameter {parameter.name!r} has no type")
        try:
            foreign = _foreign(hints[parameter.name])
        except NameError as error:
            raise Undescribable(f"parameter {parameter.name!r}: {error}") from error
        if foreign:
            raise Undescribable(
                f"parameter {parameter.name!r} takes {foreign}, which is not made of JSON values"
            )
        default = ... if parameter.default is parameter.empty else parameter.default
        # Aliased, because pydantic keeps names such as `schema` or `_x` for itself.
        field = Field(default, alias=parameter.name)
        fields[f"p{len(fields)}"] = (_with_keywords(hints[parameter.name]), field)
    try:
        described = create_model("Arguments", **fields).model_json_schema(by_alias=True)
    except Exception as error:  # pydantic has several exceptions for a type without JSON form
        raise Undescribable(f"a type has no JSON form: {error}".splitlines()[0]) from error
    schema = _without_titles(described)
    kept = ("properties", "required", "$defs")
    return {"type": "object", "properties": {}} | {k: schema[k] for k in kept if k in schema}


def _foreign(annotation: Any, inside: tuple[Any, ...] = ()) -> str | None:
    """The first type in an annotation, at any depth, that no JSON value becomes; else None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _foreign(get_args(annotation)[0], inside)
    if origin is Literal:
        values = (v.value if isinstance(v, Enum) else v for v in get_args(annotation))
        return next((type(v).__name__ for v in values if type(v) not in _LITERALS), None)
    if origin is None and isinstance(annotation, type) and issubclass(annotation, Enum):
        odd = any(type(member.value) not in (bool, int, float, str) for member in annotation)
        return f"{annotation.__name__}, whose values are not all plain," if odd else None
    if origin is None and (isinstance(annotation, TypeVar) or _accepted(annotation)):
        return None
    if is_typeddict(annotation) or dataclasses.is_dataclass(annotation):
        if annotation in inside:
            return (
                f"{annotation.__name__}, which holds itself" if is_typeddict(annotation) else None
            )
        inside = (*inside, annotation)
        members = _members(annotation)
    elif isinstance(annotation, TypeAliasType):
        members = [annotation.__value__]
    elif isinstance(annotation, NewType):
        members = [annotation.__supertype__]
    elif origin in (Union, UnionType) or (origin is not None and origin in _ACCEPTED):
        members = [argument for argument in get_args(annotation) if argument is not ...]
    else:
        named = origin or annotation
        return str(getattr(named, "__name__", named))
    return next(filter(None, (_foreign(member, inside) for member in members)), None)


def _accepted(annotation: Any) -> bool:
    """Whether a class is accepted whatever it contains; pydantic describes its own models."""
    model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return model or annotation in _ACCEPTED


def _members(record: Any) -> list[Any]:
    """The types of the members of a TypedDict or dataclass that its constructor takes."""
    hints = get_type_hints(record, include_extras=True)
    if is_typeddict(record):
        return [_member(hint) for hint in hints.values()]
    return [hints[field.name] for field in dataclasses.fields(record) if field.init]


def _member(hint: Any) -> Any:
    """The type of a TypedDict's member, without `Required`, `NotRequired` or `ReadOnly`."""
    while get_origin(hint) in _QUALIFIERS:
        hint = get_args(hint)[0]
    return hint


def _with_keywords(annotation: Any) -> Any:
    """Turn dicts of JSON Schema keywords in `Annotated`, at any depth, into pydantic fields."""
    if is_typeddict(annotation):
        return _rebuilt(annotation)
    arguments = get_args(annotation)
    if not arguments or get_origin(annotation) is None:
        return annotation
    if get_origin(annotation) is Annotated:
        inner, *metadata = arguments
        extras = [Field(json_schema_extra=m) if isinstance(m, dict) else m for m in metadata]
        return Annotated[(_with_keywords(inner), *extras)]
    changed = tuple(_with_keywords(argument) for argument in arguments)
    if changed == arguments:
        return annotation
    if hasattr(annotation, "copy_with"):  # typing generics
        return annotation.copy_with(changed)
    origin = get_origin(annotation)
    if origin is not None and hasattr(origin, "__class_getitem__"):  # list[...], dict[...]
        return origin[changed]
    united = changed[0]
    for member in changed[1:]:  # X | Y
        united = united | member
    return united


def _rebuilt(record: Any) -> Any:
    """A `typing.TypedDict` as one of `typing_extensions`, which pydantic requires before 3.12."""
    hints = get_type_hints(record, include_extras=True)
    optional = record.__optional_keys__
    members = {
        key: typing_extensions.NotRequired[_with_keywords(hint)]
        if key in optional
        else _with_keywords(hint)
        for key, hint in hints.items()
    }
    rebuilt = typing_extensions.TypedDict(record.__name__, members)  # type: ignore[misc]
    rebuilt.__doc__ = record.__doc__
    return rebuilt


def _without_titles(schema: Any) -> Any:
    """Drop the titles that pydantic generates; a property that is *named* title stays."""
    if isinstance(schema, list):
        return [_without_titles(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    cleaned = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            cleaned[key] = {name: _without_titles(inner) for name, inner in value.items()}
        elif key in ("enum", "const", "default", "examples"):
            cleaned[key] = value
        elif key != "title":
            cleaned[key] = _without_titles(value)
    return cleaned


def _example_arguments(
    names: set[str], function: Function, signature: inspect.Signature
) -> list[dict[str, Any]]:
    """The arguments of the docstring's doctest calls that are literals and don't raise."""
    found = []
    try:
        examples = doctest.DocTestParser().get_examples(inspect.getdoc(function) or "")
        parsed = [ast.parse(example.source) for example in examples if example.exc_msg is None]
    except (SyntaxError, ValueError):  # an example that was never run
        return []
    for tree in parsed:
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) in names:
                # Arguments that are not literals, or not JSON, can't be shown to a model.
                with contextlib.suppress(ValueError, TypeError):
                    positional = [ast.literal_eval(value) for value in node.args]
                    named = {k.arg: ast.literal_eval(k.value) for k in node.keywords if k.arg}
                    arguments = dict(signature.bind(*positional, **named).arguments)
                    found.append(json.loads(json.dumps(arguments, allow_nan=False)))
    return found


def main() -> None:
    """Print the description of the source named on the command line, as one line of JSON."""
    with contextlib.redirect_stdout(sys.stderr):  # whatever the module prints while imported
        described = describe_source(Path(sys.argv[1]))
    print(json.dumps(described))


if __name__ == "__main__":
    main()
