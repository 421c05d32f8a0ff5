"""Documents of Swagger 2.0 become the tools that they would be in OpenAPI 3.0."""

import json

import pytest

from apigen_ray.records import Key
from apigen_ray.stages.execute.rest.request import build
from apigen_ray.tools.importers.findings import gather
from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi
from apigen_ray.tools.validation import SchemaValidator


@pytest.fixture
def read(tmp_path):
    def reader(document, **options):
        path = tmp_path / "swagger.json"
        path.write_text(json.dumps(document))
        return gather(read_openapi([str(path)], OpenApiOptions(**options)))

    return reader


@pytest.fixture
def tool(read):
    def reader(parameters, method="get", path="/gauges", operation=None, **more):
        operation = {"parameters": parameters} | (operation or {})
        base = {"swagger": "2.0", "host": "api.test", "basePath": "/v1", "schemes": ["https"]}
        result = read(base | {"paths": {path: {method: operation}}} | more)
        assert not result.refused, result.refused
        return result.imported[0].tool

    return reader


def array(how, place="query"):
    items = {"type": "string"}
    return {"name": "a", "in": place, "type": "array", "items": items} | (
        {"collectionFormat": how} if how else {}
    )


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({"schemes": ["http", "https"]}, "https://api.test/v1/gauges"),
        ({"schemes": ["http"]}, "http://api.test/v1/gauges"),
        ({"schemes": ["wss", "http"]}, "http://api.test/v1/gauges"),
        ({"schemes": None}, "https://api.test/v1/gauges"),
        ({"basePath": None}, "https://api.test/gauges"),
        ({"basePath": "/", "host": "api.test:8080"}, "https://api.test:8080/gauges"),
        ({"operation": {"schemes": ["http"]}}, "http://api.test/v1/gauges"),
    ],
)
def test_the_server_is_of_scheme_host_and_path(tool, more, url):
    assert tool([], **more).backend.url == url


def test_without_a_host_a_server_is_given(read):
    document = {"swagger": "2.0", "basePath": "/v2", "paths": {"/a": {"get": {}}}}
    assert read(document).imported[0].tool.backend is None
    [item] = read(document, server="https://api.test").imported
    assert item.tool.backend.url == "https://api.test/v2/a"


@pytest.mark.parametrize(
    ("how", "place", "query"),
    [
        (None, "query", [("a", "x,y")]),
        ("csv", "query", [("a", "x,y")]),
        ("ssv", "query", [("a", "x y")]),
        ("pipes", "query", [("a", "x|y")]),
        ("multi", "query", [("a", "x"), ("a", "y")]),
    ],
)
def test_lists_are_joined_as_the_document_says(tool, how, place, query):
    made = tool([array(how, place)])
    joined = {"csv": "x,y", "ssv": "x y", "pipes": "x|y", None: "x,y"}.get(how, ["x", "y"])
    assert SchemaValidator(made.parameters).accepts({"a": joined})
    assert list(build(made.backend, {"a": joined}).query) == query


def test_a_list_in_a_path_or_header_is_joined_by_commas_or_refused(tool, read):
    made = tool([array(None, "path") | {"required": True}], path="/gauges/{a}")
    assert build(made.backend, {"a": ["x", "y"]}).url == "https://api.test/v1/gauges/x%2Cy"
    for how in ("ssv", "pipes", "tsv"):
        parameters = [array(how, "path") | {"required": True}]
        paths = {"/g/{a}": {"get": {"parameters": parameters}}}
        [refused] = read({"swagger": "2.0", "host": "api.test", "paths": paths}).refused
        assert refused.reason == "unsupported_style"


def test_parameters_have_their_schema(tool):
    written = {"name": "days", "in": "query", "type": "integer", "minimum": 1, "maximum": 9,
               "exclusiveMaximum": True, "default": 2, "description": "Days.", "required": True,
               "x-nullable": True}  # fmt: skip
    made = tool([written])
    assert made.parameters["properties"]["days"] == {
        "type": ["integer", "null"], "minimum": 1, "exclusiveMaximum": 9, "default": 2,
        "description": "Days.",
    }  # fmt: skip
    assert made.parameters["required"] == ["days"]


