"""How an operation is reached: the server it is on, and the keys it asks for."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from apigen_ray.records import Key
from apigen_ray.tools.importers.documents import Unusable
from apigen_ray.tools.importers.findings import RefusalReason
from apigen_ray.tools.importers.openapi.document import Document, Place


def server_url(document: Document, place: Place) -> str | None:
    """The first server's URL, with the defaults of its variables; None if it has no host."""
    listed = place.item[place.method].get("servers") or place.item.get("servers")
    urls = []
    for server in listed or document.root.get("servers") or []:
        url = str(server.get("url") or "/")
        for name, variable in (server.get("variables") or {}).items():
            url = url.replace(f"{{{name}}}", str(variable.get("default", "")))
        urls.append(url)
    given = document.options.server
    if given is not None:  # a host alone takes the document's own path
        alone = not urlsplit(given).path.strip("/")
        return urljoin(given, urlsplit(urls[0]).path) if alone and urls else given
    return next((url for url in urls if urlsplit(url).scheme in ("http", "https")), None)


def keys_of(document: Document, place: Place) -> tuple[Key, ...]:
    """The keys of the first security requirement that stage 2 can meet.

    Requirements whose keys the user names come first, then access without any key.

    Raises:
        Unusable: if stage 2 can meet none of them.
    """
    requirements = place.item[place.method].get("security", document.root.get("security"))
    if not requirements:
        return ()
    components = document.root.get("components") or {}
    schemes = components.get("securitySchemes") or {}
    refused = ""

    def rank(requirement: Mapping[str, Any]) -> tuple[bool, bool]:
        named = set(requirement) <= document.options.auth_env.keys()
        return not requirement or not named, bool(requirement)

    for requirement in sorted(requirements, key=rank):
        try:
            return tuple(
                _key(document, name, document.resolve(schemes.get(name), place.base)[0])
                for name in requirement
            )
        except Unusable as error:
            refused = error.detail
    raise Unusable(RefusalReason.UNSUPPORTED_AUTH, refused)


def _key(document: Document, scheme: str, described: Any) -> Key:
    variable = document.options.auth_env.get(scheme) or _variable(f"{document.title}_{scheme}")
    match described:
        case {"type": "apiKey", "in": "header" | "query" | "cookie" as place, "name": name}:
            return Key(place, str(name), variable)
        case {"type": "http", "scheme": str(how)} if how.lower() in ("bearer", "basic"):
            return Key("header", "Authorization", variable, f"{how.capitalize()} ")
        case {"type": "oauth2" | "openIdConnect"}:
            return Key("header", "Authorization", variable, "Bearer ")
        case None:
            detail = f"the security scheme {scheme!r} is not described"
        case _:
            detail = f"the security scheme {scheme!r} needs more than a key or token"
    raise Unusable(RefusalReason.UNSUPPORTED_AUTH, detail)


def _variable(name: str) -> str:
    """The name of an environment variable: `MUSEUM_API_BEARER`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
