"""Tables as lists of records: read, look up, filter, sort, join, group and pivot."""

import csv
import io
import re
import statistics
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

CATEGORY = "Data"
__all__ = [
    "deduplicate_records",
    "filter_records",
    "group_and_aggregate",
    "join_records",
    "lookup_json_path",
    "parse_csv",
    "pivot_records",
    "sort_records",
]

Value: TypeAlias = str | float | bool
Record: TypeAlias = dict[str, Value]
Records: TypeAlias = Annotated[list[Record], {"maxItems": 500}]
SomeRecords: TypeAlias = Annotated[list[Record], {"minItems": 1, "maxItems": 500}]
Field: TypeAlias = Annotated[str, {"minLength": 1, "maxLength": 100}]
Aggregate: TypeAlias = Literal["sum", "mean", "median", "min", "max", "count"]

_AGGREGATES: dict[str, Callable[[list[float]], float]] = {
    "sum": sum,
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "count": len,
}
_LARGEST_JOIN = 5000
_LARGEST_NUMBER = 1e15


def _require(records: list[Record]) -> None:
    if not records:
        raise ValueError("records: at least one record is needed")


def _cell(record: Record, field: str) -> Value:
    try:
        return record[field]
    except KeyError:
        known = ", ".join(sorted(record)[:20])
        raise ValueError(f"a record has no field {field!r}; its fields are: {known}") from None


def _number(record: Record, field: str) -> float:
    value = _cell(record, field)
    if isinstance(value, str | bool):
        raise ValueError(f"field {field!r} holds {value!r} where a number is needed")
    if abs(value) > _LARGEST_NUMBER:
        raise ValueError(f"field {field!r} holds a number beyond {_LARGEST_NUMBER:g}")
    return value


def _aggregated(aggregate: str, values: list[float]) -> float:
    """The rounding removes the noise of binary fractions, as in 0.1 + 0.2."""
    return round(float(_AGGREGATES[aggregate](values)), 9)


def _identity(value: Value) -> tuple[bool, Value]:
    """Equal for equal JSON values: for Python, true is 1, and false is 0."""
    return isinstance(value, bool), value


def parse_csv(
    text: Annotated[str, {"minLength": 1, "maxLength": 50000}],
    delimiter: Literal["comma", "semicolon", "tab", "pipe"] = "comma",
    infer_types: bool = True,
) -> list[Record]:
    r"""Read CSV text with a header line into a list of records.

    Quoted fields may contain delimiters, line breaks and doubled quotes. Blank lines are skipped.

    Args:
        text: The CSV text, whose first line names the columns.
        delimiter: What separates the fields.
        infer_types: Whether to turn fields like 42, 3.5 and true into numbers and booleans. Numbers
            with leading zeros, such as postcodes, stay text.

    Returns:
        One record a line, by column name.

    Raises:
        ValueError: if a column name is missing or repeated, or a line has too few or many fields.

    Examples:
        >>> parse_csv("name,age\nAda,36\nAlan,41")
        [{'name': 'Ada', 'age': 36}, {'name': 'Alan', 'age': 41}]
        >>> parse_csv("zip;price;sold\n01234;9.5;true", delimiter="semicolon")
        [{'zip': '01234', 'price': 9.5, 'sold': True}]
        >>> parse_csv('city,note\n"Lyon","big, old"\n', infer_types=False)
        [{'city': 'Lyon', 'note': 'big, old'}]
    """
    separator = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}[delimiter]
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        lines = [row for row in rows if row]
    except csv.Error as error:
        raise ValueError(f"text: no valid CSV: {error}") from error
    header = [name.strip() for name in lines.pop(0)] if lines else [""]
    if "" in header or len(set(header)) < len(header):
        raise ValueError(f"text: the header has an empty or repeated column name: {header}")
    for number, line in enumerate(lines, 1):
        if len(line) != len(header):
            raise ValueError(f"record {number} has {len(line)} fields where {len(header)} belong")
    read = _inferred if infer_types else str
    return [dict(zip(header, map(read, line), strict=True)) for line in lines]


def _inferred(text: str) -> Value:
    text = text.strip()
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})", text, re.ASCII):
        return int(text)
    if re.fullmatch(r"-?(0|[1-9]\d{0,14})\.\d{1,15}", text, re.ASCII):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text)


_STEP = re.compile(
    r"\.(?P<key>\w+)|\.(?P<all>\*)|\[(?P<index>-?\d{1,9}|\*)\]|\['(?P<quoted>[^']+)'\]"
)