def test_a_body_gives_its_members(tool):
    definitions = {
        "Gauge": {"type": "object", "required": ["name"],
                  "properties": {"name": {"type": "string"}, "depth": {"type": "number"}}}
    }  # fmt: skip
    body = {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/Gauge"}}
    made = tool([body], "post", definitions=definitions)
    assert made.parameters["required"] == ["name"]
    sent = build(made.backend, {"name": "Kappeln", "depth": 2})
    assert sent.body == {"name": "Kappeln", "depth": 2}


@pytest.mark.parametrize(
    ("consumes", "kind"),
    [
        (None, "application/x-www-form-urlencoded"),
        (["application/json", "multipart/form-data"], "multipart/form-data"),
        (["application/x-www-form-urlencoded"], "application/x-www-form-urlencoded"),
    ],
)
def test_a_form_gives_its_fields(tool, consumes, kind):
    fields = [
        {"name": "name", "in": "formData", "type": "string", "required": True},
        {"name": "tags", "in": "formData", "type": "array", "items": {"type": "string"}},
        {"name": "all", "in": "formData", "type": "array", "items": {"type": "string"},
         "collectionFormat": "multi"},
    ]  # fmt: skip
    made = tool(fields, "post", operation={"consumes": consumes})
    assert made.parameters["properties"] == {
        "name": {"type": "string"},
        "tags": {"type": "string", "description": "Several values are separated by commas."},
        "all": {"type": "array", "items": {"type": "string"}},
    }
    assert made.parameters["required"] == ["name"]
    assert made.backend.headers["Content-Type"] == kind


def test_a_file_is_left_out_or_refused(read, tool):
    file = {"name": "picture", "in": "formData", "type": "file"}
    name = {"name": "name", "in": "formData", "type": "string"}
    assert tool([file, name], "post").parameters["properties"].keys() == {"name"}
    operation = {"parameters": [file | {"required": True}]}
    [refused] = read({"swagger": "2.0", "paths": {"/a": {"post": operation}}}).refused
    assert refused.reason == "unsupported_body"


def test_shared_parameters_are_found_and_overridden(read):
    document = {
        "swagger": "2.0",
        "host": "api.test",
        "parameters": {
            "Id": {"name": "id", "in": "path", "type": "integer", "required": True},
            "Body": {"name": "b", "in": "body", "schema": {"properties": {"x": {}}}},
        },
        "paths": {
            "/a/{id}": {
                "parameters": [{"$ref": "#/parameters/Id"}],
                "put": {"parameters": [{"$ref": "#/parameters/Body"}]},
                "get": {"parameters": [
                    {"name": "id", "in": "path", "type": "string", "required": True}]},
            }
        },
    }  # fmt: skip
    tools = {item.tool.backend.method: item.tool for item in read(document).imported}
    assert tools["PUT"].parameters["properties"] == {
        "id": {"type": "integer"},
        "x": {},
    }
    assert tools["GET"].parameters["properties"] == {"id": {"type": "string"}}


@pytest.mark.parametrize(
    ("scheme", "key"),
    [
        ({"type": "basic"}, Key("header", "Authorization", "K", "Basic ")),
        ({"type": "apiKey", "in": "query", "name": "k"}, Key("query", "k", "K")),
        ({"type": "oauth2", "flow": "implicit"}, Key("header", "Authorization", "K", "Bearer ")),
    ],
)
def test_keys_are_those_of_the_security_definitions(read, scheme, key):
    document = {"swagger": "2.0", "host": "api.test", "securityDefinitions": {"s": scheme},
                "security": [{"s": []}], "paths": {"/a": {"get": {}}}}  # fmt: skip
    [item] = read(document, auth_env={"s": "K"}).imported
    assert item.tool.backend.auth_env == (key,)


def test_a_discriminator_stands_for_its_children(tool):
    pet = {"type": "object", "discriminator": "kind", "properties": {"kind": {"type": "string"}}}
    cat = {"allOf": [{"$ref": "#/definitions/Pet"}, {"properties": {"claws": {"type": "integer"}}}]}
    body = {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/Pet"}}
    made = tool([body], "post", definitions={"Pet": pet, "Cat": cat})
    assert made.parameters["properties"]["kind"] == {"type": "string", "enum": ["Cat"]}
    assert made.parameters["properties"]["claws"] == {"type": "integer"}


@pytest.mark.parametrize(
    "broken",
    [
        {"paths": {"/a": {"get": {"parameters": [{"$ref": "#/parameters/No"}]}}}},
        {"paths": {"/a": {"get": {"parameters": [5]}}}},
        {"paths": {}, "securityDefinitions": [5]},
    ],
)
def test_what_is_no_swagger_is_one_line(read, broken):
    [refused] = read({"swagger": "2.0"} | broken).refused
    assert refused.reason == "unreadable"
    assert "not valid Swagger" in refused.detail
