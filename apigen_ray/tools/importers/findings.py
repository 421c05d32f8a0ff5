"""What importers find, and what becomes of it: tools with names, refusals with reasons, notes.

An importer yields a `Found` for each tool, a `Refused` for what can't become one, and a `Note` for
each change. `gather` gives the tools legal and unique names, checks their schemas against the
meta-schema, and drops examples that their schema does not allow.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeAlias

from apigen_ray.errors import BadInput
from apigen_ray.records import Backend, Json, JsonObject, Tool
from apigen_ray.run_folder.remote_files import no_such_file
from apigen_ray.tools.backends import UnreadableBackend, backend_form, read_backend
from apigen_ray.tools.importers.names import unique
from apigen_ray.tools.schemas import (
    InvalidSchema,
    check_schema,
    usable_returns,
    without_bad_examples,
)
from apigen_ray.tools.write_forms import own_form

MAX_SCHEMA_CHARACTERS = 200_000


class RefusalReason(StrEnum):
    """Why something was not imported."""

    UNREADABLE = "unreadable"
    """The document is not JSON or YAML, or not of the kind asked for."""
    UNSUPPORTED_VERSION = "unsupported_version"
    """Swagger 1.2, for example."""
    TOO_LARGE = "too_large"
    """A schema or document that fits into no prompt, or that is nested too deeply."""
    EXTERNAL_REF = "external_ref"
    """A `$ref` into another document, and `--allow-remote-refs` is not given."""
    BROKEN_REF = "broken_ref"
    """A `$ref` without a target."""
    NO_PARAMETERS = "no_parameters"
    """The source doesn't say which parameters there are."""
    UNTYPED_PARAMETER = "untyped_parameter"
    """A parameter whose type is neither given nor shown by examples."""
    UNSUPPORTED_STYLE = "unsupported_style"
    """A required parameter in a serialization that stage 2 can't write."""
    UNSUPPORTED_BODY = "unsupported_body"
    """A required body that is neither JSON nor a form nor text, such as a file."""
    UNSUPPORTED_AUTH = "unsupported_auth"
    """Access needs more than a key or token: a client certificate, for example."""
    BAD_BACKEND = "bad_backend"
    """A URL, header or method that a request may not have."""
    INVALID_SCHEMA = "invalid_schema"
    """The parameters are not a JSON Schema."""
    INVALID_TOOL = "invalid_tool"
    """Not a tool in any known form: it has no name, for example."""
    NOT_CALLABLE = "not_callable"
    """A Python function that can't be called with JSON arguments, or has no docstring."""
    DUPLICATE = "duplicate"
    """A model could not tell the tool from one that was found before."""
    SERVER = "server"
    """An MCP server that can't be reached, hangs or dies."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not imported: where it is, and why, in one line that a person can act on."""

    where: str
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Note:
    """A change made to what was imported, or a part of it that was left out."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A tool as its source describes it."""

    where: str
    source: str
    """The kind of source and its name, such as `openapi:museum.yaml`."""
    name: str
    scope: str
    """The API or server of the tool; distinguishes tools of the same name."""
    description: str
    parameters: JsonObject
    category: str
    backend: Backend | None = None
    original_name: str | None = None
    """Its name in the source, if `name` differs."""
    returns: JsonObject | None = None
    """The schema of its results, where the source has one."""


Finding: TypeAlias = Found | Refused | Note


@dataclass(frozen=True, slots=True)
class Imported:
    """A tool, and where it came from."""

    tool: Tool
    source: str
    original_name: str


@dataclass(frozen=True, slots=True)
class Import:
    """What became of all that was found: `found = imported + refused`."""

    imported: list[Imported] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    @property
    def found(self) -> int:
        """How many tools were found; an unreadable document counts as one."""
        return len(self.imported) + len(self.refused)

    def reasons(self) -> Counter[RefusalReason]:
        """How many were refused for each reason."""
        return Counter(refused.reason for refused in self.refused)


