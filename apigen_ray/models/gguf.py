"""The header of a GGUF file: enough of it to know how much memory its model takes.

The format is described in `docs/gguf.md` of the ggml repository.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

Value: TypeAlias = int | float | bool | str | list["Value"]

MAGIC = b"GGUF"
MAX_TEXT = 2**26
MAX_ITEMS = 2**24
"""No real header has a longer text or array; a damaged one says anything."""
CACHE_BYTES = 2
"""llama.cpp keeps keys and values as 16-bit floats."""

_STRING, _ARRAY = 8, 9
_NUMBERS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
"""The kinds of numbers, as `struct` names them."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says of its model."""

    context_length: int
    """The longest text that the model was trained for, in tokens; 0 if it is not said."""
    cache_bytes_per_token: int
    """What a token takes in the key-value cache; 0 if it is not said."""


def read_header(path: Path) -> Header:
    """Read what a GGUF file says of its model; the weights are not read.

    Raises:
        ValueError: if it is not a GGUF file, or is damaged.
        OSError: if it can't be read.
    """
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError("not a GGUF file")
        try:
            return _header_of(dict(_pairs(file)))
        except (struct.error, KeyError, RecursionError):
            raise ValueError("a damaged GGUF file; was it loaded to its end?") from None


def _header_of(said: dict[str, Value]) -> Header:
    architecture = said.get("general.architecture", "")

    def number(key: str) -> int:
        value = said.get(f"{architecture}.{key}", 0)
        # Some models have a number for each layer; the largest is on the safe side.
        numbers = value if isinstance(value, list) else [value]
        return max((n for n in numbers if isinstance(n, int)), default=0)

    heads = number("attention.head_count") or 1
    width = number("embedding_length") // heads
    key, value = (number(f"attention.{what}_length") or width for what in ("key", "value"))
    per_layer = (number("attention.head_count_kv") or heads) * (key + value)
    return Header(number("context_length"), number("block_count") * per_layer * CACHE_BYTES)


def _pairs(file: BinaryIO) -> Iterator[tuple[str, Value]]:
    version = _number(file, "I")
    if version not in (2, 3):
        raise KeyError(version)  # the first had another layout; a big-endian file looks odd, too
    _number(file, "Q")  # how many tensors follow
    for _ in range(int(_number(file, "Q"))):
        yield _text(file), _value(file, int(_number(file, "I")))


def _value(file: BinaryIO, kind: int) -> Value:
    if kind == _STRING:
        return _text(file)
    if kind == _ARRAY:
        of, count = int(_number(file, "I")), int(_number(file, "Q"))
        if count > MAX_ITEMS:
            raise KeyError(count)
        return [_value(file, of) for _ in range(count)]
    return _number(file, _NUMBERS[kind])


def _text(file: BinaryIO) -> str:
    length = int(_number(file, "Q"))
    if length > MAX_TEXT:
        raise KeyError(length)
    text = file.read(length)
    if len(text) < length:
        raise KeyError(length)
    # A tokenizer may have pieces that are no UTF-8.
    return text.decode("utf-8", "replace")


def _number(file: BinaryIO, form: str) -> int | float | bool:
    form = "<" + form
    number: int | float | bool = struct.unpack(form, file.read(struct.calcsize(form)))[0]
    return number