def lookup_json_path(
    document: Annotated[dict[str, Any], {"minProperties": 1}],
    path: Annotated[str, {"pattern": "^\\$", "maxLength": 200}],
) -> list[Any]:
    """Look up values in a JSON document by a path.

    Args:
        document: The JSON object to look into.
        path: The path from the root `$`: `.key`, `['some key']`, `[0]` and `[-1]` for items of a
            list, `[*]` or `.*` for all items or values. For example: $.orders[*].price

    Returns:
        All values that the path leads to, in document order.

    Raises:
        ValueError: if the path can't be read, or leads to nothing.

    Examples:
        >>> lookup_json_path({"user": {"name": "Mina", "tags": ["a", "b"]}}, "$.user.tags[-1]")
        ['b']
        >>> lookup_json_path(
        ...     {"orders": [{"id": 7, "price": 9.5}, {"id": 8, "price": 20}]}, "$.orders[*].price"
        ... )
        [9.5, 20]
        >>> lookup_json_path(document={"air quality": {"pm10": 21}}, path="$['air quality'].pm10")
        [21]
    """
    found: list[Any] = [document]
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"path: can't be read from {path[position : position + 20]!r}")
        found = [inner for value in found for inner in _stepped(value, step)]
        position = step.end()
    if not found:
        raise ValueError(f"path: nothing in the document is at {path}")
    return found


def _stepped(value: Any, step: re.Match[str]) -> list[Any]:
    if isinstance(value, dict):
        if step["all"] or step["index"] == "*":
            return list(value.values())
        key = step["key"] or step["quoted"]
        return [value[key]] if key in value else []
    if isinstance(value, list):
        if step["all"] or step["index"] == "*":
            return value
        if step["index"] and -len(value) <= int(step["index"]) < len(value):
            return [value[int(step["index"])]]
    return []


def filter_records(
    records: Annotated[list[Record], {"minItems": 0, "maxItems": 500}],
    field: Field,
    operator: Literal["==", "!=", "<", "<=", ">", ">=", "contains", "starts_with"],
    value: Value,
) -> dict[str, int | list[Record]]:
    """Keep the records whose field compares with a value as asked; others are left out.

    Args:
        records: The records to look through; none is fine. Those without the field don't match.
        field: The name of the field to compare.
        operator: The comparison; `contains` and `starts_with` compare text without regard to case.
        value: What to compare the field with. Numbers don't match text.

    Returns:
        The number of matching records, and the records.

    Raises:
        ValueError: if an operator other than == and != meets values that have no order.

    Examples:
        >>> filter_records([{"city": "Oslo", "t": -3}, {"city": "Rome", "t": 14}], "t", ">", 0)
        {'count': 1, 'records': [{'city': 'Rome', 't': 14}]}
        >>> filter_records(
        ...     [{"title": "Data Engineer"}, {"title": "Designer"}], "title", "contains", "data"
        ... )
        {'count': 1, 'records': [{'title': 'Data Engineer'}]}
        >>> filter_records([{"sku": "A1", "active": True}], "active", operator="!=", value=True)
        {'count': 0, 'records': []}
    """
    kept = [
        record
        for record in records
        if field in record and _compares(record[field], operator, value)
    ]
    return {"count": len(kept), "records": kept}


def _compares(left: Value, operator: str, right: Value) -> bool:
    if operator in ("==", "!="):
        return (_identity(left) == _identity(right)) == (operator == "==")
    both_text = isinstance(left, str) and isinstance(right, str)
    if operator in ("contains", "starts_with"):
        if not both_text:
            raise ValueError(f"{operator} compares text, not {left!r} with {right!r}")
        left, right = str(left).casefold(), str(right).casefold()
        return right in left if operator == "contains" else left.startswith(right)
    if not both_text and any(isinstance(side, str | bool) for side in (left, right)):
        raise ValueError(f"{left!r} {operator} {right!r}: these have no order")
    if left == right:
        return operator in ("<=", ">=")
    return (left < right) == operator.startswith("<")  # type: ignore[operator]


def sort_records(
    records: Records,
    keys: Annotated[list[Field], {"minItems": 1, "maxItems": 10}],
    descending: bool = False,
) -> list[Record]:
    """Sort records by one or more fields; equal ones keep their order.

    Args:
        records: The records; each needs all the fields to sort by.
        keys: The fields to sort by, the most important first.
        descending: Whether the largest values come first.

    Returns:
        The sorted records.

    Raises:
        ValueError: if there are no records, a field is missing, or it mixes text and numbers.

    Examples:
        >>> sort_records([{"n": "b", "v": 2}, {"n": "a", "v": 2}, {"n": "c", "v": 1}], ["v", "n"])
        [{'n': 'c', 'v': 1}, {'n': 'a', 'v': 2}, {'n': 'b', 'v': 2}]
        >>> sort_records([{"price": 9.5}, {"price": 20}], keys=["price"], descending=True)
        [{'price': 20}, {'price': 9.5}]
        >>> sort_records([{"due": "2024-05-01"}, {"due": "2024-03-15"}], ["due"])
        [{'due': '2024-03-15'}, {'due': '2024-05-01'}]
    """
    _require(records)
    for key in keys:
        if len({isinstance(_cell(record, key), str) for record in records}) > 1:
            raise ValueError(f"field {key!r} mixes text with numbers, which have no order")
    return sorted(records, key=lambda record: [record[key] for key in keys], reverse=descending)


