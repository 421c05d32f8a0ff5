"""OpenAPI documents become tools whose calls are sent as the documents say."""

import json
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import yaml

from apigen_ray.records import Key, RestBackend
from apigen_ray.stages.execute.rest.request import build
from apigen_ray.tools.importers.findings import RefusalReason, gather
from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi

DATA = Path(__file__).parents[2] / "data" / "imports"
APIS = Path(__file__).parents[3] / "configs" / "apis"
SERVER = [{"url": "https://api.test/v1"}]


def document(paths, **more):
    return {"openapi": "3.1.0", "info": {"title": "T"}, "servers": SERVER, "paths": paths} | more


@pytest.fixture
def read(tmp_path):
    def reader(value, name="api.json", **options):
        path = tmp_path / name
        path.write_text(value if isinstance(value, str) else json.dumps(value))
        return gather(read_openapi([str(path)], OpenApiOptions(**options)))

    return reader


@pytest.fixture
def tool(read):
    """The one tool of a document with one operation."""

    def reader(operation, path="/x", method="get", version="3.1.0", options=None, **more):
        value = document({path: {method: operation}}, openapi=version, **more)
        result = read(value, **(options or {}))
        assert not result.refused, result.refused
        return result.imported[0].tool

    return reader


def query(name, schema, **more):
    return {"name": name, "in": "query", "schema": schema} | more


def refusals(result):
    return [(item.where.partition(": ")[2], item.reason) for item in result.refused]


# --- what is kept


def test_a_real_document_becomes_one_tool_an_operation():
    result = gather(read_openapi([str(APIS / "museum.yaml")], OpenApiOptions()))
    tools = {item.tool.name: item.tool for item in result.imported}
    assert not result.refused
    assert len(tools) == 8
    hours = tools["getMuseumHours"]
    assert hours.description.startswith("Get museum hours.")
    assert hours.parameters["properties"]["startDate"]["format"] == "date"
    assert hours.backend.url == "https://redocly.com/_mock/docs/openapi/museum-api/museum-hours"
    buy = tools["buyMuseumTickets"]
    assert buy.backend.method == "POST"
    assert set(buy.parameters["required"]) == {"ticketType", "ticketDate"}
    assert buy.backend.params_in["email"] == "body"


def test_the_descriptions_of_the_project_are_imported_and_their_source_is_named():
    result = gather(read_openapi([str(APIS)], OpenApiOptions()))
    sources = Counter(item.source for item in result.imported)
    assert sources == {
        "openapi:box.json": 3,
        "openapi:ga4gh-tes.yaml": 5,
        "openapi:museum.yaml": 8,
        "openapi:petstore.yaml": 18,
    }
    assert [(item.where.rpartition(" ")[2], item.reason) for item in result.refused] == [
        ("/pet/{petId}/uploadImage", "unsupported_body")
    ]
    told = (APIS / "SOURCE.md").read_text()
    assert all(f"`{path.name}`" in told for path in APIS.iterdir() if path.suffix != ".md")


def test_a_toolalpaca_file_is_read_with_its_category():
    path = DATA / "toolalpaca_free_dictionary.json"
    result = gather(read_openapi([str(path)], OpenApiOptions()))
    assert [item.tool.category for item in result.imported] == ["Education"]


def test_parameters_of_a_path_are_overridden_by_those_of_its_operation(read):
    shared = [query("a", {"type": "string"}), query("b", {"type": "string"})]
    paths = {"/x": {"parameters": shared, "get": {"parameters": [query("a", {"type": "integer"})]}}}
    tool = read(document(paths)).imported[0].tool
    assert tool.parameters["properties"] == {"a": {"type": "integer"}, "b": {"type": "string"}}


def test_arguments_of_one_name_in_two_places_are_told_apart(tool):
    body = {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}
    made = tool(
        {
            "parameters": [
                {"name": "id", "in": "path", "required": True, "schema": {"type": "integer"}}
            ],
            "requestBody": {"content": {"application/json": {"schema": body}}},
        },
        path="/x/{id}",
        method="post",
    )
    assert made.parameters["required"] == ["id", "body_id"]
    request = build(made.backend, {"id": 5, "body_id": "a"})
    assert request.url == "https://api.test/v1/x/5"
    assert request.body == {"id": "a"}


