"""Nulls that Arrow has put into arguments, where a call had no such argument.

A column of nested objects gives all of them the same keys. Rows that went through one have `null`
for every argument that some other call has, also where they are JSON again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

from apigen_ray.records import Json, JsonObject
from apigen_ray.stages.check import Signatures

PaddedNulls: TypeAlias = Literal["keep", "drop"]
Padding: TypeAlias = Literal["keep", "drop", "drop all"]
"""What is done with the nulls of a row: `drop all` is for tables, in which every missing key is."""


class Unpadded(NamedTuple):
    """Calls as they are read, and whether nulls in them look like padding."""

    calls: Any
    looked_padded: bool


def unpadded(calls: Json, signatures: Signatures, padded: Padding) -> Unpadded:
    """Calls without padding, if it is to be dropped.

    A null is padding if the tool's schema refuses the arguments with their nulls: one that may be
    null stays.

    Args:
        calls: The calls, each `{"name", "arguments"}`.
        signatures: Those of the tools shown.
        padded: Whether it is kept or dropped.
    """
    if not isinstance(calls, list):
        return Unpadded(calls, looked_padded=False)
    found = [_unpadded(call, signatures, padded) for call in calls]
    looked = any(call is not None for call in found)
    if padded == "keep" or not looked:
        return Unpadded(calls, looked)
    kept = [call if bare is None else bare for call, bare in zip(calls, found, strict=True)]
    return Unpadded(kept, looked)


def unpadded_messages(
    messages: Sequence[JsonObject], signatures: Signatures, padded: Padding
) -> tuple[list[JsonObject], bool]:
    """The same for the calls of messages."""
    read, looked_padded = [], False
    for message in messages:
        made: Any = message.get("tool_calls", ())
        found = unpadded([call["function"] for call in made], signatures, padded)
        looked_padded |= found.looked_padded
        if found.looked_padded:
            calls = [{**c, "function": f} for c, f in zip(made, found.calls, strict=True)]
            read.append({**message, "tool_calls": calls})
        else:
            read.append(message)
    return read, looked_padded


def _unpadded(call: Any, signatures: Signatures, padded: Padding) -> JsonObject | None:
    """A call without its nulls, if its tool refuses them; None if they are no padding."""
    arguments = call.get("arguments") if isinstance(call, Mapping) else None
    if not isinstance(arguments, dict) or not has_null(arguments):
        return None
    bare = without_nulls(arguments)
    name = call.get("name")
    signature = signatures.get(name) if isinstance(name, str) else None
    validator = signature.arguments if signature else None
    accepted = validator is not None and validator.accepts(arguments)
    if padded == "drop all":  # though a null that the schema wants was no padding
        wanted = accepted and validator is not None and not validator.accepts(bare)
        return None if wanted else {**call, "arguments": bare}
    return None if accepted or validator is None else {**call, "arguments": bare}


def has_null(value: Json) -> bool:
    """Whether a null stands anywhere in an object."""
    if isinstance(value, dict):
        return any(inner is None or has_null(inner) for inner in value.values())
    return isinstance(value, list) and any(map(has_null, value))


def without_nulls(value: Any) -> Any:
    """A value whose objects have no key that is null."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value