def deduplicate_records(
    records: Records,
    keys: Annotated[list[Field], {"minItems": 1, "maxItems": 10}],
    keep: Literal["first", "last"] = "first",
) -> dict[str, int | list[Record]]:
    """Remove records that repeat the values of an earlier or later one in some fields.

    Args:
        records: The records; each needs the fields that identify it.
        keys: The fields that together identify a record.
        keep: Which one of several records with the same values stays.

    Returns:
        How many records were removed, and the others in their order.

    Raises:
        ValueError: if there are no records or a field is missing.

    Examples:
        >>> deduplicate_records([{"id": 1, "v": "x"}, {"id": 1}, {"id": 2}], ["id"])
        {'removed': 1, 'records': [{'id': 1, 'v': 'x'}, {'id': 2}]}
        >>> deduplicate_records(
        ...     [{"ip": "10.0.0.7", "hits": 1}, {"ip": "10.0.0.7", "hits": 5}], ["ip"], keep="last"
        ... )
        {'removed': 1, 'records': [{'ip': '10.0.0.7', 'hits': 5}]}
        >>> deduplicate_records(records=[{"a": 1, "b": 2}, {"a": 1, "b": 3}], keys=["a", "b"])
        {'removed': 0, 'records': [{'a': 1, 'b': 2}, {'a': 1, 'b': 3}]}
    """
    _require(records)
    position: dict[tuple[tuple[bool, Value], ...], int] = {}
    for index, record in enumerate(records):
        identity = tuple(_identity(_cell(record, key)) for key in keys)
        if keep == "last" or identity not in position:
            position[identity] = index
    kept = [records[index] for index in sorted(position.values())]
    return {"removed": len(records) - len(kept), "records": kept}


def join_records(
    left: Annotated[list[Record], {"minItems": 0, "maxItems": 200}],
    right: Annotated[list[Record], {"minItems": 0, "maxItems": 200}],
    key: Field,
    how: Literal["inner", "left"] = "inner",
) -> list[Record]:
    """Combine two tables on a common field, such as orders with their customers.

    A field that both sides have is taken from the left, and that of the right gets the prefix
    `right_`.

    Args:
        left: The records of the first table.
        right: The records of the second table.
        key: The field that both tables have and whose values must agree.
        how: `inner` keeps only records with a match; `left` keeps all records of the first table.

    Returns:
        The combined records, in the order of the left table.

    Raises:
        ValueError: if a record lacks the field, or the result would have over 5000 records.

    Examples:
        >>> join_records(
        ...     [{"cid": 1, "item": "pen"}, {"cid": 3, "item": "ink"}],
        ...     [{"cid": 1, "name": "Ana"}, {"cid": 2, "name": "Ben"}],
        ...     "cid",
        ... )
        [{'cid': 1, 'item': 'pen', 'name': 'Ana'}]
        >>> join_records([{"sku": "x"}, {"sku": "y"}], [{"sku": "x", "n": 4}], "sku", how="left")
        [{'sku': 'x', 'n': 4}, {'sku': 'y'}]
        >>> join_records(left=[{"id": 1, "v": 2}], right=[{"id": 1, "v": 5}], key="id")
        [{'id': 1, 'v': 2, 'right_v': 5}]
    """
    matches: dict[tuple[bool, Value], list[Record]] = {}
    for record in right:
        matches.setdefault(_identity(_cell(record, key)), []).append(record)
    joined: list[Record] = []
    for record in left:
        found = matches.get(_identity(_cell(record, key)), [{}] if how == "left" else [])
        joined += [_combined(record, other, key) for other in found]
        if len(joined) > _LARGEST_JOIN:
            raise ValueError(f"the result would have over {_LARGEST_JOIN} records")
    return joined


def _combined(left: Record, right: Record, key: str) -> Record:
    renamed = {
        f"right_{name}" if name in left else name: value
        for name, value in right.items()
        if name != key
    }
    return left | renamed


