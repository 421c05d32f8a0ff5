"""Links join a result to an argument that it makes sense for."""

from pathlib import Path

import pytest

from apigen_ray.records import Tool
from apigen_ray.tools.importers.findings import gather
from apigen_ray.tools.importers.openapi import IMPORTER
from apigen_ray.tools.library import load_library
from apigen_ray.tools.links import Link, links_of, together
from apigen_ray.tools.schema_paths import at

SANDBOX = Path(__file__).parents[2] / "sandbox" / "tools"


def tool(name, returns=None, **properties):
    return Tool(name, name, {"type": "object", "properties": properties}, "Test", returns=returns)


NUMBER, TEXT = {"type": "number"}, {"type": "string"}


def linked(returns, argument, schema, name="find_depot"):
    tools = [tool(name, returns), tool("use", **{argument: schema})]
    return [link.path for link in links_of(tools)]


def test_types_and_names_must_fit():
    depot = {"type": "object", "properties": {"depot": TEXT, "distance_km": NUMBER}}
    assert linked(depot, "depot", TEXT) == [("depot",)]
    assert linked(depot, "depots", TEXT) == [("depot",)]
    assert linked(depot, "depot", NUMBER) == []
    assert linked(depot, "warehouse", TEXT) == []
    assert linked(NUMBER, "depot", NUMBER) == [()]  # a bare result is called as its tool
    assert linked(TEXT, "text", TEXT, name="get_text") == []  # the word says nothing


def test_a_unit_is_no_name_and_must_be_the_same():
    returns = {"type": "object", "properties": {"growth_percent": NUMBER, "distance_km": NUMBER}}
    assert linked(returns, "tax_percent", NUMBER) == []
    assert linked(returns, "growth_percent", NUMBER) == [("growth_percent",)]
    assert linked(returns, "distance_m", NUMBER) == []
    assert linked(returns, "distance", NUMBER) == []
    plain = {"type": "object", "properties": {"distance": NUMBER, "tax": NUMBER}}
    assert linked(plain, "distance_km", NUMBER) == [("distance",)]
    assert linked(plain, "tax_percent", NUMBER) == []


def test_examples_show_keys_and_must_be_accepted():
    returns = {"type": "object", "additionalProperties": True}
    assert linked(returns, "depot", TEXT) == []
    shown = returns | {"examples": [{"depot": "North"}, {"depot": "South", "other": 1}]}
    assert linked(shown, "depot", TEXT) == [("depot",)]
    assert linked(shown, "depot", TEXT | {"enum": ["North"]}) == []
    assert linked(shown, "depot", TEXT | {"enum": ["North", "South"]}) == [("depot",)]


def test_the_first_item_of_a_list_is_a_value_too():
    listed = {"type": "array", "items": {"type": "object", "properties": {"depot": TEXT}}}
    assert linked(listed, "depot", TEXT) == [(0, "depot")]


def test_what_belongs_together_is_taken_together():
    point = {"type": "object", "properties": {"latitude": NUMBER, "longitude": NUMBER}}
    tools = [
        tool("walk", point),
        tool("look", latitude=NUMBER, longitude=NUMBER, latitude2=NUMBER),
    ]
    links = links_of(tools)
    assert together(links[0], links) == [
        Link("walk", ("latitude",), "look", "latitude"),
        Link("walk", ("longitude",), "look", "longitude"),
    ]


@pytest.fixture(scope="module")
def library():
    return load_library([str(SANDBOX)]).tools


def test_the_library_says_what_its_functions_return(library):
    by_name = {each.name: each for each in library}
    assert all(each.returns for each in library)
    distance = by_name["great_circle_distance"].returns
    assert distance["type"] == "number"
    assert distance["description"] == "The distance, to three decimals."
    assert 343.557 in distance["examples"]
    point = by_name["destination_point"].returns
    assert at(point, ("latitude",))[0]["maximum"] == 90
    assert by_name["gcd_and_lcm"].returns["examples"][0] == {"gcd": 6, "lcm": 36}


def test_the_library_has_chains(library):
    links = links_of(library)
    assert len({link.source for link in links}) >= 40
    assert Link("great_circle_distance", (), "trip_carbon_footprint", "distance_km") in links
    assert Link("find_nearest_note", ("note",), "note_frequency", "note") in links


def test_an_id_is_that_of_what_is_around_it_and_links_from_openapi_s_responses():
    document = Path(__file__).parents[2] / "configs" / "apis" / "petstore.yaml"
    found = gather(IMPORTER.read([str(document)], IMPORTER.options()))
    links = links_of([each.tool for each in found.imported])
    assert Link("addPet", ("id",), "getPetById", "petId") in links
    assert Link("addPet", ("id",), "getOrderById", "orderId") not in links
    assert Link("addPet", ("category", "id"), "getPetById", "petId") not in links