def gather(findings: Iterable[Finding]) -> Import:
    """Check what importers found, and give each tool its name."""
    result = Import()
    kept: list[Found] = []
    seen: dict[str, str] = {}
    for finding in findings:
        checked = _checked(finding, result.notes) if isinstance(finding, Found) else finding
        match checked:
            case Note():
                result.notes.append(checked)
            case Refused():
                result.refused.append(checked)
            case Found():
                identity = _identity(checked)
                if identity not in seen:
                    seen[identity] = checked.where
                    kept.append(checked)
                else:
                    detail = f"{checked.name}: the same tool as at {seen[identity]}"
                    result.refused.append(Refused(checked.where, RefusalReason.DUPLICATE, detail))
    names = unique([(found.name, found.scope) for found in kept])
    for name, found in zip(names, kept, strict=True):
        tool = Tool(
            name,
            found.description,
            found.parameters,
            found.category,
            found.backend,
            found.returns,
        )
        result.imported.append(Imported(tool, found.source, found.original_name or found.name))
    return result


def _identity(found: Found) -> str:
    """The same for tools that neither a model nor stage 2 can tell apart."""
    backend: Json = backend_form(found.backend) if found.backend else None
    return json.dumps([found.name, found.description, found.parameters, backend], sort_keys=True)


def _checked(found: Found, notes: list[Note]) -> Found | Refused:
    try:
        text = json.dumps(found.parameters, allow_nan=False)
        if len(text) > MAX_SCHEMA_CHARACTERS:
            detail = f"a schema of {len(text):,} characters (at most {MAX_SCHEMA_CHARACTERS:,})"
            return Refused(found.where, RefusalReason.TOO_LARGE, f"{found.name}: {detail}")
        check_schema(found.parameters)
        parameters, dropped = without_bad_examples(found.parameters)
    except (InvalidSchema, TypeError, ValueError) as error:
        return Refused(found.where, RefusalReason.INVALID_SCHEMA, f"{found.name}: {error}")
    except RecursionError:
        return Refused(found.where, RefusalReason.TOO_LARGE, f"{found.name}: nested too deeply")
    if dropped:
        notes.append(Note(found.where, f"{dropped} examples dropped: invalid against the schema"))
    try:
        # Read back, so that a backend which a tool list may not hold is refused here.
        backend = read_backend(backend_form(found.backend)) if found.backend else None
    except UnreadableBackend as error:
        return Refused(found.where, RefusalReason.BAD_BACKEND, f"{found.name}: {error}")
    description = found.description.encode(errors="replace").decode()
    found = replace(found, description=description, parameters=parameters, backend=backend)
    return replace(found, returns=usable_returns(found.returns))


def write_import(result: Import, out: Path) -> Path:
    """Write TOOLS.jsonl and, beside it, TOOLS.refused.jsonl, whose path is returned.

    A line of TOOLS.jsonl is a tool with its `source` and, where the name was changed, its
    `original_name`.
    """
    refused = out.with_name(out.name.removesuffix(".jsonl") + ".refused.jsonl")
    out.parent.mkdir(parents=True, exist_ok=True)
    write_lines(out, map(imported_form, result.imported))
    write_lines(
        refused,
        ({"where": r.where, "reason": r.reason, "detail": r.detail} for r in result.refused),
    )
    return refused


def imported_form(imported: Imported) -> JsonObject:
    """A tool as a line of TOOLS.jsonl."""
    form = own_form(imported.tool)
    form["source"] = imported.source
    if imported.original_name != imported.tool.name:
        form["original_name"] = imported.original_name
    return form


def write_lines(path: Path, values: Iterable[Mapping[str, Any]]) -> None:
    """Write JSON lines, atomically."""
    aside = path.with_name(path.name + ".part")
    with aside.open("w", encoding="utf-8") as lines:
        for value in values:
            lines.write(json.dumps(value, ensure_ascii=False) + "\n")
    aside.replace(path)


def document_files(sources: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files that sources name; of folders, all files with these suffixes, at any depth.

    Raises:
        BadInput: if a source is missing, or a folder has no such file.
    """
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise BadInput(no_such_file(source))
        if not path.is_dir():
            yield path
            continue
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
        if not files:
            raise BadInput(f"{source}: no {', '.join(suffixes)} file in this folder")
        yield from files
