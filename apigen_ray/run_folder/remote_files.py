"""Configs, tools and data at a URL: `https://`, `s3://` and all others that fsspec supports."""

from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from upath import UPath

from apigen_ray.errors import BadInput
from apigen_ray.run_folder.owned_folders import temporary_folder
from apigen_ray.run_folder.storage import is_local, resolve_path

DATA_FILES = (".jsonl", ".json", ".parquet")


def resolve_sources(config: UPath, values: dict[str, Any]) -> None:
    """Make relative paths of tools and seeds relative to the config, if that is at a URL."""
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
    return key == "tools" or source.endswith(DATA_FILES)  # else the name of a data set


def no_such_file(source: str | Path, what: str = "file or folder") -> str:
    """A message that names a missing source, and the folder in which it was looked for."""
    relative = "://" not in str(source) and not Path(source).is_absolute()
    return f"{source}: no such {what}" + (f" in {Path.cwd()}" if relative else "")


@cache
def local_copy(source: str) -> Path:
    """The path of a local source, or of a copy that is deleted when this process ends.

    Raises:
        BadInput: naming the URL, if it can't be read.
    """
    there = resolve_path(source)
    if is_local(there):
        return Path(there.path)
    here = temporary_folder("source") / there.name
    is_folder = not there.suffix and not urlsplit(source).scheme.startswith("http")
    try:
        there.fs.get(there.path, str(here), recursive=is_folder)
    except Exception as error:  # each store's client raises its own types
        raise BadInput(f"{source}: can't be read: {error or type(error).__name__}") from error
    if not here.exists():  # a prefix that no object has
        raise BadInput(no_such_file(source))
    return here