def test_argument_names_are_legal_and_sent_under_the_names_of_the_document(tool):
    made = tool({"parameters": [query("$filter[a b]", {"type": "string"})]})
    (name,) = made.parameters["properties"]
    assert name == "filter_a_b"
    assert build(made.backend, {name: "x"}).query == [("$filter[a b]", "x")]


def test_headers_that_the_standard_reserves_are_no_arguments(tool):
    header = {"in": "header", "schema": {"type": "string"}}
    names = ["Accept", "content-type", "Authorization", "X-Trace"]
    made = tool({"parameters": [{"name": name, **header} for name in names]})
    assert list(made.parameters["properties"]) == ["X-Trace"]


# --- styles

IDS = {"type": "array", "items": {"type": "integer"}}
POINT = {"type": "object", "properties": {"x": {"type": "integer"}, "y": {"type": "integer"}}}
LIST, JOINED = {"ids": [1, 2]}, {"ids": "1,2"}


@pytest.mark.parametrize(
    ("more", "arguments", "sent"),
    [
        ({}, LIST, [("ids", "1"), ("ids", "2")]),
        ({"explode": False}, JOINED, [("ids", "1,2")]),
        ({"style": "spaceDelimited", "explode": False}, {"ids": "1 2"}, [("ids", "1 2")]),
        ({"style": "pipeDelimited", "explode": False}, {"ids": "1|2"}, [("ids", "1|2")]),
    ],
    ids=str,
)
def test_lists_in_a_query_are_sent_by_their_style(tool, more, arguments, sent):
    made = tool({"parameters": [query("ids", IDS, **more)]})
    assert build(made.backend, arguments).query == sent
    delimiter = {"1,2": "commas", "1 2": "spaces", "1|2": "pipes"}.get(str(arguments["ids"]))
    told = made.parameters["properties"]["ids"].get("description")
    assert told == (delimiter and f"Several values are separated by {delimiter}.")


def test_a_joined_list_of_an_enumeration_has_a_pattern(tool):
    schema = {"type": "array", "items": {"enum": ["a.b", "c"]}}
    made = tool({"parameters": [query("q", schema, explode=False)]})
    assert made.parameters["properties"]["q"]["pattern"] == r"^(a\.b|c)(,(a\.b|c))*$"


@pytest.mark.parametrize(
    ("more", "arguments", "sent"),
    [
        ({"style": "deepObject"}, {"p_x": 1, "p_y": 2}, [("p[x]", "1"), ("p[y]", "2")]),
        ({}, {"x": 1, "y": 2}, [("x", "1"), ("y", "2")]),
    ],
    ids=["deepObject", "form"],
)
def test_objects_in_a_query_are_taken_apart(tool, more, arguments, sent):
    made = tool({"parameters": [query("p", POINT, **more)]})
    assert build(made.backend, arguments).query == sent


def test_an_object_that_is_sent_as_json_text_stays_one_argument(tool):
    content = {"application/json": {"schema": POINT}}
    made = tool({"parameters": [{"name": "p", "in": "query", "content": content}]})
    assert build(made.backend, {"p": {"x": 1}}).query == [("p", '{"x": 1}')]


@pytest.mark.parametrize(
    ("style", "schema", "value", "url"),
    [
        ("simple", IDS, [1, 2], "/1%2C2"),
        ("label", {"type": "integer"}, 1, "/.1"),
        ("matrix", {"type": "integer"}, 1, "/;ids=1"),
        ("matrix", IDS, [1, 2], "/;ids=1%2C2"),
    ],
)
def test_path_parameters_are_sent_by_their_style(tool, style, schema, value, url):
    parameter = {"name": "ids", "in": "path", "required": True, "schema": schema}
    made = tool({"parameters": [parameter | {"style": style}]}, path="/{ids}")
    assert build(made.backend, {"ids": value}).url == f"https://api.test/v1{url}"


