"""Records as the columns of a Parquet file: nested parts have the feature `Json` of `datasets`.

`load_dataset` gives them back as they are, with no key added and none padded with null. It finds
the features in the metadata of the schema; other readers of Arrow see JSON text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa

from apigen_ray.datasets.export.examples import Format, Kind, Record, texts_of

_VALUE = {"text": "string", "flag": "bool", "number": "float64"}
_ARROW = {"text": pa.string(), "flag": pa.bool_(), "number": pa.float64()}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a format."""

    kinds: dict[str, Kind]
    schema: pa.Schema

    def table(self, records: Sequence[Record]) -> pa.Table:
        """Records as a table."""
        arrays = [_array([record[key] for record in records], k) for key, k in self.kinds.items()]
        return pa.Table.from_arrays(arrays, schema=self.schema)


def columns_of(format_: Format, *, json_text: bool) -> Columns:
    """The columns of a format; with `json_text`, nested parts are text."""
    kinds: dict[str, Kind] = {
        key: "text" if json_text and kind in ("json", "list") else kind
        for key, kind in format_.keys.items()
    }
    schema = pa.schema([(key, _type(kind)) for key, kind in kinds.items()])
    features = {key: _feature(kind) for key, kind in kinds.items()}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return Columns(kinds, schema.with_metadata(metadata))


def _type(kind: Kind) -> pa.DataType:
    if kind == "list":
        return pa.list_(pa.json_())
    return pa.json_() if kind == "json" else _ARROW[kind]


def _feature(kind: Kind) -> dict[str, Any]:
    if kind == "list":
        return {"feature": {"_type": "Json"}, "_type": "List"}
    return {"_type": "Json"} if kind == "json" else {"dtype": _VALUE[kind], "_type": "Value"}


def _array(values: Sequence[Any], kind: Kind) -> pa.Array:
    if kind in ("flag", "number"):
        return pa.array(values, _ARROW[kind])
    texts = [_json(value) if kind != "text" else _flat(value) for value in values]
    if kind == "text":
        return pa.array(texts, pa.string())
    if kind == "json":
        return pa.ExtensionArray.from_storage(pa.json_(), pa.array(texts, pa.string()))
    listed = [None if text is None else texts_of(text) for text in texts]
    storage = pa.array(listed, pa.list_(pa.string()))
    inner = pa.ExtensionArray.from_storage(pa.json_(), storage.values)
    return pa.ListArray.from_arrays(storage.offsets, inner, mask=storage.is_null())


def _json(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _flat(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)
