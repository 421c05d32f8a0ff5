"""Configs, tools and data that stand elsewhere: `https://`, `s3://` and what else fsspec knows."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from upath import UPath

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.storage import is_local, resolve_path

ROWS = (".jsonl", ".json", ".parquet")


def beside(config: UPath, values: dict[str, Any]) -> None:
    """Have the tools and seeds that a config at a URL names by relative paths stand beside it."""
    if is_local(config):
        return
    for key in ("tools", "seeds"):
        named = values.get(key)
        if isinstance(named, list):
            values[key] = [
                str(config.parent / source) if _is_relative(source, key) else source
                for source in named
            ]


def _is_relative(source: Any, key: str) -> bool:
    if not isinstance(source, str) or "://" in source or Path(source).is_absolute():
        return False
    return key == "tools" or source.endswith(ROWS)  # else the name of a data set


@cache
def local_copy(source: str) -> Path:
    """The path of a local source, or of a copy that lives as long as this process.

    Raises:
        BadInput: naming the URL, if nothing can be read there.
    """
    there = resolve_path(source)
    if is_local(there):
        return Path(there.path)
    folder = Path(tempfile.mkdtemp(prefix="apigen-ray-source-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    here = folder / there.name
    is_folder = not there.suffix and not urlsplit(source).scheme.startswith("http")
    try:
        there.fs.get(there.path, str(here), recursive=is_folder)
    except Exception as error:  # each store's client raises its own types
        raise BadInput(f"{source}: can't be read: {error or type(error).__name__}") from error
    if not here.exists():  # a prefix that no object has
        raise BadInput(f"{source}: nothing is there")
    return here