@pytest.mark.parametrize(
    ("place", "style", "explode", "schema"),
    [
        ("path", "matrix", True, IDS),
        ("path", "label", True, IDS),
        ("path", "simple", False, POINT),
        ("query", "form", False, POINT),
        ("query", "deepObject", True, {"type": "object"}),
        ("header", "simple", True, POINT),
        ("cookie", "form", True, IDS),
    ],
)
def test_what_stage_2_cannot_send_is_refused_or_left_out(read, place, style, explode, schema):
    parameter = {"name": "p", "in": place, "style": style, "explode": explode, "schema": schema}
    paths = {"/a/{p}" if place == "path" else "/a": {"get": {"parameters": [parameter]}}}
    required = json.loads(json.dumps(paths))
    for item in required.values():
        item["get"]["parameters"][0]["required"] = True
    assert [r for _, r in refusals(read(document(required)))] == [RefusalReason.UNSUPPORTED_STYLE]
    if place != "path":
        result = read(document(paths))
        assert result.imported[0].tool.parameters["properties"] == {}
        assert any("left out" in note.text for note in result.notes)


def test_headers_and_cookies_are_sent_where_they_belong(tool):
    made = tool(
        {
            "parameters": [
                {"name": "X-Ids", "in": "header", "schema": IDS},
                {"name": "session", "in": "cookie", "schema": {"type": "string"}},
            ]
        }
    )
    request = build(made.backend, {"X-Ids": [1, 2], "session": "s"})
    assert request.headers["X-Ids"] == "1,2"
    assert request.cookies == [("session", "s")]


# --- bodies


def body(schema, media_type="application/json", **more):
    return {"requestBody": {"content": {media_type: {"schema": schema} | more}}}


def test_members_of_allof_are_one_body_without_what_only_answers_have(tool):
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Base"},
            {"properties": {"b": {"type": "string"}}, "required": ["b", "id"]},
        ]
    }
    base = {
        "type": "object",
        "properties": {"id": {"type": "integer", "readOnly": True}, "a": {"type": "string"}},
        "required": ["id", "a"],
    }
    made = tool(body(schema), method="post", components={"schemas": {"Base": base}})
    assert set(made.parameters["properties"]) == {"a", "b"}
    assert set(made.parameters["required"]) == {"a", "b"}


def test_what_one_part_requires_may_be_a_member_of_another(tool):
    named = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    schema = {
        "allOf": [named, {"required": ["a"]}],
        "anyOf": [{"required": ["b"]}, {"required": ["a"]}],
    }
    made = tool(body(schema), method="post")
    assert made.parameters["required"] == ["a"]
    schema["anyOf"][1] = {"required": ["b", "a"]}
    assert set(tool(body(schema), method="post").parameters["required"]) == {"a", "b"}


def test_of_alternatives_all_members_are_taken_and_those_required_that_all_require(tool):
    def way(kind, *required):
        return {"type": "object", "properties": {"kind": {"const": kind}, kind: {}},
                "required": ["kind", *required]}  # fmt: skip

    made = tool(body({"oneOf": [way("a", "a"), way("b", "b")]}), method="post")
    assert set(made.parameters["properties"]) == {"kind", "a", "b"}
    assert made.parameters["required"] == ["kind"]
    assert made.parameters["properties"]["kind"] == {"anyOf": [{"const": "a"}, {"const": "b"}]}


def test_a_form_is_sent_as_a_form(tool):
    made = tool(body(POINT, "application/x-www-form-urlencoded"), method="post")
    assert made.backend.headers == {"Content-Type": "application/x-www-form-urlencoded"}


FILE = {"type": "string", "format": "binary"}


def test_a_multipart_form_is_sent_without_the_files_that_it_can_do_without(tool):
    fields = {"a": {"type": "string"}, "b": FILE, "c": {"type": "array", "items": FILE}}
    schema = {"type": "object", "properties": fields, "required": ["a"]}
    made = tool(body(schema, "multipart/form-data"), method="post")
    assert set(made.parameters["properties"]) == {"a"}
    assert made.backend.headers == {"Content-Type": "multipart/form-data"}


@pytest.mark.parametrize(
    ("schema", "media_type", "headers"),
    [
        ({"type": "array", "items": POINT}, "application/json", {}),
        ({"type": "string"}, "text/plain", {"Content-Type": "text/plain"}),
        ({"oneOf": [POINT, {"type": "string"}]}, "application/json", {}),
    ],
)
def test_a_body_that_is_no_object_is_one_argument(tool, schema, media_type, headers):
    written = body(schema, media_type)
    written["requestBody"]["required"] = True
    written["parameters"] = [query("body", {"type": "string"})]
    made = tool(written, method="post")
    assert made.parameters["properties"] == {"body": {"type": "string"}, "payload_body": schema}
    assert made.parameters["required"] == ["payload_body"]
    assert made.backend.params_in == {"body": "query", "payload_body": "payload:body"}
    assert made.backend.headers == headers


