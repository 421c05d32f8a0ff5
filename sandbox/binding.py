"""Converts JSON arguments to what a function's annotations ask for, and its result to JSON.

Enums, dataclasses, pydantic models, dates, times and sets, at any depth of lists, dicts, typed
dicts, unions and literals. All else is passed as JSON has it. Nothing here needs pydantic: a model
validates itself. An argument that can't be made is an exception of the call.
"""

from __future__ import annotations

import collections.abc
import datetime
import enum
import functools
import types
import typing
from typing import Any

UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))
Function = collections.abc.Callable[..., typing.Any]
TIMES = (datetime.datetime, datetime.date, datetime.time)
SETS = (set, frozenset, collections.abc.Set)
MAPPINGS = (dict, collections.abc.Mapping)
PLAIN: dict[type, type | tuple[type, ...]] = {
    bool: bool,
    int: int,
    float: (int, float),
    str: str,
    type(None): type(None),
    list: list,
    tuple: list,
    dict: dict,
}
"""The types that JSON values have for a plain type."""


def bound(function: Function) -> Function:
    """A function of JSON arguments; the function itself where they serve it as they are."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # of a builtin, say, or with names that only a type checker knows
        return function
    made = {name: hint for name, hint in hints.items() if name != "return" and asks_more(hint)}
    if not made:
        return function

    @functools.wraps(function)
    def call(**arguments: Any) -> Any:
        for name, hint in made.items():
            if name in arguments:
                try:
                    arguments[name] = make(arguments[name], hint)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"{name}: {error}") from error
        return function(**arguments)

    return call


def asks_more(hint: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Whether a type asks for values that JSON doesn't have, at any depth."""
    if hint in inside:
        return False
    if typing.get_origin(hint) is typing.Literal:
        return any(isinstance(value, enum.Enum) for value in typing.get_args(hint))
    if is_typed_dict(hint):
        return any(asks_more(inner, (*inside, hint)) for inner in hints_of(hint).values())
    if is_made(hint):
        if is_dataclass(hint):
            hints_of(hint)  # now, so that no fork has to
        return True
    members = typing.get_args(hint) or (aliased(hint),)
    return typing.get_origin(hint) in SETS or any(
        asks_more(member, (*inside, hint)) for member in members if member not in (None, ...)
    )


def is_made(hint: Any) -> bool:
    """Whether a type is one whose values are made here."""
    return isinstance(hint, type) and (
        issubclass(hint, (enum.Enum, *TIMES))
        or is_dataclass(hint)
        or hasattr(hint, "model_validate")
        or hint in SETS
    )


def is_dataclass(hint: Any) -> bool:
    """Whether a type is a dataclass."""
    return hasattr(hint, "__dataclass_fields__")


def fields(record: Any) -> tuple[Any, ...]:
    """The fields of a dataclass."""
    import dataclasses  # noqa: PLC0415 - the tools' own module has it; costly for all others

    return dataclasses.fields(record)


def is_typed_dict(hint: Any) -> bool:
    """Whether a type is a `TypedDict`."""
    return isinstance(hint, type) and issubclass(hint, dict) and hasattr(hint, "__total__")


def aliased(hint: Any) -> Any:
    """What a `NewType` or a `type` statement names; None for all else."""
    return getattr(hint, "__supertype__", getattr(hint, "__value__", None))


@functools.cache
def hints_of(record: Any) -> dict[str, Any]:
    """The types of a record's members."""
    return typing.get_type_hints(record)


def make(value: Any, hint: Any) -> Any:
    """The value that a type asks for; raises TypeError or ValueError if it can't be made."""
    origin, members = typing.get_origin(hint), typing.get_args(hint)
    if origin in UNIONS:
        return first_made(value, members)
    if origin is typing.Literal:
        return literal(value, members)
    if origin is not None:
        return contained(value, origin, members)
    if is_typed_dict(hint):
        return members_of(value, hint, hints_of(hint))
    if isinstance(hint, type):
        if issubclass(hint, enum.Enum):
            return hint(value)
        if hasattr(hint, "model_validate"):
            return hint.model_validate(value)
        if is_dataclass(hint):
            given = {field.name for field in fields(hint) if field.init}
            hints = hints_of(hint)  # type: ignore[arg-type] # mypy doubts that it is hashable
            known = {name: inner for name, inner in hints.items() if name in given}
            return hint(**members_of(value, hint, known))
        if issubclass(hint, TIMES):
            return hint.fromisoformat(check(value, str).replace("Z", "+00:00"))
        if hint in SETS:
            return contained(value, hint, (typing.Any,))
        return check(value, hint)
    alias = aliased(hint)
    return value if alias is None else make(value, alias)


def first_made(value: Any, members: tuple[Any, ...]) -> Any:
    """The value as the first member of a union that takes it."""
    problems = []
    for member in members:
        try:
            return make(value, member)
        except (TypeError, ValueError) as error:
            problems.append(str(error))
    raise ValueError("; ".join(problems))


def literal(value: Any, members: tuple[Any, ...]) -> Any:
    """The member of a `Literal` that a JSON value stands for."""
    for member in members:
        plain = member.value if isinstance(member, enum.Enum) else member
        if plain == value and type(plain) is type(value):
            return member
    raise ValueError(f"{value!r} must be one of {members}")


def contained(value: Any, origin: Any, members: tuple[Any, ...]) -> Any:
    """A list, tuple, set or dict whose items are made."""
    if origin in MAPPINGS:
        _, inner = members
        return {key: make(item, inner) for key, item in check(value, dict).items()}
    check(value, list)
    if origin is tuple and members[-1:] != (...,):
        if len(value) != len(members):
            raise ValueError(f"must have {len(members)} items, not {len(value)}")
        return tuple(make(item, inner) for item, inner in zip(value, members))  # noqa: B905 - Python 3.9
    items = [make(item, members[0]) for item in value]
    if origin in SETS:
        return frozenset(items) if origin is frozenset else set(items)
    return tuple(items) if origin is tuple else items


def members_of(value: Any, record: type, hints: dict[str, Any]) -> dict[str, Any]:
    """The members of an object, each made."""
    unknown = check(value, dict).keys() - hints.keys()
    if unknown:
        raise TypeError(f"{record.__name__} has no {min(unknown)!r}")
    return {name: make(item, hints[name]) for name, item in value.items()}


def check(value: Any, hint: type) -> Any:
    """The value, if it is what JSON has for a plain type; any other type takes anything."""
    kinds = PLAIN.get(hint, object)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint in (int, float)):
        raise TypeError(f"{value!r:.100} is not of type {hint.__name__}")
    return value


def plain(value: Any) -> Any:
    """The JSON form of a value that JSON doesn't have."""
    if isinstance(value, enum.Enum):
        return value.value
    if is_dataclass(type(value)):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if hasattr(type(value), "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"a result of type {type(value).__name__} has no JSON form")
