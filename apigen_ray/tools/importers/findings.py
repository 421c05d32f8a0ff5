"""Import tools from any kind of source: what was found, what was kept, what was refused and why.

An importer yields what it finds: a `Found` for each tool, a `Refused` for what can't be one, a
`Note` for what was changed. Here they become tools with legal and unique names, whose schemas
are checked against the meta-schema and allow their own examples.
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
from apigen_ray.tools.backends import UnreadableBackend, backend_form, read_backend
from apigen_ray.tools.importers.names import unique
from apigen_ray.tools.schemas import InvalidSchema, check_schema, without_bad_examples
from apigen_ray.tools.write_forms import own_form

MAX_SCHEMA_CHARACTERS = 200_000


class RefusalReason(StrEnum):
    """Why something was not imported."""

    UNREADABLE = "unreadable"
    """The document is not JSON or YAML, or not of the kind asked for."""
    UNSUPPORTED_VERSION = "unsupported_version"
    """Swagger 2.0, say, which other programs convert."""
    TOO_LARGE = "too_large"
    """A schema or document that no prompt could hold, or nested without end."""
    EXTERNAL_REF = "external_ref"
    """A `$ref` into another document, and `--allow-remote-refs` is not given."""
    BROKEN_REF = "broken_ref"
    """A `$ref` that leads nowhere."""
    NO_PARAMETERS = "no_parameters"
    """The source doesn't say which parameters there are."""
    UNTYPED_PARAMETER = "untyped_parameter"
    """A parameter whose type is not given, and can't be told from examples."""
    UNSUPPORTED_STYLE = "unsupported_style"
    """A required parameter in a serialisation that stage 2 does not write."""
    UNSUPPORTED_BODY = "unsupported_body"
    """A required body that is no JSON object or form, such as a file."""
    UNSUPPORTED_AUTH = "unsupported_auth"
    """Access is by something else than a key or token, such as a client certificate."""
    BAD_BACKEND = "bad_backend"
    """The URL, a header or a method that no request may have."""
    INVALID_SCHEMA = "invalid_schema"
    """The parameters are no JSON Schema."""
    INVALID_TOOL = "invalid_tool"
    """No tool in any known form: without a name, say."""
    NOT_CALLABLE = "not_callable"
    """A Python function that JSON arguments can't call, or that isn't documented."""
    DUPLICATE = "duplicate"
    """The same tool, in all that a model sees, was found before."""
    SERVER = "server"
    """An MCP server that can't be reached, hangs or dies."""


@dataclass(frozen=True, slots=True)
class Refused:
    """What was not imported: where it stands, and why, in a line that a person can act on."""

    where: str
    reason: RefusalReason
    detail: str


@dataclass(frozen=True, slots=True)
class Note:
    """What was imported with a change, or without something it had."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """A tool as its source has it."""

    where: str
    source: str
    """The kind of source and its name, such as `openapi:museum.yaml`."""
    name: str
    scope: str
    """What the tool belongs to (an API, a server); tells tools of one name apart."""
    description: str
    parameters: JsonObject
    category: str
    backend: Backend | None = None
    original_name: str | None = None
    """What the source calls it, if `name` is not that."""


Finding: TypeAlias = Found | Refused | Note


@dataclass(frozen=True, slots=True)
class Imported:
    """A tool of the library, and where it came from."""

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
        """How many tools, or documents without any that could be read, were found."""
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
        tool = Tool(name, found.description, found.parameters, found.category, found.backend)
        result.imported.append(Imported(tool, found.source, found.original_name or found.name))
    return result


def _identity(found: Found) -> str:
    """Equal for tools that a model and stage 2 can't tell apart."""
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
        notes.append(Note(found.where, f"{dropped} examples dropped: not of the schema"))
    try:
        # Read back, so that a backend which a tool list may not hold is refused here.
        backend = read_backend(backend_form(found.backend)) if found.backend else None
    except UnreadableBackend as error:
        return Refused(found.where, RefusalReason.BAD_BACKEND, f"{found.name}: {error}")
    description = found.description.encode(errors="replace").decode()
    return replace(found, description=description, parameters=parameters, backend=backend)


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
    """Write JSON lines: aside, then in place."""
    aside = path.with_name(path.name + ".part")
    with aside.open("w", encoding="utf-8") as lines:
        for value in values:
            lines.write(json.dumps(value, ensure_ascii=False) + "\n")
    aside.replace(path)


def document_files(sources: Iterable[str], suffixes: tuple[str, ...]) -> Iterator[Path]:
    """The files that sources name; of folders, all that end so, at any depth.

    Raises:
        BadInput: if a source is missing, or a folder has no such file.
    """
    for source in sources:
        path = Path(source)
        if not path.exists():
            raise BadInput(f"{source}: no such file or folder")
        if not path.is_dir():
            yield path
            continue
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes and p.is_file())
        if not files:
            raise BadInput(f"{source}: no {', '.join(suffixes)} file in this folder")
        yield from files
