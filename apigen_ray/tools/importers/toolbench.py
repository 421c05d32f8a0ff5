"""Tools from ToolBench's RapidAPI collection: one for each API of a tool.

It reads ToolBench's tool files (`data/toolenv/tools/<category>/<tool>.json`, with `api_list`), rows
of `api_list` objects with the names of their tool and category, and rows derived from its Python
wrappers (`url`, `parameters` by name). An API with a URL is called there; one without is simulated
by a StableToolBench server.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray.records import Backend, Key, RestBackend, VirtualBackend
from apigen_ray.tools.categories import OTHER, category_of
from apigen_ray.tools.importers.findings import (
    Finding,
    Found,
    RefusalReason,
    Refused,
    document_files,
)
from apigen_ray.tools.importers.importer import Importer, option
from apigen_ray.tools.importers.names import legal
from apigen_ray.tools.importers.values import read_values

_TYPES: dict[str, dict[str, Any]] = {
    "STRING": {"type": "string"},
    "STR": {"type": "string"},
    "ENUM": {"type": "string"},
    "BINARY": {"type": "string"},
    "NUMBER": {"type": "number"},
    "INT": {"type": "integer"},
    "INTEGER": {"type": "integer"},
    "FLOAT": {"type": "number"},
    "BOOL": {"type": "boolean"},
    "BOOLEAN": {"type": "boolean"},
    "ARRAY": {"type": "array"},
    "LIST": {"type": "array"},
    "OBJECT": {"type": "object"},
    "DICT": {"type": "object"},
    "DATE (YYYY-MM-DD)": {"type": "string", "format": "date"},
    "TIME (24-HOUR HH:MM)": {"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"},
}
_RESERVED = frozenset({"and", "class", "false", "from", "id", "return", "true"})
_HOST, _KEY = "X-RapidAPI-Host", "X-RapidAPI-Key"
_ABSENT = (None, "", "REDACTED")


@dataclass(frozen=True, slots=True)
class ToolBenchOptions:
    """How APIs are to be called."""

    backend: str = option(
        "auto",
        "call APIs by HTTP, or have a StableToolBench server simulate them (auto: by HTTP where "
        "a URL is known)",
        choices=("auto", "rest", "virtual"),
    )
    virtual_url: str = option(
        "http://localhost:8080/virtual",
        "the StableToolBench server (%(default)s)",
        metavar="URL",
    )
    key_env: str = option(
        "RAPIDAPI_KEY",
        "the environment variable with the RapidAPI key (%(default)s)",
        metavar="VARIABLE",
    )
    toolbench_key_env: str | None = option(
        None,
        "the environment variable with the StableToolBench server's key, if it needs one",
        metavar="VARIABLE",
    )


def read_toolbench(sources: Sequence[str], options: ToolBenchOptions) -> Iterator[Finding]:
    """The APIs of files, or of all files in folders."""
    for path in document_files(sources, (".json", ".jsonl")):
        for where, value in read_values(path):
            if isinstance(value, Refused):
                yield value
            elif isinstance(value, dict) and isinstance(value.get("api_list"), list):
                yield from _tool_file(where, value, path, options)
            elif isinstance(value, dict):
                yield _api(where, value, path, options)
            else:
                yield Refused(where, RefusalReason.INVALID_TOOL, "not an object")


def _tool_file(
    where: str, tool: Mapping[str, Any], path: Path, options: ToolBenchOptions
) -> Iterator[Finding]:
    folder = path.parent.name
    named = folder if category_of("toolbench", folder) else tool.get("category")
    shared = {
        "category_name": named,
        "tool_name": tool.get("tool_name") or tool.get("title") or tool.get("name"),
    }
    for number, api in enumerate(tool["api_list"]):
        place = f"{where}: api_list[{number}]"
        if isinstance(api, dict):
            yield _api(place, shared | api, path, options)
        else:
            yield Refused(place, RefusalReason.INVALID_TOOL, "not an object")


def _api(where: str, api: Mapping[str, Any], path: Path, options: ToolBenchOptions) -> Finding:
    name = str(api.get("api_name") or api.get("name") or "")
    tool = str(api.get("tool_name") or api.get("tool") or "")
    category = str(api.get("category_name") or api.get("category") or "")
    if not name or not tool:
        missing = "no api_name" if tool else "no tool_name"
        return Refused(where, RefusalReason.INVALID_TOOL, f"{name or tool or 'API'}: {missing}")
    url = api.get("url")
    if options.backend == "rest" and not url:
        detail = f"{name}: no url (--backend virtual calls it through a StableToolBench server)"
        return Refused(where, RefusalReason.BAD_BACKEND, detail)
    virtual = options.backend == "virtual" or not url
    method = str(api.get("method") or "GET").upper()
    collected = _Parameters(virtual=virtual, url=str(url or ""), method=method)
    for written, required in _described(api):
        if refusal := collected.add(written, required=required):
            return Refused(where, RefusalReason.UNTYPED_PARAMETER, f"{name}: {refusal}")
    if collected.unfilled and not virtual:
        detail = f"{name}: the URL needs {min(collected.unfilled)!r}, which is not a parameter"
        return Refused(where, RefusalReason.BAD_BACKEND, detail)
    text = api.get("api_description") or api.get("description")
    standard_tool = standardized(tool)
    backend: Backend
    if virtual:
        backend = VirtualBackend(
            options.virtual_url, category, standard_tool, api_name(name), options.toolbench_key_env
        )
    else:
        backend = _rest(str(url), method, collected, options)
    return Found(
        where=where,
        source=f"toolbench:{path.name}",
        name=api_name(name) or name,
        original_name=name,
        scope=standard_tool or tool,
        description=" ".join(str(text or "").split()),
        parameters=collected.schema(),
        category=category_of("toolbench", category) or OTHER,
        backend=backend,
    )


def _rest(
    url: str, method: str, collected: "_Parameters", options: ToolBenchOptions
) -> RestBackend:
    url = url if "://" in url else f"https://{url}"
    host = url.split("://", 1)[1].split("/", 1)[0]
    of_rapidapi = host.endswith(".rapidapi.com")
    return RestBackend(
        method=method,
        url=url,
        params_in=collected.params_in,
        headers={_HOST: host} if of_rapidapi else {},
        auth_env=(Key("header", _KEY, options.key_env),) if of_rapidapi else (),
    )


def _described(api: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], bool]]:
    """The parameters of an API in either form, and whether they are required."""
    flat = api.get("parameters")
    if isinstance(flat, Mapping):
        for name, written in flat.items():
            spec = dict(written) if isinstance(written, Mapping) else {}
            yield spec | {"name": name}, spec.get("required") is True
    for key in ("required_parameters", "optional_parameters"):
        for written in api.get(key) or []:
            if isinstance(written, Mapping):
                yield dict(written), key == "required_parameters"


class _Parameters:
    """The parameters of one API, as they are collected."""

    def __init__(self, *, virtual: bool, url: str, method: str) -> None:
        self._virtual = virtual
        self._place = "query" if method in ("GET", "HEAD", "DELETE", "OPTIONS") else "body"
        self._properties: dict[str, Any] = {}
        self._required: list[str] = []
        self._examples: dict[str, Any] = {}
        self.params_in: dict[str, str] = {}
        self.unfilled = set() if virtual else set(re.findall(r"\{([^{}]+)\}", url))
        """Placeholders of the URL that no parameter fills so far."""

    def add(self, written: Mapping[str, Any], *, required: bool) -> str | None:
        """Add a parameter. Returns what is wrong with it, if anything."""
        name = str(written.get("name") or "").strip()
        kind = str(written.get("type") or "").strip().upper()
        if not name or kind not in _TYPES:
            return f"parameter {name or '?'!r} has no known type ({kind or 'none'})"
        if name.lower() in (_HOST.lower(), _KEY.lower()):
            return None  # the backend sends these
        argument = api_name(name) if self._virtual else legal(name, "value")
        argument = legal(argument or name, "value")
        if argument in self._properties:
            return None  # RapidAPI's own lists describe some twice
        schema = dict(_TYPES[kind])
        if text := " ".join(str(written.get("description") or "").split()):
            schema["description"] = text
        default = _converted(written.get("default"), str(schema["type"]))
        wire = name.removeprefix("is_") if name.removeprefix("is_") in _RESERVED else name
        filled = {hole for hole in self.unfilled if api_name(hole) == api_name(name)}
        self.unfilled -= filled
        required = required or bool(filled)
        if default is not None:
            # RapidAPI gives even required parameters a default: it is an example of the value.
            schema |= {"examples": [default]} if required else {"default": default}
            self._examples[argument] = default
        self._properties[argument] = schema
        if required:
            self._required.append(argument)
        if not self._virtual:
            place, wire = ("path", min(filled)) if filled else (self._place, wire)
            self.params_in[argument] = place if argument == wire else f"{place}:{wire}"
        return None

    def schema(self) -> dict[str, Any]:
        """The parameters as JSON Schema, with an example call if one can be made."""
        schema: dict[str, Any] = {"type": "object", "properties": self._properties}
        if self._required:
            schema["required"] = self._required
        if self._examples and self._examples.keys() >= set(self._required):
            schema["examples"] = [self._examples]
        return schema


def _converted(value: Any, kind: str) -> Any:
    """A default, which RapidAPI writes as text, in its parameter's type; None if it doesn't fit."""
    if isinstance(value, str):
        value = value.strip()
    if value in _ABSENT or (kind != "boolean" and isinstance(value, bool)):
        return None
    if kind == "string":
        return value if isinstance(value, str) else json.dumps(value)
    if isinstance(value, str):
        try:
            value = json.loads(value.lower() if kind == "boolean" else value)
        except ValueError:
            value = [value] if kind == "array" else None
    fits: dict[str, tuple[type, ...]] = {
        "number": (int, float), "integer": (int,), "boolean": (bool,), "array": (list,),
        "object": (dict,),
    }  # fmt: skip
    return value if isinstance(value, fits[kind]) else None


def standardized(name: str) -> str:
    """A name as ToolBench writes it: in lower case, with underscores for other characters."""
    name = re.sub(r"_+", "_", re.sub(r"[^\u4e00-\u9fa5^a-z^A-Z^0-9^_]", "_", name)).lower()
    name = name.strip("_")
    return f"get_{name}" if name[:1].isdigit() else name


def api_name(name: str) -> str:
    """The name of an API or parameter in ToolBench's server and prompts."""
    name = standardized(name)
    return f"is_{name}" if name in _RESERVED else name


IMPORTER = Importer(
    name="toolbench",
    summary="RapidAPI's APIs, in ToolBench's forms",
    source="a JSON or JSONL file, or a folder of them",
    example="toolenv/tools --backend virtual --out tools.jsonl",
    options=ToolBenchOptions,
    read=read_toolbench,
)
