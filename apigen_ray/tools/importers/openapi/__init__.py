"""Tools from OpenAPI 3.x and Swagger 2.0 documents: one for each operation.

An operation's parameters and the members of its JSON or form body become the arguments of one
tool; its backend says where each of them is sent.
"""

from collections.abc import Iterator, Sequence

from apigen_ray.tools.categories import category_of
from apigen_ray.tools.importers.documents import Unusable, parse_document, read_document
from apigen_ray.tools.importers.findings import Finding, Refused, document_files
from apigen_ray.tools.importers.importer import Importer
from apigen_ray.tools.importers.openapi.document import Document, OpenApiOptions
from apigen_ray.tools.importers.openapi.operation import read_operation

__all__ = ["IMPORTER", "OpenApiOptions", "read_openapi"]

SUFFIXES = (".json", ".yaml", ".yml")


def read_openapi(sources: Sequence[str], options: OpenApiOptions) -> Iterator[Finding]:
    """The operations of documents, or of all documents in folders.

    Also read are ToolAlpaca's files, which hold a document as text in `Documentation`.
    """
    for path in document_files(sources, SUFFIXES):
        try:
            root, category = read_document(path), None
            if isinstance(root, dict) and isinstance(root.get("Documentation"), str):
                category = category_of("toolalpaca", root.get("Category"))
                root = parse_document(root["Documentation"])
            document = Document(root, path, options, category or options.category)
        except Unusable as error:
            yield Refused(str(path), error.reason, error.detail)
            continue
        for place in document.operations():
            if isinstance(place, Refused):
                yield place
            else:
                yield from read_operation(document, place)


IMPORTER = Importer(
    name="openapi",
    summary="the operations of OpenAPI 3.x and Swagger 2.0 documents",
    source="a JSON or YAML document, or a folder of them",
    example="api.yaml --server https://api.example.com --out tools.jsonl",
    options=OpenApiOptions,
    read=read_openapi,
)