@pytest.mark.parametrize(
    ("schema", "media_type"),
    [
        (FILE, "application/octet-stream"),
        ({"type": "object", "properties": {"a": FILE}, "required": ["a"]}, "multipart/form-data"),
        ({"type": "array", "items": POINT}, "multipart/form-data"),
        ({"type": "object"}, "application/json"),
        ({}, "application/json"),
    ],
)
def test_a_body_that_arguments_cannot_make_is_refused(read, schema, media_type):
    result = read(document({"/x": {"post": body(schema, media_type)}}))
    assert refusals(result) == [("POST /x", RefusalReason.UNSUPPORTED_BODY)]


# --- schemas


def test_a_recursive_schema_keeps_its_definitions(tool):
    node = {
        "type": "object",
        "properties": {"children": {"type": "array", "items": {"$ref": "#/components/schemas/N"}}},
    }
    made = tool(body(node), method="post", components={"schemas": {"N": node}})
    assert made.parameters["properties"]["children"]["items"] == {"$ref": "#/$defs/N"}
    assert set(made.parameters["$defs"]) == {"N"}


def test_definitions_are_only_those_needed(tool):
    schemas = {
        "A": POINT,
        "B": POINT,
        "C": {"type": "array", "items": {"$ref": "#/components/schemas/B"}},
    }
    inner = {"type": "object", "properties": {"c": {"$ref": "#/components/schemas/C"}}}
    made = tool(body(inner), method="post", components={"schemas": schemas})
    assert set(made.parameters["$defs"]) == {"B", "C"}


def test_schemas_of_3_0_are_read_as_those_of_3_1(tool):
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "nullable": True, "minimum": 0, "exclusiveMinimum": True},
            "r": {"nullable": True, "allOf": [{"$ref": "#/components/schemas/E"}]},
            "e": {"type": "string", "example": "abc"},
        },
    }
    made = tool(
        body(schema), method="post", version="3.0.3", components={"schemas": {"E": POINT}}
    ).parameters
    assert made["properties"]["n"] == {"type": ["integer", "null"], "exclusiveMinimum": 0}
    assert made["properties"]["r"]["anyOf"][1] == {"type": "null"}
    assert made["properties"]["e"] == {"type": "string", "examples": ["abc"]}


def test_examples_of_parameters_and_bodies_are_an_example_call(tool):
    made = tool(
        {
            "parameters": [query("q", {"type": "string"}, required=True, example="x")],
            **body(POINT, example={"x": 1, "y": 2}),
        },
        method="post",
    )
    assert made.parameters["examples"] == [{"q": "x", "x": 1, "y": 2}]


def test_examples_that_the_schema_does_not_allow_are_dropped(read):
    parameters = [query("q", {"type": "integer", "example": "x"}, required=True)]
    result = read(document({"/x": {"get": {"parameters": parameters}}}))
    assert "examples" not in json.dumps(result.imported[0].tool.parameters)
    assert any("examples dropped" in note.text for note in result.notes)


# --- servers and keys


@pytest.mark.parametrize(
    ("servers", "given", "url"),
    [
        ([{"url": "https://{h}.test/{v}",
           "variables": {"h": {"default": "eu"}, "v": {"default": "2"}}}],
         None, "https://eu.test/2/x"),
        ([{"url": "/v3"}, {"url": "https://b.test"}], None, "https://b.test/x"),
        ([{"url": "/v3"}], "https://c.test", "https://c.test/v3/x"),
        ([{"url": "https://a.test"}], "http://127.0.0.1:8080/base", "http://127.0.0.1:8080/base/x"),
    ],
)  # fmt: skip
def test_the_server_is_the_documents_or_the_one_given(tool, servers, given, url):
    assert tool({}, servers=servers, options={"server": given}).backend.url == url


