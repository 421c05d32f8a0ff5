import math

import pytest

RADIUS = 6371.0088


def test_half_and_quarter_of_the_globe_are_as_far_as_its_circumference_says(tools):
    half = round(math.pi * RADIUS, 3)
    assert tools.great_circle_distance(90, 0, -90, 0) == half
    assert tools.great_circle_distance(0, -90, 0, 90) == half
    assert tools.great_circle_distance(0, 0, 0, 90) == pytest.approx(half / 2, abs=0.001)


def test_the_antimeridian_is_no_distance(tools):
    assert tools.great_circle_distance(10, 180, 10, -180) == 0
    assert tools.great_circle_distance(0, 179.5, 0, -179.5) == pytest.approx(111.195, abs=0.001)


@pytest.mark.parametrize(
    ("target", "compass"),
    [((1, 0), "N"), ((0, 1), "E"), ((-1, 0), "S"), ((0, -1), "W"), ((1, 1), "NE")],
)
def test_bearings_from_the_origin(tools, target, compass):
    assert tools.initial_bearing(0, 0, *target)["compass"] == compass


@pytest.mark.parametrize("places", [(5, 5, 5, 5), (10, 180, 10, -180), (90, 0, 90, 50)])
def test_there_is_no_direction_to_the_same_place_however_written(tools, places):
    with pytest.raises(ValueError, match="the same"):
        tools.initial_bearing(*places)


def test_opposite_places_have_no_midpoint(tools):
    with pytest.raises(ValueError, match="opposite"):
        tools.geographic_midpoint(30, 10, -30, -170)


def test_a_destination_is_as_far_as_asked(tools):
    for bearing in (0, 45, 200, 359):
        place = tools.destination_point(48, 178, bearing, 900)
        distance = tools.great_circle_distance(48, 178, place["latitude"], place["longitude"])
        assert distance == pytest.approx(900, abs=0.01)


@pytest.mark.parametrize("stops", [[], [{"latitude": 1, "longitude": 1}]])
def test_a_route_needs_two_places(tools, stops):
    with pytest.raises(ValueError, match="at least two"):
        tools.route_length(stops)


@pytest.mark.parametrize(
    ("longitudes", "west", "east", "crosses"),
    [
        ((170, 180), 170, 180, False),
        ((-180, -170), -180, -170, False),
        ((170, -170), 170, -170, True),
        ((-10, 10), -10, 10, False),
    ],
)
def test_a_box_crosses_the_antimeridian_only_if_it_goes_beyond(
    tools, longitudes, west, east, crosses
):
    box = tools.bounding_box([{"latitude": 0, "longitude": x} for x in longitudes])
    assert (box["west"], box["east"], box["crosses_antimeridian"]) == (west, east, crosses)


def test_margins_stop_at_the_poles_and_around_the_globe(tools):
    ring = [{"latitude": 89, "longitude": x} for x in range(-180, 180, 15)]
    box = tools.bounding_box(ring, margin_degrees=10)
    assert (box["north"], box["west"], box["east"]) == (90, -180, 180)
    assert not box["crosses_antimeridian"]


def test_a_circle_around_a_pole_touches_all_longitudes(tools):
    box = tools.box_around_place(-89.99, 20, 10)
    assert (box["south"], box["west"], box["east"]) == (-90, -180, 180)


def test_coordinates_end_at_the_poles_and_the_antimeridian(tools):
    assert tools.convert_dms_to_decimal(90, 0, "S") == -90
    assert tools.convert_dms_to_decimal(180, 0, "W") == -180
    for degrees, hemisphere in ((90, "N"), (180, "E")):
        with pytest.raises(ValueError, match="is over"):
            tools.convert_dms_to_decimal(degrees, 0, hemisphere, seconds=1)
