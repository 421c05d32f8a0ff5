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

    Text that should be JSON and is not stays text: what it should be is refused where it is read.
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


def _value(value: Any, type_: pa.DataType) -> Any:
    if value is None:
        return None
    if isinstance(type_, pa.JsonType):
        try:
            return strict_json.parse(value)
        except strict_json.NotJson:
            return value
    if pa.types.is_struct(type_):
        found = {field.name: _value(value[field.name], field.type) for field in type_}
        return {key: inner for key, inner in found.items() if inner is not None}
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        return [_value(inner, type_.value_type) for inner in value]
    return value