def test_without_a_server_a_tool_is_not_callable_and_a_note_says_so(read):
    result = read(document({"/x": {"get": {}}}, servers=[{"url": "/v1"}]))
    assert result.imported[0].tool.backend is None
    assert "--server" in result.notes[0].text


SCHEMES = {
    "key": {"type": "apiKey", "in": "query", "name": "api_key"},
    "token": {"type": "http", "scheme": "bearer"},
    "user": {"type": "http", "scheme": "basic"},
    "oauth": {"type": "oauth2", "flows": {}},
    "tls": {"type": "mutualTLS"},
}


@pytest.mark.parametrize(
    ("security", "keys"),
    [
        ([{"key": []}], [Key("query", "api_key", "T_KEY")]),
        ([{"token": []}], [Key("header", "Authorization", "T_TOKEN", "Bearer ")]),
        ([{"user": []}], [Key("header", "Authorization", "T_USER", "Basic ")]),
        ([{"tls": []}, {"oauth": []}], [Key("header", "Authorization", "T_OAUTH", "Bearer ")]),
        ([{"key": [], "token": []}], [Key("query", "api_key", "T_KEY"),
                                      Key("header", "Authorization", "T_TOKEN", "Bearer ")]),
        ([{"key": []}, {}], []),
        ([], []),
    ],
)  # fmt: skip
def test_security_schemes_become_keys_from_the_environment(tool, security, keys):
    made = tool({"security": security}, components={"securitySchemes": SCHEMES})
    assert list(made.backend.auth_env) == keys


def test_a_key_has_the_variable_that_the_user_names_and_is_no_argument(tool):
    made = tool(
        {"security": [{"key": []}], "parameters": [query("api_key", {"type": "string"})]},
        components={"securitySchemes": SCHEMES},
        options={"auth_env": {"key": "MY_KEY"}},
    )
    assert isinstance(made.backend, RestBackend)
    assert made.backend.auth_env[0].env == "MY_KEY"
    assert made.parameters["properties"] == {}


def test_access_by_a_client_certificate_is_refused(read):
    operation = {"security": [{"tls": []}]}
    result = read(document({"/x": {"get": operation}}, components={"securitySchemes": SCHEMES}))
    assert refusals(result) == [("GET /x", RefusalReason.UNSUPPORTED_AUTH)]


# --- bad documents


@pytest.mark.parametrize(
    ("text", "name", "reason", "says"),
    [
        ("openapi: 3.1.0\npaths:\n  - a\n b: c\n", "a.yaml", "unreadable", "line 4"),
        ('{"openapi": "3.1.0", "paths": {', "a.json", "unreadable", "not JSON"),
        ("just words", "a.yaml", "unreadable", "not an OpenAPI document"),
        ('{"swagger": "1.2", "paths": {}}', "a.json", "unsupported_version", "convert"),
        ("a: &a [x, *a]\nopenapi: 3.1.0", "a.yaml", "too_large", "aliases"),
        ("[" * 100_000, "a.json", "too_large", "nested"),
    ],
    ids=["yaml", "json", "text", "swagger", "endless", "deep"],
)
def test_a_document_that_cannot_be_read_is_one_line(read, text, name, reason, says):
    (refused,) = read(text, name).refused
    assert refused.reason == reason
    assert says in refused.detail
    assert "\n" not in refused.detail


def test_aliases_of_aliases_do_not_fill_the_memory(read):
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
    (refused,) = read("\n".join([*lines, "openapi: 3.1.0"]), "bomb.yaml").refused
    assert refused.reason is RefusalReason.TOO_LARGE


GOOD = {"operationId": "good"}


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"parameters": [{"name": "q", "in": "query"}]}, RefusalReason.UNTYPED_PARAMETER),
        ({"parameters": [query("q", {})]}, RefusalReason.UNTYPED_PARAMETER),
        ({"parameters": [query("q", {"$ref": "#/no/where"})]}, RefusalReason.BROKEN_REF),
        ({"parameters": [query("q", {"$ref": "other.yaml#/a"})]}, RefusalReason.EXTERNAL_REF),
        ({"parameters": [query("q", {"$ref": "https://a.test/b"})]}, RefusalReason.EXTERNAL_REF),
        ({"parameters": [query("q", {"type": "text", "minimum": "low"})]},
         RefusalReason.UNTYPED_PARAMETER),
        ({"parameters": [query("q", {"type": "integer", "maxLength": -1})]},
         RefusalReason.INVALID_SCHEMA),
        ({"parameters": [{"in": "query"}]}, RefusalReason.UNREADABLE),
        ({"parameters": {"a": 5}}, RefusalReason.UNREADABLE),
        ("words", RefusalReason.UNREADABLE),
    ],
)  # fmt: skip
def test_a_bad_operation_is_refused_and_the_rest_imported(read, operation, reason):
    result = read(document({"/bad": {"get": operation}, "/good": {"get": GOOD}}))
    assert refusals(result) == [("GET /bad", reason)]
    assert [item.tool.name for item in result.imported] == ["good"]


