"""An OpenAPI document, and where its operations stand."""

import argparse
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apigen_ray.errors import BadInput
from apigen_ray.tools.importers.documents import References, Unusable
from apigen_ray.tools.importers.findings import RefusalReason, Refused
from apigen_ray.tools.importers.importer import CategoryOption, option
from apigen_ray.tools.importers.openapi.alternatives import with_alternatives
from apigen_ray.tools.importers.openapi.schemas import Schemas
from apigen_ray.tools.importers.openapi.swagger import to_openapi_3

METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
MAX_HOPS = 20


class _Pairs(argparse.Action):
    """Collects SCHEME=VARIABLE as a dict."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        scheme, _, variable = str(values).partition("=")
        if not variable:
            raise BadInput(f"{option_string} {values}: must be SCHEME=VARIABLE")
        setattr(namespace, self.dest, getattr(namespace, self.dest) | {scheme: variable})


@dataclass(frozen=True, slots=True)
class OpenApiOptions(CategoryOption):
    """What the user adds to what documents say."""

    server: str | None = option(None, "the base URL, in place of the document's", metavar="URL")
    auth_env: Mapping[str, str] = option(
        {},
        "the environment variable that holds the key or token of a security scheme; "
        "for HTTP basic, the base64 of user:password",
        action=_Pairs,
        metavar="SCHEME=VARIABLE",
    )
    allow_remote_refs: bool = option(
        False,
        "follow $refs into other documents: files beside this one, and HTTP URLs",
        action="store_true",
    )


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation stands in its document."""

    template: str
    """The path, with its parameters in braces."""
    method: str
    item: Mapping[str, Any]
    """The path item that holds the operation."""
    base: str
    """The URI of the document that the path item is in."""


class Document:
    """A document, and what its operations share.

    Raises:
        Unusable: if it is not an OpenAPI document of a known version.
    """

    def __init__(self, root: Any, path: Path, options: OpenApiOptions, category: str) -> None:
        if not isinstance(root, dict) or not {"openapi", "swagger"} & root.keys():
            detail = "not an OpenAPI document: it has no `openapi`"
            raise Unusable(RefusalReason.UNREADABLE, detail)
        version = str(root.get("openapi") or root.get("swagger"))
        if not re.match(r"3\.[012]|2\.0$", version):
            detail = f"OpenAPI {version}; convert it to 3.0 or 3.1 first"
            raise Unusable(RefusalReason.UNSUPPORTED_VERSION, detail)
        if not isinstance(root.get("paths") or {}, dict):
            raise Unusable(RefusalReason.UNREADABLE, "`paths` must be an object")
        root = _in_openapi_3(root, version)
        info = root.get("info")
        title = info.get("title") if isinstance(info, dict) else None
        self.root = root
        self.path = path
        self.options = options
        self.category = category
        self.title = str(title or path.stem)
        self.references = References(root, path, allow_remote=options.allow_remote_refs)
        self.schemas = Schemas(self.references, ref_stands_alone=version.startswith(("2.", "3.0")))
        self._ids: dict[str, str] = {}

    def operations(self) -> Iterator[Place | Refused]:
        """All operations, and the paths that can't be read."""
        for template, written in (self.root.get("paths") or {}).items():
            where = f"{self.path}: {template}"
            try:
                item, base = self.resolve(written, self.references.base)
            except Unusable as error:
                yield Refused(where, error.reason, error.detail)
                continue
            if not isinstance(item, dict):
                yield Refused(where, RefusalReason.UNREADABLE, "the path must hold an object")
                continue
            for method in METHODS:
                if method in item:
                    yield Place(str(template), method, item, base)

    def resolve(self, value: Any, base: str) -> tuple[Any, str]:
        """The object that a value is or refers to, and the URI of the document it is in.

        Raises:
            Unusable: if a reference can't be followed.
        """
        for _ in range(MAX_HOPS):
            if not isinstance(value, dict) or not isinstance(value.get("$ref"), str):
                return value, base
            value, base = self.references.follow(value["$ref"], base)
        raise Unusable(RefusalReason.BROKEN_REF, f"$ref {base!r} points to itself")

    def first_use(self, operation_id: str, where: str) -> str:
        """Where an operationId was first used: here, unless an earlier operation has it."""
        return self._ids.setdefault(operation_id, where)


def _in_openapi_3(root: dict[str, Any], version: str) -> dict[str, Any]:
    try:
        return with_alternatives(to_openapi_3(root) if version == "2.0" else root)
    except RecursionError:
        raise Unusable(RefusalReason.TOO_LARGE, "nested too deeply") from None
    except (AttributeError, KeyError, TypeError) as error:
        detail = f"not valid Swagger: {type(error).__name__}: {error}"
        raise Unusable(RefusalReason.UNREADABLE, detail) from None
