"""Attacks by return values that have no JSON form, or one that is too large."""

from typing import Any

from .registry import attack


@attack("not_serializable")
def return_nan() -> Any:
    """NaN is refused as a result."""
    return [float("nan")]


@attack("not_serializable")
def return_set() -> Any:
    """A set is refused as a result."""
    return {1, 2}


@attack("not_serializable")
def return_bytes() -> Any:
    """Bytes are refused as a result."""
    return b"bytes"


@attack("not_serializable")
def return_cycle() -> Any:
    """A value that contains itself is refused as a result."""
    cycle: list[Any] = []
    cycle.append(cycle)
    return cycle


@attack("not_serializable")
def return_deep() -> Any:
    """A value nested very deep is refused as a result."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    return deep


@attack("not_serializable")
def return_tuple_keys() -> Any:
    """A dict with tuple keys is refused as a result."""
    return {(1, 2): 3}


@attack("not_serializable")
def return_number_keys() -> Any:
    """A dict with number keys, which JSON would turn into strings, is refused as a result."""
    return {1: "one"}


@attack("not_serializable")
def return_generator() -> Any:
    """A generator is refused as a result."""
    return (number for number in range(3))


@attack("not_serializable")
def return_lone_surrogate() -> Any:
    """Text that has no UTF-8 form is refused as a result."""
    return "\ud800"


@attack("not_serializable")
def return_huge_integer() -> Any:
    """An integer too long to read back is refused as a result."""
    return 10**5000


@attack("output_too_large")
def return_long_text() -> Any:
    """A result over the cap is refused."""
    return "x" * (100 << 20)


@attack("output_too_large", "timeout")
def return_exploding_value() -> Any:
    """A small value that would take gigabytes to write is not written."""
    value: list[Any] = ["lol"]
    for _ in range(60):
        value = [value, value]
    return value
