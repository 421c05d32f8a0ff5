"""JSON and YAML documents, and the references between them."""

import json
import re
import urllib.request
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urldefrag, urljoin, urlsplit

import yaml
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from apigen_ray.tools.importers.findings import RefusalReason

MAX_BYTES = 64 << 20
MAX_NODES = 5_000_000
"""The most values of a document: YAML's aliases can turn a small file into a huge one."""
REMOTE_BYTES = 20 << 20
REMOTE_TIMEOUT_S = 20


class Unusable(Exception):
    """Something can't be imported; the importer turns it into a `Refused`."""

    def __init__(self, reason: RefusalReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class _Yaml12(yaml.CSafeLoader):
    """YAML with the scalars of version 1.2, as OpenAPI requires: `no` and `2024-01-01` are text."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
    ("merge", r"<<", "<"),
):
    _first_characters = [*_first.replace("\0", ""), *([""] if "\0" in _first else [])]
    _Yaml12.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first_characters
    )


def read_document(path: Path) -> Any:
    """Read a JSON or YAML file.

    Raises:
        Unusable: saying what is wrong, and where.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            detail = f"{size:,} bytes (at most {MAX_BYTES:,})"
            raise Unusable(RefusalReason.TOO_LARGE, detail)
        return parse_document(path.read_bytes())
    except OSError as error:
        raise Unusable(RefusalReason.UNREADABLE, f"{error.strerror or error}") from None


def parse_document(data: bytes | str) -> Any:
    """Parse JSON or YAML text.

    Raises:
        Unusable: saying what is wrong, and where.
    """
    try:
        text = data if isinstance(data, str) else data.decode("utf-8-sig")
        if text.lstrip()[:1] in ("{", "["):
            try:
                return json.loads(text)
            except json.JSONDecodeError as error:
                broken = error  # YAML has this syntax too, but JSON's message is better
            try:
                return _yaml(text)
            except yaml.YAMLError:
                raise Unusable(RefusalReason.UNREADABLE, f"not JSON: {broken}") from None
        return _yaml(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise Unusable(RefusalReason.UNREADABLE, f"not YAML: {problem}{place}") from None
    except UnicodeDecodeError as error:
        raise Unusable(RefusalReason.UNREADABLE, f"not UTF-8: {error.reason}") from None
    except RecursionError:
        raise Unusable(RefusalReason.TOO_LARGE, "nested too deeply") from None
    except ValueError as error:  # numbers longer than the interpreter reads
        raise Unusable(RefusalReason.UNREADABLE, str(error)) from None


def _yaml(text: str) -> Any:
    value = yaml.load(text, _Yaml12)  # noqa: S506 - a safe loader
    if "&" in text and "*" in text and _size(value, {}) > MAX_NODES:
        detail = f"over {MAX_NODES:,} values after expanding aliases"
        raise Unusable(RefusalReason.TOO_LARGE, detail)
    return value


def _size(value: Any, known: dict[int, int]) -> int:
    """The number of values inside a value; over the limit if it contains itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = MAX_NODES + 1
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(member, known) for member in inner)
    return known[id(value)]


class References:
    """Resolves the `$ref`s of a document.

    Other documents are read only if that is allowed: files in its folder or below, and HTTP URLs.
    """

    def __init__(self, root: Any, path: Path, *, allow_remote: bool) -> None:
        self.base = path.resolve().as_uri()
        self._folder = path.resolve().parent
        self._allow_remote = allow_remote
        # The registry's attributes have underscores, which its signature hides from type checkers.
        retrieving: Any = Registry
        self._registry = retrieving(retrieve=self._retrieve).with_resource(
            self.base, _resource(root)
        )

    def follow(self, reference: str, base: str) -> tuple[Any, str]:
        """The target of a reference in the document `base`, and its absolute URI.

        Raises:
            Unusable: if it has no target, or one in another document and that is not allowed.
        """
        uri = urljoin(base, reference)
        document, _ = urldefrag(uri)
        if document != self.base and not self._allow_remote:
            raise Unusable(
                RefusalReason.EXTERNAL_REF,
                f"$ref {reference!r} points to another document (read it with --allow-remote-refs)",
            )
        try:
            resolved = self._registry.resolver(base_uri=document).lookup(uri)
        except (Unresolvable, LookupError, ValueError) as error:
            while error.__cause__ is not None and not isinstance(error, Unusable):
                error = error.__cause__  # type: ignore[assignment]
            if isinstance(error, Unusable):
                raise error from None
            raise Unusable(RefusalReason.BROKEN_REF, f"$ref {reference!r} has no target") from None
        return resolved.contents, uri

    def _retrieve(self, uri: str) -> Resource[Any]:
        parts = urlsplit(uri)
        if parts.scheme == "file":
            path = Path(urllib.request.url2pathname(parts.path)).resolve()
            if not path.is_relative_to(self._folder):
                detail = f"$ref to {path}, which is outside the document's folder"
                raise Unusable(RefusalReason.EXTERNAL_REF, detail)
            return _resource(read_document(path))
        if parts.scheme not in ("http", "https"):
            raise Unusable(RefusalReason.EXTERNAL_REF, f"$ref to {uri}: not HTTP")
        try:
            with urllib.request.urlopen(uri, timeout=REMOTE_TIMEOUT_S) as response:  # noqa: S310
                data = response.read(REMOTE_BYTES + 1)
        except OSError as error:
            detail = f"$ref to {uri} can't be fetched: {error}"
            raise Unusable(RefusalReason.BROKEN_REF, detail) from None
        if len(data) > REMOTE_BYTES:
            raise Unusable(RefusalReason.TOO_LARGE, f"$ref to {uri}: over {REMOTE_BYTES:,} bytes")
        return _resource(parse_document(data))


def _resource(contents: Any) -> Resource[Any]:
    return DRAFT202012.create_resource(contents)
