"""Rows too many for memory are put in order."""

import random

import pyarrow as pa
import pytest

from apigen_ray.run_folder.sorting import in_order, ranks_of

SCHEMA = pa.schema([("key", pa.string()), ("text", pa.string())])


def tables(keys, drawn):
    """Rows in tables of none to a few."""
    while keys:
        size = drawn.randint(0, 5)
        yield pa.table([keys[:size], [f"of {key}" for key in keys[:size]]], SCHEMA)
        keys = keys[size:]


@pytest.mark.parametrize("count", [1, 7, 8, 100])
def test_rows_come_in_order_in_slices_of_the_size_asked_for(count, tmp_path):
    drawn = random.Random(count)
    keys = [f"{number:03}" for number in range(count)]
    shuffled = drawn.sample(keys, count)
    places = ranks_of(pa.chunked_array([shuffled[:5], shuffled[5:]], pa.string()))
    slices = list(in_order(tables(shuffled, drawn), places, 7, tmp_path))
    assert [len(slice_) for slice_ in slices[:-1]] == [7] * (len(slices) - 1)
    rows = pa.concat_tables(slices).to_pylist()
    assert rows == [{"key": key, "text": f"of {key}"} for key in keys]


def test_the_file_where_they_wait_has_no_name(tmp_path):
    places = ranks_of(pa.chunked_array([["b", "a"]]))
    slices = in_order([pa.table({"key": ["b", "a"]})], places, 1, tmp_path)
    assert next(slices)["key"].to_pylist() == ["a"]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("nothing", [[], [pa.table({"key": pa.array([], pa.string())})]])
def test_of_no_rows_there_is_no_slice(nothing):
    assert not list(in_order(nothing, ranks_of(pa.chunked_array([], pa.string())), 7))