def group_and_aggregate(
    records: Records,
    group_by: Field,
    value_field: Field,
    aggregate: Aggregate = "sum",
) -> list[Record]:
    """Group records by a field and aggregate a number in each group, such as sales by region.

    Args:
        records: The records; each needs both fields.
        group_by: The field whose values make the groups.
        value_field: The field with the numbers.
        aggregate: What to compute of the numbers of a group.

    Returns:
        One record a group, in order of first appearance: the group, the aggregate under its name,
        and the group's `size`.

    Raises:
        ValueError: if there are no records, a field is missing, or a value is not a number.

    Examples:
        >>> group_and_aggregate(
        ...     [{"dept": "IT", "pay": 50}, {"dept": "HR", "pay": 40}, {"dept": "IT", "pay": 70}],
        ...     "dept",
        ...     "pay",
        ... )
        [{'dept': 'IT', 'sum': 120.0, 'size': 2}, {'dept': 'HR', 'sum': 40.0, 'size': 1}]
        >>> group_and_aggregate(
        ...     [{"day": "mon", "t": 20.5}, {"day": "mon", "t": 22}], "day", "t", aggregate="mean"
        ... )
        [{'day': 'mon', 'mean': 21.25, 'size': 2}]
        >>> group_and_aggregate(
        ...     [{"team": "a", "pts": 3}, {"team": "b", "pts": 1}, {"team": "a", "pts": 0}],
        ...     group_by="team",
        ...     value_field="pts",
        ...     aggregate="max",
        ... )
        [{'team': 'a', 'max': 3.0, 'size': 2}, {'team': 'b', 'max': 1.0, 'size': 1}]
    """
    _require(records)
    groups: dict[tuple[bool, Value], list[float]] = {}
    for record in records:
        group = _identity(_cell(record, group_by))
        groups.setdefault(group, []).append(_number(record, value_field))
    return [
        {group_by: group, aggregate: _aggregated(aggregate, values), "size": len(values)}
        for (_, group), values in groups.items()
    ]


def pivot_records(
    records: SomeRecords,
    *,
    row_field: Field,
    column_field: Field,
    value_field: Field,
    aggregate: Aggregate = "sum",
    fill_value: Annotated[float, {"minimum": -1e9, "maximum": 1e9}] = 0,
) -> list[Record]:
    """Turn records into a cross table, such as sales by month (rows) and product (columns).

    Args:
        records: The records; each needs the three fields.
        row_field: The field whose values become rows.
        column_field: The field whose values become columns.
        value_field: The field with the numbers.
        aggregate: What to compute of the numbers that fall into one cell.
        fill_value: The value of cells that no record falls into.

    Returns:
        One record a row: the row's value under the name of `row_field`, then all columns, rows and
        columns in order of first appearance.

    Raises:
        ValueError: if a field is missing, a value is not a number, or a column has the name of
            `row_field`.

    Examples:
        >>> pivot_records(
        ...     [
        ...         {"month": "Jan", "item": "tea", "sold": 5},
        ...         {"month": "Jan", "item": "mug", "sold": 2},
        ...         {"month": "Feb", "item": "tea", "sold": 4},
        ...     ],
        ...     row_field="month",
        ...     column_field="item",
        ...     value_field="sold",
        ... )
        [{'month': 'Jan', 'tea': 5.0, 'mug': 2.0}, {'month': 'Feb', 'tea': 4.0, 'mug': 0.0}]
        >>> pivot_records(
        ...     [{"q": "Q1", "y": 2023, "v": 10}, {"q": "Q1", "y": 2023, "v": 14}],
        ...     row_field="q",
        ...     column_field="y",
        ...     value_field="v",
        ...     aggregate="mean",
        ... )
        [{'q': 'Q1', '2023': 12.0}]
        >>> pivot_records(
        ...     records=[{"a": "x", "b": "p", "n": 1}, {"a": "y", "b": "r", "n": 2}],
        ...     row_field="a",
        ...     column_field="b",
        ...     value_field="n",
        ...     fill_value=-1,
        ... )
        [{'a': 'x', 'p': 1.0, 'r': -1.0}, {'a': 'y', 'p': -1.0, 'r': 2.0}]
    """
    cells: dict[tuple[bool, Value], dict[str, list[float]]] = {}
    columns: dict[str, None] = {}
    for record in records:
        row, column = _identity(_cell(record, row_field)), str(_cell(record, column_field))
        cells.setdefault(row, {}).setdefault(column, []).append(_number(record, value_field))
        columns[column] = None
    if row_field in columns:
        raise ValueError(f"a column would have the name of the row field, {row_field!r}")
    return [
        {row_field: row}
        | {
            column: _aggregated(aggregate, filled[column])
            if column in filled
            else float(fill_value)
            for column in columns
        }
        for (_, row), filled in cells.items()
    ]