def test_a_path_parameter_that_is_not_described_is_refused(read):
    result = read(document({"/x/{id}": {"get": {}}}))
    assert refusals(result) == [("GET /x/{id}", RefusalReason.BAD_BACKEND)]


def test_a_type_that_only_examples_tell_is_taken_from_them(tool):
    made = tool({"parameters": [query("q", {"default": 3})]})
    assert made.parameters["properties"]["q"]["type"] == "integer"


def test_two_operations_of_one_id_are_both_imported_with_a_note(read):
    result = read(document({"/a": {"get": GOOD}, "/b": {"get": GOOD}}))
    assert sorted(item.tool.name for item in result.imported) == ["good_for_T", "good_for_T_2"]
    assert {item.original_name for item in result.imported} == {"good"}
    (note,) = result.notes
    assert "'good' is already used by GET /a" in note.text


def test_other_documents_are_read_only_where_that_is_allowed(read, tmp_path):
    (tmp_path / "kit.yaml").write_text("Size: {type: string, enum: [s, m]}\nno: 1\n")
    value = document({"/x": {"get": {"parameters": [query("q", {"$ref": "kit.yaml#/Size"})]}}})
    assert refusals(read(value)) == [("GET /x", RefusalReason.EXTERNAL_REF)]
    allowed = read(value, allow_remote_refs=True).imported[0].tool
    assert allowed.parameters["properties"]["q"] == {"type": "string", "enum": ["s", "m"]}


def test_no_file_outside_the_documents_folder_is_read(read):
    value = document({"/x": {"get": {"parameters": [query("q", {"$ref": "../../etc/passwd"})]}}})
    result = read(value, allow_remote_refs=True)
    assert refusals(result) == [("GET /x", RefusalReason.EXTERNAL_REF)]


def test_yaml_is_read_as_its_version_1_2(tool, read):
    text = """
openapi: 3.0.3
info: {title: T}
servers: [{url: https://a.test}]
paths:
  /x:
    get:
      parameters:
        - {name: country, in: query, schema: {type: string, enum: [NO, on, 2024-01-01]}}
"""
    made = read(text, "a.yaml").imported[0].tool
    assert made.parameters["properties"]["country"]["enum"] == ["NO", "on", "2024-01-01"]
    assert yaml.safe_load("NO") is False


def test_a_document_of_20_megabytes_is_read(read):
    operation = {"description": "x" * 20_000, "parameters": [query("q", {"type": "string"})]}
    value = document({f"/p{i}": {"get": operation} for i in range(1000)})
    result = read(value)
    assert len(result.imported) == 1000


def test_a_document_over_http_is_read_only_where_that_is_allowed(read):
    class Kit(BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self):
            type(self).asked += 1
            self.send_response(200 if self.path == "/kit.json" else 404)
            self.end_headers()
            self.wfile.write(b'{"Size": {"type": "string", "enum": ["s"]}}')

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Kit) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        paths = {
            f"/{name}": {"get": {"parameters": [query("q", {"$ref": f"{base}/{name}.json#/Size"})]}}
            for name in ("kit", "missing")
        }
        assert {r for _, r in refusals(read(document(paths)))} == {RefusalReason.EXTERNAL_REF}
        assert Kit.asked == 0
        allowed = read(document(paths), allow_remote_refs=True)
        server.shutdown()
    assert [i.tool.parameters["properties"]["q"]["enum"] for i in allowed.imported] == [["s"]]
    assert refusals(allowed) == [("GET /missing", RefusalReason.BROKEN_REF)]
