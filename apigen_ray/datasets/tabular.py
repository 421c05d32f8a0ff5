"""Parquet files, and data sets on the Hugging Face Hub, read a few thousand rows at a time."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.remote_files import no_such_file

ROWS_PER_TABLE = 2000


def count_parquet(file: Path, name: str) -> int:
    """The number of rows in a Parquet file, from its footer.

    Raises:
        BadInput: naming the file, if it can't be read.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            return int(parquet.metadata.num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(name, error) from error


def read_parquet(file: Path, name: str) -> Iterator[pa.Table]:
    """The tables of a Parquet file.

    Raises:
        BadInput: naming the file, if it can't be read, or not to its end.
    """
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(ROWS_PER_TABLE):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(name, error) from error


def read_hub(name: str) -> tuple[int, Iterator[pa.Table]]:
    """The number of rows in a data set's `train` split, and its tables.

    Raises:
        BadInput: if it can't be loaded.
    """
    import datasets  # noqa: PLC0415 (takes a second, and most sources are files)

    try:
        rows = datasets.load_dataset(name, split="train")
    except Exception as error:  # datasets and the hub client raise a dozen types here
        said = (str(error) or type(error).__name__).splitlines()[0]
        raise BadInput(
            f"{name}: neither a file nor a data set that can be loaded: {said}"
        ) from error
    return len(rows), rows.with_format("arrow").iter(ROWS_PER_TABLE)


def _unreadable(name: str, error: Exception) -> BadInput:
    if isinstance(error, FileNotFoundError):
        return BadInput(no_such_file(name, "file"))
    return BadInput(f"{name}: not a readable Parquet file: {error}")
