"""Rows of tables whose columns are nested.

Arrow gives every object of a column the same keys, and null where it had none: such a null means
that the key is missing. Values with the feature `Json` of `datasets` are texts, and stay as they
were written.
"""

from typing import Any

import pyarrow as pa

from apigen_ray import strict_json


def nested_rows(table: pa.Table) -> list[dict[str, Any]]:
    """The rows of a table, without the nulls that Arrow puts in place of missing keys.

    `arguments` keep theirs, to be counted (`padding.py`). Text that should be JSON and is not stays
    text: what it should be is refused where it is read.
    """
    names, types = table.column_names, table.schema.types
    columns = [
        [_value(value, type_) for value in column.to_pylist()]
        if pa.types.is_nested(type_) or isinstance(type_, pa.JsonType)
        else column.to_pylist()
        for column, type_ in zip(table.columns, types, strict=True)
    ]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None}
        for row in zip(*columns, strict=True)
    ]


def has_objects(table: pa.Table) -> bool:
    """Whether Arrow knows the keys of objects in the table, and may have padded them."""
    return any(_has_struct(type_) for type_ in table.schema.types)


def _has_struct(type_: pa.DataType) -> bool:
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return _has_struct(type_.value_type)
    is_struct: bool = pa.types.is_struct(type_)
    return is_struct


def _value(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if isinstance(type_, pa.JsonType):
        try:
            return strict_json.parse(value)
        except strict_json.NotJson:
            return value
    if pa.types.is_struct(type_):
        return {
            field.name: value[field.name] if field.name == "arguments" else inner
            for field in type_
            if (inner := _value(value[field.name], field.type)) is not None
        }
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [_value(inner, type_.value_type) for inner in value]
    return value
