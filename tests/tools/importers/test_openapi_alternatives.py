"""A schema with a discriminator stands for its children, in a body and inside of one."""

import json

import pytest

from apigen_ray.tools.importers.findings import gather
from apigen_ray.tools.importers.openapi import OpenApiOptions, read_openapi
from apigen_ray.tools.validation import SchemaValidator

PET = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"type": "string"}, "name": {"type": "string"}},
    "discriminator": {"propertyName": "kind"},
}


def child(parent, **properties):
    return {"allOf": [{"$ref": f"#/components/schemas/{parent}"}, {"properties": properties}]}


SCHEMAS = {
    "Cat": child("Pet", claws={"type": "integer"}),
    "Dog": child("Pet", bark={"type": "boolean"}),
}
BY_NAME = {"cat": "Cat", "dog": "Dog"}
BY_REFERENCE = {"cat": "#/components/schemas/Cat", "dog": "#/components/schemas/Dog"}


@pytest.fixture
def parameters(tmp_path):
    def read(schemas, body, version="3.0.3"):
        content = {"application/json": {"schema": body}}
        operation = {"operationId": "add", "requestBody": {"content": content}}
        path = tmp_path / "api.json"
        path.write_text(
            json.dumps(
                {
                    "openapi": version,
                    "servers": [{"url": "https://a.test"}],
                    "paths": {"/pets": {"post": operation}},
                    "components": {"schemas": schemas},
                }
            )
        )
        result = gather(read_openapi([str(path)], OpenApiOptions()))
        assert not result.refused, result.refused
        return result.imported[0].tool.parameters

    return read


def mapped(mapping, schema=PET):
    return schema | {"discriminator": {"propertyName": "kind", "mapping": mapping}}


@pytest.mark.parametrize(
    ("pet", "kinds"),
    [
        (PET, ["Cat", "Dog"]),
        (mapped(BY_NAME), ["cat", "dog"]),
        (mapped(BY_REFERENCE), ["cat", "dog"]),
    ],
)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_the_members_of_children_are_arguments(parameters, pet, kinds, version):
    body = {"$ref": "#/components/schemas/Pet"}
    read = parameters(SCHEMAS | {"Pet": pet}, body, version)
    assert read["properties"].keys() == {"kind", "name", "claws", "bark"}
    assert read["properties"]["kind"] == {"type": "string", "enum": kinds}
    assert read["properties"]["claws"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("pet", "kind"), [(PET, "Cat"), (mapped(BY_NAME), "cat"), (mapped(BY_REFERENCE), "cat")]
)
def test_a_nested_object_is_one_of_the_children(parameters, pet, kind):
    body = {"type": "object", "properties": {"pet": {"$ref": "#/components/schemas/Pet"}}}
    accepts = SchemaValidator(parameters(SCHEMAS | {"Pet": pet}, body)).accepts
    assert accepts({"pet": {"kind": kind, "claws": 5}})
    assert not accepts({"pet": {"kind": kind, "claws": "five"}})
    assert not accepts({"pet": {"kind": "Fish"}})
    assert not accepts({"pet": {"claws": 5}})


def test_children_of_children_count_and_a_parent_may_be_mapped_itself(parameters):
    lion = child("Cat", pride={"type": "string"})
    nested = {"type": "object", "properties": {"pet": {"$ref": "#/components/schemas/Pet"}}}
    implicit = SchemaValidator(parameters(SCHEMAS | {"Pet": PET, "Lion": lion}, nested)).accepts
    assert implicit({"pet": {"kind": "Lion", "claws": 5, "pride": "Tau"}})
    assert not implicit({"pet": {"kind": "Lion", "pride": 5}})
    with_itself = mapped({"pet": "Pet", "cat": "Cat"})
    explicit = SchemaValidator(parameters(SCHEMAS | {"Pet": with_itself}, nested)).accepts
    assert explicit({"pet": {"kind": "pet", "name": "Nemo"}})
    assert not explicit({"pet": {"kind": "pet", "name": 5}})
    assert not explicit({"pet": {"kind": "dog"}})


@pytest.mark.parametrize(
    "discriminator", [{"propertyName": "kind"}, {"propertyName": "kind", "mapping": {}}, {}, "kind"]
)
def test_without_children_a_schema_stays_what_it_is(parameters, discriminator):
    pet = PET | {"discriminator": discriminator}
    read = parameters({"Pet": pet}, {"$ref": "#/components/schemas/Pet"})
    assert read["properties"] == PET["properties"]


def test_written_alternatives_stay(parameters):
    cat = {
        "type": "object",
        "properties": {"kind": {"enum": ["cat"]}, "claws": {"type": "integer"}},
    }
    pet = {"oneOf": [{"$ref": "#/components/schemas/Cat"}],
           "discriminator": {"propertyName": "kind", "mapping": BY_NAME}}  # fmt: skip
    read = parameters({"Pet": pet, "Cat": cat}, {"$ref": "#/components/schemas/Pet"})
    assert read["properties"].keys() == {"kind", "claws"}
